"""Where events were stored and the receipt cannot leave, the error reports them, so that nobody stores them twice."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.data import stored
from tests.support.sentences import names

if TYPE_CHECKING:
    from tests.support.command import Command

pytestmark = [
    pytest.mark.sqlite_only("no stream of a process depends on where events are stored"),
    pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full"),
]
ONE = "0198e5c4-7a2b-7c3d-8e4f-0123456789ab"


def run(
    command: Command, *words: str, stdin: bytes = b"", closed: bool = False
) -> subprocess.CompletedProcess[bytes]:
    """The command with a stdout that is full, or closed."""
    with open("/dev/full", "wb") as full:
        how: dict[str, Any] = {"preexec_fn": lambda: os.close(1)} if closed else {"stdout": full}
        return subprocess.run(
            command.argv(*words), cwd=command.folder, env=command.env(), input=stdin, stderr=subprocess.PIPE, **how
        )


def reported(command: Command, *words: str, stdin: bytes = b"") -> dict[str, Any]:
    done = run(command, "--errors", "json", *words, stdin=stdin)
    assert done.returncode == 74
    error: dict[str, Any] = json.loads(done.stderr.decode().splitlines()[-1])["error"]
    assert (error["code"], error["retryable"]) == ("io", False)
    return error


def in_store(command: Command) -> list[tuple[str, int, str]]:
    events = map(json.loads, command.ok("replay", "--all").lines)
    return [(event["streamId"], event["version"], event["id"]) for event in events]


def of(found: list[dict[str, Any]]) -> list[tuple[str, int, str]]:
    """What an error reports, event by event."""
    return [
        (run["streamId"], version, event_id)
        for run in found
        for version, event_id in zip(range(run["firstVersion"], run["version"] + 1), run["ids"], strict=True)
    ]


@pytest.mark.parametrize("closed", [False, True])
def test_the_sentence_names_stream_version_and_id(store: Command, closed: bool) -> None:
    words = ("append", "A-1", "-t", "T", "-d", "1", "--id", ONE)
    done = run(store, *words, closed=closed)
    assert done.returncode == 74
    sentence, hint = done.stderr.decode().splitlines()
    assert sentence.startswith("evstore: cannot write to stdout: ")
    assert sentence.endswith(f"; stored all the same: A-1 version 1 (id {ONE})")
    assert hint.startswith("hint: ")
    assert stored(store, "A-1") == [1]


@pytest.mark.parametrize(
    "words",
    [
        ("A-1", "-t", "T", "-"),
        ("A-1", "-t", "T", "-", "--batch", "40"),
        ("A-1", "-t", "T", "-", "--each"),
        ("A-1", "-t", "T", "-", "--each", "-F", "json"),
        ("A-1", "-t", "T", "-", "--each", "--batch", "30"),
        ("A-1", "-t", "T", "-", "-F", "table"),
        ("A-1", "-t", "T", "-", "--echo"),
        ("A-1", "-t", "T", "-", "--each", "--echo"),
        ("A-1", "-t", "T", "-", "--skip-stored"),
    ],
)
def test_every_way_to_append_reports_each_event_that_is_stored(store: Command, words: tuple[str, ...]) -> None:
    error = reported(store, "append", *words, stdin=b'"%s"\n' % (b"x" * 500) * 100)
    there = in_store(store)
    assert of(error["stored"]) == there
    assert len(there) in (30, 40, 100)


def test_an_append_to_several_streams_reports_each(store: Command) -> None:
    lines = [json.dumps({"streamId": f"A-{n % 3}", "type": "T", "data": n}) for n in range(9)]
    error = reported(store, "append", "--many", "-", stdin="\n".join(lines).encode())
    assert of(error["stored"]) == in_store(store)
    assert all(f"A-{n}" in error["message"] for n in range(3))


def test_ids_are_left_out_where_a_receipt_leaves_them_out(store: Command) -> None:
    error = reported(store, "append", "A-1", "-t", "T", "-", stdin=b"1\n" * 101)
    assert error["stored"] == [{"streamId": "A-1", "firstVersion": 1, "version": 101}]
    assert error["message"].endswith("stored all the same: A-1 versions 1 to 101")


@pytest.mark.parametrize("more", [(), ("--echo",)])
def test_a_retry_whose_receipt_is_lost_reports_the_stored_event(store: Command, more: tuple[str, ...]) -> None:
    words = ("append", "A-1", "-t", "T", "-d", "1", "--id", ONE, *more)
    store.ok(*words)
    assert of(reported(store, *words)["stored"]) == [("A-1", 1, ONE)]


def test_what_stores_nothing_reports_nothing(store: Command) -> None:
    assert "stored" not in reported(store, "append", "A-1", "-t", "T", "-d", "1", "--dry-run")
    assert run(store, "-q", "append", "A-1", "-t", "T", "-d", "1").returncode == 0


def test_an_import_reports_its_sums(store: Command) -> None:
    store.ok("append", "A-1", "-t", "T", "-d", "1")
    log = store.ok("export").out
    store.ok("init", "--db", "other.db")
    error = reported(store, "import", "--db", "other.db", stdin=log)
    assert (error["imported"], error["skipped"], error["headPosition"]) == (1, 0, 1)
    assert "imported 1 event;" in error["message"]


@pytest.mark.parametrize("words", [("export", "-O", "copy"), ("backup", "copy"), ("init", "--db", "copy")])
def test_a_command_that_has_written_its_file_reports_that(store: Command, words: tuple[str, ...]) -> None:
    error = reported(store, *words)
    assert error["place"] == f"{store.folder}/copy"
    assert "copy is " in error["message"]


@pytest.mark.parametrize("streams", [1, 15])
def test_a_sentence_names_ten_streams_and_ten_ids_at_most(store: Command, streams: int) -> None:
    lines = [json.dumps({"streamId": f"A-{n % streams}", "type": "T", "data": n}) for n in range(30)]
    error = reported(store, "append", "--many", "-", stdin="\n".join(lines).encode())
    ids = [event for *_, event in of(error["stored"])]
    assert len(ids) == 30
    assert sum(each in error["message"] for each in ids) == 10
    assert sum(f"A-{n} " in error["message"] for n in range(streams)) == min(streams, 10)
    assert names(error["message"], 30)
