"""The transaction of a handler: its effects in the store's database commit together with the checkpoint."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from evstore.errors import EvstoreError, InvalidInputError
from evstore.model.versions import ANY_VERSION
from evstore.port import Receipt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from evstore.appending.appender import Appender
    from evstore.model.events import NewWrite, StoredEvent
    from evstore.model.metadata import Metadata
    from evstore.port import Step


class Transaction:
    """The transaction that a handler writes through, until it returns."""

    def __init__(self, step: Step, appender: Appender) -> None:
        self._step = step
        self._appender = appender

    @property
    def connection(self) -> Any:
        """The driver's connection, in a transaction that evstore ends. Raises UnsupportedError in memory."""
        return self._step.connection

    def execute(self, statement: str, parameters: Any = ()) -> Any:
        """Run a statement of the database, with the driver's placeholders, and return the driver's cursor."""
        return self.connection.execute(statement, parameters)

    def append(
        self,
        stream_id: str,
        events: Iterable[Any],
        expected_version: int = ANY_VERSION,
        metadata: Metadata | None = None,
        **options: Any,
    ) -> list[StoredEvent]:
        """Append as `EventStore.append` does, with its options, in this transaction."""
        return self.append_many([(stream_id, events, expected_version)], metadata, **options)  # type: ignore[list-item]

    def append_many(
        self,
        writes: Iterable[NewWrite],
        metadata: Metadata | None = None,
        **options: Any,
    ) -> list[StoredEvent]:
        """Append as `EventStore.append_many` does, in this transaction.

        The list is empty where the source is taken that far, and where the writes are too many to be listed.
        """
        unit = self._appender.unit(writes, metadata, **options)
        outcome = self._appender.judged(unit, self._step.append(unit))
        if isinstance(outcome, EvstoreError):
            raise outcome
        if isinstance(outcome, Receipt) and len(outcome.first_versions) < len(unit.writes):
            return []  # the log cannot be read before the commit
        return [*self._appender.stored_of(unit, outcome)]


class Nesting:
    """The threads that are within a handler's transaction, where an append of its own would wait for itself."""

    def __init__(self) -> None:
        self._within = threading.local()

    @contextmanager
    def entered(self) -> Iterator[None]:
        """This thread is within a transaction."""
        self._within.it = True
        try:
            yield
        finally:
            self._within.it = False

    def check(self) -> None:
        """Raise InvalidInputError if this thread is within one."""
        if getattr(self._within, "it", False):
            raise InvalidInputError(
                "a transactional handler appends through its transaction: tx.append(…) instead of store.append(…)"
            )
