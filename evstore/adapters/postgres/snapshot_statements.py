"""The SQL of snapshots in PostgreSQL."""

from typing import Final

# The last column is the position that the row rests on: none, because a snapshot is held against its stream.
FIND_SNAPSHOT: Final = """
SELECT snapshots.version, snapshots.event_id, snapshots.code, snapshots.state, 0
FROM evstore.streams
JOIN evstore.snapshots ON snapshots.stream_key = streams.key
WHERE streams.stream_id = %(stream_id)s AND snapshots.kind = %(kind)s
"""

# A later snapshot stays, unless other code made it.
KEEP_SNAPSHOT: Final = """
INSERT INTO evstore.snapshots (stream_key, kind, version, event_id, code, state)
SELECT streams.key, %(kind)s, %(version)s::bigint, %(event_id)s::uuid, %(code)s, %(state)s
FROM evstore.streams
WHERE streams.stream_id = %(stream_id)s
ON CONFLICT (stream_key, kind) DO UPDATE SET
  version = excluded.version, event_id = excluded.event_id, code = excluded.code, state = excluded.state
WHERE excluded.version >= snapshots.version OR excluded.code <> snapshots.code
"""
