"""`append`: where its data, ids and metadata come from, what it prints instead, and which flags exclude others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from evstore import connect
from tests.support.data import DATA, envelopes, id_of, objects, stored
from tests.support.sentences import names

if TYPE_CHECKING:
    from tests.support.command import Command

pytestmark = pytest.mark.sqlite_first("which flags go together seldom depends on where events are stored")

INPUT = pytest.mark.sqlite_only("the input is understood before a store is asked")


# --- anew ---


def test_what_was_read_of_one_stream_is_copied_to_another(store: Command) -> None:
    store.ok("append", "A-1", "-", "--user-id", "me", stdin=envelopes(1, 2))
    lines = store.ok("read", "A-1").out
    refused = store("append", "B-1", "-", stdin=lines)
    assert (refused.code, "--copy" in refused.err) == (5, True)
    (receipt,) = objects(store.ok("append", "B-1", "--copy", "-", stdin=lines).out)
    assert receipt["version"] == 2
    assert not {id_of(1), id_of(2)} & set(receipt["ids"])
    assert stored(store, "B-1") == [1, 2]
    assert {event["metadata"]["userId"] for event in objects(store.ok("read", "B-1").out)} == {"me"}


def test_a_copy_made_again_is_stored_again(store: Command) -> None:
    for _ in range(2):
        store.ok("append", "B-1", "--copy", "-", stdin=envelopes(1))
    assert stored(store, "B-1") == [1, 1]


# --- on trial ---


def test_a_dry_run_stores_nothing_and_its_output_can_be_appended(store: Command) -> None:
    done = store.ok(*DATA, "-", "--dry-run", "--user-id", "me", stdin=b'1.10 {"b" : 1,"a":2}')
    assert [list(line) for line in objects(done.out)] == [["id", "streamId", "type", "data", "metadata"]] * 2
    assert b'"data":1.10,' in done.out
    assert b'"data":{"b" : 1,"a":2},' in done.out
    assert stored(store) == []
    (receipt,) = objects(store.ok("append", "S-1", "-", stdin=done.out).out)
    assert receipt["ids"] == [line["id"] for line in objects(done.out)]


def test_a_dry_run_compares_the_expected_version(store: Command) -> None:
    store.ok(*DATA, "-d", "1")
    done = store("--errors", "json", *DATA, "-d", "2", "-e", "no-stream", "--dry-run")
    assert (done.code, done.out) == (4, b"")
    assert names(done.err, '"S-1"', 1)


def test_a_dry_run_of_many_follows_each_stream(store: Command) -> None:
    fine = envelopes(1, stream="A-1", expectedVersion="no-stream") + envelopes(2, stream="A-1", expectedVersion=1)
    assert store("append", "--many", "-", "--dry-run", stdin=fine).code == 0
    wrong = fine + envelopes(3, stream="A-1", expectedVersion=1)
    assert store("append", "--many", "-", "--dry-run", stdin=wrong).code == 4


def test_a_dry_run_of_a_run_again_prints_what_would_be_stored(store: Command) -> None:
    store.ok("append", "S-1", "-", stdin=envelopes(1, 2))
    done = store.ok("append", "S-1", "-", "--skip-stored", "--dry-run", stdin=envelopes(1, 2, 3))
    assert [line["data"] for line in objects(done.out)] == [3]


def test_a_dry_run_of_what_is_stored_prints_nothing_and_says_so(store: Command) -> None:
    store.ok("append", "S-1", "-", stdin=envelopes(1, 2))
    done = store.ok("append", "S-1", "-", "--dry-run", stdin=envelopes(1, 2))
    assert done.out == b""
    (note,) = done.err.splitlines()
    assert note.startswith("note: ")


def test_a_dry_run_has_as_many_columns_as_it_has_tabs(store: Command) -> None:
    done = store.ok(*DATA, "-d", '{"a":\t1}', "--dry-run", "-F", "tsv")
    assert done.lines[0].split("\t")[1:] == ["S-1", "T", '{"a":\\t1}', "{}"]


def test_a_dry_run_shows_a_string_as_read_shows_it(store: Command) -> None:
    would = store.ok(*DATA, "-d", '"a b"', "--dry-run", "-F", "tsv").lines[0].split("\t")
    store.ok(*DATA, "-d", '"a b"')
    found = store.ok("read", "S-1", "--fields", "streamId,type,data,metadata", "-F", "tsv").lines[0].split("\t")
    assert would[1:] == found == ["S-1", "T", "a b", "{}"]


def test_echo_and_quiet_print_one_whole_array_of_events(store: Command) -> None:
    words = ("append", "S-1", "-", "--each", "--echo", "-q", "-F", "json")
    assert [event["data"] for event in json.loads(store.ok(*words, stdin=envelopes(1, 2)).out)] == [1, 2]


def test_a_dry_run_is_one_array_where_json_is_asked_for(store: Command) -> None:
    done = store.ok(*DATA, "-", "--dry-run", "-F", "json", stdin=b"1 2")
    assert [event["data"] for event in json.loads(done.out)] == [1, 2]


# --- what is printed ---


def test_echo_prints_the_stored_events_as_read_would(store: Command) -> None:
    printed = store.ok(*DATA, "-", "--echo", stdin=b"1 2").out
    assert printed == store.ok("read", "S-1").out


@pytest.mark.parametrize("mode", [("--each",), ("--batch", "1")])
def test_echo_in_groups_prints_one_line_an_event(store: Command, mode: tuple[str, ...]) -> None:
    assert store.ok(*DATA, "-", "--echo", *mode, stdin=b"1\n2\n").out == store.ok("read", "S-1").out


def test_echo_prints_duplicates_as_they_were_first_stored(store: Command) -> None:
    first = store.ok("append", "S-1", "-", "--echo", stdin=envelopes(1)).out
    store.ok(*DATA, "-d", "2")
    assert store.ok("append", "S-1", "-", "--echo", "--user-id", "other", stdin=envelopes(1)).out == first


@pytest.mark.parametrize("mode", [("--each",), ("--batch", "1"), ("--each", "--echo"), ("--batch", "1", "--echo")])
def test_several_receipts_are_one_array_where_json_is_asked_for(store: Command, mode: tuple[str, ...]) -> None:
    done = store.ok(*DATA, "-", *mode, "-F", "json", stdin=b"1\n2\n")
    assert [each["version"] for each in json.loads(done.out)] == [1, 2]


@pytest.mark.parametrize("mode", [(), ("--each",), ("--batch", "1")])
def test_quiet_prints_nothing(store: Command, mode: tuple[str, ...]) -> None:
    done = store.ok(*DATA, "-", "-q", *mode, stdin=b"1\n2\n")
    assert (done.out, done.err) == (b"", "")
    assert stored(store) == [1, 2]


# --- data from elsewhere ---


@pytest.mark.parametrize("text", [b"[1, 2]", b"\xef\xbb\xbf\r\n[\r\n 1,\r\n 2]\r\n"])
def test_a_file_of_data_holds_one_value_and_its_array_is_kept(store: Command, text: bytes) -> None:
    (store.folder / "data.json").write_bytes(text)
    store.ok(*DATA, "-d", "@data.json")
    store.ok(*DATA, "-d", "@-", stdin=text)
    assert stored(store) == [[1, 2], [1, 2]]


@pytest.mark.parametrize("text", [b"1 2", b"{", b"", b'"\xff"'])
@INPUT
def test_a_fault_in_a_file_of_data_names_the_file(store: Command, text: bytes) -> None:
    (store.folder / "data.json").write_bytes(text)
    done = store(*DATA, "-d", "@data.json")
    assert (done.code, done.out) == (5, b"")
    assert done.err.startswith("evstore: data.json: ")


@INPUT
def test_a_fault_in_data_from_stdin_names_it(store: Command) -> None:
    done = store(*DATA, "-d", "@-", stdin=b"1 2")
    assert (done.code, done.err.startswith("evstore: -: ")) == (5, True)


@INPUT
def test_a_missing_file_of_data_is_a_usage_error(store: Command) -> None:
    done = store(*DATA, "-d", "@nowhere.json")
    (message,) = done.err.splitlines()
    assert done.code == 2
    assert message.startswith("evstore: ")
    assert message.endswith("nowhere.json: No such file or directory")


def test_an_id_given_by_flag_goes_to_the_one_event_in_whatever_form_it_comes(store: Command) -> None:
    for number, (words, given) in enumerate(
        [((*DATA, "-"), b"1"), (("append", "S-1", "-"), b'{"type":"T","data":1}')], 1
    ):
        (receipt,) = objects(store.ok(*words, "--id", id_of(number), stdin=given).out)
        assert receipt["ids"] == [id_of(number)]


# --- metadata ---


def test_metadata_comes_from_the_event_then_flags_then_the_object_then_the_environment(store: Command) -> None:
    env = {f"EVSTORE_{name}_ID": "env" for name in ("CORRELATION", "CAUSATION", "USER", "TENANT")}
    own = b'{"type":"T","data":1,"metadata":{"correlationId":"event"}}'
    words = ("--correlation-id", "flag", "--causation-id", "flag")
    given = '{"correlationId":"object","causationId":"object","userId":"object"}'
    assert store("append", "S-1", "-", *words, "--metadata", given, stdin=own, env=env).code == 0
    (event,) = objects(store.ok("read", "S-1").out)
    assert event["metadata"] == {
        "correlationId": "event", "causationId": "flag", "userId": "object", "tenantId": "env",
    }  # fmt: skip


def test_an_empty_variable_is_no_metadata(store: Command) -> None:
    assert store(*DATA, "-d", "1", env={"EVSTORE_USER_ID": ""}).code == 0
    with connect(store.url) as opened:
        assert [event.metadata_json for event in opened.read("S-1")] == ["{}"]


# --- what excludes what ---

EXCLUDED = [
    ("S-1", "-", "--dry-run", "--each"),
    ("S-1", "-", "--dry-run", "--batch", "2"),
    ("S-1", "-", "--key", "k", "--id", id_of(1)),
    ("S-1", "-", "--copy", "-t", "T"),
    ("S-1", "-", "-t", "T", "-d", "1"),
    ("S-1", "-", "--batch", "0"),
    ("S-1", "-", "--batch", "-1"),
    ("S-1", "-", "--batch", "few"),
    ("S-1", "-", "--key", ""),
    ("S-1", "-", "--each", "-t", "T", "--id", id_of(1)),
    ("--many", "-", "--id", id_of(1)),
    ("--many", "-", "-t", "T", "-d", "1"),
]


@pytest.mark.parametrize("words", EXCLUDED, ids=" ".join)
@INPUT
def test_it_is_refused_before_the_input_is_read(store: Command, words: tuple[str, ...]) -> None:
    done = store("append", *words, stdin=b"1\n2\n")
    assert (done.code, done.out) == (2, b""), done
    assert done.err.startswith("evstore: ")
    assert stored(store) == []


@pytest.mark.parametrize("number", ["99999999999999999999", "9" * 5000])
def test_a_batch_may_be_larger_than_any_input(store: Command, number: str) -> None:
    done = store(*DATA, "-", "--batch", number, stdin=b"1 2")
    assert done.code in (0, 2), done


@INPUT
def test_a_fault_in_metadata_is_that_of_its_flag(store: Command) -> None:
    for words, stdin in ((("-d", "1"), b""), (("-",), b"1")):
        done = store(*DATA, *words, "--metadata", '{"custom":{"":"x"}}', stdin=stdin)
        assert (done.code, done.out) == (5, b"")
        (message,) = done.err.splitlines()
        assert message.startswith("evstore: --metadata: ")
        assert names(message, '"custom"')
