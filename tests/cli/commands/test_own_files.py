"""The files of a store: no command replaces one, takes one for rubbish, or writes on into one that was moved."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from evstore import EventData, InvalidTargetError, StoreReplacedError, connect
from evstore.adapters.sqlite.looking import MANY
from tests.support.command import files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.command import Command

pytestmark = pytest.mark.sqlite_only("it is about the file of the store")


def append(command: Command, data: str = "1", *more: str) -> None:
    command.ok("append", "A-1", "-t", "T", "-d", data, *more)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file; of SQLite's shared memory, which any reader changes, the name alone."""
    return {
        each.name: b"" if each.name.endswith("-shm") else each.read_bytes()
        for each in folder.iterdir()
        if each.is_file()
    }


# --- nothing replaces a store ---

CONSUMER = "evstore.db-consumer-2e4330b80641225b"
STORES = [
    *(f"evstore.db{suffix}" for suffix in ("", "-journal", "-wal", "-shm", "-lock")),
    CONSUMER,
    "./evstore.db",
    "sub/../evstore.db-wal",
    "symbolic",
    "hard",
    "hard-wal",
    "other.db",
    "other.db-wal",
    "other.db-lock",
    "other-symbolic",
    "other-hard",
    "lost.db-wal",
]


@pytest.fixture
def several(store: Command) -> Command:
    """A store with a log of its own, another, and links to both."""
    folder = store.folder
    append(store)
    store.ok("subscribe", "mailer", "A", "--once", "--", "true")
    assert CONSUMER in files(folder)
    with connect(f"sqlite:{folder}/other.db") as other:
        other.initialize()
        other.append("B-1", [EventData("T", 1)])
        (folder / "lost.db-wal").write_bytes((folder / "other.db-wal").read_bytes())
    (folder / "sub").mkdir()
    (folder / "symbolic").symlink_to("evstore.db")
    (folder / "other-symbolic").symlink_to("other.db")
    os.link(folder / "other.db", folder / "other-hard")
    return store


@pytest.mark.parametrize("force", [(), ("--force",)])
@pytest.mark.parametrize("name", STORES)
def test_an_export_replaces_no_file_of_a_store(several: Command, name: str, force: tuple[str, ...]) -> None:
    folder = several.folder
    with connect(several.url) as held:  # so that there is a log of SQLite
        held.append("A-1", [EventData("T", 2)])
        if name.startswith("hard"):
            os.link(folder / f"evstore.db{name.removeprefix('hard')}", folder / name)
        before = contents(folder)
        done = several("export", "-O", name, *force)
        assert (done.code, done.out) == (2, b"")
        assert "belongs to" in done.err or "event store" in done.err or "log of a SQLite database" in done.err
        assert contents(folder) == before
    assert len(several.ok("replay", "--all").lines) == 2


def test_an_export_to_another_backend_spares_stores_too(several: Command) -> None:
    before = contents(several.folder)
    for name in ("evstore.db", "other.db-wal", "symbolic"):
        assert several("export", "--db", "memory:", "-O", name, "--force").code == 2
    assert contents(several.folder) == before


def test_an_export_replaces_what_is_no_store(several: Command) -> None:
    for name in ("precious", "precious-wal", "precious.db-lock"):
        (several.folder / name).write_text("precious")
        several.ok("export", "-O", name, "--force")
        assert (several.folder / name).read_bytes() == several.ok("replay", "--all").out


def test_an_export_to_a_dash_is_stdout(several: Command) -> None:
    done = several.ok("export", "-O", "-")
    assert done.out == several.ok("export").out != b""
    assert "-" not in files(several.folder)


@pytest.mark.parametrize("name", [*STORES[:9], "other.db-wal", "other.db-lock", "other.db-shm", "lost.db-wal"])
def test_a_backup_replaces_no_file_beside_a_store(several: Command, name: str) -> None:
    before = contents(several.folder)
    for force in ((), ("--force",)):
        done = several("backup", name, *force)
        assert (done.code, done.out) == (2, b"")
    assert contents(several.folder) == before


@pytest.mark.parametrize("writes", [False, True])
def test_a_backup_replaces_an_older_one_that_nobody_has_open(several: Command, writes: bool) -> None:
    several.ok("--db", "other.db", "backup", "older.db")
    older = several.folder / "older.db"
    refusal = f"evstore: cannot write {older}: it is an event store that is in use; choose another file\n"
    with closing(sqlite3.connect(older, isolation_level=None)) as user:
        user.execute("BEGIN")
        user.execute("SELECT count(*) FROM events").fetchone()
        done = several("backup", "older.db", "--force")
        assert (done.code, done.out, done.err) == (2, b"", refusal)
        with connect(several.url) as store, pytest.raises(InvalidTargetError, match="in use"):
            store.backup(older, force=True)  # by the same process
    if writes:  # and so it is a backup no more
        with connect(f"sqlite:{older}") as copy:
            copy.append("B-1", [EventData("T", 2)])
            done = several("backup", "older.db", "--force")
            assert (done.code, done.out, done.err) == (2, b"", refusal)
        several.ok("--db", "older.db", "backup", "again.db")
        os.replace(several.folder / "again.db", older)
    assert len(several.ok("--db", "older.db", "replay", "--all").lines) == 1 + writes
    several.ok("backup", "older.db", "--force")
    assert several.ok("--db", "older.db", "replay", "--all").out == several.ok("replay", "--all").out


@pytest.mark.parametrize("writes", [False, True])
def test_a_backup_replaces_no_store_open_or_closed(several: Command, writes: bool) -> None:
    os.unlink(several.folder / "other-hard")
    with connect(f"sqlite:{several.folder}/other.db") as other:
        if writes:
            other.append("B-1", [EventData("T", 2)])
        assert other.head() == 1 + writes
        done = several("backup", "other.db", "--force")
        assert (done.code, done.out) == (2, b"")
        assert done.err == f"evstore: cannot write {several.folder}/other.db: it is an event store that is in use; choose another file\n"  # fmt: skip
        other.append("B-1", [EventData("T", 3)])
        with connect(several.url) as store, pytest.raises(InvalidTargetError, match="in use"):
            store.backup(several.folder / "other.db", force=True)  # by the same process
        other.append("B-1", [EventData("T", 4)])
    assert len(several.ok("--db", "other.db", "replay", "--all").lines) == 3 + writes
    before = contents(several.folder)
    done = several("backup", "other.db", "--force")
    assert (done.code, done.out) == (2, b"")
    assert done.err == f"evstore: cannot write {several.folder}/other.db: it is an event store and no backup; choose another file\n"  # fmt: skip
    assert contents(several.folder) == before


def copy_of_a_store_that_is_open(folder: Path, *suffixes: str) -> None:
    """The files that a writer leaves when it is killed, by the name `killed.db`."""
    os.unlink(folder / "other-hard")
    with connect(f"sqlite:{folder}/other.db") as other:
        other.append("B-1", [EventData("T", 2)])
        for each in suffixes:
            shutil.copy(folder / f"other.db{each}", folder / f"killed.db{each}")


@pytest.mark.parametrize("suffixes", [("", "-wal"), ("", "-wal", "-shm", "-lock")])
def test_a_backup_replaces_no_store_whose_writer_was_killed(several: Command, suffixes: tuple[str, ...]) -> None:
    copy_of_a_store_that_is_open(several.folder, *suffixes)
    before = contents(several.folder)
    done = several("backup", "killed.db", "--force")
    assert (done.code, done.out) == (2, b"")
    assert "it is an event store and no backup" in done.err
    assert contents(several.folder) == before
    assert len(several.ok("--db", "killed.db", "replay", "--all").lines) == 2


@pytest.mark.parametrize("suffix", ["-wal", "-journal"])
def test_a_backup_that_has_a_log_is_not_replaced(several: Command, suffix: str) -> None:
    """Whoever appended to it and was killed left events there."""
    several.ok("--db", "other.db", "backup", "older.db")
    copy_of_a_store_that_is_open(several.folder, "-wal")
    os.rename(several.folder / "killed.db-wal", several.folder / f"older.db{suffix}")
    before = contents(several.folder)
    done = several("backup", "older.db", "--force")
    assert (done.code, done.out) == (2, b"")
    assert f"it is an event store and no backup, and {several.folder}/older.db{suffix} holds" in done.err
    assert contents(several.folder) == before


def test_a_backup_that_was_cut_short_is_replaced_by_force(several: Command) -> None:
    several.ok("--db", "other.db", "backup", "older.db")
    older = several.folder / "older.db"
    whole = older.read_bytes()
    for rest in (whole[:-4096], whole[:5000], whole[:100], whole[:50], whole[:100] + b"\xff" * 9000):
        older.write_bytes(rest)
        several.ok("backup", "older.db", "--force")
        assert several.ok("--db", "older.db", "replay", "--all").out == several.ok("replay", "--all").out


def test_a_store_that_was_cut_short_is_no_backup(several: Command) -> None:
    path = several.folder / "damaged.db"
    whole = (several.folder / "other.db").read_bytes()
    for rest in (whole[:-4096], whole[:100], whole[:100] + b"\xff" * 9000):
        path.write_bytes(rest)
        done = several("backup", "damaged.db", "--force")
        assert (done.code, done.out) == (2, b"")
        assert "it is an event store and no backup" in done.err
        assert path.read_bytes() == rest


def test_no_store_is_made_beside_a_damaged_one_that_it_would_belong_to(several: Command) -> None:
    path = several.folder / "damaged.db"
    path.write_bytes((several.folder / "other.db").read_bytes()[:5000])
    done = several("init", "--db", "damaged.db-wal")
    assert (done.code, done.out) == (2, b"")
    assert f"belongs to the event store at {path}" in done.err
    assert not (several.folder / "damaged.db-wal").exists()


@pytest.mark.parametrize("suffix", ["-wal", "-journal", "-shm", "-lock"])
def test_a_store_is_not_made_where_another_has_its_files(several: Command, suffix: str) -> None:
    for empty in (False, True):
        target = several.folder / f"evstore.db{suffix}"
        target.unlink(missing_ok=True)
        if empty:
            target.touch()
        before = contents(several.folder)
        done = several("init", "--db", target.name)
        assert (done.code, done.out) == (2, b"")
        assert f"belongs to the event store at {several.place}" in done.err
        assert contents(several.folder) == before
    append(several)


@pytest.mark.parametrize(
    "words", [("read", "A-1"), ("replay", "--all"), ("info",), ("append", "A-1", "-t", "T", "-d", "1")]
)
def test_where_a_store_was_moved_away_from_no_hint_makes_an_empty_one_in_its_place(
    store: Command, words: tuple[str, ...]
) -> None:
    append(store)
    os.rename(store.folder / "evstore.db", store.folder / "moved.db")
    done = store(*words, "--errors", "json")
    error = json.loads(done.err)["error"]
    assert (done.code, error["class"]) == (6, "NotInitializedError")
    assert error["message"].endswith("evstore.db-lock is there, so one was here and was moved or removed")
    assert error["hint"].startswith(f"move the database back to {store.folder}/evstore.db; ")
    assert error["hint"].endswith("evstore init makes a new, empty store")
    assert files(store.folder) == ["evstore.db-lock", "moved.db"]
    os.rename(store.folder / "moved.db", store.folder / "evstore.db")
    assert len(store.ok("read", "A-1").lines) == 1


def test_a_store_that_has_the_name_of_a_half_made_one_stays(evstore: Command) -> None:
    evstore.ok("init", "--db", "evstore.db-new")
    append(evstore, "1", "--db", "evstore.db-new")
    evstore.ok("init")
    assert len(evstore.ok("--db", "evstore.db-new", "replay", "--all").lines) == 1
    assert json.loads(evstore.ok("info").out)["events"] == 0


# --- what is committed into another file is not acknowledged ---


def remove(folder: Path) -> None:
    (folder / "evstore.db").unlink()


def move_all(folder: Path) -> None:
    for name in files(folder):
        if name.startswith("evstore.db"):
            os.rename(folder / name, folder / f"moved{name.removeprefix('evstore')}")


def replace(folder: Path) -> None:
    os.replace(folder / "other.db", folder / "evstore.db")


def link(folder: Path) -> None:
    os.link(folder / "evstore.db", folder / "linked")


def remove_log(folder: Path) -> None:
    (folder / "evstore.db-wal").unlink()


CHANGES = [remove, move_all, replace, link, remove_log]


@pytest.fixture
def two(store: Command) -> Command:
    store.ok("init", "--db", "other.db")
    return store


@pytest.mark.parametrize("change", CHANGES)
def test_a_long_append_acknowledges_nothing_that_the_path_does_not_lead_to(
    two: Command, change: Callable[[Path], None]
) -> None:
    process = two.start("append", "A-1", "-t", "T", "-", "--each", stdin=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"1\n")
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["version"] == 1
    change(two.folder)
    before = files(two.folder)
    out, err = process.communicate(b"2\n", timeout=60)
    assert (process.returncode, out) == (7, b"")
    sentence, hint = err.decode().splitlines()
    assert sentence.startswith(f"evstore: the event store at {two.place}: ")
    assert sentence.endswith("; what was not acknowledged is not stored")
    assert hint == "hint: the event before it is stored"
    assert {*files(two.folder)} <= {*before}


@pytest.mark.parametrize("appends", [1, MANY])
@pytest.mark.parametrize("change", CHANGES)
def test_the_library_says_that_a_retry_is_in_vain(
    two: Command, change: Callable[[Path], None], appends: int
) -> None:
    with connect(two.url) as store:
        for _ in range(appends):
            store.append("A-1", [EventData("T", 1)])
        change(two.folder)
        for _ in range(2):
            with pytest.raises(StoreReplacedError) as raised:
                store.append("A-1", [EventData("T", 2)])
        assert (raised.value.retryable, raised.value.code) == (False, "unavailable")
        assert raised.value.location == two.place


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("words", [("read", "A-1"), ("replay", "--all")])
def test_a_follower_ends_when_the_path_no_longer_leads_to_its_store(
    two: Command, words: tuple[str, ...], change: Callable[[Path], None]
) -> None:
    append(two)
    process = two.start(*words, "-f")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["version"] == 1
    change(two.folder)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (7, b"")
    assert err.decode().startswith(f"evstore: the event store at {two.place}: ")


def test_a_store_with_a_second_name_can_be_read_and_takes_no_event(store: Command) -> None:
    append(store)
    link(store.folder)
    for more in ((), ("--db", "linked")):
        done = store("append", "A-1", "-t", "T", "-d", "2", "--errors", "json", *more)
        told = json.loads(done.err)["error"]
        assert (done.code, told["class"], told["retryable"]) == (7, "StoreReplacedError", False)
        assert len(store.ok("read", "A-1", *more).lines) == 1
    (store.folder / "linked").unlink()
    append(store)


def test_what_others_do_to_a_store_that_stays_stops_no_writer(store: Command) -> None:
    with connect(store.url) as held:
        for n in range(3):
            held.append("A-1", [EventData("T", n)])
            append(store)  # a process that opens and closes it
            store.ok("verify")
            with closing(sqlite3.connect(store.place)) as maintenance:
                maintenance.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert held.head() == 6
