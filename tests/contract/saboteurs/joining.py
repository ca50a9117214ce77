"""Adapters whose appends do not share the fate of the transaction that they joined."""

from __future__ import annotations

from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from types import SimpleNamespace

from evstore.errors import (
    EvstoreError,
    InvalidInputError,
)
from evstore.model.versions import check_version
from tests.contract.saboteurs.planting import Saboteur


class Transaction:
    """A connection to a store in memory, as DB-API has it."""

    def __init__(self, adapter):
        self.adapter = adapter
        self.state = None  # of the store with what was appended, within a transaction
        self.is_closed = False

    def commit(self):
        self.adapter.end(self, self.state)

    def rollback(self):
        self.adapter.end(self, None)

    def close(self):
        self.rollback()
        self.is_closed = True


class Joining(Saboteur):
    """It can join: a transaction appends to a copy of the store, and other writers wait for its end."""

    capabilities = Saboteur.capabilities._replace(can_join=True)

    def __init__(self, *given):
        super().__init__(*given)
        self._writes = None  # the connection whose transaction it is

    def connect(self):
        return Transaction(self)

    def _state(self):
        streams = {name: [*its] for name, its in self._streams.items()}
        return {
            "_log": [*self._log],
            "_ids": {**self._ids},
            "_streams": streams,
            "_sources": deepcopy(self._sources),
        }

    @contextmanager
    def _in_state(self, connection):
        """The adapter with the state of the connection's transaction."""
        committed = self._state()
        vars(self).update(connection.state)
        vars(self).update(self._state())  # what an earlier block has appended stays as it is
        try:
            yield
        finally:
            connection.state = self._state()
            vars(self).update(committed)

    def _wait(self, connection=None):
        assert self._changed.wait_for(lambda: self._writes in (None, connection), 60)

    def end(self, connection, state):
        with self._changed:
            if self._writes is connection:
                vars(self).update(state or {})
                self._writes = connection.state = None
                self._changed.notify_all()

    def append(self, units, *, until_refused=False):
        with self._opened():
            self._wait()
            return super().append(units, until_refused=until_refused)

    @contextmanager
    def joined(self, connection):
        if not isinstance(connection, Transaction) or connection.is_closed:
            raise InvalidInputError("not a connection")
        with self._opened():
            self._wait(connection)
            self._writes = connection
            connection.state = connection.state or self._state()
        before = connection.state
        try:
            yield SimpleNamespace(append=partial(self._joined, connection), get=partial(self._shown, connection))
        except BaseException:
            self._undo(connection, before)
            raise

    def _undo(self, connection, before):
        connection.state = before

    def _joined(self, connection, unit):
        with self._opened(), self._in_state(connection):
            return self._append(unit)

    def _shown(self, connection, ids):
        with self._opened(), self._in_state(connection):
            return self.get(ids)


class StoresBeforeTheCommit(Joining):
    clause = "W13"

    def _joined(self, connection, unit):
        with self._opened():
            outcome = self._append(unit)
            connection.state = self._state()
            return outcome


class KeepsWhatWasRolledBack(Joining):
    clause = "W13"

    def end(self, connection, _state):
        super().end(connection, connection.state)


class KeepsWhatARefusedBlockAppended(Joining):
    clause = "W13"

    def _undo(self, connection, before):
        pass


class RollsBackWithABlockThatRaises(Joining):
    clause = "W13"

    def _undo(self, connection, before):
        self.end(connection, None)


class LetsOthersInBeforeTheCommit(Joining):
    clause = "W13"

    def _wait(self, connection=None):
        if connection:
            super()._wait(connection)


class GetsOnlyWhatIsCommitted(Joining):
    clause = "W13"

    def _shown(self, connection, ids):
        return self.get(ids)


class JudgesByWhatIsCommitted(Joining):
    clause = "W13"

    def _joined(self, connection, unit):
        for write in unit.writes:
            try:
                check_version(write.stream_id, write.expected_version, self._version(write.stream_id))
            except EvstoreError as refused:
                return refused
        return super()._joined(connection, unit)


class JoinsAClosedConnection(Joining):
    clause = "W13"

    @contextmanager
    def joined(self, connection):
        connection.is_closed = False
        with super().joined(connection) as joined:
            yield joined
