"""Every statement of the consumers of a SQLite store, whole."""

from __future__ import annotations

from typing import Final

# Index consumers_by_name; the parked events are counted in the key of their table.
FIND_CONSUMER: Final = """
SELECT
  consumers.key, consumers.name, consumers.filter, consumers.created_at,
  (SELECT count(*) FROM parked WHERE parked.consumer_key = consumers.key)
FROM consumers
WHERE consumers.name = :name
"""

# The same index.
LIST_CONSUMERS: Final = """
SELECT
  consumers.key, consumers.name, consumers.filter, consumers.created_at,
  (SELECT count(*) FROM parked WHERE parked.consumer_key = consumers.key)
FROM consumers
WHERE consumers.name >= :low
  AND consumers.name < :high
  AND consumers.name IS NOT :after
ORDER BY consumers.name
LIMIT :limit
"""

# The key of checkpoints.
FIND_CHECKPOINTS: Final = """
SELECT slot, global_position, event_id, updated_at
FROM checkpoints
WHERE consumer_key = :key
ORDER BY slot
"""

# The key of parked, then the rows of the events and their streams. A consumer has few; they are sorted.
FIND_PARKED: Final = """
SELECT
  streams.stream_id, parked.global_position, events.id, parked.reason, parked.parked_at, parked.state
FROM consumers
CROSS JOIN parked ON parked.consumer_key = consumers.key
CROSS JOIN events ON events.global_position = parked.global_position
CROSS JOIN streams ON streams.key = parked.stream_key
WHERE consumers.name = :name
ORDER BY parked.global_position
"""

ADD_CONSUMER: Final = """
INSERT INTO consumers (name, filter, created_at) VALUES (:name, :filter, :now)
"""

# No row where the log does not reach the position.
ADD_CHECKPOINT: Final = """
INSERT INTO checkpoints (consumer_key, slot, global_position, event_id, updated_at)
SELECT consumers.key, 0, :position, (SELECT id FROM events WHERE global_position = :position), :now
FROM consumers
WHERE consumers.name = :name
  AND :position <= (SELECT coalesce(max(global_position), 0) FROM events)
"""

# Of these slots, those whose checkpoint is not in the log. The key of checkpoints, then the rows of the events.
FIND_DIVERGED: Final = """
SELECT checkpoints.global_position, (SELECT coalesce(max(global_position), 0) FROM events)
FROM json_each(:slots) AS given
CROSS JOIN checkpoints ON checkpoints.consumer_key = :key AND checkpoints.slot = given.value
WHERE checkpoints.global_position > 0
  AND checkpoints.event_id IS NOT (SELECT id FROM events WHERE global_position = checkpoints.global_position)
"""

HEAD: Final = """
SELECT coalesce(max(global_position), 0) FROM events
"""

# A lower position changes nothing.
MOVE: Final = """
UPDATE checkpoints
SET
  global_position = :position,
  event_id = (SELECT id FROM events WHERE global_position = :position),
  updated_at = :now
WHERE consumer_key = :key
  AND slot = :slot
  AND global_position < :position
"""

RESET: Final = """
UPDATE checkpoints
SET
  global_position = :position,
  event_id = (SELECT id FROM events WHERE global_position = :position),
  updated_at = :now
WHERE consumer_key = :key
"""

# Slot 0 is there already.
DIVIDE: Final = """
INSERT INTO checkpoints (consumer_key, slot, global_position, event_id, updated_at)
SELECT :key, slots.value, whole.global_position, whole.event_id, whole.updated_at
FROM json_each(:slots) AS slots
CROSS JOIN checkpoints AS whole ON whole.consumer_key = :key AND whole.slot = 0
WHERE true
ON CONFLICT DO NOTHING
"""

REFILTER: Final = """
UPDATE consumers SET filter = :filter WHERE key = :key
"""

PARK: Final = """
INSERT INTO parked (consumer_key, stream_key, global_position, reason, parked_at, state)
SELECT :key, stream_key, global_position, :reason, :parked_at, :state
FROM events
WHERE global_position = :position
ON CONFLICT (consumer_key, stream_key) DO UPDATE
SET global_position = excluded.global_position, reason = excluded.reason,
  parked_at = excluded.parked_at, state = excluded.state
"""

UNPARK: Final = """
DELETE FROM parked
WHERE consumer_key = :key
  AND stream_key = (SELECT key FROM streams WHERE stream_id = :stream_id)
"""

UNPARK_ALL: Final = """
DELETE FROM parked WHERE consumer_key = :key
"""

# Index events_by_id, then the key of parked.
MARK: Final = """
UPDATE parked
SET state = :state
WHERE consumer_key = (SELECT key FROM consumers WHERE name = :name)
  AND (stream_key, global_position) = (SELECT stream_key, global_position FROM events WHERE id = :id)
"""

REMOVE_CHECKPOINTS: Final = """
DELETE FROM checkpoints WHERE consumer_key = :key
"""

REMOVE_CONSUMER: Final = """
DELETE FROM consumers WHERE key = :key
"""
