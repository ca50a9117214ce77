"""`trace`: all events of a correlation, as a tree for people and as lines for programs."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from evstore import EventData, Metadata, Write, connect
from tests.support.damage import both, plant
from tests.support.data import DAY, FIRST
from tests.support.sentences import names
from tests.support.terminal import COLUMNS, WIDTHS, cells, screen, seen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.command import Command

pytestmark = pytest.mark.sqlite_first("what is printed does not depend on where events are stored")
PRINTING = pytest.mark.sqlite_only("how it is drawn does not depend on where it was stored")
IDS = [str(uuid4()) for _ in range(12)]


def fill(
    command: Command, *parts: tuple[str, str, str | None], correlation: str | None = "c", times: Sequence[int] = ()
) -> None:
    """Events, by stream, type and cause; the n-th has the n-th id."""
    with connect(command.url) as opened:
        writes = [
            Write(
                stream,
                [EventData(type_, {"n": n}, Metadata(correlation_id=correlation, causation_id=cause), IDS[n])],
            )
            for n, (stream, type_, cause) in enumerate(parts)
        ]
        unit = opened.appender.unit(writes)
        opened.appender.submit([unit._replace(times_us=times) if times else unit])


@pytest.fixture
def told(store: Command) -> Command:
    """A placed order, what it caused, and an event of nobody."""
    fill(
        store,
        ("Order-1", "Placed", "cmd-17"),
        ("Pay-1", "Paid", IDS[0]),
        ("Stock-1", "Reserved", IDS[0].upper()),
        ("Mail-1", "Sent", IDS[1]),
        ("Note-1", "Noted", None),
    )
    return store


def shape(lines: Sequence[str]) -> list[str]:
    """The column of the tree."""
    at = lines[1].index("event")
    return [re.split(r"  +(?![├└│ ])", line[at:])[0] for line in lines[2:]]


def test_a_pipe_gets_the_lines_of_replay(told: Command) -> None:
    told.ok("append", "Order-1", "-t", "Other", "-d", "1", "--correlation-id", "d")
    out = told.ok("trace", "c").out
    assert out == told.ok("replay", "--all", "--correlation-id", "c").out
    assert out.count(b"\n") == 5


@pytest.mark.sqlite_only("PostgreSQL stores nothing as JSON that is none")
def test_an_event_whose_metadata_is_damaged_is_named_as_the_cause(store: Command) -> None:
    store.ok("append", "A-1", "-t", "T", "-d", "1", "--correlation-id", "c")
    plant(store, both("UPDATE events SET metadata = '{bad'"))
    for words in (("trace", "c"), ("replay", "--all", "--correlation-id", "c")):
        done = store(*words)
        assert (done.code, done.out) == (10, b"")
        (message,) = done.err.splitlines()
        assert message.startswith("evstore: ")
        assert names(message, store.place, "JSON", "evstore verify")
    assert json.loads(store("verify").lines[0])["finding"] == "bad-metadata"


@pytest.mark.parametrize("form", ["json", "tsv", "ndjson"])
def test_every_form_and_the_fields_are_those_of_replay(told: Command, form: str) -> None:
    for more in ((), ("--fields", "type,data.n,category")):
        asked = ("-F", form, *more)
        assert told.ok("trace", "c", *asked).out == told.ok("replay", "--all", "--correlation-id", "c", *asked).out


def test_no_event_is_a_success_with_nothing_on_stdout(told: Command) -> None:
    done = told.ok("trace", "C")
    assert (done.out, done.err) == (b"", "")
    (note,) = seen(told, "trace", "C\u202e").splitlines()
    assert note.startswith("note: ")
    assert names(note, '"C\\u202e"')
    assert told("trace").code == 2


@WIDTHS
def test_a_terminal_gets_a_tree_of_who_caused_what_oldest_first(told: Command, columns: int) -> None:
    lines = screen(told, "trace", "c", columns=columns)
    assert lines[0].startswith("5 events in 5 streams, ")
    assert lines[1].split() == ["position", "time", "event", "stream", "data"]
    cause, *events = shape(lines)
    assert names(cause, "cmd-17:")
    assert events == ["Placed", "├ Paid", "│ └ Sent", "└ Reserved", "Noted"]
    assert [line.split()[0] for line in lines[3:]] == ["1", "2", "4", "3", "5"]
    assert lines[3].endswith('Order-1  {"n":0}')
    assert all(cells(line) <= columns for line in lines)


@WIDTHS
def test_a_cause_of_another_correlation_is_named(store: Command, columns: int) -> None:
    fill(store, ("Cart-1", "CheckedOut", None), correlation="other")
    with connect(store.url) as opened:
        for cause in (IDS[0], IDS[9], "x" * 500):
            opened.append("Order-1", [EventData("Placed", 1, Metadata("c", cause))])
    lines = screen(store, "trace", "c", columns=columns)
    assert names(lines[2], "CheckedOut", "Cart-1")
    assert IDS[9][:20] in lines[4]
    assert lines[6].endswith("…")
    assert all(cells(line) <= columns for line in lines)


def test_circles_and_what_caused_itself_are_opened_at_their_oldest(store: Command) -> None:
    fill(store, ("A-1", "Egg", IDS[1]), ("A-1", "Hen", IDS[0]), ("B-1", "Self", IDS[2]), ("B-1", "Child", IDS[2]))
    circle, egg, hen, self, *rest = shape(screen(store, "trace", "c"))
    assert names(circle, 2)
    assert (egg, hen, rest) == ("Egg", "└ Hen", ["Self", "└ Child"])
    assert not re.search(r"\d", self)  # it needs no position
    assert circle.endswith(":")
    assert self.endswith(":")


def test_deeper_than_the_width_the_depth_is_told_and_ten_thousand_are_no_recursion(store: Command) -> None:
    ids = [str(uuid4()) for _ in range(10_000)]
    with connect(store.url) as opened:
        events = [
            EventData("Step", n, Metadata("deep", ids[n - 1] if n else None), each) for n, each in enumerate(ids)
        ]
        opened.append("Chain-1", events)
    for columns in COLUMNS:
        lines = screen(store, "trace", "deep", columns=columns)
        assert len(lines) == 10_002
        assert "…9,999 └ Step" in lines[-1]
        assert "└ Step" in lines[3]
        assert all(len(line) <= columns for line in lines)


def test_times_are_local_and_told_as_far_as_they_differ(store: Command) -> None:
    day = [FIRST, FIRST + 1_234_000]
    fill(store, ("A-1", "T", None), ("A-1", "T", None), times=day)
    lines = screen(store, "trace", "c", TZ="UTC0")
    assert lines[0] == "2 events in 1 stream, 2023-11-14 22:13:20 to 22:13:21, 1.2 s"
    assert [line.split()[1] for line in lines[2:]] == ["22:13:20.000", "22:13:21.234"]
    assert screen(store, "trace", "c", TZ="WST10")[2].split()[1] == "12:13:20.000"
    assert screen(store, "trace", "c", "--utc", TZ="WST10")[2].split()[1] == "22:13:20.000"
    assert screen(store, "trace", "c", columns=60, TZ="UTC0")[2].split()[1] == "22:13:20"


def test_times_of_several_days_have_their_date(store: Command) -> None:
    fill(store, ("A-1", "T", None), ("A-1", "T", None), times=[FIRST, FIRST + 3 * DAY])
    lines = screen(store, "trace", "c", TZ="UTC0")
    assert lines[0] == "2 events in 1 stream, 2023-11-14 22:13:20 to 2023-11-17 22:13:20, 3.0 days"
    assert lines[3].split()[1:3] == ["2023-11-17", "22:13:20"]


@WIDTHS
@PRINTING
def test_long_names_and_payloads_are_cut_to_the_width(store: Command, columns: int) -> None:
    with connect(store.url) as opened:
        opened.append("S" * 400, [EventData("T" * 200, "日本" * 90_000, Metadata("c"))])
        opened.append("S-1", [EventData("T", {"n": 1}, Metadata("c"))])
    lines = screen(store, "trace", "c", columns=columns)
    assert [line.count("…") for line in lines] == [0, 0, 3, 0]
    assert all(cells(line) <= columns for line in lines)


@PRINTING
def test_a_window_of_a_few_columns_shows_what_it_can(told: Command) -> None:
    assert "├ Paid" in "\n".join(screen(told, "trace", "c", columns=20))


@PRINTING
def test_fields_on_a_terminal_are_a_table(told: Command) -> None:
    lines = screen(told, "trace", "c", "--fields", "type,data.n")
    assert [line.split() for line in lines[:2]] == [["type", "data.n"], ["Placed", "0"]]


@PRINTING
def test_a_tree_has_the_colours_of_a_log_and_reads_without(told: Command) -> None:
    coloured = seen(told, "trace", "c")
    assert "\x1b[32mPlaced" in coloured
    assert re.search(r"\x1b\[36m +1\x1b\[0m", coloured)
    for words, env in ((("--color", "never"), {}), ((), {"NO_COLOR": "1"})):
        plain = seen(told, "trace", "c", *words, **env)
        assert "\x1b" not in plain
        assert "└ Reserved" in plain


@PRINTING
def test_where_the_encoding_has_no_lines_a_tree_is_plain(told: Command) -> None:
    drawn = seen(told, "trace", "c", PYTHONIOENCODING="ascii")
    assert drawn.isascii()
    assert "| `-" in drawn


@WIDTHS
@PRINTING
def test_nothing_in_an_event_drives_the_terminal_nor_is_taken_for_markup(store: Command, columns: int) -> None:
    with connect(store.url) as opened:
        opened.append(
            "A-[b]", [EventData("[/x]\u202e", "\x7f\u202e\u009b2J", Metadata("c", "\x1b[31m[red]\u2066"))]
        )
    drawn = seen(store, "trace", "c", columns=columns, NO_COLOR="1")
    assert not {"\x1b", "\x7f", "\x9b", "\u202e", "\u2066"} & set(drawn)
    assert " \\u001b[31m[red]\\u2066:" in drawn
    assert "[/x]\\u202e" in drawn
