"""`append` in its ways: each for itself, in batches, again, anew, on trial. What is receipted is stored."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.data import DATA, envelopes, id_of, objects, stored
from tests.support.sentences import names

if TYPE_CHECKING:
    from tests.support.command import Command


# --- each ---


def test_each_event_gets_a_receipt_of_its_own(store: Command) -> None:
    receipts = objects(store.ok("append", "S-1", "-", "--each", stdin=envelopes(1, 2)).out)
    assert receipts == [
        {"streamId": "S-1", "version": n, "globalPosition": n, "id": id_of(n), "duplicate": False} for n in (1, 2)
    ]
    assert list(receipts[0]) == ["streamId", "version", "globalPosition", "id", "duplicate"]


@pytest.mark.parametrize("text", ["7", '"seven"', "null", '{"n":7}', "[7]"])
def test_a_value_is_complete_at_its_line_break_and_receipted_before_the_next_is_sent(
    store: Command, text: str
) -> None:
    process = store.start(*DATA, "--each", "-", stdin=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    for version in (1, 2):
        process.stdin.write(text.encode() + b"\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["version"] == version
        assert len(stored(store)) == version  # another process sees what is receipted
    assert process.communicate(timeout=20) == (b"", b"")
    assert process.returncode == 0


@pytest.mark.skipif(not shutil.which("strace"), reason="only strace sees the order of system calls")
@pytest.mark.sqlite_only("it watches what is written to the file of the store")
def test_nothing_is_receipted_before_it_is_durable(store: Command) -> None:
    trace = store.folder / "trace"
    watched = ["strace", "-y", "-e", "trace=write,pwrite64,fsync,fdatasync", "-o", str(trace)]
    argv = [*watched, *store.argv(*DATA, "--each", "-")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(argv, cwd=store.folder, env=store.env(), **pipes)
    if not process.stdout.readable() or process.poll() is not None:
        pytest.skip("this system lets nobody trace")
    for _ in range(3):
        process.stdin.write(b"1\n")
        process.stdin.flush()
        process.stdout.readline()
    process.communicate(timeout=20)
    told, durable = 0, set()
    dirty: set[str] = set()
    for call, fd, path in re.findall(r"^(\w+)\((\d+)<([^>]*)>", trace.read_text(), re.MULTILINE):
        if call == "write" and fd == "1":
            assert not dirty
            assert durable, "a receipt without anything made durable since the last one"
            told, durable = told + 1, set()
        elif path.endswith("evstore.db-wal"):
            if call == "pwrite64":
                dirty.add(path)
            else:
                dirty.discard(path)
                durable.add(path)
    assert told == 3


@pytest.mark.parametrize("more", [(), ("--batch", "2")])
def test_each_keeps_and_receipts_what_stands_before_a_bad_line_and_says_so(
    store: Command, more: tuple[str, ...]
) -> None:
    done = store("append", "S-1", "-", "--each", *more, stdin=envelopes(1, 2, 3) + b"{bad\n" + envelopes(4))
    assert done.code == 5
    assert [receipt["version"] for receipt in objects(done.out)] == [1, 2, 3]
    message, hint = done.err.splitlines()
    assert message.startswith("evstore: -:4: ")
    assert hint.startswith("hint: ")
    assert names(hint, 3)
    assert stored(store) == [1, 2, 3]


def test_each_with_no_stream_expects_every_version_after_the_last(store: Command) -> None:
    words = ("append", "S-1", "-", "--each", "-e", "no-stream")
    assert len(store.ok(*words, stdin=envelopes(1, 2, 3)).lines) == 3
    assert store(*words, stdin=envelopes(4)).code == 4
    assert stored(store) == [1, 2, 3]


def test_each_with_a_version_expects_every_version_after_it(store: Command) -> None:
    store.ok("append", "S-1", "-", stdin=envelopes(1, 2))
    words = ("append", "S-1", "-", "--each", "-e", "2")
    assert [r["version"] for r in objects(store.ok(*words, stdin=envelopes(3, 4)).out)] == [3, 4]
    assert store(*words, stdin=envelopes(5)).code == 4


def test_each_asks_for_an_existing_stream_only_once(store: Command) -> None:
    words = ("append", "S-1", "-", "--each", "-e", "exists")
    assert store(*words, stdin=envelopes(1)).code == 3
    store.ok(*DATA, "-d", "0")
    assert len(store.ok(*words, stdin=envelopes(1, 2)).lines) == 2


def test_a_second_writer_stops_a_pipe_that_expects_to_be_the_only_one(store: Command) -> None:
    process = store.start("append", "S-1", "-", "--each", "-e", "no-stream", stdin=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(envelopes(1))
    process.stdin.flush()
    process.stdout.readline()
    store.ok(*DATA, "-d", '"other"')
    out, err = process.communicate(envelopes(2, 3), timeout=20)
    assert (process.returncode, out) == (4, b"")
    assert names(err.decode(), '"S-1"', 2, 1)
    assert stored(store) == [1, "other"]


def test_a_conflict_in_the_middle_stops_and_nothing_behind_it_is_stored(store: Command) -> None:
    lines = [envelopes(1, stream="S-1"), envelopes(2, stream="S-1", expectedVersion=7), envelopes(3, stream="S-2")]
    done = store("append", "--many", "--each", "-", stdin=b"".join(lines))
    assert (done.code, len(done.out.splitlines())) == (4, 1)
    assert (stored(store), stored(store, "S-2")) == ([1], [])


def test_an_interrupted_each_is_run_again_and_finishes(store: Command) -> None:
    words = ("append", "S-1", "-", "--each", "-e", "no-stream")
    store.ok(*words, stdin=envelopes(1, 2))
    again = objects(store.ok(*words, stdin=envelopes(1, 2, 3, 4)).out)
    assert [(r["version"], r["duplicate"]) for r in again] == [(1, True), (2, True), (3, False), (4, False)]
    assert stored(store) == [1, 2, 3, 4]


def test_an_id_that_comes_twice_in_a_pipe_is_a_duplicate_and_takes_no_version(store: Command) -> None:
    words = ("append", "S-1", "-", "--each", "-e", "no-stream")
    receipts = objects(store.ok(*words, stdin=envelopes(1, 1, 2)).out)
    assert [(r["version"], r["duplicate"]) for r in receipts] == [(1, False), (1, True), (2, False)]


# --- batches ---


def test_a_batch_is_one_append_and_the_last_one_may_be_smaller(store: Command) -> None:
    receipts = objects(store.ok("append", "S-1", "-", "--batch", "2", stdin=envelopes(1, 2, 3, 4, 5)).out)
    assert [(r["count"], r["firstVersion"], r["version"]) for r in receipts] == [(2, 1, 2), (2, 3, 4), (1, 5, 5)]
    times = [event["timestamp"] for event in objects(store.ok("read", "S-1").out)]
    assert times[0] == times[1] != times[2] == times[3] != times[4]


def test_a_fault_leaves_all_that_stands_before_it_also_of_its_own_batch(store: Command) -> None:
    done = store("append", "S-1", "-", "--batch", "2", stdin=envelopes(1, 2, 3) + b"7\n" + envelopes(4))
    assert (done.code, [r["version"] for r in objects(done.out)]) == (5, [2, 3])
    message, hint = done.err.splitlines()
    assert message.startswith("evstore: -:4: ")
    assert hint.startswith("hint: ")
    assert names(hint, 3)
    assert stored(store) == [1, 2, 3]


def test_batches_to_several_streams_are_receipted_as_such(store: Command) -> None:
    given = envelopes(1, stream="A-1") + envelopes(2, stream="B-1") + envelopes(3, stream="C-1")
    receipts = objects(store.ok("append", "--many", "-", "--batch", "2", stdin=given).out)
    assert [(r["streams"], r["count"], r["firstGlobalPosition"]) for r in receipts] == [(2, 2, 1), (1, 1, 3)]


def test_batches_expect_the_version_after_the_last(store: Command) -> None:
    words = ("append", "S-1", "-", "--batch", "2", "-e", "no-stream")
    assert objects(store.ok(*words, stdin=envelopes(1, 2, 3)).out)[-1]["version"] == 3
    assert store(*words, stdin=envelopes(4)).code == 4


def test_an_interrupted_run_of_batches_is_run_again_and_finishes(store: Command) -> None:
    words = ("append", "S-1", "-", "--batch", "2", "--skip-stored")
    store.ok(*words, stdin=envelopes(1, 2, 3))
    receipts = objects(store.ok(*words, stdin=envelopes(1, 2, 3, 4, 5)).out)
    assert [(r["count"], r["duplicate"]) for r in receipts] == [(2, True), (1, True), (1, False), (1, False)]
    assert stored(store) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("mode", [("--each",), ("--batch", "2")])
def test_a_missing_input_file_is_found_before_anything_is_stored(store: Command, mode: tuple[str, ...]) -> None:
    done = store("append", "S-1", *mode, "-", "nowhere.ndjson", stdin=envelopes(1, 2, 3))
    assert (done.code, done.out, stored(store)) == (2, b"", [])


# --- what is stored already ---


def test_what_is_stored_is_skipped_and_the_rest_appended_as_one(store: Command) -> None:
    store.ok("append", "S-1", "-", stdin=envelopes(1, 2))
    first, second = objects(store.ok("append", "S-1", "-", "--skip-stored", stdin=envelopes(1, 2, 3, 4)).out)
    assert (first["count"], first["version"], first["duplicate"]) == (2, 2, True)
    assert (second["count"], second["version"], second["duplicate"]) == (2, 4, False)
    assert second["ids"] == [id_of(3), id_of(4)]


def test_a_load_that_began_the_stream_is_simply_run_again(store: Command) -> None:
    words = ("append", "S-1", "-", "-e", "no-stream", "--skip-stored")
    store.ok(*words, stdin=envelopes(1, 2))
    store.ok(*words, stdin=envelopes(1, 2, 3))
    assert stored(store) == [1, 2, 3]


def test_what_is_skipped_is_shown_in_the_order_of_the_input(store: Command) -> None:
    store.ok("append", "S-1", "-", stdin=envelopes(5, 3, 1, 4, 2))
    done = store.ok("append", "S-1", "-", "--skip-stored", "--echo", stdin=envelopes(5, 3, 1, 4, 2, 6))
    assert [event["data"] for event in objects(done.out)] == [5, 3, 1, 4, 2, 6]


def test_an_id_that_comes_twice_is_named_with_its_place(store: Command) -> None:
    for mode in ((), ("--batch", "9")):
        done = store("append", "S-1", *mode, "-", stdin=envelopes(1, 2) + b"\n" + envelopes(1))
        assert (done.code, done.out) == (5, b"")
        assert done.err.startswith("evstore: -:4: ")
        assert names(done.err.splitlines()[0], id_of(1))
    assert stored(store) == []


def test_other_data_under_a_stored_id_is_a_conflict_and_nothing_is_written(store: Command) -> None:
    store.ok("append", "S-1", "-", stdin=envelopes(1))
    changed = envelopes(2) + envelopes(1).replace(b'"data": 1', b'"data": 9') + envelopes(3)
    done = store("append", "S-1", "-", "--skip-stored", stdin=changed)
    assert (done.code, done.out, stored(store)) == (4, b"", [1])


# --- keys ---


def test_a_key_makes_a_script_that_can_be_run_again(store: Command) -> None:
    first = objects(store.ok(*DATA, "-", "--key", "nov", stdin=b"1 2").out)
    again = objects(store.ok(*DATA, "-", "--key", "nov", stdin=b"1 2").out)
    assert again == [{**first[0], "duplicate": True}]
    assert stored(store) == [1, 2]


def test_ids_of_a_key_depend_on_stream_key_and_ordinal(store: Command) -> None:
    ids = [
        each
        for stream, key in [("S-1", "a"), ("S-1", "b"), ("S-2", "a")]
        for each in objects(store.ok("append", stream, "-t", "T", "-", "--key", key, stdin=b"1 1").out)[0]["ids"]
    ]
    assert len(set(ids)) == 6


@pytest.mark.parametrize("mode", [(), ("--each",), ("--batch", "1")])
def test_a_key_goes_with_many(store: Command, mode: tuple[str, ...]) -> None:
    given = b'{"streamId":"A-1","type":"T","data":1}{"streamId":"B-1","type":"T","data":1}'
    words = ("append", "--many", "-", "--key", "k", *mode)
    assert not any(r["duplicate"] for r in objects(store.ok(*words, stdin=given).out))
    assert all(r["duplicate"] for r in objects(store.ok(*words, stdin=given).out))


def test_an_id_wins_over_a_key(store: Command) -> None:
    (receipt,) = objects(store.ok("append", "S-1", "-", "--key", "k", stdin=envelopes(1)).out)
    assert receipt["ids"] == [id_of(1)]
