"""Every statement of the consumers of a PostgreSQL store, whole, as in `statements`.

Times are microseconds of the server's clock. All that changes a consumer runs in a transaction that was settled by
SETTLE_STEP, or between PIN and UNPIN.
"""

from __future__ import annotations

from typing import Final

# --- Looking -------------------------------------------------------------------------------------------------

# These rest on nothing that is not durable: what a step commits is flushed before anybody sees it, and so is every
# event that was committed earlier.

# Index consumers_by_name, the keys of checkpoints and parked.
FIND_CONSUMER: Final = """
SELECT
  consumers.name, consumers.filter, consumers.created_at,
  (SELECT json_agg(json_build_array(slot, global_position, event_id, updated_at) ORDER BY slot)
   FROM evstore.checkpoints WHERE consumer_key = consumers.key)::text,
  (SELECT count(*) FROM evstore.parked WHERE consumer_key = consumers.key),
  0
FROM evstore.consumers
WHERE consumers.name = %(name)s
"""

# The same.
LIST_CONSUMERS: Final = """
SELECT
  consumers.name, consumers.filter, consumers.created_at,
  (SELECT json_agg(json_build_array(slot, global_position, event_id, updated_at) ORDER BY slot)
   FROM evstore.checkpoints WHERE consumer_key = consumers.key)::text,
  (SELECT count(*) FROM evstore.parked WHERE consumer_key = consumers.key),
  0
FROM evstore.consumers
WHERE consumers.name >= %(low)s
  AND (%(high)s::text IS NULL OR consumers.name < %(high)s)
  AND (%(after)s::text IS NULL OR consumers.name > %(after)s)
ORDER BY consumers.name
LIMIT (SELECT %(limit)s::bigint)
"""

# Index consumers_by_name, the key of parked, then the rows of the events and their streams. Joined from the
# outside: a parked event that is missing is a fault to report. A consumer has few; they are sorted.
FIND_PARKED: Final = """
SELECT
  streams.stream_id, parked.global_position, events.id, parked.reason, parked.parked_at, parked.state,
  0
FROM evstore.parked
LEFT JOIN evstore.events ON events.global_position = parked.global_position
LEFT JOIN evstore.streams ON streams.key = parked.stream_key
WHERE parked.consumer_key = (SELECT key FROM evstore.consumers WHERE name = %(name)s)
ORDER BY parked.global_position
"""

# --- Settling ------------------------------------------------------------------------------------------------

# For the transaction alone. A role that waits until standbys apply a commit still does; others wait for the disk.
SETTLE_STEP: Final = """
SELECT
  pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true),
  pg_catalog.set_config('row_security', 'off', true),
  pg_catalog.set_config('lock_timeout', %(wait_ms)s::pg_catalog.text, true),
  pg_catalog.set_config('synchronous_commit', CASE pg_catalog.current_setting('synchronous_commit')
    WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, true)
"""

# A handler's statements find names where the role's statements do, and see what policies let it see.
HAND_OUT: Final = """
SELECT pg_catalog.set_config('search_path', NULL, true), pg_catalog.set_config('row_security', NULL, true)
"""

# The handler's settings, and then those of evstore in their place.
PIN: Final = """
SELECT
  pg_catalog.current_setting('search_path'), pg_catalog.current_setting('row_security'),
  pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true),
  pg_catalog.set_config('row_security', 'off', true)
"""

UNPIN: Final = """
SELECT
  pg_catalog.set_config('search_path', %(search_path)s, true),
  pg_catalog.set_config('row_security', %(row_security)s, true)
"""

# For a session that is ours alone, after a handler had it.
RESET_SESSION: Final = """
RESET SESSION AUTHORIZATION; RESET ALL
"""

# --- Stepping ------------------------------------------------------------------------------------------------

# A subscription that fills the tables of consumers, NULL if there is none.
FILLING: Final = """
SELECT evstore.filled_by_v1(ARRAY[
  'evstore.consumers', 'evstore.checkpoints', 'evstore.parked', 'evstore.holds'
]::pg_catalog.regclass[])
"""

# The transaction, by its session and its time; the name of the consumer; the slots that are held, without a token
# where another hold has the same one, given out by a server whose place this one took; and what fills the tables.
BEGINS: Final = """
SELECT
  pg_catalog.pg_backend_pid(), (extract(epoch FROM pg_catalog.transaction_timestamp()) * 1000000)::bigint,
  (SELECT name FROM evstore.consumers WHERE key = %(key)s::uuid),
  (SELECT json_agg(json_build_array(slot, CASE WHEN hold_id = %(hold_id)s::uuid THEN token END, holder))
   FROM evstore.holds
   WHERE consumer_key = %(key)s::uuid AND slot = ANY (%(slots)s::integer[]) AND renewed_at > 0)::text,
  evstore.filled_by_v1(ARRAY[
    'evstore.consumers', 'evstore.checkpoints', 'evstore.parked', 'evstore.holds'
  ]::pg_catalog.regclass[])
"""

# The same of the transaction, its durability, and the slots, which nobody takes before it has ended.
ENDS: Final = """
SELECT
  pg_catalog.pg_backend_pid(), (extract(epoch FROM pg_catalog.transaction_timestamp()) * 1000000)::bigint,
  slot, CASE WHEN hold_id = %(hold_id)s::uuid THEN token END, holder,
  pg_catalog.set_config('synchronous_commit', CASE pg_catalog.current_setting('synchronous_commit')
    WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, true)
FROM evstore.holds
WHERE consumer_key = %(key)s::uuid
  AND slot = ANY (%(slots)s::integer[])
  AND renewed_at > 0
ORDER BY slot
FOR SHARE
"""

# The event at a position, and the head.
FIND_EVENT: Final = """
SELECT
  (SELECT id::text FROM evstore.events WHERE global_position = %(position)s),
  (SELECT coalesce(max(global_position), 0) FROM evstore.events)
"""

ADD_CONSUMER: Final = """
WITH made AS (
  INSERT INTO evstore.consumers (key, name, filter, created_at)
  VALUES (
    pg_catalog.gen_random_uuid(), %(name)s, %(filter)s,
    (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint
  )
  ON CONFLICT (name) DO NOTHING
  RETURNING key, created_at
)
INSERT INTO evstore.checkpoints (consumer_key, slot, global_position, event_id, updated_at)
SELECT key, 0, %(position)s, %(event_id)s::uuid, created_at
FROM made
"""

# A lower position changes nothing. A row, and no change, where the log has another event at a checkpoint, or no
# event at a new position. The key of checkpoints, and that of events.
MOVE: Final = """
WITH given AS (
  SELECT slot, position
  FROM unnest(%(slots)s::integer[], %(positions)s::bigint[]) AS given (slot, position)
),
diverged AS (
  SELECT checkpoints.global_position AS position
  FROM evstore.checkpoints
  WHERE consumer_key = %(key)s::uuid
    AND slot = ANY (%(slots)s::integer[])
    AND checkpoints.global_position > 0
    AND checkpoints.event_id IS DISTINCT FROM (
      SELECT id FROM evstore.events WHERE events.global_position = checkpoints.global_position
    )
  UNION ALL
  SELECT position FROM given
  WHERE position > 0 AND NOT EXISTS (SELECT FROM evstore.events WHERE events.global_position = given.position)
  LIMIT 1
),
moved AS (
  UPDATE evstore.checkpoints
  SET
    global_position = given.position,
    event_id = (SELECT id FROM evstore.events WHERE events.global_position = given.position),
    updated_at = (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint
  FROM given
  WHERE consumer_key = %(key)s::uuid
    AND checkpoints.slot = given.slot
    AND checkpoints.global_position < given.position
    AND NOT EXISTS (SELECT FROM diverged)
)
SELECT position, (SELECT coalesce(max(global_position), 0) FROM evstore.events)
FROM diverged
"""

RESET: Final = """
UPDATE evstore.checkpoints
SET
  global_position = %(position)s,
  event_id = %(event_id)s::uuid,
  updated_at = (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint
WHERE consumer_key = %(key)s::uuid
"""

# Slot 0 is there already.
DIVIDE: Final = """
INSERT INTO evstore.checkpoints (consumer_key, slot, global_position, event_id, updated_at)
SELECT whole.consumer_key, slots.slot, whole.global_position, whole.event_id, whole.updated_at
FROM evstore.checkpoints AS whole
CROSS JOIN pg_catalog.generate_series(1, 63) AS slots (slot)
WHERE whole.consumer_key = %(key)s::uuid
  AND whole.slot = 0
ON CONFLICT DO NOTHING
"""

REFILTER: Final = """
UPDATE evstore.consumers SET filter = %(filter)s WHERE key = %(key)s::uuid
"""

PARK: Final = """
INSERT INTO evstore.parked (consumer_key, stream_key, global_position, reason, parked_at, state)
SELECT %(key)s::uuid, stream_key, global_position, %(reason)s, %(parked_at)s, %(state)s
FROM evstore.events
WHERE global_position = %(position)s
ON CONFLICT (consumer_key, stream_key) DO UPDATE
SET global_position = excluded.global_position, reason = excluded.reason,
  parked_at = excluded.parked_at, state = excluded.state
"""

UNPARK: Final = """
DELETE FROM evstore.parked
WHERE consumer_key = %(key)s::uuid
  AND stream_key = (SELECT key FROM evstore.streams WHERE stream_id = %(stream_id)s)
"""

UNPARK_ALL: Final = """
DELETE FROM evstore.parked WHERE consumer_key = %(key)s::uuid
"""

# Index events_by_id, then the key of parked.
MARK: Final = """
UPDATE evstore.parked
SET state = %(state)s
WHERE consumer_key = (SELECT key FROM evstore.consumers WHERE name = %(name)s)
  AND (stream_key, global_position) = (
    SELECT stream_key, global_position FROM evstore.events WHERE id = %(id)s::uuid
  )
RETURNING true
"""

# The consumer first: whoever takes a slot locks it first as well.
REMOVE: Final = """
DELETE FROM evstore.consumers WHERE key = %(key)s::uuid
"""

REMOVE_CHECKPOINTS: Final = """
DELETE FROM evstore.checkpoints WHERE consumer_key = %(key)s::uuid
"""

REMOVE_HOLDS: Final = """
DELETE FROM evstore.holds WHERE consumer_key = %(key)s::uuid
"""
