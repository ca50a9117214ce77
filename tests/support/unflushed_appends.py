"""Appends that PostgreSQL has committed and not flushed, and a crash that loses them."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from evstore import EventData
from evstore.adapters.postgres.batches import Batch
from evstore.adapters.postgres.statements import in_schema
from tests.support.daemons import freeze

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evstore import EventStore
    from tests.support.servers import OwnServer, Server

AN_EVENT = [EventData("Placed", {})]
UNIT = """
SELECT evstore.append_unit_v1(
  stream_ids => %(stream_ids)s::text[], category_names => %(categories)s::text[],
  expected_versions => %(expected)s::bigint[], sizes => %(sizes)s::integer[], writes => %(writes)s::integer[],
  ids => %(ids)s::uuid[], type_names => %(types)s::text[], correlation_hashes => %(hashes)s::bigint[],
  metadatas => %(metadatas)s::json[], datas => %(datas)s::json[], times => %(times)s::bigint[],
  tags => %(tags)s::text[], redacted => NULL, wanted_position => NULL, guards => NULL
)
"""
"""An append that is a part of whatever transaction it is called in."""


def given_of(store: EventStore, stream_id: str) -> dict[str, list[Any]]:
    """What an append of one event gives to the server's functions."""
    batch = Batch()
    batch.add(store.appender.unit([(stream_id, AN_EVENT, -1)]))
    return batch.given


@contextmanager
def crashing(server: OwnServer) -> Iterator[None]:
    """At the end everything is killed; and as the writer of the log, which flushes what nobody waited for, is
    stopped before, what nobody has flushed is lost."""
    (pid,) = server.execute("SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'")[0]
    freeze(pid)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        server.restart("immediate")


def append_unflushed(server: Server, schema: str, given: dict[str, list[Any]]) -> None:
    """As a writer that dies between its commits leaves it."""
    with server.connect() as writer, writer.transaction():
        writer.execute("SET LOCAL synchronous_commit = off")
        writer.execute(in_schema(UNIT, schema), given)
