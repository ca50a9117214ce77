"""`verify` finds whatever is wrong with a store, and nothing where nothing is."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from hashlib import sha256
from importlib.resources import files
from random import Random
from typing import TYPE_CHECKING, Any, Final

import jsonschema
import pytest

from evstore import EventData, Metadata, connect
from evstore.cli.run import run
from evstore.findings import ADVICE
from tests.cli.busy import PATIENCE, written
from tests.cli.damage import DAMAGES, both, healthy, past, plant
from tests.cli.elsewhere import server_of
from tests.cli.test_hostile import WORST
from tests.conftest import Command
from tests.servers import NO_AMCHECK, USER, another, needs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers import Server

FINDING = jsonschema.Draft202012Validator(json.loads((files("evstore") / "schemas" / "finding.json").read_text()))
ZEROS = "0" * 64
LEAF_OF_TABLE = 0x0D
"""What a page of SQLite begins with that holds rows."""
PAYLOADS = [
    "1e400", "-0", "1.10", "null", '""', '{"a":1,"a":2}', r'"\u0000\ud83d\ude00"', "[" * 512 + "]" * 512,
    f'"{"x" * 3_000_000}"', '"\u2028\x7f\x85"', "[1 ,\t2]",
]  # fmt: skip
METADATA = [
    Metadata(),
    Metadata("c" * 512, "é" * 256, "\x1b[31m", "[red]"),
    Metadata(custom={f"k{n}": "\u2028" * 20 for n in range(900)}),
    Metadata("\U0001f600", custom={"-": ""}),
]


def verified(command: Command, capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[Any], str]:
    """Exit code, findings and notes of the command, without a process of its own."""
    code = run(["--db", command.url, "verify", *words])
    said = capfd.readouterr()
    found = [json.loads(line) for line in said.out.splitlines()]
    for each in found:
        FINDING.validate(each)
    return code, found, said.err


def places(found: list[Any]) -> list[tuple[str, int | None]]:
    return [(each["finding"], each["globalPosition"]) for each in found]


def digest_in(notes: str) -> str:
    """What the note tells."""
    found = re.search(r"; digest ([0-9]+:[0-9a-f]{64})\n", notes)
    assert found, notes
    return found[1]


# --- damage ---


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
    assert line.startswith(
        '{"finding":"category-number","globalPosition":6,"streamId":"B-1","message":"it is number 7'
    )
    assert re.fullmatch(r"note: 6 events checked, up to position 6; digest 6:[0-9a-f]{64}\n", done.err)


def test_a_position_at_the_end_of_all_numbers_does_not_make_it_count_up_to_there(
    evstore: Command, capfd: pytest.CaptureFixture[str]
) -> None:
    healthy(evstore)
    plant(evstore, both(f"UPDATE events SET global_position = {2**63 - 1} WHERE global_position = 6"))
    code, found, _ = verified(evstore, capfd)
    assert (code, places(found)) == (1, [("position-gap", 6)])


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


# --- health ---


def test_a_store_of_hostile_events_is_healthy(evstore: Command, capfd: pytest.CaptureFixture[str]) -> None:
    events = [(s, EventData.from_json(t, d, Metadata("c", custom=m))) for s, t, d, m in WORST]
    events += [(f"P-{n}", EventData.from_json("T", text)) for n, text in enumerate(PAYLOADS)]
    events += [("M-1", EventData("t" * 255, None, metadata)) for metadata in METADATA]
    events += [("x-", EventData("T", 1)), ("NoHyphen", EventData("T", 1)), ("n" * 512, EventData("T", 1))]
    with connect(evstore.url) as store:
        store.initialize()
        store.append_many([(stream_id, [event], -1) for stream_id, event in events])
    code, found, notes = verified(evstore, capfd, "--engine")
    assert (code, found) == (0, [])
    assert f"note: {len(events)} events checked" in notes


def test_an_empty_store_is_healthy_and_has_a_digest(store: Command, capfd: pytest.CaptureFixture[str]) -> None:
    code, found, notes = verified(store, capfd, "--expect", f"0:{ZEROS}")
    assert (code, found, digest_in(notes)) == (0, [], f"0:{ZEROS}")


def test_a_store_under_writers_is_never_called_damaged(store: Command) -> None:
    heads = []
    with written(store.url) as appended, connect(store.url) as reader:
        for _ in range(6):
            for _ in range(20):
                assert appended.acquire(timeout=PATIENCE)
            verification = reader.verify()
            assert list(verification) == []
            assert verification.checked == verification.head
            heads.append(verification.head)
    assert heads == sorted(set(heads))


def test_progress_is_told_page_after_page(store: Command) -> None:
    told: list[tuple[int, int]] = []
    with connect(store.url) as made:
        made.append("S-1", [EventData("T", n) for n in range(400)])
        assert list(made.verify(on_progress=lambda *said: told.append(said))) == []
        assert told == [(64, 400), (320, 400), (400, 400)]
        told.clear()
        assert list(made.verify(after=390, on_progress=lambda *said: told.append(said))) == []
        assert told == [(10, 10)]


# --- from ---


def test_from_leaves_out_what_is_before(evstore: Command, capfd: pytest.CaptureFixture[str]) -> None:
    healthy(evstore)
    plant(evstore, both("UPDATE events SET correlation_hash = 1 WHERE global_position IN (2, 6)"))
    for first, wrong in ((1, [2, 6]), (2, [2, 6]), (3, [6]), (6, [6]), (7, []), (99, [])):
        code, found, notes = verified(evstore, capfd, "--from", str(first))
        assert places(found) == [("correlation-hash", position) for position in wrong]
        assert code == (1 if wrong else 0)
        assert f"note: {max(7 - first, 0)} events checked, up to position 6" in notes
        assert ("digest" in notes) == (first == 1)


# --- digests ---


def test_the_digest_is_the_hash_of_the_lines_one_behind_the_other(
    evstore: Command, capfd: pytest.CaptureFixture[str]
) -> None:
    healthy(evstore)
    with connect(evstore.url) as store:
        store.append("Ö-\u202e", [EventData.from_json("漢", '{"a": 1.10}', Metadata(custom={"k": "\x9b"}))])
    digest = bytes(32)
    for line in evstore.ok("replay", "--all").out.splitlines():
        digest = sha256(digest + line).digest()
    assert digest_in(verified(evstore, capfd)[2]) == f"7:{digest.hex()}"


def test_the_same_log_has_the_same_digest_elsewhere(evstore: Command, capfd: pytest.CaptureFixture[str]) -> None:
    healthy(evstore)
    (evstore.folder / "log.ndjson").write_bytes(evstore.ok("replay", "--all").out)
    digest = digest_in(verified(evstore, capfd)[2])
    assert evstore.ok("--db", "memory:log.ndjson", "verify", "--expect", digest).out == b""


def test_a_digest_is_expected_of_any_position(evstore: Command, capfd: pytest.CaptureFixture[str]) -> None:
    healthy(evstore)
    digest = digest_in(verified(evstore, capfd)[2])
    with connect(evstore.url) as store:
        store.append("A-1", [EventData("T", 1)])
    assert verified(evstore, capfd, "--expect", digest.upper())[:2] == (0, [])
    hashed = digest.partition(":")[2]
    for expected, position in ((f"5:{hashed}", 5), (f"6:{ZEROS}", 6), (f"8:{hashed}", 8), (f"0:{hashed}", 0)):
        code, found, _ = verified(evstore, capfd, "--expect", expected)
        assert (code, places(found)) == (1, [("digest", position)])


def test_what_nothing_else_contradicts_contradicts_the_digest(
    evstore: Command, capfd: pytest.CaptureFixture[str]
) -> None:
    healthy(evstore)
    digest = digest_in(verified(evstore, capfd)[2])
    plant(evstore, both("""UPDATE events SET data = '{"total":8}' WHERE global_position = 2"""))
    assert verified(evstore, capfd)[:2] == (0, [])
    code, found, _ = verified(evstore, capfd, "--expect", digest)
    assert (code, places(found)) == (1, [("digest", 6)])


@pytest.mark.parametrize("name", ["an event is deleted", "an event of no stream", "a time beyond the calendar"])
def test_a_log_that_cannot_be_printed_whole_has_no_digest(
    evstore: Command, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    healthy(evstore)
    digest = digest_in(verified(evstore, capfd)[2])
    plant(evstore, DAMAGES[name])
    _, found, notes = verified(evstore, capfd, "--expect", digest)
    assert "digest" not in notes
    assert places(found)[-1] == ("digest", 6)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--expect", "5"), '--expect: "5" is no digest'),
        (("--expect", f"-1:{ZEROS}"), "is no digest"),
        (("--expect", f"1:{ZEROS}0"), "is no digest"),
        (("--expect", f"1:{ZEROS}", "--from", "2"), "--expect needs the log from its start"),
        (("--expect", f"1:{ZEROS}", "--from", "1"), "--expect needs the log from its start"),
        (("--from", "-1"), "--from takes a number from 0"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(store: Command, words: tuple[str, ...], said: str) -> None:
    done = store("verify", *words)
    assert (done.code, done.out) == (2, b"")
    assert said in done.err


# --- the engine ---

UNINDEXED: Final = past("events_by_timestamp", "UPDATE events SET timestamp = 5 WHERE global_position = 3")
"""What an event's own indexes and the rest do not show."""


@pytest.mark.sqlite_only("PostgreSQL's own check is an extension, which not every server has: see below")
def test_the_engine_finds_what_its_index_does_not_hold(
    evstore: Command, capfd: pytest.CaptureFixture[str]
) -> None:
    healthy(evstore)
    plant(evstore, UNINDEXED)
    assert verified(evstore, capfd)[:2] == (0, [])
    code, found, _ = verified(evstore, capfd, "--engine")
    assert (code, places(found)) == (1, [("engine", None)])
    assert "events_by_timestamp" in found[0]["message"]


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
        assert verified(command, capfd)[:2] == (0, [])
        code, found, _ = verified(command, capfd, "--engine")
        assert (code, places(found)) == (1, [("engine", None)])
        assert 'amcheck of index "events_by_timestamp": heap tuple' in found[0]["message"]
        _may_only_look(server, command)
        looker = Command(tmp_path, command.database.replace(f"//{USER}@", "//looker@"))
        code, found, notes = verified(looker, capfd, "--engine")
        assert (code, found) == (0, [])
        assert "the engine's own check was skipped: this role may not execute amcheck's bt_index_check" in notes
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
    assert "note: the engine's own check was skipped: the extension amcheck is not installed" in notes


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
    assert "64 events checked" in notes
    assert places(found)[-1] == ("unreadable", 65)


def _page_of(command: Command, position: int) -> int:
    """The page of the file where the event lies, with the log merged into the file."""
    with closing(sqlite3.connect(command.folder / "evstore.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
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
    assert "64 events checked" in notes


@pytest.mark.sqlite_only("a place that is no store is refused by other tests")
def test_a_store_that_cannot_be_read_at_all_is_called_damaged(
    evstore: Command, capfd: pytest.CaptureFixture[str]
) -> None:
    healthy(evstore)
    with closing(sqlite3.connect(evstore.folder / "evstore.db")) as connection:
        connection.execute("ALTER TABLE events RENAME TO gone")
    code, found, notes = verified(evstore, capfd)
    assert (code, found) == (10, [])
    assert "is damaged" in notes


@pytest.mark.sqlite_only("bytes of a file are turned over")
@pytest.mark.parametrize("seed", range(40))
def test_whatever_bytes_are_turned_over_it_is_told_and_never_a_bug(
    evstore: Command, seed: int, capfd: pytest.CaptureFixture[str]
) -> None:
    healthy(evstore)
    path = evstore.folder / "evstore.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    turned = bytearray(path.read_bytes())
    random = Random(seed)
    used = [at for at, byte in enumerate(turned) if byte and at >= 100]
    for at in random.sample(used, 3):
        turned[at] ^= 1 << random.randrange(8)
    path.write_bytes(turned)
    code, found, notes = verified(evstore, capfd, "--engine")
    assert code in (0, 1, 6, 10), notes
    assert (code == 1) == bool(found)


# --- other stores and forms ---


def test_a_part_of_a_log_in_a_file_has_gaps(evstore: Command) -> None:
    healthy(evstore)
    (evstore.folder / "part.ndjson").write_bytes(evstore.ok("replay", "B").out)
    done = evstore("--db", "memory:part.ndjson", "verify", "--engine")
    assert [json.loads(line)["finding"] for line in done.lines] == ["position-gap"]
    assert "note: the engine's own check was skipped: " in done.err


def test_there_has_to_be_a_store(evstore: Command) -> None:
    done = evstore("verify")
    assert (done.code, done.out) == (6, b"")


def test_every_form_tells_the_same(evstore: Command) -> None:
    healthy(evstore)
    plant(evstore, DAMAGES["a reserved stream id"])
    lines = [json.loads(line) for line in evstore("verify").lines]
    assert json.loads(evstore("verify", "-F", "json").out) == lines
    rows = [line.split("\t") for line in evstore("verify", "-F", "tsv").lines]
    assert rows == [[each["finding"], "", each["streamId"], each["message"], each["advice"]] for each in lines]
    table = evstore("verify", "-F", "table")
    assert table.code == 1
    assert all(each["finding"] in table.out.decode() for each in lines)
    assert f"advice: wrong-category: {lines[1]['advice']}\n" in table.err


def test_nothing_found_is_an_empty_list(store: Command) -> None:
    assert [store.ok("verify", "-F", form).out for form in ("ndjson", "json", "tsv", "table")] == [
        b"",
        b"[]\n",
        b"",
        b"",
    ]


def test_every_kind_that_can_be_found_has_been_planted() -> None:
    planted = {kind for damage in DAMAGES.values() for kind, _, _ in damage.findings}
    assert ADVICE.keys() - planted == {"digest", "engine", "unreadable"}  # which are above
