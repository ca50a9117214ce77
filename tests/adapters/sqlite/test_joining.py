"""Connections of an application to the file of a store: which may append, and how they are left."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from evstore import EventData, InvalidInputError, StoreBusyError, connect
from evstore.adapters.sqlite import joining
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from evstore import EventStore

AN_EVENT = [EventData("Placed", {"n": 1})]
MANY_PAGES = 1000  # after which SQLite checkpoints by itself


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


@pytest.fixture
def store(path: Path) -> Iterator[EventStore]:
    with connect(f"sqlite:{path}", timeout=PATIENCE) as store:
        store.initialize()
        yield store
        assert [*store.verify()] == []


@pytest.fixture
def theirs(store: EventStore, path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (n)")
        yield connection


def pragma(connection: sqlite3.Connection, name: str) -> Any:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def refused(store: EventStore, connection: Any, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        store.append("Order-1", AN_EVENT, connection=connection)
    assert store.head() == 0


def test_rows_of_the_application_are_made_as_it_wants_them(store: EventStore, theirs: sqlite3.Connection) -> None:
    theirs.row_factory, theirs.text_factory = sqlite3.Row, bytes
    theirs.execute("PRAGMA busy_timeout = 1234")
    (stored,) = store.append("Order-1", [EventData("Placed", "é")], key="k", connection=theirs)
    assert store.append("Order-1", [EventData("Placed", "é")], key="k", connection=theirs) == [stored]
    (row,) = theirs.execute("SELECT 'é' AS text")
    assert (type(row), row["text"]) == (sqlite3.Row, "é".encode())
    assert pragma(theirs, "busy_timeout") == 1234
    theirs.commit()


def test_a_connection_that_commits_by_itself_needs_a_transaction_of_its_own(store: EventStore, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as theirs:
        refused(store, theirs, "BEGIN IMMEDIATE")
        for begin in ("BEGIN", "BEGIN IMMEDIATE", "SAVEPOINT mine"):
            theirs.execute(begin)
            store.append("Order-1", AN_EVENT, connection=theirs)
            assert theirs.in_transaction
            theirs.execute("COMMIT")
    assert store.head() == 3


def test_a_rollback_to_a_savepoint_of_the_application_takes_the_append_back(
    store: EventStore, theirs: sqlite3.Connection
) -> None:
    theirs.execute("INSERT INTO theirs VALUES (1)")
    theirs.execute("SAVEPOINT mine")
    store.append("Order-1", AN_EVENT, connection=theirs)
    theirs.execute("ROLLBACK TO mine")
    store.append("Order-2", AN_EVENT, connection=theirs)
    theirs.commit()
    assert [e.stream_id for e in store.replay()] == ["Order-2"]


def _closed(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    connection.close()
    return connection


def _elsewhere(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path}.other")
    connection.execute(f"ATTACH '{path}' AS store")
    return connection


def _with(*statements: str) -> Callable[[Path], sqlite3.Connection]:
    def made(path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(path)
        for each in statements:
            connection.execute(each)
        return connection

    return made


@pytest.mark.parametrize(
    ("made", "words"),
    [
        pytest.param(_closed, "closed database", id="closed"),
        pytest.param(_elsewhere, r"its database is .*\.other; an append to", id="another file"),
        pytest.param(lambda _: sqlite3.connect(":memory:"), "its database is in memory", id="in memory"),
        pytest.param(_with("PRAGMA query_only = ON"), "query_only = OFF", id="reading"),
        pytest.param(_with("PRAGMA synchronous = NORMAL"), "synchronous = FULL", id="not durable"),
        pytest.param(_with("PRAGMA synchronous = OFF"), "synchronous = FULL", id="not durable at all"),
        pytest.param(_with("CREATE TEMP TABLE Events (n)"), "temporary table", id="temporary table"),
        pytest.param(
            lambda _: threading.Lock(), "takes a sqlite3.Connection, not a _thread.lock", id="no connection"
        ),
    ],
)
def test_a_connection_that_cannot_append_durably_is_refused(
    store: EventStore, path: Path, made: Callable[[Path], Any], words: str
) -> None:
    refused(store, made(path), words)


def test_a_connection_of_another_thread_is_refused(store: EventStore, theirs: sqlite3.Connection) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(refused, store, theirs, "thread").result(PATIENCE)


def test_a_connection_that_is_refused_is_in_no_transaction_and_keeps_its_settings(
    store: EventStore, path: Path
) -> None:
    with closing(_with("PRAGMA synchronous = NORMAL")(path)) as theirs:
        refused(store, theirs, "synchronous")
        assert not theirs.in_transaction
        assert (pragma(theirs, "synchronous"), pragma(theirs, "wal_autocheckpoint")) == (1, 1000)


def test_a_connection_to_a_file_that_was_replaced_is_refused(path: Path) -> None:
    url = f"sqlite:{path}"
    with connect(url) as store:
        store.initialize()
    with closing(sqlite3.connect(path)) as theirs:
        theirs.execute("CREATE TABLE theirs (n)")
        shutil.copy(path, f"{path}.copy")
        for each in ("-wal", "-shm"):
            os.rename(f"{path}{each}", f"{path}.old{each}")
        os.rename(f"{path}.copy", path)
        with connect(url) as anew:
            with pytest.raises(InvalidInputError, match="another file was put at"):
                anew.append("Order-2", AN_EVENT, connection=theirs)
            assert not theirs.in_transaction
            assert anew.append("Order-2", AN_EVENT)[0].global_position == 1


def test_a_transaction_that_read_before_another_writer_wrote_is_refused_at_once(
    store: EventStore, theirs: sqlite3.Connection
) -> None:
    theirs.execute("BEGIN")
    assert theirs.execute("SELECT count(*) FROM theirs").fetchone() == (0,)
    store.append("Order-1", AN_EVENT)
    began = time.monotonic()
    with pytest.raises(StoreBusyError) as busy:
        store.append("Order-1", AN_EVENT, connection=theirs)
    assert time.monotonic() - began < PATIENCE / 2
    assert "BEGIN IMMEDIATE" in busy.value.__notes__[0]
    assert theirs.in_transaction
    theirs.rollback()
    assert store.append("Order-1", AN_EVENT, connection=theirs)[0].version == 2
    theirs.commit()


def test_a_transaction_that_has_not_read_yet_waits_for_another_writer(
    store: EventStore, path: Path, theirs: sqlite3.Connection
) -> None:
    with closing(sqlite3.connect(path, check_same_thread=False)) as other:
        store.append("Order-1", AN_EVENT, connection=other)
        theirs.execute("BEGIN")
        timer = threading.Timer(0.3, other.commit)
        timer.start()
        assert store.append("Order-1", AN_EVENT, connection=theirs)[0].version == 2
        timer.join()
    theirs.commit()
    assert store.head() == 2


def test_the_commit_of_an_application_does_not_checkpoint_as_early_as_others(
    store: EventStore, path: Path, theirs: sqlite3.Connection
) -> None:
    """It could meet a checkpoint of a writer, which some SQLite versions do not survive."""
    store.append("Order-1", AN_EVENT)
    before = path.read_bytes()
    store.append("Order-1", [EventData("Placed", "x" * 1000) for _ in range(7000)], connection=theirs)
    theirs.commit()
    assert os.stat(f"{path}-wal").st_size > MANY_PAGES * 4096
    assert path.read_bytes() == before
    assert pragma(theirs, "wal_autocheckpoint") == joining.LATE_PAGES


@pytest.mark.parametrize("pages", [0, 100_000])
def test_a_connection_that_checkpoints_later_or_never_stays_so(
    store: EventStore, theirs: sqlite3.Connection, pages: int
) -> None:
    theirs.execute(f"PRAGMA wal_autocheckpoint = {pages}")
    store.append("Order-1", AN_EVENT, connection=theirs)
    theirs.commit()
    assert pragma(theirs, "wal_autocheckpoint") == pages


def test_an_interrupted_append_leaves_the_transaction_as_it_was(
    store: EventStore, theirs: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupting(joining.Ledger):
        def append(self, *given: Any, **named: Any) -> Any:
            super().append(*given, **named)
            raise KeyboardInterrupt

    theirs.execute("INSERT INTO theirs VALUES (1)")
    with monkeypatch.context() as patch:
        patch.setattr(joining, "Ledger", Interrupting)
        with pytest.raises(KeyboardInterrupt):
            store.append("Order-1", AN_EVENT, connection=theirs)
    assert store.append("Order-2", AN_EVENT, connection=theirs)[0].global_position == 1
    theirs.commit()
    assert theirs.execute("SELECT n FROM theirs").fetchall() == [(1,)]
    assert [e.stream_id for e in store.replay()] == ["Order-2"]
