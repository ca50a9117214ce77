"""Holds of consumers: leases with a fencing token, renewed by a thread for as long as the holder lives.

What decides is the table: a step looks at the token, never at a clock. A lease that ran out is still good until
another holder takes the slot, which raises the token. A failover may lose a token, which is given out again then;
the ids of the holds differ.
"""

from __future__ import annotations

import os
import platform
import threading
import weakref
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import psycopg

from evstore.errors import ConsumerHeldError, EvstoreError
from evstore.model.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from psycopg import Connection

RENEWAL_SECONDS: Final = 3.0
THREAD: Final = "evstore-hold"
"""The name of the threads that renew."""


def this_process() -> str:
    """This process, for people who look for the holder."""
    host = platform.node().encode("utf-8", "replace").decode().replace("\0", "")
    return f"process {os.getpid()} on {host}" if host else f"process {os.getpid()}"


class Leasing(NamedTuple):
    """The needs of a hold."""

    take: Callable[[PostgresHold, Sequence[int]], dict[int, int]]
    """Takes those of the slots that are free, and returns their tokens."""
    renew: Callable[[Connection, dict[str, Any]], set[int]]
    """Renews slots, and returns those that were still held."""
    connect: Callable[[], Connection]
    """Makes a connection to renew over. The store's own may be in the hands of a handler for long."""
    give_back: Callable[[dict[str, Any]], None]


class PostgresHold:
    """Slots of a consumer, with the token of each."""

    files: Sequence[int] = ()

    def __init__(self, name: str, leasing: Leasing) -> None:
        self.name = name
        self.id = new_id()
        self.key: str | None = None
        """The consumer's, once some slot is held."""
        self.tokens: Mapping[int, int] = {}
        self._leasing = leasing
        self._pid = os.getpid()
        self._ended: threading.Event | None = None
        """Ends the thread that renews it."""
        self._is_lost = False

    @property
    def slots(self) -> frozenset[int]:
        """The slots that are held."""
        return frozenset(self.tokens)

    def check(self) -> None:
        """Raise ConsumerHeldError if nothing is held, or if a renewal found that another process holds a slot."""
        if self._is_lost or not self.tokens:
            raise ConsumerHeldError(self.name)

    def extend(self, slots: Sequence[int]) -> list[int]:
        wanted = [slot for slot in slots if slot not in self.tokens]
        taken = self._leasing.take(self, wanted) if wanted else {}
        self.tokens = {**self.tokens, **taken}
        if taken and self._ended is None:
            self._ended = threading.Event()
            given = (weakref.ref(self), self._leasing, self._ended)
            threading.Thread(target=_renewing, args=given, name=THREAD, daemon=True).start()
        return [slot for slot in wanted if slot in taken]

    def given(self, *, gives_back: bool = False) -> dict[str, Any]:
        """The slots and their tokens, as a statement takes them."""
        its = {"key": self.key, "hold_id": self.id, "gives_back": gives_back}
        tokens = self.tokens
        return {**its, "slots": [*tokens], "tokens": [*tokens.values()]}

    def renewed(self, slots: set[int], wanted: Sequence[int]) -> None:
        """Take note of the slots that were renewed, of those that were to be."""
        self._is_lost = self._is_lost or not slots.issuperset(wanted)

    def release(self) -> None:
        given, self.tokens = self.given(gives_back=True), {}
        if self._ended is None or self._pid != os.getpid():  # a forked child leaves its parent what that holds
            return
        self._ended.set()
        self._ended = None
        self._leasing.give_back(given)


def _renewing(held: weakref.ref[PostgresHold], leasing: Leasing, ended: threading.Event) -> None:
    """Renew a hold until it ends, or is forgotten. After a lost connection, try again with another one."""
    connection: Any = None
    while not ended.wait(RENEWAL_SECONDS):
        hold = held()
        if hold is None:
            break
        given = hold.given()
        try:
            if connection is None:
                connection = leasing.connect()
            if given["slots"]:
                hold.renewed(leasing.renew(connection, given), given["slots"])
        except (psycopg.Error, EvstoreError):
            if connection is not None:
                connection.close()
            connection = None
        del hold
    if connection is not None:
        connection.close()
