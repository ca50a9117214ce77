"""What others do on the same server meanwhile: transactions that stay open, and appends that are taken back."""

from __future__ import annotations

from time import monotonic_ns
from typing import TYPE_CHECKING, Final
from uuid import UUID

from evstore import ANY_VERSION
from evstore.adapters.postgres.statements import in_schema
from tests.crashes.lab.history import Invoked, Part, Sent, Withdrawn

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random
    from threading import Event

    from psycopg import Connection

    from tests.crashes.lab.recorded import Tell
    from tests.support.servers import Server

LONGEST: Final = 2.0
"""Seconds that a transaction stays open, at most."""
LONGEST_APPEND: Final = 0.03
"""The same for one that holds the lock of the appends."""

# The unit that the procedure wraps; whoever may call it may do so in a transaction of his own.
APPEND: Final = """
SELECT evstore.append_unit_v1(
  stream_ids => %(stream_ids)s::text[], category_names => %(categories)s::text[],
  expected_versions => %(expected)s::bigint[], sizes => %(sizes)s::integer[], writes => %(writes)s::integer[],
  ids => %(ids)s::uuid[], type_names => %(types)s::text[], correlation_hashes => %(nothing)s::bigint[],
  metadatas => %(metadatas)s::json[], datas => %(datas)s::json[], times => %(nothing)s::bigint[],
  tags => %(nothing)s::text[], redacted => NULL, wanted_position => NULL, guards => NULL
)
"""


def append(connection: Connection, schema: str, parts: tuple[Part, ...]) -> None:
    """Append in the transaction of the connection."""
    events = [(number, sent) for number, part in enumerate(parts, 1) for sent in part.events]
    given = {
        "stream_ids": [part.stream_id for part in parts],
        "categories": [part.stream_id.partition("-")[0] for part in parts],
        "expected": [part.expected for part in parts],
        "sizes": [len(part.events) for part in parts],
        "writes": [number for number, _ in events],
        "ids": [sent.id for _, sent in events],
        "types": [sent.type for _, sent in events],
        "metadatas": ["{}" for _ in events],
        "datas": [sent.data for _, sent in events],
        "nothing": [None for _ in events],
    }
    connection.execute(in_schema(APPEND, schema), given)


class Foreigners:
    """Transactions of others, one kind after the other at random, until it is enough."""

    def __init__(self, server: Server, schema: str, tell: Tell, enough: Event) -> None:
        self._server = server
        self._schema = schema
        self._tell = tell
        self._enough = enough
        self._notes = server.schema()
        server.execute(f"CREATE SCHEMA {self._notes}")
        server.execute(f"CREATE TABLE {self._notes}.notes (note text)")
        self.kept_open = 0
        """Transactions that stayed open for long."""
        self.taken_back = 0

    def keep_open(self, rng: Random) -> None:
        """Have a transaction open most of the time."""
        kinds: tuple[Callable[[Connection], object], ...] = (self._write, self._take_a_number, self._look)
        with self._server.connect() as connection:
            while not self._enough.is_set():
                connection.execute("BEGIN")
                rng.choice(kinds)(connection)
                self._enough.wait(rng.uniform(0, LONGEST))
                connection.execute(rng.choice(("COMMIT", "ROLLBACK")))
                self.kept_open += 1

    def _write(self, connection: Connection) -> None:
        connection.execute(f"INSERT INTO {self._notes}.notes VALUES ('elsewhere')".encode())

    def _take_a_number(self, connection: Connection) -> None:
        connection.execute("SELECT txid_current()")

    def _look(self, connection: Connection) -> None:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.execute(in_schema("SELECT count(*) FROM evstore.events", self._schema))

    def take_back(self, rng: Random) -> None:
        """Append and roll back, the whole transaction or a part of it."""
        with self._server.connect() as connection:
            number = 0
            while not self._enough.wait(rng.uniform(0, 0.2)):
                number += 1
                parts = (_ghost(rng, "Account-0", 2), _ghost(rng, f"Ghost-{number}", 3))
                self._tell(Invoked(f"ghost-{number}", monotonic_ns(), parts))
                connection.execute("BEGIN")
                connection.execute("SAVEPOINT before")
                append(connection, self._schema, parts)
                if rng.random() < 1 / 2:
                    connection.execute("ROLLBACK TO before")
                    self._enough.wait(rng.uniform(0, LONGEST_APPEND))
                    connection.execute("COMMIT")
                else:
                    self._enough.wait(rng.uniform(0, LONGEST_APPEND))
                    connection.execute("ROLLBACK")
                self._tell(Withdrawn(f"ghost-{number}", monotonic_ns()))
                self.taken_back += 1


def _ghost(rng: Random, stream_id: str, size: int) -> Part:
    ids = [str(UUID(int=rng.getrandbits(128), version=4)) for _ in range(size)]
    return Part(stream_id, ANY_VERSION, tuple(Sent(each, "Ghost", "null") for each in ids))
