"""`categories`, `types`, `streams` and `info`: what a store holds, for scripts and for people."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from shlex import quote
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from sqlite_utils import Database

from evstore import EventData, EventStore, StoreInfo, Write, connect
from evstore.adapters.memory import CAPABILITIES, MemoryAdapter
from evstore.cli import settings
from evstore.cli.output import info_report, writer
from tests.support.command_store import remove
from tests.support.data import DAY, FIRST, objects
from tests.support.terminal import STYLE, WIDTHS, cells, screen, seen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.command import Command

pytestmark = pytest.mark.sqlite_first("what is printed does not depend on where events are stored")
PRINTING = pytest.mark.sqlite_only("how it is drawn does not depend on where it was stored")
LONG = "CategoryOf" * 30


def fill(command: Command, *parts: tuple[str, str, int], times_us: Sequence[int] | None = None) -> None:
    """Streams with so many events of a type, in the order given, stored when it is said."""
    writes = [Write(stream, [EventData(type_, n) for n in range(count)]) for stream, type_, count in parts]
    with connect(command.url) as opened:
        unit = opened.appender.unit(writes)
        for outcome in opened.appender.submit([unit if times_us is None else unit._replace(times_us=times_us)]):
            assert not isinstance(outcome, Exception), outcome


# --- types ---


def test_types_are_told_with_their_counts_and_positions_by_name(store: Command) -> None:
    fill(store, ("B-1", "T", 2), ("A-1", "U", 1), ("A-2", "T", 1), ("A-1", "t", 1))
    assert objects(store.ok("types").out) == [
        {"type": "T", "events": 3, "firstPosition": 1, "lastPosition": 4},
        {"type": "U", "events": 1, "firstPosition": 3, "lastPosition": 3},
        {"type": "t", "events": 1, "firstPosition": 5, "lastPosition": 5},
    ]


def test_types_of_a_category_are_counted_in_it_alone(store: Command) -> None:
    fill(store, ("B-1", "T", 2), ("A-1", "U", 1), ("A-2", "T", 1))
    assert objects(store.ok("types", "A").out) == [
        {"type": "T", "events": 1, "firstPosition": 4, "lastPosition": 4},
        {"type": "U", "events": 1, "firstPosition": 3, "lastPosition": 3},
    ]
    assert store.ok("types", "a").out == b""


def test_types_are_picked_by_prefix_and_named_alone(store: Command) -> None:
    fill(store, *(("A-1", name, 1) for name in ("Placed", "Paid", "P_", "paid")))
    assert store.ok("types", "--names").lines == ["P_", "Paid", "Placed", "paid"]
    assert store.ok("types", "--names", "--prefix", "P").lines == ["P_", "Paid", "Placed"]
    assert store.ok("types", "A", "--names", "--prefix", "Pa", "-F", "json").out == b'["Paid"\n]\n'


# --- info of a store ---


def test_info_prints_the_object_that_init_prints(store: Command) -> None:
    fill(store, ("A-1", "T", 3), ("B-1", "T", 1))
    told = json.loads(store.ok("info").out)
    assert told.pop("sizeBytes") > 0
    made = json.loads(store.ok("init").out)
    assert {**made, "sizeBytes": None} == {**told, "sizeBytes": None}
    assert (told["events"], told["streams"], told["categories"], told["place"]) == (4, 2, 2, store.place)


def test_info_is_a_probe_that_says_what_is_not_there(store: Command) -> None:
    remove(store)
    done = store("info")
    assert (done.code, done.out) == (6, b"")
    assert "hint: evstore init" in done.err
    assert store("info", "A-1").code == 6


def test_the_size_of_an_event_is_told_where_there_are_enough_to_tell(store: Command) -> None:
    sizes = []
    for events in (999, 1):
        fill(store, ("A-1", "T", events))
        sizes += [line[12:] for line in screen(store, "info") if line.startswith("size")]
    assert [size.endswith(" bytes an event") for size in sizes] == [False, True]


@WIDTHS
def test_a_report_tells_what_a_store_is_and_holds(store: Command, backend: str, columns: int) -> None:
    fill(store, ("A-1", "T", 1500), ("B-1", "T", 1), times_us=[FIRST + n * DAY for n in range(1501)])
    lines = screen(store, "info", columns=columns, TZ="UTC0")
    told = {line[:12].strip(): line[12:] for line in lines}
    assert told["place"] == store.place
    assert re.fullmatch(r"(SQLite|PostgreSQL) [\d.]+, schema \d+", told["backend"])
    assert told["events"] == "1,501 in 2 streams of 2 categories"
    assert re.fullmatch(r"[\d.]+ [kM]B, \d+ bytes an event", told["size"])
    assert told["durability"] == "an append is on disk before it is acknowledged"
    assert ("synchronous full" if backend == "sqlite" else "fsync on") in "\n".join(lines)
    assert lines[-1] == "next: evstore categories"
    assert all(cells(line) <= columns for line in lines if not line.startswith("place"))


@WIDTHS
def test_a_report_draws_the_events_over_time_between_two_dates(store: Command, columns: int) -> None:
    times = [FIRST, *range(FIRST + 90 * DAY, FIRST + 100 * DAY + 1, DAY // 2)]
    fill(store, ("A-1", "T", len(times)), times_us=times)
    lines = screen(store, "info", columns=columns, TZ="UTC0")
    at = next(n for n, line in enumerate(lines) if line.startswith("over time"))
    heights, dates = lines[at][12:], lines[at + 1][12:]
    assert len(heights) == min(columns - 12, 96)
    assert re.fullmatch("[▁▂▃▄▅▆▇█] +[▁▂▃▄▅▆▇█]+", heights)
    assert heights.count(" ") == pytest.approx(0.9 * len(heights), abs=3)
    assert re.fullmatch(r"2023-11-14 (peak: \d+ in [\d.]+ \w+ )?2024-02-22", re.sub(" {2,}", " ", dates))
    assert len(dates) == len(heights)


@WIDTHS
def test_the_dates_of_a_short_time_tell_its_hours(store: Command, columns: int) -> None:
    fill(store, ("A-1", "T", 2), times_us=[FIRST, FIRST + 3_600_000_000])
    dates = next(line for line in screen(store, "info", columns=columns, TZ="UTC0") if "2023-11-14" in line)
    assert dates.split()[:2] == ["2023-11-14", "22:13"]
    assert dates.split()[-2:] == ["2023-11-14", "23:13"]
    west = screen(store, "info", columns=columns, TZ="WST10")
    assert any("2023-11-14 12:13" in line for line in west)
    assert any("2023-11-14 22:13" in line for line in screen(store, "info", "--utc", TZ="WST10"))


def test_a_report_of_an_empty_store_says_how_to_begin(store: Command) -> None:
    lines = screen(store, "info")
    assert any(line.split() == ["events", "0"] for line in lines)
    assert lines[-1].startswith("next: evstore append ")
    assert not any(line.startswith("over time") for line in lines)


def test_a_report_says_what_to_type_next_with_the_store_that_was_named(store: Command) -> None:
    fill(store, ("A-1", "T", 1))
    assert screen(store, "info", "--db", store.url)[-1] == f"next: evstore categories --db {quote(store.url)}"
    assert not any(line.startswith("next:") for line in screen(store, "-q", "info"))


def test_a_report_of_what_is_only_in_memory_says_so(store: Command) -> None:
    lines = screen(store, "--db", "memory:", "info")
    assert any(line.startswith("durability  none") for line in lines)


class _Toy(MemoryAdapter):
    """A third party's adapter, of which the command line knows nothing."""

    capabilities = CAPABILITIES._replace(name="Toy DB", how_durable="the toy forgets")
    facts: ClassVar[dict[str, Any]] = {"backend": "toy", "backend_version": "7", "durability": {"journal": "off"}}

    def info(self) -> StoreInfo:
        return super().info()._replace(**self.facts)


@pytest.mark.parametrize(
    ("facts", "line", "yellow"),
    [
        ({}, f"durability  {CAPABILITIES.how_durable}", True),
        ({"how_durable": "the toy forgets"}, "durability  the toy forgets", True),
        ({"how_durable": ""}, "durability  NOT SAFE: its adapter promises nothing", True),
        ({"how_durable": "two disks have it", "durable": True}, "durability  two disks have it", False),
    ],
)
def test_a_report_takes_the_adapters_word_for_its_name_and_for_what_is_safe(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    facts: dict[str, Any],
    line: str,
    yellow: bool,
) -> None:
    monkeypatch.setattr(_Toy, "facts", {**_Toy.facts, **facts})
    settings.begin([])
    monkeypatch.setattr(settings.current, "color", "always")
    with EventStore(_Toy()) as store:
        info_report.of_store(store, store.info())
    writer.flush()
    raw = capsys.readouterr().out
    lines = STYLE.sub("", raw).splitlines()
    assert "backend     Toy DB 7, schema 1" in lines
    assert line in lines
    assert "            journal off" in lines
    assert ("\033[33m" in raw) == yellow


@WIDTHS
@PRINTING
def test_a_warning_is_yellow_and_can_be_told_without_colour(store: Command, columns: int) -> None:
    told = json.loads(store.ok("info").out)["warnings"]
    if not told:
        pytest.skip("this SQLite has nothing to warn of")
    raw = seen(store, "info", columns=columns)
    plain = STYLE.sub("", raw)
    assert "\x1b[33m" in raw
    at = plain.splitlines().index(next(line for line in plain.splitlines() if line.startswith("warning")))
    assert " ".join(line[12:] for line in plain.splitlines()[at:-1]) == told[0]


@pytest.mark.sqlite_only("it is about what another program does to SQLite's file")
def test_missing_triggers_are_warned_of(store: Command) -> None:
    """As after `sqlite-utils transform`, which makes the table anew."""
    before = json.loads(store.ok("info").out)["warnings"]

    def warned() -> list[str]:
        return [each for each in json.loads(store.ok("info").out)["warnings"] if each not in before]

    assert warned() == []
    path = store.folder / "evstore.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER streams_are_not_updated")
    one = "1 trigger is missing, of those that keep the log as it is: streams_are_not_updated; "
    assert warned() == [f"{one}evstore verify reports how to make them again"]
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        Database(connection)["events"].transform()
    assert warned()[0].startswith("3 triggers are missing")
    for trigger in ("streams_are_not_updated", "events_are_not_updated", "events_are_not_deleted"):
        assert trigger in warned()[0]
        assert f'\\"{trigger}\\" is missing' in store("verify").out.decode()


# --- info of a stream ---


def test_info_of_a_stream_is_its_row_of_streams(store: Command) -> None:
    fill(store, ("A-1", "T", 2), ("A-2", "T", 1), ("A-1", "U", 1))
    assert store.ok("info", "A-1").out == store.ok("streams", "--prefix", "A-1").out
    assert store.ok("info", "A-1", "-F", "tsv").out == store.ok("streams", "--prefix", "A-1", "-F", "tsv").out


def test_info_of_a_missing_stream_is_not_found_and_names_what_was_meant(store: Command) -> None:
    fill(store, ("Order-1", "T", 1))
    done = store("info", "Odrer-1")
    assert (done.code, done.out) == (3, b"")
    assert re.fullmatch('evstore: .*"Odrer-1".*\nhint: .*"Order-1".*\n', done.err)
    assert store.ok("info", "Odrer-1", "--missing-ok").out == b""


@PRINTING
def test_info_of_what_cannot_be_a_stream_is_bad_input(store: Command) -> None:
    assert store("info", "-1").code == 2
    assert store("info", "--", "-1").code == 5
    assert store("info", "").code == 5
    assert store("info", "--missing-ok").code == 2


@WIDTHS
def test_a_report_of_a_stream_tells_its_facts_and_how_to_read_it(store: Command, columns: int) -> None:
    times = [FIRST + n * n * DAY // 1000 for n in range(1200)]
    fill(store, ("Order-it's", "Placed", 1200), times_us=times)
    lines = screen(store, "info", "Order-it's", columns=columns, TZ="UTC0")
    told = {line[:12].strip(): line[12:] for line in lines}
    assert (told["stream"], told["category"], told["version"]) == ("Order-it's", "Order", "1,200")
    assert (told["created"], told["last type"]) == ("2023-11-14 22:13:20", "Placed")
    assert told["updated"].startswith("2027-10-22 ")
    assert re.fullmatch("[▁▂▃▄▅▆▇█ ]+", told["over time"])
    assert told["over time"].startswith("█")
    assert lines[-1] == """next: evstore read 'Order-it'"'"'s' --last 10"""
    assert all(cells(line) <= columns for line in lines)


# --- bars ---


@WIDTHS
@pytest.mark.parametrize("name", ["categories", "types"])
def test_a_list_has_a_bar_for_each_scaled_to_the_largest(store: Command, columns: int, name: str) -> None:
    fill(store, ("All-1", "All", 1000), ("Half-1", "Half", 500), ("One-1", "One", 1), ("Tenth-1", "Tenth", 100))
    heads, *rows = screen(store, name, columns=columns)
    assert heads.split()[0] == {"categories": "category", "types": "type"}[name]
    assert [row.split()[0] for row in rows] == ["All", "Half", "One", "Tenth"]
    lengths = [len("".join(re.findall("[▏▎▍▌▋▊▉█]", row))) for row in rows]
    assert lengths[0] >= 8
    assert lengths[1] == pytest.approx(lengths[0] / 2, abs=1)
    assert (lengths[2], lengths[3]) == (1, pytest.approx(lengths[0] / 10, abs=1))
    assert all(cells(row) <= columns for row in (heads, *rows))


@WIDTHS
@pytest.mark.parametrize("name", ["categories", "types"])
def test_numbers_are_whole_and_parted_and_long_names_are_cut(store: Command, columns: int, name: str) -> None:
    fill(store, (f"{LONG}-1", "T" * 250, 1_234), ("日本語" * 40 + "-1", "日本語" * 20, 1), ("A-1", "T", 1))
    heads, *rows = (
        line for line in screen(store, name, columns=columns) if not line.startswith("note: no room for")
    )
    assert all(cells(row) <= columns for row in (heads, *rows))
    found = [re.search(r" ([\d,]+) +[▏▎▍▌▋▊▉█]", row) for row in rows[:2]]
    assert [each and each[1] for each in found] == ["1", "1,234"]
    assert len({each.end(1) for each in found if each}) == 1  # numbers stand at the right
    assert [row.count("…") for row in rows] == [0, 1, 1]


@pytest.mark.parametrize("form", ["ndjson", "json", "tsv"])
def test_numbers_are_plain_wherever_a_program_reads_them(store: Command, form: str) -> None:
    fill(store, ("A-1", "T", 1234))
    for words in (("categories",), ("types",), ("streams",), ("info",), ("info", "A-1")):
        out = store.ok(*words, "-F", form).out
        assert b"1234" in out
        assert b"1,234" not in out
        assert "█".encode() not in out


@pytest.mark.parametrize("name", ["categories", "types"])
@PRINTING
def test_a_bar_has_the_colour_of_what_it_is_of_and_is_there_without(store: Command, name: str) -> None:
    fill(store, ("A-1", "T", 3))
    colour = {"categories": "36", "types": "32"}[name]
    assert re.search(rf"\x1b\[{colour}m█", seen(store, name))
    for words, env in ((("--color", "never"), {}), ((), {"NO_COLOR": "1"})):
        plain = seen(store, name, *words, **env)
        assert "█" in plain
        assert "\x1b" not in plain


@pytest.mark.parametrize("name", ["categories", "types"])
@PRINTING
def test_where_the_encoding_has_no_blocks_pictures_are_plain(store: Command, name: str) -> None:
    fill(store, ("A-1", "T", 300), times_us=[FIRST + n * n * DAY for n in range(300)])
    assert re.search("#{8}", seen(store, name, PYTHONIOENCODING="ascii"))
    report = seen(store, "info", PYTHONIOENCODING="ascii")
    assert report.isascii()
    assert re.search(r"over time .*#[#*+=\-._ ]+", STYLE.sub("", report))


@PRINTING
def test_a_window_of_a_few_columns_shows_what_it_can(store: Command) -> None:
    fill(store, ("A-1", "T", 3))
    for words in (("categories",), ("types",), ("streams",), ("info",), ("info", "A-1")):
        assert "bug" not in seen(store, *words, columns=20)


# --- what a store holds cannot drive the terminal ---


@WIDTHS
@PRINTING
def test_no_name_drives_the_terminal_nor_is_taken_for_markup(store: Command, columns: int) -> None:
    name = "A[red]\u202e"
    fill(store, (f"{name}-1", "[/x]\u2066", 1))
    for words in (("categories",), ("types",), ("streams",), ("info", f"{name}-1")):
        told = seen(store, *words, columns=columns, NO_COLOR="1")
        assert not {"\u202e", "\u2066", "\x1b"} & set(told)
        assert "[" in told
    assert "A[red]\\u202e-1" in seen(store, "info", f"{name}-1", columns=columns, NO_COLOR="1")


# --- in every list ---


def test_a_table_in_a_pipe_has_no_limit(store: Command) -> None:
    fill(store, *((f"A-{n:03}", "T", 1) for n in range(150)))
    assert len(store.ok("streams", "-F", "table").lines) == 151
    assert len(screen(store, "streams")) == 102


@PRINTING
def test_times_are_local_or_in_utc(store: Command) -> None:
    fill(store, ("A-1", "T", 1), times_us=[FIRST])
    for words in (("streams",), ("categories",)):
        local = screen(store, *words, TZ="Asia/Tokyo")[-1]
        utc = screen(store, *words, "--utc", TZ="Asia/Tokyo")[-1]
        assert ("2023-11-15 07:13:20" in local, "2023-11-14 22:13:20" in utc) == (True, True)


@PRINTING
def test_a_person_is_told_where_there_is_nothing(store: Command) -> None:
    for words in ("categories", "types", "streams"):
        (note,) = screen(store, words)
        assert re.match(rf"note: .*\b{words}\b", note)
        assert store.ok(words, "-F", "tsv").err == ""


@PRINTING
@WIDTHS
def test_however_long_a_name_is_a_bar_can_be_compared(store: Command, columns: int) -> None:
    fill(store, ("A-1", "T" * 250, 90), ("A-1", "U", 10))
    rows = screen(store, "types", columns=columns)[1:]
    assert max(row.count("█") for row in rows) >= columns // 5


@PRINTING
def test_what_to_type_next_names_the_store_if_the_command_did(store: Command) -> None:
    named = ("--db", store.url)
    for words in (("init",), ("append", "A-1", "-t", "T", "-d", "1"), ("read", "B-1"), ("info", "B-1")):
        *_, last = screen(store, *words, *named)
        assert last.endswith(f" --db {quote(store.url)}"), last
