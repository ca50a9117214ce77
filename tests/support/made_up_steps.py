"""Steps between schemas that no evstore has, and an evstore of a later schema that has them.

This process is an old evstore, and so is every command that it runs; within `newer` it is one that has steps to
schema 3. There the procedure `append_v2` takes the place of `append_v1`, which a step of `--finish` drops.
"""

from __future__ import annotations

import os
import pkgutil
import signal
from contextlib import ExitStack, closing, contextmanager
from importlib import import_module
from pkgutil import get_data as pkgutil_get_data
from pkgutil import walk_packages
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import psycopg

from evstore import adapters
from evstore.adapters import migrating
from evstore.adapters.postgres import session as postgres_session
from evstore.adapters.postgres import statements
from evstore.adapters.sqlite.session import Session
from tests.support.command_store import server_of
from tests.support.users import start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.command import Command

OURS: Final = 1
LATER: Final = 3
READINGS: Final = "0002_readings"
VERSIONS: Final = "0003_versions"
FINISH: Final = "0002_readings.finish"
ALL: Final = [READINGS, VERSIONS, FINISH]

SQLITE: Final = {
    READINGS: """
-- What was read of each stream; a comment with a semicolon is no statement.
CREATE TABLE readings (
  stream_key INTEGER PRIMARY KEY REFERENCES streams (key),
  note TEXT NOT NULL DEFAULT 'a;b'
) STRICT;

INSERT INTO readings (stream_key, note) SELECT key, stream_id FROM streams;

CREATE TRIGGER readings_are_not_deleted BEFORE DELETE ON readings
BEGIN SELECT raise(ABORT, 'a reading; and it stays'); END;
-- The end.
""",
    VERSIONS: "CREATE INDEX events_by_version ON events (version);\nCREATE INDEX events_by_size ON events (length(data))",
    FINISH: "UPDATE store SET min_reader = 2, min_writer = 2;",
}
POSTGRES: Final = {
    READINGS: """
CREATE TABLE evstore.readings (
  stream_key bigint PRIMARY KEY,
  note text NOT NULL DEFAULT 'a;b'
);

INSERT INTO evstore.readings (stream_key, note) SELECT key, stream_id FROM evstore.streams;

DO $$
BEGIN
  EXECUTE replace(pg_get_functiondef('evstore.append_v1'::regproc), 'append_v1(', 'append_v2(');
END $$;
REVOKE ALL ON PROCEDURE evstore.append_v2 FROM PUBLIC;
""",
    VERSIONS: """-- evstore: outside a transaction
CREATE INDEX CONCURRENTLY events_by_version ON evstore.events (version);
CREATE INDEX CONCURRENTLY events_by_both
  ON evstore.events (version, global_position);
""",
    FINISH: """
UPDATE evstore.store SET min_reader = 2, min_writer = 2;
DROP PROCEDURE evstore.append_v1;
""",
}
INDEXES: Final = {
    "sqlite": ("events_by_version", "events_by_size"),
    "postgres": ("events_by_version", "events_by_both"),
}


def written(folder: Path, **changed: str | None) -> Path:
    """The folder with these steps for both databases. `changed`: the text of a step by its first word, for both; None
    for none."""
    for engine, steps in (("sqlite", SQLITE), ("postgres", POSTGRES)):
        (folder / engine).mkdir(exist_ok=True)
        for step, text in steps.items():
            now = changed.get(step.partition("_")[2].replace(".", "_"), text)
            file = folder / engine / f"{step}.sql"
            if now is None:
                file.unlink(missing_ok=True)
            else:
                file.write_text(now)
    return folder


@contextmanager
def newer(folder: Path, schema: int = LATER, *, oldest: int = OURS) -> Iterator[None]:
    """For the block, this process is an evstore of that schema, with the steps of the folder. It can use what has the
    `oldest` schema as it is."""
    with ExitStack() as changed:
        changed.enter_context(patch.object(migrating, "folder_of", lambda engine: str(folder / engine)))
        changed.enter_context(patch.object(Session, "_oldest_schema", oldest))
        changed.enter_context(patch.object(postgres_session, "OLDEST_SCHEMA", oldest))
        for found in walk_packages(adapters.__path__, "evstore.adapters."):
            module = import_module(found.name)
            for name in ("SCHEMA", "SCHEMA_NUMBER"):
                if hasattr(module, name):
                    changed.enter_context(patch.object(module, name, schema))
        for name in ("APPEND", "APPEND_ONE"):
            text = getattr(statements, name).replace("append_v1", "append_v2")
            changed.enter_context(patch.object(statements, name, text))
        changed.enter_context(patch.object(pkgutil, "get_data", _later_schema_sql))
        yield


def _later_schema_sql(package: str, resource: str) -> bytes | None:
    text = pkgutil_get_data(package, resource)
    return text and text.replace(b"append_v1", b"append_v2")


# --- processes that are killed ---


def killed_before(number: int, work: Callable[[], object]) -> bool:
    """Do the work in a process that is killed before its statement of this number; False if it ended earlier."""

    def until_then() -> None:
        left = number

        def count() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        _count_statements(count)
        work()

    code = os.waitstatus_to_exitcode(os.waitpid(start(None, until_then), 0)[1])
    assert code in (0, -signal.SIGKILL)
    return code != 0


def _count_statements(count: Callable[[], None]) -> None:
    """In this process, which has nothing else to do, call `count` before each statement of either adapter."""
    connect, wait = Session._connect, psycopg.Connection.wait

    def traced(self: Session, path: str, mode: str) -> Any:
        connection = connect(self, path, mode)
        connection.set_trace_callback(lambda _: count())
        return connection

    def counted(*given: Any, **named: Any) -> Any:
        count()
        return wait(*given, **named)

    Session._connect = traced
    psycopg.Connection.wait = counted


# --- a store, past evstore ---


def rows(command: Command, sql: str) -> list[tuple[Any, ...]]:
    """What a statement finds in the store of a command; `{}` in it stands for the schema and a dot."""
    if command.database:
        server, schema = server_of(command)
        return server.execute(sql.replace("{}", f"{schema}."))
    import sqlite3

    with closing(sqlite3.connect(command.folder / "evstore.db", isolation_level=None)) as connection:
        return connection.execute(sql.replace("{}", "")).fetchall()


def kept(command: Command) -> list[tuple[Any, ...]]:
    """All that no step may change, as the database has it."""
    text = "::text" if command.database else ""
    data = f"data{text}, metadata{text}"
    own = "id, stream_key, version, category_key, category_number, type_key, timestamp, correlation_hash, redacted_at"
    events = f"SELECT global_position, {own}, content_hash, chain_hash, tags, {data} FROM {{}}events ORDER BY 1"
    return [
        *rows(command, events),
        *rows(command, "SELECT * FROM {}streams ORDER BY 1"),
        *rows(command, "SELECT * FROM {}event_tags ORDER BY 1, 2"),
        *rows(command, "SELECT * FROM {}checkpoints ORDER BY 1, 2"),
    ]


def schema_number(command: Command) -> int:
    sql = "SELECT schema_version FROM {}store" if command.database else "PRAGMA user_version"
    ((found,),) = rows(command, sql)
    return int(found)


def recorded(command: Command) -> list[str]:
    """The steps that the store has on record, in the order in which they were applied."""
    return [step for (step,) in rows(command, "SELECT step FROM {}migrations ORDER BY applied_at, step")]
