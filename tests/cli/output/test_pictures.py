"""What pictures are made of: bars, lines of heights, numbers in words."""

from __future__ import annotations

import pytest

from evstore.cli.output import screen

SIGNS = screen.signs()


@pytest.mark.parametrize(
    ("value", "drawn"),
    [(0, ""), (1, "▏"), (50, "██"), (51, "██"), (53, "██▏"), (100, "████"), (99, "████"), (62.5, "██▌")],
)
def test_a_bar_is_as_long_as_its_value_to_an_eighth(value: float, drawn: str) -> None:
    assert screen.bar(value, 100, 4, screen._BLOCKS) == drawn


def test_what_is_not_nothing_can_be_seen_beside_the_largest() -> None:
    for signs in (screen._BLOCKS, screen._ASCII):
        assert screen.cells(screen.bar(1, 10**9, 8, signs)) == 1
        assert screen.cells(screen.bar(10**9, 10**9, 8, signs)) == 8


def test_a_sparkline_has_a_height_for_each_count_and_a_gap_for_none() -> None:
    assert screen.sparkline([0, 1, 50, 100, 0.2], screen._BLOCKS) == " ▁▅█ "
    assert screen.sparkline([0, 1, 100], screen._ASCII) == " _#"
    assert screen.sparkline([], screen._BLOCKS) == ""


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (1234, "1.2 kB"), (99_960, "100 kB"),
     (999_600, "1.0 MB"), (210_333_696, "210 MB"), (5 * 10**12, "5.0 TB"), (10**19, "10000 PB")],
)  # fmt: skip
def test_a_size_is_said_in_three_digits_or_so(count: int, said: str) -> None:
    assert screen.size(count) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 ms"), (0.205, "205 ms"), (1, "1.0 s"), (90, "90 s"), (150, "2.5 min"), (5400, "90 min"), (8000, "2.2 h"),
     (86400, "24 h"), (86400 * 11, "11 days"), (86400 * 730, "2.0 years")],
)  # fmt: skip
def test_a_length_of_time_is_said_as_people_do(seconds: float, said: str) -> None:
    assert screen.span(seconds) == said


@pytest.mark.parametrize("text", ["OrderPlaced", "日本語日本語", "e\u0301" * 9, "👩‍👩‍👧" * 5])
def test_a_text_is_cut_by_the_columns_that_it_takes(text: str) -> None:
    for most in (1, 2, 3, 5, 7, 40):
        assert screen.cells(screen.cut(text, most)) <= most
        assert screen.cells(screen.pad(text, most)) == most
    assert screen.cut(text, 100) == text
    assert screen.cut(text, 4).endswith("…")


def test_only_what_is_long_is_cut_where_several_share_a_width() -> None:
    assert screen.share([5, 100, 8], 40) == [5, 27, 8]
    assert screen.share([50, 50], 40) == [20, 20]
    assert screen.share([], 40) == []


def test_a_width_is_that_of_the_window_or_as_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "123")
    assert screen.width() == 123
    monkeypatch.setenv("COLUMNS", "1")
    assert screen.width() == 20  # below that nothing could be shown
