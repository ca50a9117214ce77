"""Changes to a store's procedures, on the server of a test: a disk that keeps writers waiting, and barriers that
are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from unittest.mock import patch

from evstore.adapters.postgres import session

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from psycopg import Connection

    from tests.support.servers import Server

KEY: Final = 20_260_101
"""Of the advisory lock that stands for the disk."""


_BARRIER: Final = 'PERFORM "{}".make_durable_v1();'


def _changed(server: Server, routine: str, old: str, new: str) -> None:
    ((text,),) = server.execute(f"SELECT pg_get_functiondef('{routine}'::regproc)")
    assert text.count(old) == 1, text
    server.execute(text.replace(old, new))


def with_a_gate(server: Server, schema: str) -> None:
    """Whoever makes something durable waits first, for as long as the gate is shut."""
    gate = f"BEGIN\n  PERFORM pg_advisory_xact_lock_shared({KEY});\n"
    _changed(server, f"{schema}.make_durable_v1", "BEGIN\n", gate)


def without_the_barrier_of_writers(server: Server, schema: str) -> None:
    """An append is answered when it is visible, durable or not."""
    _changed(server, f"{schema}.append_v1", _BARRIER.format(schema), "")


def without_the_barrier_of_refusals(server: Server, schema: str) -> None:
    """The same where nothing was stored: what such an answer rests on may not be durable."""
    call = _BARRIER.format(schema)
    guarded = f"IF answer::text LIKE '%stored%' THEN {call} END IF;"
    _changed(server, f"{schema}.append_v1", call, guarded)


def with_the_lock_held_over_the_flush(server: Server, schema: str) -> None:
    """An append is durable before the next writer may go on, as where a transaction is all that there is."""
    _changed(server, f"{schema}.append_v1", "set_config('synchronous_commit', 'off', true)", "now()")


def with_conditions_judged_before_the_lock(server: Server, schema: str) -> None:
    """Whatever others append between the judging and the lock, an append does not see."""
    judging = f'unmet := "{schema}".guarded_v1(guards);'
    judged = f'unmet := coalesce(taken, "{schema}".guarded_v1(guards));'
    _changed(server, f"{schema}.append_unit_v1", judged, "unmet := coalesce(taken, unmet);")
    lock = "PERFORM pg_advisory_xact_lock("
    _changed(server, f"{schema}.append_unit_v1", lock, f"IF guards IS NOT NULL THEN {judging} END IF;\n  {lock}")


def with_small_chunks(server: Server, schema: str) -> None:
    """What is staged is appended 2,000 events at a time, so that a test of chunks needs fewer events."""
    _changed(server, f"{schema}.append_staged_unit_v1", "integer := 20000;", "integer := 2000;")


def without_the_barrier_of_readers() -> AbstractContextManager[object]:
    """For the block, what a read of this process shows may not be durable."""
    return patch.object(session, "wait_for_flush", lambda *_: None)


class Gate:
    """Open unless it is shut; when the server stops, it is open again."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._keepers: list[Connection] = []

    def shut(self) -> None:
        self._keepers.append(self._server.connect())
        self._keepers[-1].execute("SELECT pg_advisory_lock(%s)", [KEY])

    def open(self) -> None:
        while self._keepers:
            self._keepers.pop().close()

    def before(self) -> int:
        """How many wait before it."""
        query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted"
        return int(self._server.execute(query, KEY)[0][0])
