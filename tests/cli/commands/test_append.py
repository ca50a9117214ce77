"""`append`: what goes in comes out, in whatever shape it came."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.sentences import names

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.command import Command

INPUT = pytest.mark.sqlite_only("the input is understood before a store is asked")
OWN = pytest.mark.sqlite_only("it names a store of its own")
ID = "01890000-0000-7000-8000-00000000000A"


def stored(command: Command, stream: str = "S-1") -> list[dict[str, object]]:
    return [json.loads(line) for line in command.ok("read", stream).lines]


def test_an_inline_event_is_stored_and_receipted(store: Command) -> None:
    done = store.ok("append", "Order-1", "-t", "OrderPlaced", "-d", '{"orderId":"1"}')
    receipt = json.loads(done.out)
    (event,) = stored(store, "Order-1")
    assert receipt == {
        "streamId": "Order-1", "count": 1, "firstVersion": 1, "version": 1, "globalPosition": 1,
        "ids": [event["id"]], "duplicate": False,
    }  # fmt: skip
    assert list(event) == [
        "id", "streamId", "type", "data", "metadata", "version", "globalPosition", "timestamp"
    ]  # fmt: skip
    assert (event["type"], event["data"], event["metadata"]) == ("OrderPlaced", {"orderId": "1"}, {})


ENVELOPES = [{"type": "A", "data": {"n": 1}}, {"type": "B", "data": [2]}, {"type": "C", "data": "}{"}]
SHAPES = {
    "NDJSON": "\n".join(map(json.dumps, ENVELOPES)) + "\n",
    "NDJSON without a last line break": "\n".join(map(json.dumps, ENVELOPES)),
    "blank lines between": "\n\n".join(map(json.dumps, ENVELOPES)),
    "concatenated": "".join(map(json.dumps, ENVELOPES)),
    "on one line": " ".join(map(json.dumps, ENVELOPES)),
    "pretty": "\n".join(json.dumps(each, indent=2) for each in ENVELOPES),
    "an array": json.dumps(ENVELOPES),
    "a pretty array": json.dumps(ENVELOPES, indent=2),
    "an array and values": json.dumps(ENVELOPES[:2]) + json.dumps(ENVELOPES[2]),
    "BOM and CRLF": "\ufeff" + "\r\n".join(map(json.dumps, ENVELOPES)) + "\r\n",
}


@pytest.mark.parametrize("shape", SHAPES)
@INPUT
def test_envelopes_come_in_any_shape(store: Command, shape: str) -> None:
    receipt = json.loads(store.ok("append", "S-1", "-", stdin=SHAPES[shape].encode()).out)
    assert receipt["version"] == 3
    assert [{"type": e["type"], "data": e["data"]} for e in stored(store)] == ENVELOPES


def test_with_a_type_every_value_is_a_payload_and_arrays_are_flattened_one_level(store: Command) -> None:
    store.ok("append", "S-1", "-t", "T", "-", stdin=b'{"a":1}\n[2,[3]]\n"four" null')
    assert [event["data"] for event in stored(store)] == [{"a": 1}, 2, [3], "four", None]


def test_inline_data_keeps_its_array(store: Command) -> None:
    store.ok("append", "S-1", "-t", "T", "-d", "[1,2]")
    assert [event["data"] for event in stored(store)] == [[1, 2]]


def test_files_and_stdin_are_read_in_the_order_given(store: Command, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("1")
    (tmp_path / "b.json").write_text("3 4")
    store.ok("append", "S-1", "a.json", "-", "b.json", "-t", "T", stdin=b"2")
    assert [event["data"] for event in stored(store)] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "text",
    ['{"b":1,"a":1.10,"a":1e400}', "-0", "123456789012345678901234567890", '"\\u00e9\\/é"', '{"a" : [ 1 ]}'],
)
def test_data_comes_back_as_it_was_written(store: Command, text: str) -> None:
    store.ok("append", "S-1", "-t", "T", "-d", text)
    store.ok("append", "S-1", "-", stdin=f'{{"type":"T","data":{text}}}'.encode())
    for line in store.ok("read", "S-1").lines:
        assert f'"data":{text},"metadata"' in line


def test_line_breaks_between_tokens_are_dropped_with_their_indentation(store: Command) -> None:
    store.ok("append", "S-1", "-t", "T", "-", stdin=b'{\r\n  "a": 1,\n\t"b": [ 2,\n 3 ]\n}')
    (line,) = store.ok("read", "S-1").lines
    assert '"data":{"a": 1,"b": [ 2,3 ]},"metadata"' in line


# --- expected versions and ids ---


@pytest.mark.parametrize("word", ["any", "no-stream", "-1", "0"])
def test_expectations_of_a_new_stream(store: Command, word: str) -> None:
    assert json.loads(store.ok("append", "S-1", "-t", "T", "-d", "1", "-e", word).out)["version"] == 1


@pytest.mark.parametrize("word", ["any", "exists", "1", "-1", "-2"])
def test_expectations_of_a_stream_at_version_1(store: Command, word: str) -> None:
    store.ok("append", "S-1", "-t", "T", "-d", "1")
    assert json.loads(store.ok("append", "S-1", "-t", "T", "-d", "1", "-e", word).out)["version"] == 2


@pytest.mark.parametrize(("number", "word"), [("-1", "any"), ("0", "no-stream"), ("-2", "exists")])
def test_a_number_for_a_word_gets_a_note_that_says_the_word(store: Command, number: str, word: str) -> None:
    done = store("append", "S-1", "-t", "T", "-d", "1", "-e", number)
    assert f'"{word}"' in done.err.splitlines()[0]
    assert done.err.startswith("note: ")


def test_a_conflict_says_what_to_read(store: Command) -> None:
    for _ in range(3):
        store.ok("append", "S-1", "-t", "T", "-d", "1")
    done = store("append", "S-1", "-t", "T", "-d", "1", "-e", "1")
    assert done.code == 4
    message, hint = done.err.splitlines()
    assert message.startswith("evstore: ")
    assert names(message, '"S-1"', 3, 1)
    assert hint == "hint: evstore read S-1 --after 1"


def test_an_append_with_the_same_id_again_is_a_duplicate_whatever_the_version(store: Command) -> None:
    words = ("append", "S-1", "-t", "T", "-d", '{"a": 1}', "--id", ID, "-e", "no-stream")
    first = json.loads(store.ok(*words).out)
    store.ok("append", "S-1", "-t", "T", "-d", "2")
    again = json.loads(store.ok(*words, "--user-id", "someone else").out)
    assert again == {**first, "duplicate": True}
    assert again["ids"] == [ID.lower()]
    assert len(stored(store)) == 2
    assert stored(store)[0]["metadata"] == {}


# --- metadata ---


def test_metadata_comes_from_the_event_then_flags_then_the_metadata_object(store: Command) -> None:
    own = {"type": "T", "data": 1, "metadata": {"userId": "event", "custom": {"a": "event"}}}
    store.ok(
        "append", "S-1", "-", "--user-id", "flag", "--tenant-id", "flag", "-m", "a=flag", "-m", "b=flag=2",
        "--metadata", '{"tenantId":"json","causationId":"json","custom":{"b":"json","c":"json"}}',
        stdin=json.dumps(own).encode(),
    )  # fmt: skip
    assert stored(store)[0]["metadata"] == {
        "causationId": "json",
        "userId": "event",
        "tenantId": "flag",
        "custom": {"c": "json", "b": "flag=2", "a": "event"},
    }


def test_an_empty_id_in_metadata_is_absent(store: Command) -> None:
    event = {"type": "T", "data": 1, "metadata": {"userId": "", "tenantId": None}}
    store.ok("append", "S-1", "-", "--correlation-id", "", stdin=json.dumps(event).encode())
    assert stored(store)[0]["metadata"] == {}


# --- many ---


def test_many_appends_to_several_streams_at_once_in_the_order_given(store: Command) -> None:
    lines = [
        {"streamId": "A-1", "type": "T", "data": 1, "expectedVersion": "no-stream"},
        {"streamId": "B-1", "type": "T", "data": 2},
        {"streamId": "A-1", "type": "T", "data": 3, "expectedVersion": 1},
    ]
    receipt = json.loads(store.ok("append", "--many", "-", stdin="\n".join(map(json.dumps, lines)).encode()).out)
    assert receipt == {
        "streams": 2, "count": 3, "firstGlobalPosition": 1, "globalPosition": 3, "duplicate": False,
    }  # fmt: skip
    assert [json.loads(line)["data"] for line in store.ok("replay", "--all").lines] == [1, 2, 3]


def test_what_was_replayed_goes_in_again_as_duplicates(store: Command) -> None:
    for n in range(3):
        store.ok("append", f"A-{n % 2}", "-t", "T", "-d", str(n))
    out = store.ok("replay", "--all").out
    receipt = json.loads(store.ok("append", "--many", "-", stdin=out).out)
    assert (receipt["duplicate"], receipt["count"], receipt["globalPosition"]) == (True, 3, 3)
    assert store.ok("replay", "--all").out == out


def test_what_was_read_goes_into_the_same_stream_of_another_store(store: Command) -> None:
    store.ok("append", "A-1", "-t", "T", "-d", "1", "--user-id", "me")
    line = store.ok("read", "A-1").out
    store.ok("init", "--db", "other.db")
    store.ok("--db", "other.db", "append", "A-1", "-", stdin=line)
    (copied,) = store.ok("read", "A-1", "--db", "other.db").lines
    mine, theirs = json.loads(line), json.loads(copied)
    assert {**theirs, "timestamp": mine["timestamp"]} == mine


def test_ids_are_left_out_of_the_receipt_above_a_hundred(store: Command) -> None:
    assert len(json.loads(store.ok("append", "A-1", "-t", "T", "-", stdin=b"1 " * 100).out)["ids"]) == 100
    assert "ids" not in json.loads(store.ok("append", "B-1", "-t", "T", "-", stdin=b"1 " * 101).out)


def test_names_with_quotes_markup_and_emoji_pass_through(store: Command) -> None:
    name = "Ord'er\"-[red]%_\\😀"
    store.ok("append", name, "-t", "[/x]", "-d", "1")
    assert stored(store, name)[0]["streamId"] == name


# --- the store's place ---


@OWN
def test_db_may_stand_before_and_behind_the_command_or_in_the_environment(evstore: Command) -> None:
    evstore.ok("--db", "sqlite:///a.db", "init")
    evstore.ok("append", "A-1", "-t", "T", "-d", "1", "--db", "a.db")
    assert evstore("read", "A-1", env={"EVSTORE_DB": "sqlite:a.db"}).code == 0
    assert evstore("--db", "a.db", "read", "A-1", env={"EVSTORE_DB": "sqlite:nowhere.db"}).code == 0


@OWN
def test_the_hint_to_init_names_the_store_that_was_asked_for(evstore: Command) -> None:
    done = evstore("read", "A-1", "--db", "sqlite:///b.db")
    assert done.err.splitlines()[1] == "hint: evstore init --db sqlite:///b.db"


@OWN
def test_three_slashes_where_four_were_meant_are_asked_about(evstore: Command) -> None:
    done = evstore("--db", "sqlite:///tmp/x.db", "init")
    assert done.code == 2
    assert names(done.err, '"sqlite:////tmp/x.db"')


@OWN
def test_a_store_in_memory_needs_no_init_and_says_that_it_forgets(evstore: Command) -> None:
    done = evstore.ok("--db", "memory:", "append", "A-1", "-t", "T", "-d", "1")
    assert json.loads(done.out)["version"] == 1
    (note,) = done.err.splitlines()
    assert note.startswith("note: memory: ")
