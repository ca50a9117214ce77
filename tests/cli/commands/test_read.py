"""`read`, `replay` and `categories`: which events, in which order."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.command import Command


@pytest.fixture(scope="module")
def shared(module_store: Command) -> Command:
    """Positions 1 to 6: A-1 B-1 A-1 A-2 B-1 A-1, types T and U in turn."""
    lines = [
        json.dumps({"streamId": stream, "type": "TU"[at % 2], "data": {"n": at + 1}})
        for at, stream in enumerate(["A-1", "B-1", "A-1", "A-2", "B-1", "A-1"])
    ]
    module_store.ok("append", "--many", "-", stdin="\n".join(lines).encode())
    return module_store


def numbers(command: Command, *words: str) -> list[int]:
    return [json.loads(line)["data"]["n"] for line in command.ok(*words).lines]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], [1, 3, 6]),
        (["--from", "2"], [3, 6]),
        (["--from", "0"], [1, 3, 6]),
        (["--after", "2"], [6]),
        (["--after", "99999999999999999999"], []),
        (["--to", "2"], [1, 3]),
        (["--to", "0"], []),
        (["-n", "2"], [1, 3]),
        (["-n", "0"], []),
        (["-n", "all"], [1, 3, 6]),
        (["-r"], [6, 3, 1]),
        (["-r", "-n", "1"], [6]),
        (["-r", "--from", "2"], [6, 3]),
        (["-r", "--to", "2", "--limit", "1"], [3]),
        (["-t", "U"], [6]),
        (["-t", "T", "-t", "U", "-n", "2"], [1, 3]),
        (["-t", "u"], []),
    ],
)
def test_read_prints_a_range_of_versions(shared: Command, words: Sequence[str], expected: list[int]) -> None:
    assert numbers(shared, "read", "A-1", *words) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--all"], [1, 2, 3, 4, 5, 6]),
        (["A"], [1, 3, 4, 6]),
        (["A", "B"], [1, 2, 3, 4, 5, 6]),
        (["a"], []),
        (["A", "--from", "3", "--to", "4"], [3, 4]),
        (["A", "--after", "3"], [4, 6]),
        (["--all", "-r", "-n", "2"], [6, 5]),
        (["B", "A", "-r", "-n", "3"], [6, 5, 4]),
        (["A", "-t", "U"], [4, 6]),
        (["--all", "-t", "U", "-n", "1"], [2]),
        (["--all", "-t", "T", "-t", "U", "--after", "4"], [5, 6]),
    ],
)
def test_replay_prints_a_range_of_positions(shared: Command, words: Sequence[str], expected: list[int]) -> None:
    assert numbers(shared, "replay", *words) == expected


def test_a_category_with_a_hyphen_gets_a_note(shared: Command) -> None:
    done = shared.ok("replay", "A-1")
    assert done.out == b""
    assert "evstore read A-1" in done.err


def test_the_same_event_has_the_same_line_everywhere(shared: Command) -> None:
    assert shared.ok("read", "B-1").lines == [
        line for line in shared.ok("replay", "--all").lines if json.loads(line)["streamId"] == "B-1"
    ]


def test_categories_are_listed_with_their_counts_by_name(shared: Command) -> None:
    listed = [json.loads(line) for line in shared.ok("categories").lines]
    times = [each.pop("lastTimestamp") for each in listed]
    assert listed == [
        {"category": "A", "streams": 2, "events": 4, "firstPosition": 1, "lastPosition": 6},
        {"category": "B", "streams": 1, "events": 2, "firstPosition": 2, "lastPosition": 5},
    ]
    assert all(each.endswith("Z") and len(each) == 27 for each in times)


def test_category_names_alone(shared: Command) -> None:
    assert shared.ok("categories", "--names").lines == ["A", "B"]
    assert shared.ok("categories", "--names", "--prefix", "B").lines == ["B"]


def test_an_empty_query_prints_nothing_and_succeeds(store: Command) -> None:
    for words in (("replay", "--all"), ("replay", "Order"), ("categories",)):
        done = store.ok(*words)
        assert (done.out, done.err) == (b"", "")


def test_a_pipe_knows_no_limit(store: Command) -> None:
    store.ok("append", "A-1", "-t", "T", "-", stdin=b"1 " * 2500)
    assert len(store.ok("read", "A-1").lines) == 2500
    assert len(store.ok("replay", "A").lines) == 2500


def test_output_is_utf8_whatever_the_locale_says(store: Command) -> None:
    store.ok("append", "Ö-1", "-t", "T", "-d", '"☃"')
    done = store("read", "Ö-1", env={"LC_ALL": "C", "PYTHONIOENCODING": "ascii"})
    assert '"data":"☃"'.encode() in done.out
