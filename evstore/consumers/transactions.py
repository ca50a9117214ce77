"""The transaction of a handler: its effects in the store's database commit together with the checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evstore.blocking import block_of, is_within
from evstore.errors import InvalidInputError
from evstore.model.versions import ANY_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager

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

        The list is empty where the source is taken that far.
        """
        _, events = self._appender.append_within(self._step, self._appender.unit(writes, metadata, **options))
        return events


class Nesting:
    """The handlers' transactions of a store, in which an append of its own would wait for itself."""

    def entered(self) -> AbstractContextManager[None]:
        """A block within a transaction."""
        return block_of(self)

    def check(self) -> None:
        """Raise InvalidInputError within a transaction."""
        if is_within(self):
            raise InvalidInputError(
                "a transactional handler appends through its transaction: tx.append(…) instead of store.append(…)"
            )
