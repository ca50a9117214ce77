"""Files, locks, processes: what only SQLite can get wrong."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from evstore import (
    DeniedError,
    EventData,
    EvstoreError,
    InvalidUrlError,
    NotAStoreError,
    NotInitializedError,
    SchemaTooNewError,
    StorageFullError,
    StoreBusyError,
    StoreClosedError,
    StoreReplacedError,
    UnavailableError,
    connect,
)
from evstore.adapters.sqlite import adapter, committing
from evstore.adapters.sqlite.lists import _resets_wal_safely
from evstore.adapters.sqlite.location import lost_log, path_of, uri_of
from tests.support.command import files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from evstore.adapters.sqlite.lock import Held

AN_EVENT = [EventData("Placed", {})]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "events.db"
    with connect(f"sqlite:{path}") as store:
        store.initialize()
    return path


@contextmanager
def side_lock(path: Path) -> Iterator[None]:
    """Held as another process would hold it: through another open file."""
    with open(f"{path}-lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


# --- opening ---


def test_a_store_that_another_makes_while_this_one_looks_is_found_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new.db"

    def made_meanwhile(looked_at: str) -> str:
        monkeypatch.undo()
        with connect(f"sqlite:{path}") as other:
            other.initialize()
            other.append("A-1", [EventData("T", 1)])
        return lost_log(looked_at)

    monkeypatch.setattr(adapter, "lost_log", made_meanwhile)
    with connect(f"sqlite:{path}") as store:
        store.initialize()
        assert [event.type for event in store.read("A-1")] == ["T"]


@pytest.mark.parametrize("ask", ["read", "append", "info"])
def test_opening_never_creates(tmp_path: Path, ask: str) -> None:
    with connect(f"sqlite:{tmp_path}/events.db") as store, pytest.raises(NotInitializedError):
        {
            "read": lambda: list(store.read("Order-1")),
            "append": lambda: store.append("Order-1", AN_EVENT),
            "info": store.info,
        }[ask]()
    assert files(tmp_path) == []


def test_another_programs_database_keeps_its_unmerged_log(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    script = f"""
import os, sqlite3
c = sqlite3.connect({str(path)!r}, isolation_level=None)
c.execute("PRAGMA journal_mode = WAL")
c.execute("CREATE TABLE theirs (x)")
os._exit(0)  # without the close that would merge the log
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}
    assert "theirs.db-wal" in before
    with connect(f"sqlite:{path}") as store:
        for ask in (store.info, store.initialize, lambda: store.append("A-1", AN_EVENT)):
            with pytest.raises(NotAStoreError):
                ask()
    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == before


def test_a_store_is_refused_by_the_readers_and_writers_it_admits_and_by_nothing_else(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA user_version = 7")  # a later schema that old clients can use
    with connect(f"sqlite:{path}") as store:
        store.append("Order-1", AN_EVENT)
        assert store.info().schema_version == 7
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE store SET min_writer = 7")
    with connect(f"sqlite:{path}") as store:
        assert len(list(store.read("Order-1"))) == 1
        with pytest.raises(SchemaTooNewError, match="7") as refused:
            store.append("Order-1", AN_EVENT)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE store SET min_reader = 7")
    with connect(f"sqlite:{path}") as store, pytest.raises(SchemaTooNewError, match="7") as raised:
        list(store.read("Order-1"))
    assert raised.value.location == refused.value.location == str(path)
    assert raised.value.detail != refused.value.detail  # it says whether readers or writers are refused


def test_the_application_id_says_evst(path: Path) -> None:
    assert path.read_bytes()[68:72] == b"EVST"


def test_a_store_is_made_in_one_transaction(path: Path) -> None:
    """A wait for the disk for each table would take seconds on a disk that turns."""
    changes = int.from_bytes(path.read_bytes()[24:28], "big")  # the change counter of SQLite's header
    assert changes == 2  # its tables, and its journal mode


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///rel.db", "rel.db"),
        ("sqlite:////abs.db", "/abs.db"),
        ("sqlite:rel.db", "rel.db"),
        ("sqlite:/abs.db", "/abs.db"),
        ("sqlite:///a?mode=memory", "a?mode=memory"),
        ("sqlite:///a%20b#c", "a%20b#c"),
    ],
)
def test_a_url_means_one_path(url: str, path: str) -> None:
    assert path_of(url) == path


@pytest.mark.parametrize("url", ["sqlite:", "sqlite://", "sqlite:///", "sqlite://host/x.db", "sqlite:a\0b"])
def test_a_url_without_a_path_is_refused(url: str) -> None:
    with pytest.raises(InvalidUrlError):
        path_of(url)


@pytest.mark.parametrize("name", ["a?mode=memory&x=1", "a#b", "a%41", "ü ☃", "file:x", "a;b'c\"d"])
def test_a_path_is_taken_literally(tmp_path: Path, name: str) -> None:
    with connect(f"sqlite:{tmp_path}/{name}") as store:
        store.initialize()
        store.append("Order-1", AN_EVENT)
    assert files(tmp_path) == [name, f"{name}-lock"]


def test_a_path_that_is_not_utf8_works(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.db")
    with connect(f"sqlite:{path}") as store:
        store.initialize()
        assert len(store.append("Order-1", AN_EVENT)) == 1
    assert "%FF" in uri_of(path, "ro")


def test_a_symbolic_link_leads_to_one_store_with_one_lock(path: Path) -> None:
    link = path.parent / "link.db"
    link.symlink_to(path)
    with connect(f"sqlite:{link}") as store:
        store.append("Order-1", AN_EVENT)
    assert not (path.parent / "link.db-lock").exists()


def test_an_error_of_sqlite_over_a_file_that_was_moved_says_that_it_was_moved(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read that opens its files meanwhile may find some of them: SQLite calls that a failure of the disk."""
    with connect(f"sqlite:{path}") as store:
        store.append("A-1", AN_EVENT)
        opened = store._adapter._open

        def moving(**how: bool) -> Any:
            connection = opened(**how)
            os.rename(path, path.with_name("moved.db"))
            connection.execute("SELECT * FROM what_is_not_there")
            return connection

        monkeypatch.setattr(store._adapter, "_open", moving)
        with pytest.raises(StoreReplacedError, match="moved or removed"):
            store.head()


@pytest.mark.parametrize("name", ["link.db", "folder/events.db"])
def test_what_a_symbolic_link_no_longer_leads_to_takes_no_event_and_is_followed_no_more(
    path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever opens the link next would not find it."""
    others = path.parent / "others"
    others.mkdir()
    with connect(f"sqlite:{others / 'events.db'}") as other:
        other.initialize()
    link = path.with_name(name.partition("/")[0])
    to = {"link.db": (path, others / "events.db"), "folder": (path.parent, others)}[link.name]
    link.symlink_to(to[0])
    monkeypatch.chdir(path.parent)
    with connect(f"sqlite:{name}") as store:
        monkeypatch.chdir("/")
        store.append("Order-1", AN_EVENT)
        followed = store.subscribe()
        assert next(followed).version == 1
        link.unlink()
        link.symlink_to(to[1])
        for ask in (lambda: store.append("Order-1", AN_EVENT), lambda: next(followed)):
            with pytest.raises(StoreReplacedError, match="another file is in its place"):
                ask()
    with connect(f"sqlite:{path}") as store:
        assert store.head() == 1


# --- writing ---


def test_an_acknowledged_append_is_synchronous(path: Path) -> None:
    with connect(f"sqlite:{path}") as store:
        store.append("Order-1", AN_EVENT)
        connection = store._adapter._writer
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_store_killed_before_it_got_its_log_gets_it_with_the_first_append(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    with connect(f"sqlite:{path}") as store:
        assert list(store.read("Order-1")) == []
        store.append("Order-1", AN_EVENT)
        assert store.info().durability["journalMode"] == "wal"


def test_a_writer_waits_no_longer_than_its_timeout(path: Path) -> None:
    with connect(f"sqlite:{path}", timeout=0.2) as store, side_lock(path):
        with pytest.raises(StoreBusyError) as caught:
            store.append("Order-1", AN_EVENT)
    assert caught.value.retryable
    assert str(path) in str(caught.value)


def test_a_writer_that_gave_up_leaves_the_lock_to_others(path: Path) -> None:
    with connect(f"sqlite:{path}", timeout=0.1) as store:
        with side_lock(path), pytest.raises(StoreBusyError):
            store.append("Order-1", AN_EVENT)
        with connect(f"sqlite:{path}") as other:  # waits until the thread that was granted the lock has left
            other.append("Order-1", AN_EVENT)
        store.append("Order-1", AN_EVENT)
        assert store.stream_info("Order-1").version == 2


def test_a_foreign_writer_is_waited_for_and_named_busy(path: Path) -> None:
    with connect(f"sqlite:{path}", timeout=0.1) as store, closing(sqlite3.connect(path)) as foreign:
        foreign.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusyError):
            store.append("Order-1", AN_EVENT)
        foreign.rollback()
        store.append("Order-1", AN_EVENT)


def test_whoever_opens_a_file_that_is_locked_whole_waits_as_long_as_it_says(path: Path) -> None:
    """As while another program vacuums it."""
    with connect(f"sqlite:{path}") as store:
        store.append("Order-1", AN_EVENT)
    with closing(sqlite3.connect(path)) as foreign:
        foreign.execute("PRAGMA locking_mode = EXCLUSIVE")
        foreign.execute("BEGIN EXCLUSIVE")
        for ask in (lambda store: store.head(), lambda store: store.append("Order-1", AN_EVENT)):
            began = time.monotonic()
            with connect(f"sqlite:{path}", timeout=0.2) as store, pytest.raises(StoreBusyError):
                ask(store)
            assert 0.2 <= time.monotonic() - began < 4  # Python's own would be 5


def test_reading_waits_for_no_writer(path: Path) -> None:
    with connect(f"sqlite:{path}", timeout=5) as store:
        store.append("Order-1", AN_EVENT)
        with side_lock(path), closing(sqlite3.connect(path)) as foreign:
            foreign.execute("BEGIN IMMEDIATE")
            assert len(list(store.read("Order-1"))) == 1
            foreign.rollback()


def test_a_full_disk_keeps_nothing_of_an_append_and_the_store_goes_on(path: Path) -> None:
    with connect(f"sqlite:{path}") as store:
        store.append("Order-1", AN_EVENT)
        connection = store._adapter._writer
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(StorageFullError, match=re.escape(str(path))):
            store.append("Order-2", [EventData("Placed", "x" * 100_000)])
        assert [info.stream_id for info in store.streams()] == ["Order-1"]
        connection.execute("PRAGMA max_page_count = 100000")
        assert store.append("Order-1", AN_EVENT)[0].global_position == 2


def test_a_redaction_that_is_stored_is_told_so_also_if_the_disk_has_no_room_for_what_follows(path: Path) -> None:
    """Its commit fits into the log, and the checkpoint that empties the log has no room in the database."""
    url = f"sqlite:{path}"
    with connect(url) as store:
        store.append("Order-1", [EventData("Placed", "x" * 600_000)])
    with connect(url) as store:
        stored = store.append("Order-1", [EventData("Placed", "x" * 300_000), EventData("Placed", "secret")])
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (os.path.getsize(f"{path}-wal") + 100_000, limits[1]))
        try:
            assert store.redact([stored[1].id], "asked for").global_position == 4
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert os.path.getsize(f"{path}-wal")
        assert store.get(stored[1].id).redacted
        assert store.append("Order-1", AN_EVENT)[0].global_position == 5
    assert b"secret" not in path.read_bytes()


def test_a_file_that_may_only_be_read_denies_an_append() -> None:
    """In a child that is nobody where the tests run as root, who may write everywhere."""
    folder = tempfile.mkdtemp()
    os.chmod(folder, 0o755)
    with connect(f"sqlite:{folder}/events.db") as store:
        store.initialize()
        store.append("Order-1", AN_EVENT)
    os.chmod(f"{folder}/events.db", 0o444)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            connect(f"sqlite:{folder}/events.db").append("Order-1", AN_EVENT)
        except DeniedError:
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    shutil.rmtree(folder)


# --- closing, threads and processes ---


def test_a_closed_store_is_one_file_and_its_lock(path: Path) -> None:
    with connect(f"sqlite:{path}") as store:
        store.append("Order-1", AN_EVENT)
        list(store.read("Order-1"))
    assert files(path.parent) == ["events.db", "events.db-lock"]


def test_reading_alone_never_checkpoints(path: Path) -> None:
    """A checkpoint outside the side lock could meet a commit, which some SQLite versions do not survive."""
    with connect(f"sqlite:{path}") as writer:
        writer.append("Order-1", AN_EVENT)
        main = path.read_bytes()
        with connect(f"sqlite:{path}") as reader:
            assert len(list(reader.read("Order-1"))) == 1
        assert path.read_bytes() == main


def test_a_close_while_somebody_writes_does_not_checkpoint(path: Path) -> None:
    store = connect(f"sqlite:{path}")
    store.append("Order-1", AN_EVENT)
    main = path.read_bytes()
    with side_lock(path):
        store.close()
    assert path.read_bytes() == main
    assert (path.parent / "events.db-wal").stat().st_size > 0
    with connect(f"sqlite:{path}") as again:
        assert len(list(again.read("Order-1"))) == 1


def open_locks(path: Path) -> int:
    """How often this process has the lock beside the store open."""
    links = [f"/proc/self/fd/{each}" for each in os.listdir("/proc/self/fd")]
    return [os.readlink(each) for each in links if os.path.lexists(each)].count(f"{path}-lock")


def failing(only: Callable[[int], bool], number: int) -> Callable[[int, int], None]:
    """A system that does not lock, if asked in these ways."""
    flock = fcntl.flock

    def fail(fd: int, how: int) -> None:
        if only(how):
            raise OSError(number, os.strerror(number))
        flock(fd, how)

    return fail


LOCKS_REFUSED = [(errno.ENOLCK, UnavailableError, True), (errno.EOPNOTSUPP, DeniedError, False)]


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="only Linux shows open files there")
@pytest.mark.parametrize(("number", "kind", "retryable"), LOCKS_REFUSED)
def test_a_lock_that_the_system_refuses_is_an_error_of_evstore_and_leaves_no_file_open(
    path: Path, number: int, kind: type[EvstoreError], retryable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(f"sqlite:{path}") as store:
        with monkeypatch.context() as system:
            system.setattr(fcntl, "flock", failing(lambda how: bool(how & fcntl.LOCK_EX), number))
            with pytest.raises(kind, match="cannot lock the event store") as raised:
                store.append("A-1", AN_EVENT)
        assert isinstance(raised.value.__cause__, OSError)
        assert raised.value.retryable is retryable
        assert open_locks(path) == 0
        assert store.append("A-1", AN_EVENT)[0].version == 1


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="only Linux shows open files there")
@pytest.mark.parametrize(("number", "kind", "retryable"), LOCKS_REFUSED)
def test_an_append_whose_wait_for_the_lock_fails_stores_nothing(
    path: Path, number: int, kind: type[EvstoreError], retryable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(f"sqlite:{path}") as store:
        with side_lock(path), monkeypatch.context() as system:
            system.setattr(fcntl, "flock", failing(lambda how: how == fcntl.LOCK_EX, number))
            with pytest.raises(kind, match="cannot lock the event store") as raised:
                store.append("A-1", AN_EVENT)
            assert open_locks(path) == 1  # that of `side_lock`
        assert isinstance(raised.value.__cause__, OSError)
        assert raised.value.retryable is retryable
        assert store.append("A-1", AN_EVENT)[0].version == 1


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_lock_for_which_the_disk_has_no_room_is_a_full_disk(
    path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a backup was put in its place, which comes without a lock."""
    os.unlink(f"{path}-lock")
    system = os.open

    def full(name: str, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_CREAT:
            raise OSError(number, os.strerror(number), name)
        return system(name, flags, mode)

    with connect(f"sqlite:{path}") as store:
        with monkeypatch.context() as replaced:
            replaced.setattr(os, "open", full)
            with pytest.raises(StorageFullError, match="cannot lock the event store"):
                store.append("A-1", AN_EVENT)
        assert store.append("A-1", AN_EVENT)[0].version == 1


def test_an_append_is_acknowledged_also_if_its_lock_cannot_be_unlocked(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(f"sqlite:{path}") as store:
        with monkeypatch.context() as system:
            system.setattr(fcntl, "flock", failing(lambda how: how == fcntl.LOCK_UN, errno.EIO))
            assert store.append("A-1", AN_EVENT)[0].version == 1
        with connect(f"sqlite:{path}", timeout=5) as other:
            assert other.append("A-1", AN_EVENT)[0].version == 2


def test_what_is_committed_while_the_store_gets_a_second_name_is_stored_and_acknowledged(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = committing.commit

    def linking(*given: Any) -> None:
        os.link(path, path.with_name("linked"))
        commit(*given)

    with connect(f"sqlite:{path}") as store:
        with monkeypatch.context() as linked:
            linked.setattr(committing, "commit", linking)
            assert store.append("A-1", AN_EVENT)[0].version == 1
        with pytest.raises(StoreReplacedError, match="hard link"):
            store.append("A-1", AN_EVENT)
        assert [event.version for event in store.read("A-1")] == [1]


def test_a_page_leaves_no_transaction_open(path: Path) -> None:
    with connect(f"sqlite:{path}") as store:
        store.append_many([("A-1", AN_EVENT * 1, -1), ("B-1", AN_EVENT * 1, -1)])
        events = store.replay(["A", "B"])
        next(events)
        for connection in store._adapter._readers:
            assert not connection.in_transaction
        with closing(sqlite3.connect(path, isolation_level=None)) as foreign:
            busy, frames, merged = foreign.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            assert (busy, frames, merged) == (0, 0, 0)


def test_a_forked_child_is_refused_and_its_parent_unharmed(path: Path) -> None:
    with connect(f"sqlite:{path}") as store:
        store.append("Order-1", AN_EVENT)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                store.append("Order-1", AN_EVENT)
            except StoreClosedError:
                store.close()
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        store.append("Order-1", AN_EVENT)
        assert store.stream_info("Order-1").version == 2


def test_closing_waits_for_the_threads_that_write(path: Path) -> None:
    store = connect(f"sqlite:{path}")
    started, outcomes = threading.Barrier(9), []

    def work() -> None:
        started.wait()
        try:
            while True:
                store.append("Order-1", AN_EVENT)
                outcomes.append(1)
        except StoreClosedError:
            return

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    started.wait()
    while len(outcomes) < 20:
        threading.Event().wait(0.001)
    store.close()
    for thread in threads:
        thread.join()
    with connect(f"sqlite:{path}") as again:
        assert again.stream_info("Order-1").version == len(outcomes)


def test_a_close_while_the_first_append_opens_the_store_lets_nothing_be_stored(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = connect(f"sqlite:{path}")
    opened, closed = threading.Barrier(2, timeout=20), threading.Barrier(2, timeout=20)
    open_writer = store._adapter._open_writer

    def open_slowly() -> Any:
        connection = open_writer()
        opened.wait()
        closed.wait()
        return connection

    monkeypatch.setattr(store._adapter, "_open_writer", open_slowly)
    with ThreadPoolExecutor() as pool:
        appended = pool.submit(store.append, "Order-1", AN_EVENT)
        opened.wait()
        store.close()
        closed.wait()
        with pytest.raises(StoreClosedError):
            appended.result()
    assert files(path.parent) == ["events.db", "events.db-lock"]
    with connect(f"sqlite:{path}") as again:
        assert list(again.replay()) == []


def test_an_append_that_outlasts_the_close_is_stored_and_closes_the_store(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = connect(f"sqlite:{path}", timeout=0.1)
    store.append("Order-1", AN_EVENT)
    has_writer = store._adapter._has_writer

    def has_writer_until_closed(held: Held) -> bool:
        there = has_writer(held)
        with ThreadPoolExecutor() as pool:
            pool.submit(store.close).result()
        return there

    monkeypatch.setattr(store._adapter, "_has_writer", has_writer_until_closed)
    assert store.append("Order-1", AN_EVENT)[0].version == 2
    assert files(path.parent) == ["events.db", "events.db-lock"]
    with pytest.raises(StoreClosedError):
        store.append("Order-1", AN_EVENT)
    with connect(f"sqlite:{path}") as again:
        assert again.stream_info("Order-1").version == 2


def test_a_close_that_gets_no_lock_from_the_system_closes_and_does_not_checkpoint(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = connect(f"sqlite:{path}")
    store.append("Order-1", AN_EVENT)
    main = path.read_bytes()
    with monkeypatch.context() as system:
        system.setattr(fcntl, "flock", failing(lambda how: bool(how & fcntl.LOCK_EX), errno.ENOLCK))
        store.close()
    assert path.read_bytes() == main
    with connect(f"sqlite:{path}") as again:
        assert again.append("Order-1", AN_EVENT)[0].version == 2
    assert files(path.parent) == ["events.db", "events.db-lock"]


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 40, 1), False), ((3, 44, 5), False), ((3, 44, 6), True), ((3, 45, 0), False), ((3, 46, 1), False),
        ((3, 50, 6), False), ((3, 50, 7), True), ((3, 51, 0), False), ((3, 51, 2), False), ((3, 51, 3), True),
        ((3, 53, 0), True),
    ],
)  # fmt: skip
def test_the_versions_with_the_wal_reset_bug_are_known(version: tuple[int, int, int], safe: bool) -> None:
    assert _resets_wal_safely(version) is safe
