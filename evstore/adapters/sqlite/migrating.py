"""The migrations of a SQLite store.

Not by sqlite_utils.Migrations: that chooses what is pending before it takes a lock, so that two processes would
both apply a step. It keeps neither checksums nor the schema's number, and makes its table past schema.sql.
"""

from __future__ import annotations

import re
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from evstore.adapters.migrating import Record, StepFile, refused, step_files, steps_of
from evstore.adapters.sql import FIRST_SCHEMA
from evstore.adapters.sqlite.committing import WritingSession
from evstore.adapters.sqlite.errors import is_of_statement
from evstore.adapters.sqlite.statements import ADMITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from evstore.model.facts import LockWait, Migration

RECORDS: Final = """
SELECT step, checksum, applied_at FROM migrations
"""
RECORD: Final = """
INSERT INTO migrations (step, checksum, applied_at) VALUES (?, ?, ?)
"""


class SqliteMigrations:
    """`port.Migrations`. Each call has connections of its own, for the adapter's are for what it can use."""

    def __init__(
        self,
        sqlite: ModuleType,
        path: str,
        timeout: float,
        named: str,
        on_wait: Callable[[LockWait], None] | None,
    ) -> None:
        self._given = (sqlite, path, timeout, named)
        self._on_wait = on_wait

    def steps(self) -> list[Migration]:
        with closing(self._session()) as session:
            return session.steps()

    def apply(self, step: str) -> bool:
        with closing(self._session()) as session:
            return session.apply(step)

    def _session(self) -> MigratingSession:
        session = MigratingSession(*self._given)
        session.on_wait = self._on_wait
        return session


class MigratingSession(WritingSession):
    """A session that uses a store of any schema from which steps lead to this evstore's."""

    _oldest_schema = FIRST_SCHEMA

    def __init__(self, sqlite: ModuleType, path: str, timeout: float, named: str) -> None:
        super().__init__(sqlite, path, timeout, named)
        self._files = step_files("sqlite")

    def steps(self) -> list[Migration]:
        with self._reading() as connection:
            return self._steps(connection)

    def apply(self, step: str) -> bool:
        file = next(each for each in self._files if each.step == step)
        with self._writing() as connection:
            self._begin(connection)  # what is pending is asked under the lock
            try:
                is_pending = any(each.step == step and each.applied_us is None for each in self._steps(connection))
                if is_pending:
                    self._run(connection, file)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            self._opened.check()
        return is_pending

    def _steps(self, connection: Any) -> list[Migration]:
        ((schema, _, _),) = connection.execute(ADMITS).fetchall()
        records = connection.execute(RECORDS).fetchall()
        return steps_of(self._files, schema, (Record(*each) for each in records), self._path)

    def _run(self, connection: Any, file: StepFile) -> None:
        """Execute the statements of a step, and record it."""
        try:
            for statement in self._statements(file.text):
                connection.execute(statement).fetchall()
        except self._sqlite.Error as error:
            if not is_of_statement(error):
                raise
            raise refused(self._path, file.step, str(error)) from error
        if not file.finishes:
            connection.execute(f"PRAGMA user_version = {file.schema}")  # it takes no parameters
        connection.execute(RECORD, (file.step, file.checksum, time.time_ns() // 1000))

    def _statements(self, script: str) -> Iterator[str]:
        """The statements of a script. Given as a whole, it would end the transaction."""
        statement = ""
        for part in re.split("(?<=;)", script):
            statement += part
            if self._sqlite.complete_statement(statement):
                yield statement
                statement = ""
        yield statement
