"""A checkpoint in another SQLite file: what a handler writes there happens exactly once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from evstore.appending.context import handling
from evstore.consumers.delivery import called
from evstore.errors import InvalidInputError, LogDivergedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evstore.consumers.cursors import HeldCursors
    from evstore.consumers.delivery import Effect
    from evstore.model.events import StoredEvent
    from evstore.port import Adapter, Step


class SqliteCheckpoint:
    """A checkpoint in the database of `connection`, a connection of the standard `sqlite3`.

    `Consumer.run` begins a transaction on it, calls the handler, which writes through the same connection, moves
    the checkpoint, and commits. The position there counts; the one in the store follows it.
    """

    def __init__(self, connection: Any, table: str = "evstore_checkpoints") -> None:
        if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", table):
            raise InvalidInputError(f'"{table}" is no name of a table: letters, digits and "_" are accepted')
        self.connection = connection
        self._table = table
        self._create = (
            f"CREATE TABLE IF NOT EXISTS {table} "
            "(consumer TEXT PRIMARY KEY, global_position INTEGER NOT NULL, event_id TEXT NOT NULL)"
        )
        self._find = f"SELECT global_position, event_id FROM {table} WHERE consumer = ?"  # noqa: S608
        self._save = f"INSERT OR REPLACE INTO {table} (consumer, global_position, event_id) VALUES (?, ?, ?)"  # noqa: S608

    def position(self, name: str) -> tuple[int, str | None]:
        """The position that the consumer has come to, and the event there; 0 and None for a new one."""
        self.connection.execute(self._create)
        found = self.connection.execute(self._find, (name,)).fetchone()
        return (int(found[0]), str(found[1])) if found else (0, None)

    def take_up(self, name: str, adapter: Adapter, cursors: HeldCursors) -> None:
        """Let the consumer go on from the position that is kept here. Raises LogDivergedError."""
        if cursors.is_divided:
            raise InvalidInputError(f'consumer "{name}" has members: its 64 checkpoints are in the store')
        position, event_id = self.position(name)
        if event_id is None:
            return
        found = adapter.get([event_id])
        if not found or found[0].global_position != position:
            raise LogDivergedError(name, position, adapter.head(-1, 0))
        cursors.begin_at(position)

    def effect(self, name: str, handler: Callable[..., object], cursors: HeldCursors) -> Effect:
        """An effect that keeps the checkpoint here, and then in the store."""

        def handle(events: Sequence[StoredEvent], change: Callable[[Step], None]) -> None:
            last = events[-1]
            if self.position(name)[0] < last.global_position:  # else the store alone does not know of it yet
                with handling(events) as in_hand:
                    self._commit(name, last, lambda: called(handler, in_hand))
            cursors.write(change)

        return handle

    def _commit(self, name: str, last: StoredEvent, handle: Callable[[], None]) -> None:
        if not self.connection.in_transaction:
            self.connection.execute("BEGIN IMMEDIATE")
        try:
            handle()
            self.connection.execute(self._save, (name, last.global_position, last.id))
            self.connection.commit()
        except BaseException:
            self.connection.rollback()
            raise
