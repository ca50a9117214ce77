"""A store that lost a name, past its triggers: every way of reading reports that, and none prints fewer events."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from evstore import EventData, IncompleteLogError, connect
from evstore.adapters.sqlite import rows
from evstore.cli.output.writer import as_bytes
from evstore.model.events import lines_of
from tests.support.command import Command
from tests.support.sqlite_files import update_past_kinds

if TYPE_CHECKING:
    from pathlib import Path

TYPES = ("Placed", "Named", "Shipped")
STREAMS = ("Order-1", "User-1", "Stock-1")
EVENTS = 9
DAMAGED = 10
IDS = [f"00000000-0000-7000-8000-00000000000{n}" for n in range(EVENTS)]


@pytest.fixture
def evstore(tmp_path: Path) -> Command:
    """A store whose types and streams come in turn."""
    command = Command(tmp_path)
    with connect(command.url) as store:
        store.initialize()
        store.append_many((STREAMS[n % 3], [EventData(TYPES[n % 3], n, id=IDS[n])], -1) for n in range(EVENTS))
    return command


def lose(command: Command, table: str, where: str) -> None:
    """Delete rows past the triggers."""
    with closing(sqlite3.connect(command.folder / "evstore.db", isolation_level=None)) as connection:
        for each in ("updated", "deleted"):
            connection.execute(f"DROP TRIGGER {table}_are_not_{each}")
        assert connection.execute(f"DELETE FROM {table} WHERE {where}").rowcount == 1


FOLLOW = ("-f", "-n", f"{EVENTS}", "--within", "1s")


@pytest.mark.parametrize("which", range(3))
@pytest.mark.parametrize("backward", [False, True])
def test_no_reading_passes_over_events_whose_type_is_lost(evstore: Command, which: int, backward: bool) -> None:
    name = TYPES[which]
    lose(evstore, "types", f"name = '{name}'")
    for words in (
        ("read", STREAMS[which]),
        ("replay", "--all"),
        ("replay", STREAMS[which].partition("-")[0]),
        ("replay", "--all", "--type", name),
        ("replay", "--all", "--type", name, "--type", TYPES[which - 1]),
        ("replay", "Order", "User", "Stock", "--since", "1h"),
    ):
        done = evstore(*words, *(["--reverse"] if backward else []))
        assert done.code == DAMAGED, (words, done)
        assert "evstore.db has no " in done.err


@pytest.mark.parametrize("which", range(3))
def test_export_and_get_report_a_type_that_is_lost(evstore: Command, which: int) -> None:
    lose(evstore, "types", f"key = {which + 1}")
    assert evstore("export").code == DAMAGED
    assert evstore("get", IDS[which]).code == DAMAGED
    assert evstore("get", IDS[which - 1]).code == 0


@pytest.mark.parametrize("most", [16_384, 2])
@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("table", ["types", "streams"])
def test_a_store_that_has_read_a_name_reports_that_it_is_lost(
    evstore: Command, monkeypatch: pytest.MonkeyPatch, table: str, backward: bool, most: int
) -> None:
    monkeypatch.setattr(rows, "MOST_KNOWN", most)
    with connect(evstore.url) as store:
        assert [event.id for event in store.replay()] == IDS
        lose(evstore, table, "key = 2")
        with pytest.raises(IncompleteLogError) as caught:
            [*store.replay(backward=backward)]
    assert caught.value.position == (8 if backward else 2)


def test_more_names_than_are_kept_in_memory_are_all_read(
    evstore: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "MOST_KNOWN", 2)
    with connect(evstore.url) as store:
        for after in range(EVENTS):
            found = [(event.stream_id, event.type) for event in store.replay(after=after, limit=2)]
            assert found == [(STREAMS[n % 3], TYPES[n % 3]) for n in range(after, min(after + 2, EVENTS))]
        assert [event.type for event in store.replay()] == [*TYPES] * 3
        assert [event.id for event in store.replay(backward=True)] == [*reversed(IDS)]
        raw = b"".join(page.lines for _ in range(2) for page in store.replay(backward=True).raw_pages())
        assert raw == as_bytes(lines_of(store.replay(backward=True))) * 2


def test_names_that_are_too_many_are_read_with_their_events(
    evstore: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "MOST_KNOWN", 2)
    asked: list[str] = []
    with connect(evstore.url) as store:
        with store._adapter._reading() as connection:  # type: ignore[attr-defined]
            connection.set_trace_callback(asked.append)
        for _ in range(2):
            assert len([*store.replay()]) == EVENTS
            assert sum(page.events for page in store.replay().raw_pages()) == EVENTS
    pages = [each for each in asked if "FROM events" in each and "LIMIT" in each]
    assert ["stream_key" in each.partition("FROM")[0] for each in pages] == [True, True, False, False]
    assert sum("json_each" in each for each in asked) == 4


@pytest.mark.parametrize("last", [[], ["--last", "2"]])
@pytest.mark.parametrize("table", ["types", "streams", "categories"])
def test_a_follower_waits_and_notes_that_once(evstore: Command, table: str, last: list[str]) -> None:
    lose(evstore, table, "key = 3")
    done = evstore("replay", "--all", *FOLLOW, *last)
    assert done.code != 0
    assert [line for line in done.err.splitlines() if "waiting" in line] == [
        line
        for line in done.err.splitlines()
        if line.startswith(f"note: waiting: the event store at {evstore.place}")
    ]
    assert done.err.count("waiting: ") == 1
    assert done.out == b""


def test_a_follower_prints_what_stands_before_the_fault_and_nothing_after_it(evstore: Command) -> None:
    lose(evstore, "events", "global_position = 5")
    done = evstore("replay", "--all", *FOLLOW)
    assert done.out == b""  # the events of one page come together
    assert "no event at position 5" in done.err


@pytest.mark.parametrize("words", [("replay", "--all"), ("replay", "User"), ("read", "User-1"), ("export",)])
def test_an_event_that_is_lost_between_others_is_reported(evstore: Command, words: tuple[str, ...]) -> None:
    lose(evstore, "events", "global_position = 5")
    assert evstore(*words).code == DAMAGED


@pytest.mark.parametrize("words", [("replay", "--all"), ("replay", "Order"), ("read", "Order-1")])
def test_an_event_that_is_lost_at_the_start_is_reported(evstore: Command, words: tuple[str, ...]) -> None:
    lose(evstore, "events", "global_position = 1")
    assert evstore(*words).code == DAMAGED


@pytest.mark.parametrize("table", ["types", "streams", "categories"])
def test_a_last_name_that_is_lost_is_not_given_out_again(evstore: Command, table: str) -> None:
    lose(evstore, table, "key = 3")
    assert evstore("append", "Other-1", "-t", "Placed", "-", stdin=b"{}\n").code == DAMAGED
    assert evstore("append", "Stock-1", "-t", "Shipped", "-", stdin=b"{}\n").code == DAMAGED


@pytest.mark.parametrize("table", ["types", "streams", "categories"])
def test_an_open_store_sees_that_a_name_was_lost_since_its_last_append(evstore: Command, table: str) -> None:
    with connect(evstore.url) as store:
        store.append("Stock-1", [EventData("Shipped", 1)])
        lose(evstore, table, "key = 3")
        for stream, type_ in (("Stock-1", "Shipped"), ("Other-1", "Placed")):
            with pytest.raises(IncompleteLogError):
                store.append(stream, [EventData(type_, 2)])


def test_a_version_is_not_given_out_again_where_all_events_of_a_stream_are_lost(tmp_path: Path) -> None:
    command = Command(tmp_path)
    with connect(command.url) as store:
        store.initialize()
        store.append_many([("Order-1", [EventData("Placed", 1)], -1), ("Order-2", [EventData("Placed", 2)], -1)])
    lose(command, "events", "global_position = 2")
    assert command("append", "Order-2", "-t", "Placed", "-", stdin=b"{}\n").code == DAMAGED
    assert command("append", "Order-1", "-t", "Placed", "-", stdin=b"{}\n").code == 0


def spoil(command: Command, table: str, where: str = "true") -> None:
    """Let names of a table be bytes, past the kinds of its columns: a damaged page may hold them."""
    column = "stream_id" if table == "streams" else "name"
    update = f"UPDATE {table} SET {column} = CAST({column} AS BLOB) WHERE {where}"
    update_past_kinds(command.folder / "evstore.db", update)


SPOILED = {
    "categories": ("streams", "categories"),
    "streams": ("replay --all", "replay --all --since 1h", "export", "streams", "streams Order"),
    "types": ("replay --all", "replay --all --since 1h", "export", "streams", "types", "types Order"),
    "tags": ("tags",),
    "consumers": ("consumers",),
}
"""Commands that print names of that table, and look for none."""


@pytest.mark.parametrize("where", ["true", "key = 1"])
@pytest.mark.parametrize("table", SPOILED)
def test_a_name_that_is_no_text_is_damage_to_whoever_asks_for_it(evstore: Command, table: str, where: str) -> None:
    with connect(evstore.url) as store:
        for n in range(1, 4):
            store.append(f"Order-{n}", [EventData(TYPES[0], 1, tags=[f"t:{n}"])])
            store._adapter.consumers().add(f"mail-{n}", "{}", 0)
    spoil(evstore, table, where)
    for words in SPOILED[table]:
        done = evstore(*words.split())
        assert done.code == DAMAGED, (words, done)
    assert evstore("verify").code == 1


def test_a_source_whose_name_is_no_text_is_damage_to_whoever_lists_them(evstore: Command) -> None:
    with connect(evstore.url) as store:
        for n in range(1, 4):
            store.append("Order-1", [EventData(TYPES[0], 1)], source=(f"file-{n}", n))
        spoil(evstore, "sources", "position = 2")
        with pytest.raises(IncompleteLogError, match="name of the source"):
            [*store.sources()]
        assert [each.source for each in store.sources(prefix="file-1")] == ["file-1"]


def change(command: Command, table: str, change: str) -> None:
    """Change a table past its triggers and checks."""
    with closing(sqlite3.connect(command.folder / "evstore.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        assert connection.execute(f"UPDATE {table} SET {change}").rowcount == 1


def test_nothing_is_appended_to_a_category_that_lost_its_events(evstore: Command) -> None:
    change(evstore, "categories", "key = 0 WHERE name = 'Order'")
    for stream in ("Order-1", "Order-2"):
        done = evstore("append", stream, "-t", "Placed", "-d", "1")
        assert done.code == DAMAGED, done
    assert f'"events":{EVENTS},' in evstore("info").out.decode()


@pytest.mark.parametrize("table", ["categories", "types", "streams"])
def test_nothing_is_appended_where_no_number_is_left(evstore: Command, table: str) -> None:
    change(evstore, table, f"key = {2**63 - 1} WHERE key = 3")
    done = evstore("append", "New-1", "-t", "New", "-d", "1")
    assert done.code == DAMAGED, done


def test_a_store_whose_own_row_has_another_key_is_damaged(evstore: Command) -> None:
    change(evstore, "store", "id = 7")
    for words in (("append", "Order-1", "-t", "Placed", "-d", "1"), ("read", "Order-1")):
        done = evstore(*words)
        assert done.code == DAMAGED, (words, done)
