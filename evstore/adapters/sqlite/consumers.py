"""Consumers of a SQLite store: rows that a step changes, and holds that are locks on files."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from evstore.adapters.ids import id_from_blob
from evstore.adapters.sql import id_to_blob
from evstore.adapters.sqlite import consumer_statements as sql
from evstore.adapters.sqlite.holding import SqliteHold, holder
from evstore.adapters.sqlite.joining import SqliteJoined
from evstore.adapters.sqlite.lists import range_of
from evstore.adapters.wholeness import CONSUMER_PARTS, check_listed
from evstore.errors import ConsumerHeldError, ConsumerNotFoundError, LogDivergedError
from evstore.model.consumers import SLOTS, Checkpoint, ConsumerRecord, Parked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from evstore.adapters.sqlite.writing import Ledger
    from evstore.model.consumers import ParkedState
    from evstore.port import Hold, NamePage, Tables


class SqliteConsumers:
    """`port.Consumers`. `reading` lends a connection that reads; `committing` lends the writer with its ledger in
    a transaction that is committed at the end of the block."""

    def __init__(
        self,
        path: str,
        reading: Callable[[], AbstractContextManager[Any]],
        committing: Callable[[], AbstractContextManager[tuple[Any, Ledger]]],
    ) -> None:
        self._path = path
        self._reading = reading
        self._committing = committing
        self._holds: WeakSet[SqliteHold] = WeakSet()

    def add(self, name: str, filter_json: str, position: int) -> ConsumerRecord:
        found = self.find(name)
        if found is not None:
            return found
        given = {"name": name, "filter": filter_json, "position": position, "now": _now()}
        with self._committing() as (connection, _):
            if _find(connection, name) is None:
                connection.execute(sql.ADD_CONSUMER, given)
                if not connection.execute(sql.ADD_CHECKPOINT, given).rowcount:
                    raise LogDivergedError(name, position, _head(connection))
            found = _find(connection, name)
        assert found is not None
        return found

    def find(self, name: str) -> ConsumerRecord | None:
        with self._reading() as connection:
            return _find(connection, name)

    def page(self, page: NamePage) -> list[ConsumerRecord]:
        with self._reading() as connection:
            connection.execute("BEGIN")
            try:
                rows = connection.execute(sql.LIST_CONSUMERS, range_of(page)).fetchall()
                for _, name, *_ in rows:
                    check_listed((name, 0), CONSUMER_PARTS, self._path)  # it stands at no position of the log
                return [_record(connection, row) for row in rows]
            finally:
                connection.execute("COMMIT")

    def parked(self, name: str) -> list[Parked]:
        with self._reading() as connection:
            rows = connection.execute(sql.FIND_PARKED, {"name": name}).fetchall()
        return [Parked(stream_id, at, id_from_blob(blob), *rest) for stream_id, at, blob, *rest in rows]

    def mark(self, name: str, event_id: str, state: ParkedState) -> bool:
        given = {"name": name, "id": id_to_blob(event_id), "state": state}
        with self._committing() as (connection, _):
            return bool(connection.execute(sql.MARK, given).rowcount)

    def holders(self, name: str) -> dict[int, str]:
        found = {slot: holder(self._path, name, slot) for slot in range(SLOTS)}
        return {slot: who for slot, who in found.items() if who is not None}

    def hold(self, name: str, slots: Sequence[int]) -> Hold:
        hold = SqliteHold(name, self._path)
        with self._reading():  # a store that is closed or gone gets no file beside it
            if not hold.extend(slots):
                raise ConsumerHeldError(name, next((who for who in map(self._holder(name), slots) if who), ""))
            self._holds.add(hold)
        return hold

    def _holder(self, name: str) -> Callable[[int], str | None]:
        return lambda slot: holder(self._path, name, slot)

    @contextmanager
    def step(self, hold: Hold) -> Iterator[SqliteStep]:
        hold.check()
        with self._committing() as (connection, ledger):
            row = connection.execute(sql.FIND_CONSUMER, {"name": hold.name}).fetchone()
            if row is None:
                raise ConsumerNotFoundError(hold.name)
            yield SqliteStep(connection, ledger, self._path, hold, row[0])
            hold.check()

    def close(self) -> None:
        """Give back all holds."""
        for hold in [*self._holds]:
            hold.release()


class SqliteStep(SqliteJoined):
    """`port.Step`, within a transaction."""

    def __init__(self, connection: Any, ledger: Ledger, path: str, hold: Hold, key: int) -> None:
        super().__init__(connection, ledger, path)
        self._hold = hold
        self._key = key

    @property
    def tables(self) -> Tables:
        from evstore.adapters.sqlite.tables import SqliteTables

        return SqliteTables(self.connection)

    def move(self, positions: Mapping[int, int]) -> None:
        self._check_in_log(positions)
        self._check_reached(max(positions.values(), default=0))
        for slot, position in positions.items():
            self.connection.execute(sql.MOVE, self._given(slot=slot, position=position, now=_now()))

    def reset(self, position: int) -> None:
        self._check_reached(position)
        self.connection.execute(sql.RESET, self._given(position=position, now=_now()))
        self.connection.execute(sql.UNPARK_ALL, self._given())

    def park(self, event: Parked) -> None:
        _, position, _, reason, parked_at, state = event
        given = self._given(position=position, reason=reason, parked_at=parked_at, state=state)
        self.connection.execute(sql.PARK, given)

    def unpark(self, stream_id: str) -> None:
        self.connection.execute(sql.UNPARK, self._given(stream_id=stream_id))

    def refilter(self, filter_json: str) -> None:
        self.connection.execute(sql.REFILTER, self._given(filter=filter_json))

    def divide(self) -> None:
        self.connection.execute(sql.DIVIDE, self._given(slots=json.dumps([*range(SLOTS)])))

    def remove(self) -> None:
        for statement in (sql.UNPARK_ALL, sql.REMOVE_CHECKPOINTS, sql.REMOVE_CONSUMER):
            self.connection.execute(statement, self._given())
        if isinstance(self._hold, SqliteHold):
            self._hold.is_last = True

    def _given(self, **given: Any) -> dict[str, Any]:
        return {"key": self._key, **given}

    def _check_in_log(self, slots: Iterable[int]) -> None:
        """Raise LogDivergedError unless the log has the events of these checkpoints at their positions."""
        diverged = self.connection.execute(sql.FIND_DIVERGED, self._given(slots=json.dumps([*slots]))).fetchone()
        if diverged is not None:
            raise LogDivergedError(self._hold.name, *diverged)

    def _check_reached(self, position: int) -> None:
        head = _head(self.connection)
        if position > head:
            raise LogDivergedError(self._hold.name, position, head)


def _find(connection: Any, name: str) -> ConsumerRecord | None:
    row = connection.execute(sql.FIND_CONSUMER, {"name": name}).fetchone()
    return _record(connection, row) if row else None


def _record(connection: Any, row: tuple[Any, ...]) -> ConsumerRecord:
    key, name, filter_json, created_us, parked = row
    rows = connection.execute(sql.FIND_CHECKPOINTS, {"key": key}).fetchall()
    checkpoints = (Checkpoint(slot, at, blob and id_from_blob(blob), updated) for slot, at, blob, updated in rows)
    return ConsumerRecord(name, filter_json, created_us, tuple(checkpoints), parked)


def _head(connection: Any) -> int:
    (head,) = connection.execute(sql.HEAD).fetchone()
    return int(head)


def _now() -> int:
    return time.time_ns() // 1000
