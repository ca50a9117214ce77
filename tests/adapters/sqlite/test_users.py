"""Several users of one store: files beside it keep nobody out, and a store can be read where nothing can be made."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sqlite3
import stat
import subprocess
from contextlib import closing, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING

import pytest

from evstore import (
    DeniedError,
    EventData,
    InvalidTargetError,
    NotAStoreError,
    SchemaTooNewError,
    UnavailableError,
    connect,
)
from evstore.adapters.sqlite import identity
from evstore.adapters.sqlite.beside import share
from tests.support.command import Command, Ended, files
from tests.support.users import ANNE, AS_ROOT, BERT, CARL, TEAM, User, doing, folder_of, start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = AS_ROOT


@pytest.fixture(scope="module", autouse=True)
def _loaded(tmp_path_factory: pytest.TempPathFactory) -> None:
    """All that the work of other users needs: the folder of an interpreter may be closed to them."""
    with connect(f"sqlite:{tmp_path_factory.mktemp('loaded')}/events.db") as store:
        store.initialize()
        store.append("A-1", [EventData("T", 1)])
        assert [*store.read("A-1"), *store.subscribe(timeout=0)]
        assert store.stream_info("A-1")
        assert store.info()


def init(path: Path, owner: User = ANNE) -> None:
    """A store as its owner would have made it."""
    with connect(f"sqlite:{path}") as store:
        store.initialize()
    for each in (path, f"{path}-lock"):
        os.chown(each, owner.uid, owner.gid)


def append(path: Path) -> Callable[[], None]:
    def work() -> None:
        with connect(f"sqlite:{path}", timeout=5) as store:
            store.append("A-1", [EventData("T", 1)])

    return work


def append_and_crash(path: Path) -> Callable[[], None]:
    def work() -> None:
        connect(f"sqlite:{path}", timeout=5).append("A-1", [EventData("T", 1)])
        os._exit(0)

    return work


def read(path: Path, wanted: int) -> Callable[[], None]:
    def work() -> None:
        with connect(f"sqlite:{path}") as store:
            assert len(list(store.read("A-1"))) == wanted

    return work


def refused(kind: type[Exception], work: Callable[[], None]) -> Callable[[], None]:
    def again() -> None:
        with pytest.raises(kind):
            work()

    return again


def rights(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Owner, group and mode of every file."""
    found = {each.name: each.stat() for each in folder.iterdir()}
    return {name: (each.st_uid, each.st_gid, stat.S_IMODE(each.st_mode)) for name, each in found.items()}


@contextmanager
def using(user: User | None, path: Path) -> Iterator[None]:
    """A process of that user has the store open, to write and to read."""
    reading, writing = os.pipe()

    def work() -> None:
        store = connect(f"sqlite:{path}", timeout=5)
        list(store.read("A-1"))
        store.append("A-1", [EventData("T", 1)])
        list(store.read("A-1"))
        os.write(writing, b"1")
        signal.pause()

    child = start(user, work)
    os.close(writing)
    try:
        assert os.read(reading, 1) == b"1"
        yield
    finally:
        os.close(reading)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


# --- whoever comes first keeps nobody out ---


def test_an_append_of_root_leaves_the_store_to_its_owner() -> None:
    with folder_of(ANNE) as folder:
        path = folder / "events.db"
        init(path)
        os.unlink(f"{path}-lock")  # as in a copy
        doing(None, append(path))
        assert {owner for owner, *_ in rights(folder).values()} == {ANNE.uid}
        doing(ANNE, append(path))


def test_what_root_left_is_mended_by_roots_next_append() -> None:
    with folder_of(ANNE) as folder:
        path = folder / "events.db"
        init(path)
        os.chown(f"{path}-lock", 0, 0)
        doing(None, append(path))
        assert rights(folder)["events.db-lock"] == rights(folder)["events.db"]


def test_a_lock_of_root_is_replaced_by_the_owner_of_the_store() -> None:
    with folder_of(ANNE) as folder:
        path = folder / "events.db"
        init(path)
        os.chown(f"{path}-lock", 0, 0)
        doing(ANNE, append(path))
        assert rights(folder)["events.db-lock"] == rights(folder)["events.db"]


def test_a_lock_that_is_closed_to_a_writer_stays_while_somebody_has_the_store_open() -> None:
    with folder_of(ANNE) as folder:
        path = folder / "events.db"
        init(path)
        with using(None, path):
            os.chown(f"{path}-lock", 0, 0)
            before = os.stat(f"{path}-lock").st_ino
            doing(ANNE, refused(DeniedError, append(path)))
            assert os.stat(f"{path}-lock").st_ino == before
        doing(ANNE, append(path))


def test_root_gives_away_no_file_that_may_be_another_by_a_link() -> None:
    with folder_of(ANNE) as folder:
        path = folder / "events.db"
        init(path)
        os.unlink(f"{path}-lock")
        for secret, text in ((folder / "secret", "x"), (folder / "empty", "")):
            secret.write_text(text)
            os.link(secret, f"{path}-lock")
            doing(None, append(path))
            assert os.stat(secret).st_uid == 0
            os.unlink(f"{path}-lock")


@pytest.mark.parametrize("crash", [False, True])
def test_a_store_of_a_group_is_everybodys_in_it_after_chmod(crash: bool) -> None:
    with folder_of(User(ANNE.uid, TEAM), 0o770) as folder:
        path = folder / "events.db"
        init(path)
        os.chown(path, ANNE.uid, TEAM)
        path.chmod(0o660)
        append_ = append_and_crash if crash else append
        doing(BERT, append_(path))
        doing(ANNE, append_(path))
        doing(BERT, read(path, 2))
        doing(ANNE, append(path))
        assert {each[1:] for each in rights(folder).values()} == {(TEAM, 0o660)}


@pytest.mark.parametrize(("one", "other"), [(ANNE, BERT), (BERT, ANNE), (None, ANNE), (None, BERT)])
def test_members_of_a_group_use_a_store_at_once(one: User | None, other: User) -> None:
    with folder_of(User(ANNE.uid, TEAM), 0o770) as folder:
        path = folder / "events.db"
        init(path)
        os.chown(path, ANNE.uid, TEAM)
        path.chmod(0o660)
        with using(one, path):
            assert {each[1:] for each in rights(folder).values()} == {(TEAM, 0o660)}
            doing(other, append(path))
            doing(other, read(path, 2))


def test_a_store_that_is_in_use_takes_the_new_mode_of_its_database_with_the_next_append() -> None:
    with folder_of(User(ANNE.uid, TEAM), 0o770) as folder:
        path = folder / "events.db"
        init(path)

        def work() -> None:
            with connect(f"sqlite:{path}") as store:
                store.append("A-1", [EventData("T", 1)])
                os.chown(path, -1, TEAM)
                path.chmod(0o660)
                store.append("A-1", [EventData("T", 1)])
                assert {each[1:] for each in rights(folder).values()} == {(TEAM, 0o660)}

        doing(ANNE, work)


def test_a_store_that_root_uses_goes_to_its_new_owner_with_the_next_append() -> None:
    with folder_of(ANNE) as folder:
        path = folder / "events.db"
        with connect(f"sqlite:{path}") as store:
            store.initialize()
            store.append("A-1", [EventData("T", 1)])
            os.chown(path, ANNE.uid, TEAM)
            path.chmod(0o660)
            store.append("A-1", [EventData("T", 1)])
            assert set(rights(folder).values()) == {(ANNE.uid, TEAM, 0o660)}
            doing(ANNE, append(path))
            assert store.append("A-1", [EventData("T", 1)])[0].version == 4


@pytest.mark.parametrize(
    ("owner", "group", "mode", "others"),
    [
        (ANNE.uid, ANNE.gid, 0o2600, False),
        (ANNE.uid, CARL.gid, 0o600, False),
        (BERT.uid, TEAM, 0o660, True),
        (BERT.uid, CARL.gid, 0o666, False),
        (BERT.uid, CARL.gid, 0o666, True),
    ],
)
def test_an_append_tries_to_give_nothing_where_nothing_can_be_given(
    owner: int, group: int, mode: int, others: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with folder_of(ANNE, 0o777) as folder:
        path = folder / "events.db"
        init(path)
        os.chown(path, owner, group)
        path.chmod(mode)

        def work() -> None:
            with connect(f"sqlite:{path}") as store:
                store.append("A-1", [EventData("T", 1)])
                monkeypatch.setattr(identity, "share", refuse)
                store.append("A-1", [EventData("T", 1)])

        def refuse(*_: object) -> None:
            raise AssertionError("nothing was to be given")

        with using(BERT, path) if others else nullcontext():
            doing(ANNE, work)


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-lock"])
def test_root_follows_no_link_beside_a_store(suffix: str) -> None:
    with folder_of(ANNE) as folder:
        path = folder / "events.db"
        init(path)
        secret = folder / "secret"
        secret.write_text("")
        secret.chmod(0o600)
        for link in (os.symlink, os.link):
            with suppress(FileNotFoundError):
                os.unlink(f"{path}{suffix}")
            link(secret, f"{path}{suffix}")
            share(str(path), os.stat(path))
            assert (secret.stat().st_uid, secret.stat().st_mode & 0o777) == (0, 0o600)


def test_a_reader_who_may_not_write_leaves_no_file_that_stops_the_writer() -> None:
    with folder_of(ANNE, 0o1777) as folder:
        path = folder / "events.db"
        init(path)
        doing(ANNE, append(path))
        path.chmod(0o644)
        doing(CARL, read(path, 1))
        assert files(folder) == ["events.db", "events.db-lock"]
        doing(ANNE, append(path))
        doing(CARL, read(path, 2))


def test_a_log_of_another_user_is_named_where_it_stops_a_writer() -> None:
    with folder_of(ANNE) as folder:
        path = folder / "events.db"
        init(path)
        (folder / "events.db-wal").touch(0o644)

        def work() -> None:
            with pytest.raises(DeniedError, match=r"events\.db-wal cannot be written, though the database can"):
                append(path)()

        doing(ANNE, work)


# --- a refused command leaves nothing ---


def test_a_refused_append_leaves_no_file() -> None:
    with folder_of(ANNE, 0o777) as folder:
        path = folder / "events.db"
        init(path)
        os.unlink(f"{path}-lock")
        path.chmod(0o644)
        doing(CARL, refused(DeniedError, append(path)))
        assert files(folder) == ["events.db"]
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("UPDATE store SET min_writer = 7, min_reader = 7")
        os.chown(path, ANNE.uid, ANNE.gid)
        for work in (append(path), read(path, 0)):
            doing(ANNE, refused(SchemaTooNewError, work))
        assert files(folder) == ["events.db"]


def test_a_backup_or_a_store_beside_what_this_user_cannot_read_is_refused_by_an_error_of_evstore() -> None:
    with folder_of(ANNE, 0o777) as folder:
        path, closed = folder / "events.db", folder / "closed.db"
        init(path)
        init(closed, BERT)

        def work() -> None:
            with connect(f"sqlite:{path}") as store:
                for target in (closed, f"{closed}-lock", f"{closed}-wal"):
                    with pytest.raises(InvalidTargetError, match=r"closed\.db: it is there and cannot be read"):
                        store.backup(target, force=True)
            with connect(f"sqlite:{closed}-wal") as store:
                with pytest.raises(InvalidTargetError, match=r"closed\.db: it is there and cannot be read"):
                    store.initialize()

        doing(ANNE, work)
        assert files(folder) == ["closed.db", "closed.db-lock", "events.db", "events.db-lock"]


def test_no_backup_replaces_a_store_that_this_user_cannot_write() -> None:
    with folder_of(ANNE, 0o777) as folder:
        path, closed = folder / "events.db", folder / "closed.db"
        init(path)
        init(closed, BERT)
        closed.chmod(0o644)
        before = closed.read_bytes()

        def work() -> None:
            with connect(f"sqlite:{path}") as store, pytest.raises(InvalidTargetError):
                store.backup(closed, force=True)

        doing(ANNE, work)
        assert closed.read_bytes() == before


# --- where nothing can be made beside the database ---


@pytest.fixture
def shelf() -> Iterator[Command]:
    """A store with an event, and a folder that another user may read alone."""
    with folder_of(ANNE) as folder:
        init(folder / "evstore.db")
        doing(ANNE, append(folder / "evstore.db"))
        (folder / "evstore.db").chmod(0o644)
        yield Command(folder)


def test_a_store_in_a_folder_that_cannot_be_written_is_read_as_it_lies(shelf: Command) -> None:
    path = shelf.folder / "evstore.db"

    def work() -> None:
        with connect(f"sqlite:{path}") as store:
            assert [each.data for each in store.replay()] == [1]
            assert store.stream_info("A-1").version == 1
            assert any("immutable" in each for each in store.notes)
            assert any("immutable" in each for each in store.info().warnings)

    doing(CARL, work)
    assert files(shelf.folder) == ["evstore.db", "evstore.db-lock"]


def test_a_command_notes_that_it_reads_a_store_as_it_lies(shelf: Command) -> None:
    folder = shlex.quote(str(shelf.folder))
    mount = f'mount --bind {folder} {folder} && mount -o remount,ro,bind {folder} && cd {folder} && exec "$@"'

    def run(*words: str) -> Ended:
        argv = ["unshare", "--mount", "sh", "-c", mount, "sh", *shelf.argv(*words)]
        done = subprocess.run(argv, env=shelf.env(), capture_output=True)
        return Ended(done.returncode, done.stdout, done.stderr.decode())

    if run("--version").code:
        pytest.skip("nothing can be mounted here")
    read_ = run("read", "A-1")
    assert (read_.code, len(read_.lines)) == (0, 1), read_
    assert read_.err.startswith(f"note: {shelf.folder}/evstore.db is read as it lies (immutable)")
    assert "immutable" in json.loads(run("info").out)["warnings"][-1]
    for words in (("replay", "--all", "-f", "-n", "1"), ("read", "A-1", "--follow")):
        followed = run(*words)
        assert (followed.code, followed.out) == (77, b""), followed
        assert "cannot follow the event store" in followed.err
    appended = run("append", "A-1", "-t", "T", "-d", "1")
    assert (appended.code, appended.out) == (77, b"")


def test_a_store_whose_log_holds_events_is_refused_where_its_index_cannot_be_made(shelf: Command) -> None:
    path = shelf.folder / "evstore.db"
    doing(ANNE, append_and_crash(path))
    os.unlink(f"{path}-shm")

    def work() -> None:
        with connect(f"sqlite:{path}") as store, pytest.raises(DeniedError, match="-wal holds events"):
            list(store.replay())

    doing(CARL, work)


def test_a_store_that_crashed_is_read_whole_by_whoever_may_not_write(shelf: Command) -> None:
    path = shelf.folder / "evstore.db"
    doing(ANNE, append_and_crash(path))
    assert files(shelf.folder) == [f"evstore.db{each}" for each in ("", "-lock", "-shm", "-wal")]
    doing(CARL, read(path, 2))


def test_a_store_that_is_in_use_is_read_and_followed_by_whoever_may_not_write(shelf: Command) -> None:
    path = shelf.folder / "evstore.db"

    def follow() -> None:
        with connect(f"sqlite:{path}") as store:
            assert len(list(store.subscribe(stream_id="A-1", timeout=0.1))) == 2
            assert store.notes == ()

    with using(ANNE, path):
        doing(CARL, follow)


def test_whoever_reads_a_store_as_it_lies_sees_what_was_written_meanwhile(shelf: Command) -> None:
    path = shelf.folder / "evstore.db"

    def work() -> None:
        os.seteuid(CARL.uid)
        with connect(f"sqlite:{path}") as store:
            assert len(list(store.read("A-1"))) == 1
            doing_as_root = os.fork()
            if doing_as_root == 0:
                os.seteuid(0)
                append(path)()
                os._exit(0)
            os.waitpid(doing_as_root, 0)
            assert len(list(store.read("A-1"))) == 2

    doing(None, work)


def test_a_page_that_was_read_while_somebody_wrote_is_not_given_out(shelf: Command) -> None:
    path = shelf.folder / "evstore.db"

    def work() -> None:
        os.seteuid(CARL.uid)
        with connect(f"sqlite:{path}") as store:
            with pytest.raises(UnavailableError, match="was written while it was read") as caught:
                with store._adapter._reading():
                    os.seteuid(0)
                    append(path)()
                    os.seteuid(CARL.uid)
            assert caught.value.retryable
            assert len(list(store.read("A-1"))) == 2

    doing(None, work)


def test_another_programs_database_is_refused_there_too(shelf: Command) -> None:
    path = shelf.folder / "theirs.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (x)")
    path.chmod(0o644)
    doing(CARL, refused(NotAStoreError, read(path, 0)))
