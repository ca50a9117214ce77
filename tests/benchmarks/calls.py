"""The adapter's own CALL, taken from an append that is watched, to be executed by others."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from unittest.mock import patch
from uuid import uuid4

import psycopg

from evstore import EventData, connect
from tests.benchmarks.children.application import DATA

if TYPE_CHECKING:
    from evstore import EventStore

STREAM: Final = "Order-bench"


class Call(NamedTuple):
    """The statement and the parameters of an append of one event, and the event's id among them."""

    statement: Any
    given: Any
    event_id: str

    def again(self) -> Any:
        """The parameters with another event id."""
        return _replaced(self.given, self.event_id, str(uuid4()))


def call_of(store: EventStore) -> Call:
    """The one CALL that an append to an existing stream makes; the event is stored."""
    store.append(STREAM, [EventData("OrderPlaced", DATA)])
    event_id = str(uuid4())
    seen: list[Call] = []
    execute = psycopg.Cursor.execute

    def noting(self: Any, query: Any, params: Any = None, **options: Any) -> Any:
        if "CALL " in str(query):
            seen.append(Call(query, params, event_id))
        return execute(self, query, params, **options)

    with patch.object(psycopg.Cursor, "execute", noting):
        store.append(STREAM, [EventData("OrderPlaced", DATA, id=event_id)])
    assert len(seen) == 1, f"an append made {len(seen)} CALLs by psycopg's cursors"
    return seen[0]


def _replaced(given: Any, old: str, new: str) -> Any:
    if isinstance(given, dict):
        return {name: _replaced(value, old, new) for name, value in given.items()}
    if isinstance(given, list | tuple):
        return type(given)(_replaced(value, old, new) for value in given)
    return type(given)(new) if str(given) == old else given


def script_of(url: str, server: str) -> str:
    """The CALL as a script of pgbench, where each client has a stream of its own and each event an id of its own."""
    with closing(connect(url)) as store, psycopg.connect(server) as connection:
        call = call_of(store)
        text = psycopg.ClientCursor(connection).mogrify(call.statement, call.given)
    for old, new in ((call.event_id, "gen_random_uuid()"), (STREAM, f"('{STREAM}-' || :client_id)")):
        literal = f"'{old}'"
        assert text.count(literal) == 1, text
        text = text.replace(literal, new)
    return f"{text.strip().replace(chr(10), ' ')};\n"
