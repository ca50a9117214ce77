"""What caused what, as a tree."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evstore.cli.output.screen import _BLOCKS
from evstore.cli.output.tree import Node, branches, causes_of


def node(n: int, cause: int | None) -> Node:
    return Node(f"id{n}", None if cause is None else f"ID{cause}", n, 0, "T", "S", "")


def drawn(*causes: int | None, most: int = 20) -> list[str]:
    found, _ = causes_of([node(n, cause) for n, cause in enumerate(causes)])
    return [f"{lines}{at}" for at, lines in branches(found, _BLOCKS, most)]


def test_an_event_stands_below_the_one_that_caused_it_and_the_oldest_first() -> None:
    assert drawn(None, 0, 0, 1, 1, 3, None, 2) == [
        "0",
        "├ 1",
        "│ ├ 3",
        "│ │ └ 5",
        "│ └ 4",
        "└ 2",
        "  └ 7",
        "6",
    ]


def test_what_nothing_here_caused_is_a_root() -> None:
    assert drawn(99, None, 99) == ["0", "1", "2"]


def test_a_cause_may_be_younger_than_what_it_caused() -> None:
    assert drawn(1, None) == ["1", "└ 0"]


def test_a_circle_is_opened_at_its_oldest() -> None:
    assert drawn(2, 0, 1, None, 1) == ["0", "└ 1", "  ├ 2", "  └ 4", "3"]
    nodes = [node(n, cause) for n, cause in enumerate((2, 0, 1))]
    assert causes_of(nodes) == ([None, 0, 1], {0: 2})


def test_what_caused_itself_is_a_root() -> None:
    assert drawn(0, 0) == ["0", "└ 1"]
    assert causes_of([node(0, 0)])[1] == {0: 0}


def test_deeper_than_the_width_the_depth_is_a_number() -> None:
    assert drawn(None, 0, 1, 2, 2, most=2) == ["0", "└ 1", "  └ 2", "…3 ├ 3", "…3 └ 4"]


def test_ten_thousand_in_a_row_are_no_recursion() -> None:
    lines = drawn(None, *range(10_000), most=10)
    assert len(lines) == 10_001
    assert lines[-1] == "…10,000 └ 10000"


@given(st.lists(st.none() | st.integers(0, 12), max_size=12))
def test_every_event_stands_there_once_whatever_they_name_as_their_cause(causes: list[int | None]) -> None:
    found, opened = causes_of([node(n, cause) for n, cause in enumerate(causes)])
    order = [at for at, _ in branches(found, _BLOCKS, 3)]
    assert sorted(order) == list(range(len(causes)))
    for at, cause in enumerate(found):
        assert cause is None or order.index(cause) < order.index(at)
        assert cause == causes[at] or causes[at] is None or causes[at] >= len(causes) or at in opened
    roots = [at for at in order if found[at] is None]
    assert roots == sorted(roots)
