"""A feed that hides what may still be under way, as some event stores do, and skips events all the same.

    python -m tests.crashes.lab.skipping_feed --seconds 10

Positions come out of a sequence, writers take turns only within a stream, and the reader leaves out every row
whose transaction is not older than all that are open. That would be enough if transactions got their numbers in
the order of their positions; but who locks his stream first, and inserts second, has the lower number and the
higher position. The checker finds what was skipped: it is not blind where it finds nothing in evstore.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Event
from time import monotonic_ns
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from evstore import ANY_VERSION, StoredEvent
from tests.crashes.lab.checker import check
from tests.crashes.lab.history import Followed, History, Invoked, Part, Sent, Started, Stored, seen
from tests.crashes.lab.verdict import Verdict
from tests.support import long_runs

if TYPE_CHECKING:
    from psycopg import Connection

    from tests.crashes.lab.history import Record
    from tests.support.servers import Server

STREAMS: Final = tuple(f"Order-{number}" for number in range(8))
READER: Final = "reader"

TABLES: Final = """
CREATE SCHEMA naive;
CREATE TABLE naive.streams (stream_id text PRIMARY KEY, version bigint NOT NULL);
CREATE TABLE naive.events (
  position bigserial PRIMARY KEY, stream_id text, version bigint, id uuid, type text, data json
);
"""
ADD_STREAM: Final = """
INSERT INTO naive.streams VALUES (%(stream_id)s, 0)
"""
LOCK: Final = """
SELECT version FROM naive.streams WHERE stream_id = %(stream_id)s FOR UPDATE
"""
INSERT: Final = """
WITH stream AS (
  UPDATE naive.streams SET version = version + 1 WHERE stream_id = %(stream_id)s RETURNING version
)
INSERT INTO naive.events (stream_id, version, id, type, data)
SELECT %(stream_id)s, version, %(id)s, %(type)s, %(data)s::json FROM stream
RETURNING position, version
"""
PAGE: Final = """
SELECT id::text, stream_id, type, data::text, '{}', version, position, 0, NULL, false
FROM naive.events
WHERE position > %(after)s AND age(xmin) > age(pg_snapshot_xmin(pg_current_snapshot())::text::xid)
ORDER BY position LIMIT 200
"""
LOG: Final = """
SELECT id::text, stream_id, type, data::text, '{}', version, position, 0, NULL, false FROM naive.events ORDER BY position
"""


class Feed:
    """The tables, the steps of their writers, and their one reader."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._schema = server.schema()
        self._after = 0
        self.records: list[Record] = [Started(READER, 0)]
        self.skipped = Event()
        with server.connect() as connection:
            connection.execute(self._sql(TABLES))
            for stream_id in STREAMS:
                connection.execute(self._sql(ADD_STREAM), {"stream_id": stream_id})

    def _sql(self, text: str) -> bytes:
        return text.replace("naive.", f"{self._schema}.").replace("naive;", f"{self._schema};").encode()

    def begin(self, connection: Connection, op: str, stream_id: str) -> Part:
        """Lock the stream, which gives the transaction its number."""
        part = Part(stream_id, ANY_VERSION, (Sent(str(uuid4()), "Made", "{}"),))
        self.records.append(Invoked(op, monotonic_ns(), (part,)))
        connection.execute("BEGIN")
        connection.execute(self._sql(LOCK), {"stream_id": stream_id})
        return part

    def insert(self, connection: Connection, part: Part) -> tuple[int, int]:
        """Store the event, which gives it its position and its version."""
        (sent,) = part.events
        given = {"stream_id": part.stream_id, "id": sent.id, "type": sent.type, "data": sent.data}
        row = connection.execute(self._sql(INSERT), given).fetchone()
        assert row is not None
        return row[0], row[1]

    def commit(self, connection: Connection, op: str, position: int, version: int) -> None:
        connection.execute("COMMIT")
        self.records.append(Stored(op, monotonic_ns(), position, (version,)))

    def read(self, connection: Connection) -> int:
        """Hand the reader what comes next. How many events that is."""
        rows = connection.execute(self._sql(PAGE), {"after": self._after}).fetchall()
        for event in seen(map(StoredEvent._make, rows)):
            self.records.append(Followed(READER, event))
            if event.position != self._after + 1:
                self.skipped.set()
            self._after = event.position
        return len(rows)

    def judged(self) -> Verdict:
        """What the checker says, once all have committed and the reader has come to the end."""
        with self._server.connect() as connection:
            while self.read(connection):
                pass
            log = [StoredEvent._make(row) for row in connection.execute(self._sql(LOG)).fetchall()]
        history = History.of(self.records)
        return Verdict(history=history, log=log, findings=check(history, log), damage=[])


def load(server: Server, seconds: float, seed: int, *, until_skipped: bool = False) -> Verdict:
    """A writer for each stream beside the reader, for so long, or until an event was skipped."""
    feed, enough = Feed(server), Event()

    def write(stream_id: str) -> None:
        rng, number = Random(f"{seed} {stream_id}"), 0
        with server.connect() as connection:
            while not enough.wait(rng.uniform(0, 0.002)):
                number += 1
                op = f"{stream_id}-{number}"
                part = feed.begin(connection, op, stream_id)
                feed.commit(connection, op, *feed.insert(connection, part))

    def read() -> None:
        with server.connect() as connection:
            while not enough.is_set():
                feed.read(connection)

    with ThreadPoolExecutor(len(STREAMS) + 1) as pool:
        working = [pool.submit(read), *(pool.submit(write, each) for each in STREAMS)]
        (feed.skipped if until_skipped else enough).wait(seconds)
        enough.set()
    for each in working:
        each.result()
    return feed.judged()


def main() -> int:
    asked = long_runs.arguments(__doc__, seconds=10.0)
    with long_runs.server_of(asked.on) as server:
        judged = load(server, asked.seconds, asked.seed)
        handed = sum(isinstance(each, Followed) for each in judged.history.followers[READER])
        print(
            f"naive feed for {asked.seconds:g} s, PostgreSQL {server.version}, seed {asked.seed}; log "
            f"{len(judged.log)} events, handed {handed}, skipped {len(judged.log) - handed}; "
            f"findings {len(judged.findings)}"
        )
    return 0 if judged.findings else 1


if __name__ == "__main__":
    sys.exit(main())
