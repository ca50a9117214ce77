"""The migrations of a store on PostgreSQL.

A step is one transaction, under a lock that migrations alone take. It waits for tables only briefly: whoever waits
for a table keeps everybody else from it.

A file that begins with the line OUTSIDE builds indexes concurrently, which no transaction may. An index that a
killed build left behind is invalid, and is built anew.
"""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import psycopg
from psycopg import IsolationLevel
from psycopg.pq import TransactionStatus

from evstore.adapters.migrating import Record, StepFile, refused, step_files, steps_of
from evstore.adapters.postgres import statements as sql
from evstore.adapters.postgres.connections import is_ours
from evstore.adapters.postgres.errors import Meaning, meaning
from evstore.adapters.postgres.location import SCHEMA_NUMBER
from evstore.adapters.sql import FIRST_SCHEMA, check_admits
from evstore.blocking import sleep
from evstore.errors import StoreBusyError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import LiteralString

    from psycopg import Connection

    from evstore.adapters.postgres.access import Access
    from evstore.model.facts import Migration

OUTSIDE: Final = "-- evstore: outside a transaction"
_INDEX: Final = re.compile(r"^CREATE (?:UNIQUE )?INDEX CONCURRENTLY (\w+)\s+ON [^;]*;$", re.MULTILINE)
_COMMENT: Final = re.compile("--[^\n]*")
PAUSE: Final = 0.1
"""Seconds between two tries to get a lock."""
TABLE_WAIT: Final = "1s"
"""The wait for a table, between two of which others get it."""

RECORDS: Final = """
SELECT step, checksum, applied_at FROM evstore.migrations
"""
RECORD: Final = """
INSERT INTO evstore.migrations (step, checksum, applied_at) VALUES (%(step)s, %(checksum)s, %(now)s)
"""
LEAD_ON: Final = """
UPDATE evstore.store SET schema_version = %(schema)s
"""

# Tried, and not waited for: who waits within a statement, or between two of a transaction, has a snapshot, and for
# that a concurrent build waits in turn.
LOCK: Final = """
SELECT pg_catalog.pg_try_advisory_lock(1163285332, pg_catalog.hashtext('migrate ' || %(schema)s))
"""
LOCK_IN_TRANSACTION: Final = """
SELECT pg_catalog.pg_try_advisory_xact_lock(1163285332, pg_catalog.hashtext('migrate ' || %(schema)s))
"""
UNLOCK: Final = """
SELECT pg_catalog.pg_advisory_unlock(1163285332, pg_catalog.hashtext('migrate ' || %(schema)s))
"""

# For the transaction alone.
SETTLE_STEP: Final = """
SELECT
  pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true),
  pg_catalog.set_config('synchronous_commit', 'on', true),
  pg_catalog.set_config('statement_timeout', '0', true),
  pg_catalog.set_config('lock_timeout', %(table_wait)s, true)
"""
# Who builds an index concurrently waits for old transactions, and nobody waits for him.
SETTLE_BUILD: Final = """
SELECT
  pg_catalog.set_config('statement_timeout', '0', false),
  pg_catalog.set_config('lock_timeout', '0', false)
"""
LIMITS: Final = """
SELECT pg_catalog.current_setting('statement_timeout'), pg_catalog.current_setting('lock_timeout')
"""
RESTORE_LIMITS: Final = """
SELECT
  pg_catalog.set_config('statement_timeout', %(statement)s, false),
  pg_catalog.set_config('lock_timeout', %(lock)s, false)
"""
INDEX_IS_VALID: Final = """
SELECT indisvalid FROM pg_catalog.pg_index
WHERE indexrelid = (
  SELECT oid FROM pg_catalog.pg_class
  WHERE relname = %(index)s
    AND relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = %(schema)s)
)
"""
DROP_INDEX: Final = "DROP INDEX CONCURRENTLY evstore."


class PostgresMigrations:
    """`port.Migrations`. `asked` gives what the store admits, whether this evstore can use it or not; `check_name`
    raises if the schema was renamed."""

    def __init__(
        self, access: Access, asked: Callable[[Connection], tuple[int, int, int]], check_name: Callable[[], None]
    ) -> None:
        self._access = access
        self._asked = asked
        self._check_name = check_name
        self._schema = access.location.schema
        self._files = step_files("postgres")

    def steps(self) -> list[Migration]:
        found: list[Migration] = self._access.tried(self._steps)
        return found

    def apply(self, step: str) -> bool:
        file = next(each for each in self._files if each.step == step)
        answers: list[bool] = []

        def asked(seconds: float) -> bool:
            until = time.monotonic() + seconds
            while (answer := self._tried(file)) is None:
                if time.monotonic() > until:
                    return False
                sleep(PAUSE)  # outside of any transaction, so that who is waited for waits for nobody
            answers.append(answer)
            return True

        patience = self._access.connections.patience
        if not patience.until(asked, patience.timeout, lambda: "another migration, or the use of a table"):
            raise StoreBusyError(self._access.location.shown, patience.timeout)
        return answers[0]

    def _tried(self, file: StepFile) -> bool | None:
        """True if the step was applied, False if it was there. None while another migration is at work, or a table
        is in use."""
        apply = self._build if file.text.startswith(OUTSIDE) else self._run
        try:
            answer: bool | None = self._access.tried(lambda connection: apply(connection, file))
        except StoreBusyError:
            return None
        return answer

    def _steps(self, connection: Connection, *, to_write: bool = False) -> list[Migration]:
        admits = self._asked(connection)
        shown = self._access.location.shown
        check_admits(shown, admits, SCHEMA_NUMBER, to_write=to_write, oldest=FIRST_SCHEMA)
        if to_write:
            self._check_name()
        rows = connection.execute(sql.in_schema(RECORDS, self._schema)).fetchall()
        return steps_of(self._files, admits[0], (Record(*row) for row in rows), shown)

    def _is_pending(self, connection: Connection, file: StepFile) -> bool:
        found = self._steps(connection, to_write=True)
        return any(each.step == file.step and each.applied_us is None for each in found)

    def _run(self, connection: Connection, file: StepFile) -> bool | None:
        """Apply a step in one transaction."""
        with self._transaction(connection):
            if not self._has_lock(connection, LOCK_IN_TRANSACTION):
                return None
            if not self._is_pending(connection, file):
                return False
            with self._explained(file):
                connection.execute(sql.in_schema(file.text, self._schema))
            self._record(connection, file)
            return True

    def _build(self, connection: Connection, file: StepFile) -> bool | None:
        """Build the indexes of a step, those that are not there yet, and then record it."""
        if connection.info.transaction_status != TransactionStatus.IDLE or not is_ours(connection):
            raise _behind_a_pooler(self._access.location.shown, file.step)
        if not self._has_lock(connection, LOCK):
            return None
        try:
            if not self._is_pending(connection, file):
                return False
            with self._explained(file), _patient(connection):
                for name, statement in self._indexes(file):
                    self._build_index(connection, name, statement)
            with self._transaction(connection):
                self._record(connection, file)
            return True
        finally:
            if not connection.closed:
                connection.execute(UNLOCK, {"schema": self._schema})

    def _indexes(self, file: StepFile) -> list[tuple[str, str]]:
        """The indexes that a step builds, by name. Raises MigrationError if it asks for anything else."""
        found = [(index[1], index[0]) for index in _INDEX.finditer(file.text)]
        rest = _COMMENT.sub("", _INDEX.sub("", file.text)).strip()
        if rest or not found:
            raise refused(
                self._access.location.shown, file.step, "outside a transaction it may only build indexes"
            )
        return found

    def _build_index(self, connection: Connection, name: str, statement: str) -> None:
        row = connection.execute(INDEX_IS_VALID, {"index": name, "schema": self._schema}).fetchone()
        if row == (False,):
            connection.execute(sql.in_schema(f"{DROP_INDEX}{name}", self._schema))
        if row != (True,):
            connection.execute(sql.in_schema(statement, self._schema))

    def _record(self, connection: Connection, file: StepFile) -> None:
        if not file.finishes:
            connection.execute(sql.in_schema(LEAD_ON, self._schema), {"schema": file.schema})
        given = {"step": file.step, "checksum": file.checksum, "now": time.time_ns() // 1000}
        connection.execute(sql.in_schema(RECORD, self._schema), given)

    def _has_lock(self, connection: Connection, statement: LiteralString) -> bool:
        return connection.execute(statement, {"schema": self._schema}).fetchone() == (True,)

    @contextmanager
    def _transaction(self, connection: Connection) -> Iterator[None]:
        """A transaction that is durable, and sees what its lock waited for."""
        begins = connection.info.transaction_status == TransactionStatus.IDLE
        if begins:
            connection.isolation_level = IsolationLevel.READ_COMMITTED
        try:
            with connection.transaction():
                connection.execute(SETTLE_STEP, {"table_wait": TABLE_WAIT})
                yield
        finally:
            if begins and not connection.closed:
                connection.isolation_level = None

    @contextmanager
    def _explained(self, file: StepFile) -> Iterator[None]:
        """Raise MigrationError if the server refuses what the step asks for."""
        try:
            yield
        except psycopg.Error as error:
            if meaning(error) not in (Meaning.OTHER, Meaning.SCHEMA, Meaning.DAMAGED):
                raise
            message = error.diag.message_primary or str(error)
            raise refused(self._access.location.shown, file.step, message) from error


@contextmanager
def _patient(connection: Connection) -> Iterator[None]:
    """A time without limits of time, which are afterwards as they were."""
    row = connection.execute(LIMITS).fetchone()
    assert row is not None
    connection.execute(SETTLE_BUILD)
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute(RESTORE_LIMITS, {"statement": row[0], "lock": row[1]})


def _behind_a_pooler(location: str, step: str) -> UnsupportedError:
    error = UnsupportedError(
        f"the event store at {location}: step {step} builds an index beside its use, in a session of its own, and "
        "a pooler lends none"
    )
    error.add_note("connect to the server itself for this command")
    return error
