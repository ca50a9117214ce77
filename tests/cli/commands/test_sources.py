"""`append --source`: how far an outside source was taken is stored with the events, and nothing is taken twice."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from evstore import connect
from evstore.model.versions import MAX_VERSION
from tests.support.data import DATA, envelopes, id_of, objects, stored
from tests.support.sentences import names

if TYPE_CHECKING:
    from tests.support.command import Command

INPUT = pytest.mark.sqlite_only("the flags and the input are understood before a store is asked")
ONE = (*DATA, "-d", "1")
FILE = "orders.csv"
NOTHING = {"streamId": "S-1", "count": 0, "ids": [], "duplicate": True}


def taken(position: int, name: str = FILE) -> dict[str, object]:
    return {"source": {"name": name, "position": position}}


def positions(command: Command) -> dict[str, int]:
    """How far each source is taken, as the library sees it."""
    with connect(command.url) as store:
        return {info.source: info.position for info in store.sources()}


def test_a_position_is_stored_with_the_events_and_taken_once(store: Command) -> None:
    (first,) = objects(store.ok(*ONE, "--source", f"{FILE}@5").out)
    assert list(first) == ["streamId", "count", "firstVersion", "version", "globalPosition", "ids", "duplicate"]
    assert (first["count"], first["duplicate"]) == (1, False)
    for position in (5, 4, 0):
        (again,) = objects(store.ok(*ONE, "--source", f"{FILE}@{position}").out)
        assert again == NOTHING | taken(5)
        assert list(again)[-1] == "source"
    assert objects(store.ok(*ONE, "--source", f"{FILE}@6").out)[0]["version"] == 2
    assert objects(store.ok(*ONE, "--source", f"{FILE}@9").out)[0]["version"] == 3
    assert stored(store) == [1, 1, 1]
    assert positions(store) == {FILE: 9}


def test_each_source_has_a_position_of_its_own(store: Command) -> None:
    for name in (FILE, "Orders.csv", "orders", "orders.csv ", "a@b@c", "é", "e\u0301", "😀", "%", "'"):
        assert objects(store.ok(*ONE, "--source", f"{name}@1").out)[0]["duplicate"] is False, name
        assert objects(store.ok(*ONE, "--source", f"{name}@1").out) == [NOTHING | taken(1, name)]
    assert len(stored(store)) == 10


def test_the_name_ends_at_the_last_sign_and_positions_reach_from_zero_to_the_last_integer(store: Command) -> None:
    store.ok(*ONE, "--source", "a@b@0")
    store.ok(*ONE, "--source", f"queue@{MAX_VERSION}")
    assert positions(store) == {"a@b": 0, "queue": MAX_VERSION}
    assert objects(store.ok(*ONE, "--source", f"queue@{MAX_VERSION}").out) == [
        NOTHING | taken(MAX_VERSION, "queue")
    ]


@INPUT
@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "orders",
        "orders@",
        "@5",
        "orders@-1",
        "orders@1.5",
        "orders@x",
        "orders@²",
        "orders@ 1",
        "a@1@",
        "@@",
    ],
)
def test_what_is_no_name_and_position_is_a_wrong_flag(store: Command, text: str) -> None:
    done = store(*ONE, "--source", text)
    assert (done.code, done.out) == (2, b"")
    assert names(done.err, "--source", "NAME@POSITION", f'"{text}"')


@INPUT
@pytest.mark.parametrize("position", [MAX_VERSION + 1, 10**30, "9" * 5000])
def test_a_position_beyond_all_integers_is_a_wrong_flag(store: Command, position: object) -> None:
    done = store(*ONE, "--source", f"orders@{position}")
    assert (done.code, done.out) == (2, b"")
    assert names(done.err, "--source", MAX_VERSION)


@INPUT
@pytest.mark.parametrize(("name", "why"), [("a\nb", "U+000A"), ("x" * 256, "256 bytes"), ("é" * 128, "256 bytes")])
def test_a_name_keeps_the_rule_of_names(store: Command, name: str, why: str) -> None:
    done = store(*ONE, "--source", f"{name}@1")
    assert (done.code, done.out) == (5, b"")
    assert names(done.err, "--source", "source name", why)
    store.ok(*ONE, "--source", f"{'x' * 255}@1")


@INPUT
@pytest.mark.parametrize("flag", [("--each",), ("--batch", "2"), ("--each", "--batch", "2")])
def test_a_source_excludes_what_makes_several_appends_and_says_why(store: Command, flag: tuple[str, ...]) -> None:
    done = store(*DATA, "-", *flag, "--source", f"{FILE}@1", stdin=b"1 2")
    assert (done.code, done.out) == (2, b"")
    assert names(done.err, "--source", flag[0], "one append")
    assert stored(store) == []


@pytest.mark.parametrize("size", [1, 3, 300])
def test_files_and_standard_input_are_taken_as_a_whole(store: Command, size: int) -> None:
    """Of any size: PostgreSQL takes one event, few and many in ways of its own."""
    lines = envelopes(*range(size))
    (store.folder / "in.ndjson").write_bytes(lines)
    for words, stdin in ((("S-1", "in.ndjson"), None), (("S-1", "-", "--copy"), lines)):
        (receipt,) = objects(store.ok("append", *words, "--source", f"{words[1]}@{size}", stdin=stdin).out)
        assert (receipt["count"], receipt["duplicate"]) == (size, False)
        (again,) = objects(store.ok("append", *words, "--copy", "--source", f"{words[1]}@{size}", stdin=stdin).out)
        assert again == NOTHING | taken(size, words[1])
    assert stored(store) == [*range(size)] * 2


@pytest.mark.parametrize("size", [2, 300])
def test_several_streams_are_taken_in_one_step(store: Command, size: int) -> None:
    lines = b"".join(b'{"streamId":"S-%d","type":"T","data":%d}\n' % (n % 2 + 1, n) for n in range(size))
    words = ("append", "--many", "-", "--source", f"{FILE}@{size}")
    (receipt,) = objects(store.ok(*words, stdin=lines).out)
    assert (receipt["streams"], receipt["count"], receipt["duplicate"]) == (2, size, False)
    (again,) = objects(store.ok(*words, stdin=lines).out)
    assert again == {"streams": 0, "count": 0, "duplicate": True} | taken(size)
    assert len(stored(store, "S-1") + stored(store, "S-2")) == size


def test_an_input_that_waits_in_a_file_is_taken_as_well(store: Command) -> None:
    note = "x" * 1000
    lines = b"".join(b'{"type":"T","data":{"n":%d,"note":"%s"}}\n' % (n, note.encode()) for n in range(3000))
    words = ("append", "S-1", "-", "--source", f"{FILE}@3000")
    (receipt,) = objects(store.ok(*words, stdin=lines).out)
    assert (receipt["count"], receipt["version"], receipt["duplicate"]) == (3000, 3000, False)
    assert objects(store.ok(*words, stdin=lines).out) == [NOTHING | taken(3000)]
    assert positions(store) == {FILE: 3000}


def test_the_same_append_by_key_stays_a_duplicate_with_its_events(store: Command) -> None:
    words = (*ONE, "--key", "line-7", "--source", f"{FILE}@7")
    (first,) = objects(store.ok(*words).out)
    (again,) = objects(store.ok(*words).out)
    assert again == first | {"duplicate": True}
    (later,) = objects(store.ok(*ONE, "--key", "line-7", "--source", f"{FILE}@8").out)
    assert later == again
    assert positions(store) == {FILE: 7}


def test_a_refused_append_takes_nothing_and_may_come_again(store: Command) -> None:
    store.ok(*ONE, "--tag", "a")
    for guard in (("-e", "7"), ("--unless", "tag=a"), ("--require", "S-1=none")):
        done = store(*ONE, "--source", f"{FILE}@5", *guard)
        assert (done.code, done.out) == (4, b"")
    assert positions(store) == {}
    assert objects(store.ok(*ONE, "--source", f"{FILE}@5", "-e", "1").out)[0]["duplicate"] is False


def test_a_position_that_was_taken_is_no_conflict_whatever_else_is_expected(store: Command) -> None:
    store.ok(*ONE, "--tag", "a", "-e", "no-stream", "--unless", "tag=a", "--source", f"{FILE}@5")
    again = store.ok(*ONE, "--tag", "a", "-e", "no-stream", "--unless", "tag=a", "--source", f"{FILE}@5")
    assert objects(again.out) == [NOTHING | taken(5)]


def test_a_dry_run_says_what_would_happen_and_takes_nothing(store: Command) -> None:
    dry = store.ok(*ONE, "--source", f"{FILE}@5", "--dry-run")
    assert (len(objects(dry.out)), dry.err) == (1, "")
    assert positions(store) == {}
    store.ok(*ONE, "--source", f"{FILE}@5", "--id", id_of(1))
    dry = store.ok(*ONE, "--source", f"{FILE}@5", "--dry-run")
    assert dry.out == b""
    assert names(dry.err, FILE, 5, "nothing would be stored")
    dry = store.ok(*ONE, "--source", f"{FILE}@5", "--id", id_of(1), "--dry-run")
    assert dry.out == b""
    assert names(dry.err, "it is stored already", "nothing would be stored")
    assert len(objects(store.ok(*ONE, "--source", f"{FILE}@6", "--dry-run").out)) == 1
    assert stored(store) == [1]


def test_a_dry_run_lets_a_taken_position_come_before_a_conflict(store: Command) -> None:
    store.ok(*ONE, "--source", f"{FILE}@5")
    assert store(*ONE, "--source", f"{FILE}@5", "-e", "7", "--dry-run").code == 0
    assert store(*ONE, "--source", f"{FILE}@6", "-e", "7", "--dry-run").code == 4


def test_stored_events_are_skipped_and_the_rest_is_taken_once(store: Command) -> None:
    store.ok("append", "S-1", "-", stdin=envelopes(1, 2))
    words = ("append", "S-1", "-", "--skip-stored", "--source", f"{FILE}@4")
    known, rest = objects(store.ok(*words, stdin=envelopes(1, 2, 3, 4)).out)
    assert (known["count"], known["duplicate"], rest["count"], rest["duplicate"]) == (2, True, 2, False)
    known, rest = objects(store.ok(*words, stdin=envelopes(3, 4, 5)).out)
    assert (known["count"], known["duplicate"]) == (2, True)
    assert rest == NOTHING | taken(4)
    assert stored(store) == [1, 2, 3, 4]


def test_echo_prints_the_events_or_a_note_that_there_are_none(store: Command) -> None:
    done = store.ok(*ONE, "--source", f"{FILE}@5", "--echo")
    assert [event["data"] for event in objects(done.out)] == [1]
    done = store.ok(*ONE, "--source", f"{FILE}@5", "--echo")
    assert done.out == b""
    assert names(done.err, FILE, 5, "nothing was stored")
    assert json.loads(store.ok(*ONE, "--source", f"{FILE}@5", "--echo", "-F", "json").out) == []
    assert store.ok(*ONE, "--source", f"{FILE}@5", "-q").out == b""


def test_the_receipt_is_one_object_in_json_and_a_sentence_in_a_table(store: Command) -> None:
    store.ok(*ONE, "--source", f"{FILE}@5")
    assert json.loads(store.ok(*ONE, "--source", f"{FILE}@5", "-F", "json").out) == NOTHING | taken(5)
    (line,) = store.ok(*ONE, "--source", f"{FILE}@5", "-F", "table").lines
    assert names(line, "S-1", "nothing stored", FILE, 5)
    (line,) = store.ok("append", "--many", "-", "--source", f"{FILE}@5", "-F", "table", stdin=envelopes(1, stream="S-1")).lines  # fmt: skip
    assert names(line, "nothing stored", FILE, 5)


def test_of_several_commands_with_one_position_one_stores(store: Command) -> None:
    with ThreadPoolExecutor(4) as pool:
        for position in range(3):
            words = (*DATA, "-d", str(position), "--source", f"{FILE}@{position}")
            ended = [*pool.map(lambda _, words=words: store.ok(*words), range(4))]
            found = sorted(objects(each.out)[0]["duplicate"] for each in ended)
            assert found == [False, True, True, True]
    assert stored(store) == [0, 1, 2]


@pytest.mark.sqlite_only("a store in memory is asked here")
def test_a_store_in_memory_takes_a_source_as_well(evstore: Command) -> None:
    (receipt,) = objects(evstore.ok("--db", "memory:", *ONE, "--source", f"{FILE}@5").out)
    assert receipt["duplicate"] is False
