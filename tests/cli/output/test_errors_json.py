"""With `--errors json` every line on stderr is a JSON object, whatever went wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from evstore import EventData, connect
from tests.support.command_store import writing
from tests.support.data import DATA, envelopes, id_of
from tests.support.sentences import names

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.command import Command

pytestmark = pytest.mark.sqlite_first("how errors are printed seldom depends on where events are stored")

FILE = pytest.mark.sqlite_only("it is about the file of the store")
NO_STORE = pytest.mark.sqlite_only("no store is asked")
FIRST = ["code", "class", "exitCode", "message"]


class Case(NamedTuple):
    code: str
    exit_code: int
    name: str
    words: tuple[str, ...]
    stdin: bytes = b""
    facts: dict[str, object] = {}  # noqa: RUF012
    retryable: bool = False


CASES = {
    "a flag that Typer does not know": Case("usage", 2, "UsageError", ("read", "S-1", "--nonsense")),
    "a command that Typer does not know": Case("usage", 2, "UsageError", ("nonsense",)),
    "an argument that Typer misses": Case("usage", 2, "UsageError", ("read",)),
    "a value that Typer refuses": Case("usage", 2, "UsageError", ("read", "S-1", "--from", "x")),
    "a value that Typer misses": Case("usage", 2, "UsageError", ("read", "S-1", "--from")),
    "a flag that the command refuses": Case("usage", 2, "UsageError", ("read", "S-1", "-n", "x")),
    "flags that exclude each other": Case("usage", 2, "UsageError", ("read", "S-1", "-f", "-r")),
    "a global flag that is wrong": Case("usage", 2, "UsageError", ("read", "S-1", "-F", "x")),
    "an input file that is missing": Case("usage", 2, "UsageError", ("append", "S-1", "no.json")),
    "a URL of an unknown scheme": Case(
        "usage", 2, "UnknownAdapterError", ("--db", "x://y", "categories"), facts={"scheme": "x"}
    ),
    "a stream that is missing": Case("not_found", 3, "StreamNotFoundError", ("read", "S-9"), facts={"streamId": "S-9"}),
    "an event that is missing": Case(
        "not_found", 3, "EventNotFoundError", ("get", id_of(9)), facts={"eventId": id_of(9)}
    ),
    "a version that is another": Case(
        "conflict", 4, "ConcurrencyError", (*DATA, "-d", "1", "-e", "7"),
        facts={"streamId": "S-1", "expected": 7, "actual": 1}, retryable=True,
    ),
    "a version of a stream that is missing": Case(
        "conflict", 4, "ConcurrencyError", ("append", "S-9", "-t", "T", "-d", "1", "-e", "7"),
        facts={"streamId": "S-9", "expected": 7, "actual": 0}, retryable=True,
    ),
    "an id that is another event's": Case(
        "conflict", 4, "EventIdConflictError", (*DATA, "-d", "2", "--id", id_of(1)), facts={"eventId": id_of(1)}
    ),
    "input that is not JSON": Case(
        "bad_input", 5, "InvalidPayloadError", ("append", "S-1", "-"), b"\n{", facts={"place": "-:2"}
    ),
    "an input without events": Case("bad_input", 5, "NoEventsError", ("append", "S-1", "-"), b""),
    "a stream id that is none": Case("bad_input", 5, "InvalidStreamIdError", ("read", "$x")),
    "a fault behind what is stored": Case(
        "bad_input", 5, "InvalidPayloadError", ("append", "S-1", "-", "--each"), envelopes(1) + b"{\n",
        facts={"place": "-:2"},
    ),
    "a place where there is no store": Case("schema", 6, "NotInitializedError", ("--db", "no.db", "categories")),
    "what is not a store": Case("schema", 6, "NotAStoreError", ("--db", "diary.txt", "categories")),
    "events that did not come": Case(
        "timed_out", 124, "TimedOut", ("read", "S-9", "-f", "-n", "1", "--within", "50ms")
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def shared(module_store: Command) -> Command:
    with connect(module_store.url) as store:
        store.append("S-1", [EventData("T", 1, id=id_of(1))])
    (module_store.folder / "diary.txt").write_text("Dear diary, today I")
    return module_store


def told(err: str | bytes) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The notes, and the one error behind them."""
    *notes, last = [json.loads(line) for line in err.splitlines()]
    assert all(list(note) == ["note"] and isinstance(note["note"], str) for note in notes)
    assert list(last) == ["error"]
    return notes, last["error"]


@pytest.mark.parametrize("name", CASES)
def test_an_error_is_one_object_with_its_facts(shared: Command, name: str) -> None:
    case = CASES[name]
    done = shared(*case.words, "--errors=json", stdin=case.stdin)
    _, error = told(done.err)
    assert done.code == error["exitCode"] == case.exit_code
    assert (error["code"], error["class"], error["retryable"]) == (case.code, case.name, case.retryable)
    assert [key for key in error if key in FIRST] == FIRST
    assert {key: error.get(key) for key in case.facts} == case.facts
    assert error["message"]
    assert "\n" not in error["message"]
    assert all(key[:1].islower() and key.isalnum() for key in error), error  # words that scripts can name
    assert error.get("hint") is None or isinstance(error["hint"], str)


def test_the_facts_stand_last_and_in_their_order(shared: Command) -> None:
    envelope = b'{"type": "T", "data": 1, "expectedVersion": "x"}'
    _, error = told(shared("append", "S-1", "-", "--errors=json", stdin=envelope).err)
    assert list(error) == [*FIRST, "retryable", "expected", "place"]
    _, error = told(shared(*DATA, "-d", "1", "-e", "7", "--errors=json").err)
    assert list(error) == [*FIRST, "hint", "retryable", "streamId", "expected", "actual"]


def test_the_environment_asks_for_it_as_the_flag_does(shared: Command) -> None:
    asked = shared("read", "S-9", env={"EVSTORE_ERRORS": "json"})
    assert asked == shared("--errors", "json", "read", "S-9")
    told(asked.err)


def test_the_message_and_the_hint_are_those_of_the_text(shared: Command) -> None:
    words = (*DATA, "-d", "1", "-e", "7")
    _, error = told(shared("--errors", "json", *words).err)
    assert shared(*words).err == f"evstore: {error['message']}\nhint: {error['hint']}\n"


@NO_STORE
def test_the_flag_wins_over_the_environment(shared: Command) -> None:
    done = shared("read", "S-9", "--errors", "text", env={"EVSTORE_ERRORS": "json"})
    assert done.err.startswith("evstore: ")
    assert names(done.err.splitlines()[0], '"S-9"')


@pytest.mark.parametrize(("words", "env"), [(("--errors", "xml"), {}), ((), {"EVSTORE_ERRORS": "xml"})])
@NO_STORE
def test_a_form_of_errors_that_is_none_is_refused_as_text(
    shared: Command, words: tuple[str, ...], env: dict[str, str]
) -> None:
    done = shared("categories", *words, env=env)
    assert (done.code, done.out) == (2, b"")
    (message,) = done.err.splitlines()
    assert message.startswith("evstore: --errors ")
    assert names(message, "text, json", '"xml"')


@pytest.mark.parametrize("flag", ["--db", "--format", "--errors", "--color", "--timeout"])
@NO_STORE
def test_an_option_without_a_value_is_not_taken_for_one_that_was_not_given(shared: Command, flag: str) -> None:
    """As where the variable of a script is not set: a store must not be guessed."""
    assert shared("categories", flag, "").code == 2


def test_a_success_says_nothing(shared: Command) -> None:
    assert shared("categories", "--errors", "json").err == ""


def test_notes_are_objects_too(shared: Command) -> None:
    done = shared.ok("replay", "S-1", "-v", "--errors", "json")
    notes = [json.loads(line) for line in done.err.splitlines()]
    assert len(notes) >= 3
    assert all(list(note) == ["note"] for note in notes)
    assert "evstore read S-1" in done.err


def test_notes_stand_before_the_error(shared: Command) -> None:
    notes, error = told(shared(*DATA, "-d", "1", "-e", "0", "--errors", "json").err)
    assert len(notes) == 1
    assert "no-stream" in notes[0]["note"]
    assert error["expected"] == 0


@NO_STORE
def test_nothing_to_do_is_an_object_too(shared: Command) -> None:
    done = shared("--errors", "json")
    _, error = told(done.err)
    assert (done.code, error["code"], error["exitCode"]) == (2, "usage", 2)


def test_a_store_in_use_can_be_retried(shared: Command) -> None:
    with writing(shared):
        done = shared(*DATA, "-d", "1", "--timeout", "50ms", "--errors", "json")
    _, error = told(done.err)
    assert done.code == error["exitCode"] == 7
    assert (error["code"], error["class"], error["retryable"]) == ("unavailable", "StoreBusyError", True)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", [("replay", "--all"), (*DATA, "-d", "1", "--id", id_of(1))])
def test_an_output_that_is_full_is_io(shared: Command, words: tuple[str, ...]) -> None:
    with open("/dev/full", "wb") as full:
        process = shared.start(*words, "--errors", "json", quick=True, stdout=full)
        _, err = process.communicate(timeout=20)
    _, error = told(err)
    assert process.returncode == error["exitCode"] == 74
    assert error["code"] == "io"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do everything")
@NO_STORE
def test_a_file_that_may_not_be_read_is_denied(shared: Command) -> None:
    path = shared.folder / "secret.json"
    path.touch(0)
    done = shared("append", "S-1", "secret.json", "--errors", "json")
    _, error = told(done.err)
    assert (done.code, error["code"], error["exitCode"]) == (77, "denied", 77)


@FILE
def test_a_lock_that_leads_elsewhere_is_denied(store: Command) -> None:
    lock = store.folder / "evstore.db-lock"
    lock.unlink(missing_ok=True)
    lock.symlink_to(store.folder / "elsewhere")
    done = store(*DATA, "-d", "1", "--errors", "json")
    _, error = told(done.err)
    assert (done.code, error["code"], error["exitCode"], error["retryable"]) == (77, "denied", 77, False)


@FILE
def test_a_store_that_is_damaged_is_said_to_be(store: Command) -> None:
    store.ok(*DATA, "-", stdin=b'"%s" ' % (b"x" * 3000) * 40)
    path = store.folder / "evstore.db"
    raw = bytearray(path.read_bytes())
    raw[8192:] = b"\xa5" * (len(raw) - 8192)
    path.write_bytes(raw)
    done = store("replay", "--all", "--errors", "json")
    _, error = told(done.err)
    assert (done.code, error["code"], error["exitCode"]) == (10, "damaged", 10)


BREAK = """
import evstore.connecting
def broken(*_, **__): raise KeyError("boom\\nin two lines")
evstore.connecting.connect_for_command = broken
from evstore.cli import main
main()
"""


@NO_STORE
def test_a_bug_is_internal_and_its_message_one_line(shared: Command, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BREAK, "categories", "--errors", "json"],
        cwd=shared.folder,
        env=shared.env(TMPDIR=str(tmp_path)),
        capture_output=True,
        check=False,
    )
    _, error = told(done.stderr)
    assert done.returncode == error["exitCode"] == 70
    assert (error["code"], error["class"]) == ("internal", "KeyError")
    assert str(tmp_path) in error["message"]


BYTES = [
    ("replay", "\udcff"), ("streams", "\udcff"), ("streams", "--prefix", "\udcff"), ("categories", "--prefix", "\udcff"),
    ("replay", "--all", "--correlation-id", "\udcff"), ("replay", "--all", "-t", "\udcff"), ("read", "S-1", "-t", "\udcff"),
    ("read", "S-1", "--fields", "data.\udcff"), ("get", "\udcff"), ("read", "S-\udcff"), ("\udcff",),
    (*DATA, "-d", "1", "--key", "\udcff"), (*DATA, "-d", "1", "-m", "k=\udcff"), ("append", "S-1", "\udcff"),
]  # fmt: skip


@pytest.mark.parametrize("words", BYTES, ids=ascii)
def test_words_that_are_not_utf8_are_the_callers_fault(shared: Command, words: tuple[str, ...]) -> None:
    done = shared(*words, "--errors", "json")
    if done.code == 0:
        assert done.out == b""  # a filter that nothing can match
        return
    _, error = told(done.err)
    assert done.code == error["exitCode"]
    assert error["code"] in {"usage", "bad_input"}, error


@FILE
def test_a_place_whose_name_is_not_utf8_can_hold_a_store(evstore: Command) -> None:
    done = evstore("init", "--db", "caf\udce9.db")
    assert done.code in (0, 2), done
    assert (evstore.folder / "caf\udce9.db").exists() is (done.code == 0)
