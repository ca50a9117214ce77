"""`verify` finds whatever is wrong with a store, and nothing else."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

import pytest

from evstore import EventData, connect
from evstore.adapters.postgres import definitions
from evstore.adapters.postgres.statements import in_schema
from evstore.verifying.advice import ADVICE
from tests.support.command import Command
from tests.support.command_store import server_of
from tests.support.damage import DAMAGES, both, healthy, plant
from tests.support.sentences import names
from tests.support.servers import NO_AMCHECK, USER, another, needs
from tests.support.verify_report import places, verified

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.servers import Server

LEAF_OF_TABLE: Final = 0x0D
"""What a page of SQLite begins with that holds rows."""


@pytest.mark.sqlite_first("each kind takes a store of its own, which PostgreSQL makes slowly")
@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found_and_nothing_else(
    evstore: Command, backend: str, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    damage = DAMAGES[name]
    if getattr(damage, backend) is None:
        pytest.skip("this database does not let it happen")
    healthy(evstore)
    assert verified(evstore, capfd)[:2] == (0, [])
    plant(evstore, damage)
    code, found, _ = verified(evstore, capfd)
    assert {(each["finding"], each["globalPosition"], each.get("streamId")) for each in found} == damage.findings
    assert code == 1


def test_a_process_tells_a_finding_on_stdout_and_the_rest_on_stderr(evstore: Command) -> None:
    healthy(evstore)
    plant(evstore, DAMAGES["an event's number in its category"])
    done = evstore("verify")
    assert done.code == 1
    (line,) = done.lines
    assert list(json.loads(line)) == ["finding", "globalPosition", "streamId", "message", "advice"]
    assert line.startswith('{"finding":"category-number","globalPosition":6,"streamId":"B-1","message":"')
    assert names(json.loads(line)["message"], 7)
    assert re.fullmatch(r"note: 6 .* 6; digest 6:[0-9a-f]{64}\n", done.err)


@pytest.mark.parametrize(
    ("name", "finding", "facts"),
    [
        ("an event is deleted", "position-gap", [3]),
        ("two versions change places", "version-order", [2, '"B-1"', 1, 5]),
        ("a stream id that is not UTF-8", "bad-name", ["UTF-8"]),
        ("data that is no JSON", "bad-data", ["JSON"]),
        ("data that is not UTF-8", "bad-data", ["UTF-8"]),
        ("metadata with an unknown key", "bad-metadata", ['"traceId"', '"custom"']),
        ("metadata that is not UTF-8", "bad-metadata", ["UTF-8"]),
        ("a time beyond the calendar", "bad-timestamp", [9000000000000000000]),
    ],
)
@pytest.mark.sqlite_only("what is said does not depend on where it lies")
def test_a_finding_says_what_contradicts_what(
    evstore: Command, name: str, finding: str, facts: list[object], capfd: pytest.CaptureFixture[str]
) -> None:
    healthy(evstore)
    plant(evstore, DAMAGES[name])
    _, found, _ = verified(evstore, capfd)
    assert found[0]["finding"] == finding
    assert names(found[0]["message"], *facts)


def test_a_position_at_the_end_of_all_numbers_does_not_make_it_count_up_to_there(
    evstore: Command, capfd: pytest.CaptureFixture[str]
) -> None:
    healthy(evstore)
    plant(evstore, both(f"UPDATE events SET global_position = {2**63 - 1} WHERE global_position = 6"))
    code, found, _ = verified(evstore, capfd)
    assert code == 1
    # Whether a search for its tag finds the old place depends on where pages end.
    assert {*places(found)} - {("wrong-tag", 6)} == {("tag-not-found", 2**63 - 1), ("position-gap", 6)}


def test_pages_neither_lose_an_event_nor_judge_one_twice(
    evstore: Command, capfd: pytest.CaptureFixture[str]
) -> None:
    """Pages have 64, 256 and then 1000 events, where those are short."""
    ends = (64, 320, 1320)
    with connect(evstore.url) as store:
        store.initialize()
        store.append("S-1", [EventData("T", n) for n in range(1400)])
    wrong = [position for end in ends for position in (end, end + 1)]
    plant(evstore, both(f"UPDATE events SET correlation_hash = 1 WHERE global_position IN {(*wrong, 1, 1400)}"))
    _, found, _ = verified(evstore, capfd)
    assert places(found) == [("correlation-hash", position) for position in (1, *wrong, 1400)]


@pytest.mark.parametrize("lost", [64, 65, 320, 321])
def test_a_gap_where_a_page_ends_is_one_gap(
    evstore: Command, lost: int, capfd: pytest.CaptureFixture[str]
) -> None:
    with connect(evstore.url) as store:
        store.initialize()
        store.append("S-1", [EventData("T", n) for n in range(330)])
    plant(evstore, both(f"DELETE FROM events WHERE global_position = {lost}"))
    _, found, _ = verified(evstore, capfd)
    assert places(found) == [("position-gap", lost), ("version-gap", lost + 1), ("category-number", lost + 1)]


def test_every_kind_that_can_be_found_has_been_planted() -> None:
    planted = {kind for damage in DAMAGES.values() for kind, _, _ in damage.findings}
    assert ADVICE.keys() - planted == {"digest", "engine", "chain"}  # which have tests of their own


@pytest.mark.parametrize("of", ["whole", "divided"])
def test_a_checkpoint_that_is_not_in_the_log_is_found(
    evstore: Command, of: str, capfd: pytest.CaptureFixture[str]
) -> None:
    healthy(evstore)
    with connect(evstore.url) as store:
        member = None if of == "whole" else (1, 1)
        store.consumer("right", categories=["A"]).run(lambda _: None, once=True)
        store.consumer("mailer", member=member).run(lambda _: None, once=True)
    assert verified(evstore, capfd)[:2] == (0, [])
    mailer = "consumer_key = (SELECT key FROM consumers WHERE name = 'mailer')"
    plant(evstore, both(f"UPDATE checkpoints SET global_position = 7 WHERE {mailer}"))
    code, (beyond,), _ = verified(evstore, capfd)
    assert (code, beyond["finding"], beyond["globalPosition"]) == (1, "checkpoint", 7)
    assert names(beyond["message"], '"mailer"', "position 7", "ends at position 6")
    assert names(beyond["advice"], "evstore consumers reset")
    plant(evstore, both(f"UPDATE checkpoints SET global_position = 2 WHERE {mailer}"))
    code, (another,), _ = verified(evstore, capfd)
    assert (code, another["finding"], another["globalPosition"]) == (1, "checkpoint", 2)
    assert names(another["message"], '"mailer"', "position 2", "another event")
    evstore.ok("consumers", "reset", "mailer", "--to", "2")
    assert verified(evstore, capfd)[:2] == (0, [])


def test_whatever_makes_a_store_on_postgresql_is_looked_for(server: Server) -> None:
    with connect(server.place("made")) as store:
        store.initialize()
    schema = server.schema("made")
    text = (Path(definitions.__file__).parent / "schema.sql").read_text()
    made = {(kind, name) for kind, name, *_ in definitions.made(in_schema(text, schema).decode())}
    with server.connect() as connection:
        there = connection.execute(definitions.OBJECTS.encode(), {"schema": schema}).fetchall()
    assert {(kind, name) for kind, name, *_ in there} == made


# --- the engine ---

UNINDEXED: Final = DAMAGES["an event is not in the index of its time"]


@pytest.mark.sqlite_only("PostgreSQL's own check is an extension, which not every server has: see below")
def test_the_engine_finds_what_its_index_does_not_hold(
    evstore: Command, capfd: pytest.CaptureFixture[str]
) -> None:
    healthy(evstore)
    plant(evstore, UNINDEXED)
    code, found, _ = verified(evstore, capfd, "--engine")
    assert (code, places(found)) == (1, [("timestamp-not-found", 3), ("engine", None)])
    assert "events_by_timestamp" in found[1]["message"]


def test_amcheck_finds_what_an_index_does_not_hold(
    server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    needs(NO_AMCHECK, server.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'amcheck'"))
    command = Command(tmp_path, server.place())
    healthy(command)
    server.execute('CREATE SCHEMA "Its own"')
    try:
        server.execute('CREATE EXTENSION amcheck SCHEMA "Its own"')
        assert verified(command, capfd, "--engine")[:2] == (0, [])
        plant(command, UNINDEXED)
        code, found, _ = verified(command, capfd, "--engine")
        assert (code, places(found)) == (1, [("timestamp-not-found", 3), ("engine", None)])
        assert names(found[1]["message"], "amcheck", '"events_by_timestamp"')
        _may_only_look(server, command)
        looker = Command(tmp_path, command.database.replace(f"//{USER}@", "//looker@"))
        _, found, notes = verified(looker, capfd, "--engine")
        assert places(found) == [("timestamp-not-found", 3)]
        assert names(notes, "bt_index_check")
    finally:
        server.execute('DROP SCHEMA "Its own" CASCADE')


def _may_only_look(server: Server, command: Command) -> None:
    """Make a role that may read the store, and nothing else."""
    _, schema = server_of(command)
    if not server.execute("SELECT 1 FROM pg_roles WHERE rolname = 'looker'"):
        server.execute("CREATE ROLE looker LOGIN")
    server.execute(f"GRANT USAGE ON SCHEMA {schema} TO looker")
    server.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO looker")


def test_an_engine_that_cannot_check_itself_is_no_finding(
    newest: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = Command(tmp_path, newest.place())
    healthy(command)
    code, found, notes = verified(command, capfd, "--engine")
    assert (code, found) == (0, [])
    assert names(notes, "amcheck")
    assert not names(notes, "bt_index_check")


# --- what cannot be read ---


@pytest.mark.sqlite_only("it is about the file of the store")
def test_a_page_that_cannot_be_read_ends_the_check_and_is_told(
    evstore: Command, capfd: pytest.CaptureFixture[str]
) -> None:
    with connect(evstore.url) as store:
        store.initialize()
        store.append("S-1", [EventData("T", "x" * 500) for _ in range(400)])
        page = _page_of(evstore, 200)
    with open(evstore.folder / "evstore.db", "r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    code, found, notes = verified(evstore, capfd, "--engine")
    assert code == 1
    assert {each["finding"] for each in found} == {"engine", "unreadable"}
    assert re.search("^note: 64 .*", notes, re.MULTILINE)
    assert places(found)[-1] == ("unreadable", 65)


def _merged(command: Command) -> Path:
    """The file of its store, with the log merged into it."""
    with closing(sqlite3.connect(command.folder / "evstore.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return command.folder / "evstore.db"


def _page_of(command: Command, position: int) -> int:
    """The page of the file where the event lies."""
    with closing(sqlite3.connect(_merged(command))) as connection:
        (blob,) = connection.execute("SELECT id FROM events WHERE global_position = ?", [position]).fetchone()
    text = (command.folder / "evstore.db").read_bytes()
    leaves = (at // 4096 for at in _places_of(text, blob) if text[at // 4096 * 4096] == LEAF_OF_TABLE)
    return next(leaves) + 1


def _places_of(text: bytes, part: bytes) -> Iterator[int]:
    at = text.find(part)
    while at >= 0:
        yield at
        at = text.find(part, at + 1)


def test_a_block_that_cannot_be_read_ends_the_check_and_is_told(
    newest: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with another(newest) as server:
        command = Command(tmp_path, server.place())
        with connect(command.url) as store:
            store.initialize()
            store.append("S-1", [EventData("T", "x" * 500) for _ in range(400)])
        _, schema = server_of(command)
        ((path,),) = server.execute(f"SELECT pg_relation_filepath('{schema}.events')")
        ((block,),) = server.execute(
            f"SELECT (ctid::text::point)[0]::int FROM {schema}.events WHERE global_position = 200"
        )
        server.stop()
        with open(server.folder / "data" / path, "r+b") as file:
            file.seek(block * 8192)
            file.write(b"\xff" * 8192)
        server.start()
        code, found, notes = verified(command, capfd)
    assert (code, places(found)) == (1, [("unreadable", 65)])
    assert re.search("^note: 64 .*", notes, re.MULTILINE)


@pytest.mark.sqlite_only("it is about the file of the store")
def test_a_store_of_which_nothing_can_be_read_is_a_finding(
    evstore: Command, capfd: pytest.CaptureFixture[str]
) -> None:
    with connect(evstore.url) as store:
        store.initialize()
        store.append("S-1", [EventData("T", "x" * 500) for _ in range(400)])
    os.truncate(_merged(evstore), 100_000)
    code, found, notes = verified(evstore, capfd)
    assert (code, places(found)) == (1, [("unreadable", 1)])
    assert re.search("^note: 0 .* 0$", notes, re.MULTILINE)


@pytest.mark.sqlite_only("it is about the file of the store")
def test_half_of_another_programs_database_is_still_no_store(
    evstore: Command, capfd: pytest.CaptureFixture[str]
) -> None:
    path = evstore.folder / "evstore.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs AS SELECT zeroblob(100000)")
        connection.commit()
    os.truncate(path, 50_000)
    code, found, notes = verified(evstore, capfd)
    assert (code, found) == (6, [])
    (line,) = notes.splitlines()
    assert line.startswith("evstore: ")
    assert names(line, str(path))


@pytest.mark.parametrize("table", ["streams", "categories", "types", "events", "consumers"])
@pytest.mark.sqlite_only("a table is never made again on PostgreSQL")
def test_a_table_is_not_to_be_made_again_empty(
    evstore: Command, table: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """New streams would get the keys of those that are lost, and their events."""
    healthy(evstore)
    plant(evstore, both(f"DROP TABLE {table}"))
    _, found, _ = verified(evstore, capfd)
    assert (found[0]["finding"], "CREATE" in found[0]["advice"]) == ("missing-table", False)


@pytest.mark.sqlite_only("bytes of a file are turned over")
@pytest.mark.parametrize("seed", range(40))
def test_whatever_bytes_are_turned_over_it_is_told_and_never_a_bug(
    evstore: Command, seed: int, capfd: pytest.CaptureFixture[str]
) -> None:
    healthy(evstore)
    path = _merged(evstore)
    turned = bytearray(path.read_bytes())
    random = Random(seed)
    used = [at for at, byte in enumerate(turned) if byte and at >= 100]
    for at in random.sample(used, 3):
        turned[at] ^= 1 << random.randrange(8)
    path.write_bytes(turned)
    code, found, notes = verified(evstore, capfd, "--engine")
    assert code in (0, 1, 6), notes
    assert (code == 1) == bool(found)
