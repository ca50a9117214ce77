"""The SQL of snapshots in SQLite."""

from typing import Final

FIND_SNAPSHOT: Final = """
SELECT snapshots.version, snapshots.event_id, snapshots.code, snapshots.state
FROM streams
JOIN snapshots ON snapshots.stream_key = streams.key
WHERE streams.stream_id = :stream_id AND snapshots.kind = :kind
"""

# A later snapshot stays, unless other code made it.
KEEP_SNAPSHOT: Final = """
INSERT INTO snapshots (stream_key, kind, version, event_id, code, state)
SELECT streams.key, :kind, :version, :event_id, :code, :state
FROM streams
WHERE streams.stream_id = :stream_id
ON CONFLICT (stream_key, kind) DO UPDATE SET
  version = excluded.version, event_id = excluded.event_id, code = excluded.code, state = excluded.state
WHERE excluded.version >= snapshots.version OR excluded.code <> snapshots.code
"""

FORGET_SNAPSHOTS: Final = """
DELETE FROM snapshots
WHERE stream_key = (SELECT streams.key FROM streams WHERE streams.stream_id = :stream_id)
"""
