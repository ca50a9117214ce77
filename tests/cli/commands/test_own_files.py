"""The files of a store: no command replaces one, takes one for rubbish, or writes on into one that was moved."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from evstore import EventData, InvalidTargetError, connect
from tests.support.command import files

if TYPE_CHECKING:
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

STORES = [
    *(f"evstore.db{suffix}" for suffix in ("", "-journal", "-wal", "-shm", "-lock")),
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


@pytest.mark.parametrize("name", [*STORES[:8], "other.db-wal", "other.db-lock", "other.db-shm"])
def test_a_backup_replaces_no_file_beside_a_store(several: Command, name: str) -> None:
    before = contents(several.folder)
    for force in ((), ("--force",)):
        done = several("backup", name, *force)
        assert (done.code, done.out) == (2, b"")
    assert contents(several.folder) == before


@pytest.mark.parametrize("writes", [False, True])
def test_a_backup_replaces_an_older_one_that_nobody_has_open(several: Command, writes: bool) -> None:
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
    os.unlink(several.folder / "other-hard")
    several.ok("backup", "other.db", "--force")
    assert several.ok("--db", "other.db", "replay", "--all").out == several.ok("replay", "--all").out


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


def test_a_store_that_has_the_name_of_a_half_made_one_stays(evstore: Command) -> None:
    evstore.ok("init", "--db", "evstore.db-new")
    append(evstore, "1", "--db", "evstore.db-new")
    evstore.ok("init")
    assert len(evstore.ok("--db", "evstore.db-new", "replay", "--all").lines) == 1
    assert json.loads(evstore.ok("info").out)["events"] == 0
