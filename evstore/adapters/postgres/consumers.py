"""Consumers of a PostgreSQL store: rows that a step changes, and holds that are leases."""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

import psycopg

from evstore.adapters.postgres import consumer_statements as sql
from evstore.adapters.postgres import hold_statements as holds
from evstore.adapters.postgres import reading
from evstore.adapters.postgres.connections import connect
from evstore.adapters.postgres.errors import filled, is_of_rows, limit_of_transactions
from evstore.adapters.postgres.holding import RENEWAL_SECONDS, Leasing, PostgresHold, this_process
from evstore.adapters.postgres.outcomes import heeding_standbys
from evstore.adapters.postgres.reading import Question
from evstore.adapters.postgres.statements import in_schema
from evstore.adapters.postgres.stepping import PostgresStep, settled, taken_back
from evstore.errors import (
    ConsumerHeldError,
    ConsumerNotFoundError,
    EvstoreError,
    IncompleteLogError,
    LogDivergedError,
    StoreBusyError,
    UnavailableError,
    UnsupportedError,
)
from evstore.model.consumers import Checkpoint, ConsumerRecord, Parked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from psycopg import Connection

    from evstore.adapters.postgres.access import Access
    from evstore.model.consumers import ParkedState
    from evstore.port import Hold, NamePage

GIVING_BACK_SECONDS: Final = 3.0
"""The longest wait for a connection on which to give a hold back; without that it ends by itself."""

MOST_LOST: Final = 2
"""Tries to begin a step that may find that their connection is lost."""


class PostgresConsumers:
    """`port.Consumers`."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._schema = access.location.schema
        self._leasing = Leasing(self._take, self._renew, self._connected, self._give_back)
        self._holds: WeakSet[PostgresHold] = WeakSet()

    # --- looking ---

    def find(self, name: str) -> ConsumerRecord | None:
        rows = self._access.rows(Question(sql.FIND_CONSUMER, {"name": name}))
        return self._record(rows[0]) if rows else None

    def page(self, page: NamePage) -> list[ConsumerRecord]:
        return [*map(self._record, self._access.rows(reading.of_names_in(sql.LIST_CONSUMERS, page)))]

    def _record(self, row: tuple[Any, ...]) -> ConsumerRecord:
        name, filter_json, created_us, checkpoints, parked, _ = row
        if checkpoints is None:
            raise IncompleteLogError(self._access.location.shown, 0, f'checkpoint of consumer "{name}"')
        its = tuple(Checkpoint(*each) for each in json.loads(checkpoints))
        return ConsumerRecord(name, filter_json, created_us, its, parked)

    def parked(self, name: str) -> list[Parked]:
        rows = self._access.rows(Question(sql.FIND_PARKED, {"name": name}))
        for stream_id, position, event_id, *_ in rows:
            if stream_id is None or event_id is None:
                missing = "event" if event_id is None else "name of the stream"
                raise IncompleteLogError(self._access.location.shown, position, missing)
        return [Parked(*row[:-1]) for row in rows]

    def holders(self, name: str) -> dict[int, str]:
        rows = self._access.rows(Question(holds.FIND_HOLDERS, {"name": name}))
        return {slot: holder for slot, holder, _ in rows}

    # --- changing ---

    def add(self, name: str, filter_json: str, position: int) -> ConsumerRecord:
        while (found := self.find(name)) is None:
            self._access.admit_writer()
            self._access.tried(lambda connection: self._added(connection, name, filter_json, position))
        return found

    def _added(self, connection: Connection, name: str, filter_json: str, position: int) -> None:
        given = {"name": name, "filter": filter_json, "position": position}
        with self._changing(connection):
            ((event_id, head),) = self._asked(connection, sql.FIND_EVENT, given)
            if position and event_id is None:
                raise LogDivergedError(name, position, head)
            connection.execute(in_schema(sql.ADD_CONSUMER, self._schema), {**given, "event_id": event_id})

    def mark(self, name: str, event_id: str, state: ParkedState) -> bool:
        self._access.admit_writer()
        given = {"name": name, "id": event_id, "state": state}

        def ask(connection: Connection) -> bool:
            with self._changing(connection):
                return bool(self._asked(connection, sql.MARK, given))

        return bool(self._access.tried(ask))

    @contextmanager
    def _changing(self, connection: Connection) -> Iterator[None]:
        """A transaction that changes consumers. Raises DeniedError if a subscription fills their tables."""
        with settled(connection, self._access.timeout):
            ((subscription,),) = self._asked(connection, sql.FILLING, {})
            if subscription is not None:
                raise filled(self._access.location, subscription)
            yield

    def _asked(self, connection: Connection, statement: str, given: dict[str, Any]) -> list[Any]:
        return connection.execute(in_schema(statement, self._schema), given).fetchall()

    # --- holding ---

    def hold(self, name: str, slots: Sequence[int]) -> Hold:
        hold = PostgresHold(name, self._leasing)
        self._holds.add(hold)
        if not hold.extend(slots):
            if self.find(name) is None:
                raise ConsumerNotFoundError(name)
            holders = self.holders(name)
            raise ConsumerHeldError(name, next((holders[slot] for slot in slots if slot in holders), ""))
        return hold

    def _take(self, hold: PostgresHold, slots: Sequence[int]) -> dict[int, int]:
        self._access.admit_writer()
        given = {"name": hold.name, "hold_id": hold.id, "holder": this_process(), "slots": [*slots]}

        def ask(connection: Connection) -> list[tuple[str, int, int]]:
            with self._changing(connection):
                return self._asked(connection, holds.TAKE, given)

        taken = self._access.tried(ask)
        hold.key = next((key for key, *_ in taken), hold.key)
        return {slot: token for _, slot, token in taken}

    def _renew(self, connection: Connection, given: dict[str, Any]) -> set[int]:
        with settled(connection, RENEWAL_SECONDS):
            return {slot for slot, *_ in self._asked(connection, holds.RENEW, given)}

    def _connected(self) -> Connection:
        return connect(self._access.location, RENEWAL_SECONDS)

    def _give_back(self, given: dict[str, Any]) -> None:
        with (
            suppress(psycopg.Error, EvstoreError),
            self._access.connections.connection(GIVING_BACK_SECONDS) as connection,
        ):
            self._renew(connection, given)

    def close(self) -> None:
        """Give back all holds."""
        for hold in [*self._holds]:
            hold.release()

    # --- stepping ---

    @contextmanager
    def step(self, hold: Hold) -> Iterator[PostgresStep]:
        self._access.admit_writer()
        assert isinstance(hold, PostgresHold)
        if not hold.slots:
            raise ConsumerHeldError(hold.name)
        with ExitStack() as stack:
            yield self._begun(stack, hold)

    def _begun(self, stack: ExitStack, hold: PostgresHold) -> PostgresStep:
        """A step on the stack, also where a connection is found to be lost: nobody has done anything yet."""
        for _ in range(MOST_LOST):
            try:
                return stack.enter_context(self._stepping(hold))
            except UnavailableError as error:
                if isinstance(error, StoreBusyError) or not isinstance(error.__cause__, psycopg.Error):
                    raise
                self.find(hold.name)  # as soon as the server answers again
        return stack.enter_context(self._stepping(hold))

    @contextmanager
    def _stepping(self, hold: PostgresHold) -> Iterator[PostgresStep]:
        with self._access.connections.connection() as connection:
            step = PostgresStep(connection, self._access.location, hold, self._access.explained)
            raised: BaseException | None = None
            try:
                with heeding_standbys(connection), settled(connection, self._access.timeout, lasts=True):
                    step.begin()
                    try:
                        yield step
                    except BaseException as error:
                        raised = error
                        raise
                    step.end()
            except Exception as error:
                failed = self._failed(hold, connection, error, is_the_handlers=error is raised)
                if failed is error:
                    raise
                raise failed from error
            finally:
                if step.is_handed_out:
                    taken_back(connection, self._access.timeout)
        if step.has_appended:
            self._access.hint()

    def _failed(
        self, hold: PostgresHold, connection: Connection, error: Exception, *, is_the_handlers: bool
    ) -> Exception:
        """The error of a step that failed; a handler's own, unless its connection was lost."""
        limit = limit_of_transactions(error) or limit_of_transactions(error.__cause__)
        if limit:
            return UnsupportedError(
                f'the handler of consumer "{hold.name}" took longer than {limit} of this role allows, and the '
                "server ended the transaction of its step; nothing of it is stored"
            )
        if isinstance(error, EvstoreError):
            return error
        if connection.broken:
            self._access.again()
            found = self._access.explained(error) if isinstance(error, psycopg.Error) else None
            if isinstance(found, UnavailableError):
                return found
            return UnavailableError(f"the event store at {self._access.location.shown}: a connection was lost")
        if is_the_handlers or not isinstance(error, psycopg.Error) or is_of_rows(error):
            return error
        return self._access.explained(error)
