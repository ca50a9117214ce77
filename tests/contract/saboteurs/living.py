"""Adapters that are made, closed and asked by several threads in a wrong way."""

from __future__ import annotations

import os
import time
from threading import get_ident

from evstore.errors import (
    EvstoreError,
)
from evstore.model.facts import Backup
from evstore.port import Limits
from tests.contract.saboteurs.planting import Saboteur


class InitializesAnew(Saboteur):
    clause = "E1"

    def initialize(self):
        self._check_open()
        self._log, self._ids, self._streams = [], {}, {}


class ReadsAfterItIsClosed(Saboteur):
    clause = "E2"

    def read_all(self, page, where):
        self._closed, closed = False, self._closed
        try:
            return super().read_all(page, where)
        finally:
            self._closed = closed


class ForgetsThoseWhoWait(Saboteur):
    clause = "E2"

    def close(self):
        self._closed = True


class BelongsToTheThreadThatMadeIt(Saboteur):
    clause = "E3"

    def __init__(self):
        super().__init__()
        self._owner = get_ident()

    def _check_open(self):
        super()._check_open()
        if get_ident() != self._owner:
            raise EvstoreError("objects created in a thread can only be used in that same thread")


class HoldsItsLockWhileItWaits(Saboteur):
    clause = "E3"

    def head(self, beyond, timeout):
        end = time.monotonic() + timeout
        with self._changed:
            while len(self._log) <= beyond and time.monotonic() < end:
                time.sleep(0.001)
            return super().head(beyond, 0)


class LeaksTheErrorsOfItsDriver(Saboteur):
    clause = "E4"

    def _check_open(self):
        if self._closed:
            raise RuntimeError("cannot operate on a closed database")


class RaisesRefusals(Saboteur):
    clause = "E4"

    def append(self, units, *, until_refused=False):
        outcomes = super().append(units, until_refused=until_refused)
        for outcome in outcomes:
            if isinstance(outcome, EvstoreError):
                raise outcome
        return outcomes


class CallsItsStoreDurable(Saboteur):
    clause = "E5"

    def info(self):
        return super().info()._replace(durable=True)


class ChangesItsLimits(Saboteur):
    """A server tells its limits after a reconnect, when units were made for the usual ones."""

    clause = "E5"
    capabilities = Saboteur.capabilities._replace(has_limits=True)

    def limits(self):
        return Limits(500 if self._log else 1000)


class ClaimsTooLittle(Saboteur):
    """Makes a backup, and does not claim it."""

    clause = "E5"

    def backup(self, path, force):
        with open(path, "w") as file:
            file.writelines(f"{event.to_json()}\n" for event in self._log)
        return Backup(path, len(self._log), os.path.getsize(path))
