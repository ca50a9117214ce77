"""The SQL of snapshots in PostgreSQL."""

from typing import Final

# The last column is the position that the row rests on: none, because a snapshot is held against its stream.
FIND_SNAPSHOT: Final = """
SELECT snapshots.version, snapshots.event_id, snapshots.code, snapshots.state, 0
FROM evstore.streams
JOIN evstore.snapshots ON snapshots.stream_key = streams.key
WHERE streams.stream_id = %(stream_id)s AND snapshots.kind = %(kind)s
"""

# Wait until nobody appends or redacts, and let nobody do so in this transaction, which need not reach the disk.
LOCK_LOG: Final = """
SELECT
  pg_catalog.pg_advisory_xact_lock_shared(1163285332, 'evstore.events'::pg_catalog.regclass::oid::integer),
  pg_catalog.set_config('synchronous_commit', 'off', true)
"""

# Index streams_by_id, then the last entry of events_by_stream.
VERSION: Final = """
SELECT coalesce((
  SELECT events.version FROM evstore.events
  WHERE events.stream_key = (SELECT streams.key FROM evstore.streams WHERE streams.stream_id = %(stream_id)s)
  ORDER BY events.version DESC LIMIT 1
), 0)
"""

# A later snapshot stays, unless other code made it. Where a subscription fills the table, none is kept.
KEEP_SNAPSHOT: Final = """
INSERT INTO evstore.snapshots (stream_key, kind, version, event_id, code, state)
SELECT streams.key, %(kind)s, %(version)s::bigint, %(event_id)s::uuid, %(code)s, %(state)s
FROM evstore.streams
WHERE streams.stream_id = %(stream_id)s
  AND evstore.filled_by_v1(ARRAY['evstore.snapshots'::pg_catalog.regclass]) IS NULL
ON CONFLICT (stream_key, kind) DO UPDATE SET
  version = excluded.version, event_id = excluded.event_id, code = excluded.code, state = excluded.state
WHERE excluded.version >= snapshots.version OR excluded.code <> snapshots.code
"""
