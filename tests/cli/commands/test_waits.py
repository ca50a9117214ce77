"""A wait for another writer: after two seconds a note says who is waited for, and for how long."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.support.command_store import remove, server_of, writing
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.command import Command

pytestmark = pytest.mark.long("waits of seconds are waited for")

WORK = {
    "append": ("append", "A-1", "-t", "T", "-d", "1"),
    "several": ("append", "A-1", "-t", "T", "several"),
    "import": ("import", "log", "--renumber"),
}


def noted(process: subprocess.Popen[bytes]) -> str:
    """The first line on stderr."""
    assert process.stderr is not None
    return process.stderr.readline().decode()


def rest(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    _, more = process.communicate(timeout=PATIENCE)
    return process.returncode, more.decode()


@contextmanager
def making(command: Command) -> Iterator[None]:
    """Somebody else makes the store, and does not end."""
    if not command.database:
        with writing(command):
            yield
        return
    server, schema = server_of(command)
    with server.connect() as connection:
        connection.execute("SELECT pg_advisory_lock(1163285332, hashtext(%s))", (schema,))
        yield


def test_a_long_wait_for_a_writer_is_noted_once_with_its_holder_and_its_end(store: Command) -> None:
    (store.folder / "several").write_text("1\n" * 2000)
    line = (
        '{"id":"0198e5c4-0000-7000-8000-000000000001","streamId":"B-1","type":"T","data":1,"metadata":{},'
        '"version":1,"globalPosition":1,"timestamp":"2026-11-23T14:30:00.000000Z"}'
    )
    (store.folder / "log").write_text(f"{line}\n")
    began = time.monotonic()
    with ExitStack() as ends:
        ends.enter_context(writing(store))
        started = {name: store.start(*words, "--timeout", "50s", quick=True) for name, words in WORK.items()}
        lines = {name: noted(process) for name, process in started.items()}
        assert time.monotonic() - began >= 2
        who = rf"process {os.getpid()}|process \d+" if not store.database else r"session \d+ of evstore"
        for name, said in lines.items():
            assert re.fullmatch(
                rf"note: waiting for another writer of the event store at {re.escape(store.place)} "
                rf"\(({who}).*\), for 50 s at most \(--timeout\)\n",
                said,
            ), name
        assert any(f"process {os.getpid()})" in said for said in lines.values()) or store.database
    for name, process in started.items():
        code, more = rest(process)
        assert (code, more) == (0, ""), name


def test_init_notes_that_it_waits_for_who_makes_the_store(evstore: Command) -> None:
    remove(evstore)
    with making(evstore):
        process = evstore.start("init", "--timeout", "50s")
        assert "waiting for another writer of the event store" in noted(process)
    assert rest(process) == (0, "")


def test_a_wait_is_noted_as_json_and_not_at_all_when_quiet(store: Command) -> None:
    with writing(store):
        started = [
            store.start(*WORK["append"], "--timeout", "3s", *more, quick=True)
            for more in (("--errors", "json"), ("-q",))
        ]
        (loud_code, loud), (code, quiet) = map(rest, started)
    assert (loud_code, code) == (7, 7)
    assert [line.startswith('{"note":"waiting for') for line in loud.splitlines()] == [True, False]
    assert "waiting" not in quiet


def test_a_short_wait_is_silent(store: Command) -> None:
    with writing(store):
        process = store.start(*WORK["append"], "--timeout", "50s", quick=True)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
    assert rest(process) == (0, "")


@pytest.mark.sqlite_only("only a file is open to programs that do not queue")
def test_a_program_that_does_not_queue_is_noted(store: Command) -> None:
    for mode in ("NORMAL", "EXCLUSIVE"):
        other = sqlite3.connect(store.folder / "evstore.db", isolation_level=None)
        other.execute(f"PRAGMA locking_mode = {mode}")
        other.execute("BEGIN IMMEDIATE")
        process = store.start(*WORK["append"], "--timeout", "50s", quick=True)
        assert "(not evstore, but another program), for 50 s at most" in noted(process)
        other.execute("ROLLBACK")
        other.close()
        assert rest(process) == (0, "")
