"""Every statement of the PostgreSQL adapter, whole: print one, put values for its %(names)s, paste it into psql.

Each is one autocommitted transaction. Nothing but the columns of an event and the filter over metadata is put
into a statement, when the module is loaded. Rows of events have the columns of StoredEvent, in its order. The last
column of any other row is the highest global position that it rests on, 0 if there is none. Ranges are closed
([low, high]); a filter that is NULL asks nothing, and the planner, which knows the values, drops them. Names are
written out with their schema: for another schema, `in_schema` puts its name in the place of this.

Where an index has two columns, rows of both are compared and ordered: with the first set equal, the planner
may take the index of the second alone, and walk the whole log in search of a rare category. And a page's limit is
hidden from it: it then takes the way that starts at once, along the index, and never sorts a whole stream.
"""

from __future__ import annotations

from functools import cache
from typing import Final


@cache
def in_schema(statement: str, schema: str) -> bytes:
    """The statement for a store in another schema; `schema` is a plain identifier."""
    return statement.replace("evstore.", f'"{schema}".').replace("SCHEMA evstore", f'SCHEMA "{schema}"').encode()


# The columns of an event, in the order of StoredEvent. What others know of it, its stream and its type, some
# statements get as parameters; its own columns are the same everywhere.
OWN: Final = """events.data, events.metadata,
  events.version, events.global_position, events.timestamp, events.tags, events.redacted_at IS NOT NULL"""
EVENT: Final = f"""events.id, streams.stream_id, types.name, {OWN}"""


# The filter over metadata, which no index serves. Each key of `custom_keys` must be held with its value.
METADATA: Final = """(%(user_id)s::text IS NULL OR events.metadata ->> 'userId' = %(user_id)s)
  AND (%(tenant_id)s::text IS NULL OR events.metadata ->> 'tenantId' = %(tenant_id)s)
  AND (%(custom_keys)s::text[] IS NULL OR NOT EXISTS (
    SELECT FROM pg_catalog.generate_subscripts(%(custom_keys)s::text[], 1) AS n
    WHERE events.metadata -> 'custom' ->> (%(custom_keys)s::text[])[n]
      IS DISTINCT FROM (%(custom_values)s::text[])[n]
  ))"""

# --- Opening -------------------------------------------------------------------------------------------------

# Settings of a session that is ours alone; a pooler, which reports a number of its own, lends it to others
# next. Whatever the role's defaults are, no operator, type or function is looked up in a foreign schema,
# locks are waited for no longer than the timeout, a list that is sent may hold NULL, and where row level security
# would hide rows the server refuses. Until then nothing can be trusted that has no schema.
SETTLE: Final = """
SELECT
  pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false),
  pg_catalog.set_config('row_security', 'off', false),
  pg_catalog.set_config('lock_timeout', %(wait_ms)s::pg_catalog.text, false),
  pg_catalog.set_config('array_nulls', 'on', false)
WHERE pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) %(session)s
"""

# The same in one transaction of a reader, where the session cannot have it. By the first column, servers that a
# pooler leads to differ.
SETTLE_TRANSACTION: Final = """
SELECT
  pg_catalog.pg_postmaster_start_time(),
  pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true),
  pg_catalog.set_config('row_security', 'off', true),
  pg_catalog.set_config('lock_timeout', %(wait_ms)s::pg_catalog.text, true)
"""

# The sessions that keep another from a lock, those first that wait for nobody. Everybody may see these columns.
BLOCKERS: Final = """
SELECT pid, application_name, usename
FROM pg_catalog.pg_stat_activity
WHERE pid = ANY (pg_catalog.pg_blocking_pids(%(session)s))
ORDER BY pg_catalog.cardinality(pg_catalog.pg_blocking_pids(pid)), pid
"""

# For the transaction alone: see what row level security lets through.
ADMIT_FILTERS: Final = """
SELECT pg_catalog.set_config('row_security', 'on', true)
"""

# The last column is the schema that its procedures append to. Asked also where nothing is settled.
ADMITS: Final = """
SELECT
  application, schema_version, min_reader, min_writer, pg_catalog.pg_backend_pid(),
  (SELECT pg_catalog.substring(prosrc, 'FROM "?([A-Za-z0-9_]+)"?[.]keys_v1[(]') FROM pg_catalog.pg_proc
   WHERE oid OPERATOR(pg_catalog.=) pg_catalog.to_regproc('evstore.append_unit_v1'))
FROM evstore.store
"""

# What stands in the place of a table, with its kind. To read a view is to call what somebody else wrote, with the
# rights of who reads, perhaps while it is planned: so this is asked first. Asked also where nothing is settled.
STRANGE_TABLES: Final = """
SELECT relname, CASE
    WHEN relkind OPERATOR(pg_catalog.=) 'v'::pg_catalog."char" THEN 'view'
    WHEN relkind OPERATOR(pg_catalog.=) 'm'::pg_catalog."char" THEN 'materialized view'
    WHEN relkind OPERATOR(pg_catalog.=) 'f'::pg_catalog."char" THEN 'foreign table'
    ELSE 'relation of another kind'
  END
FROM pg_catalog.pg_class
WHERE relnamespace OPERATOR(pg_catalog.=) (
    SELECT oid FROM pg_catalog.pg_namespace WHERE nspname OPERATOR(pg_catalog.=) %(schema)s::pg_catalog.name
  )
  AND relname OPERATOR(pg_catalog.=) ANY (ARRAY[
    'store', 'migrations', 'categories', 'types', 'tags', 'streams', 'events', 'event_tags', 'sources',
    'snapshots', 'staged', 'consumers', 'checkpoints', 'parked', 'holds'
  ]::pg_catalog.name[])
  AND relkind OPERATOR(pg_catalog.<>) 'r'::pg_catalog."char"
ORDER BY relname
"""

IS_STANDBY: Final = """
SELECT pg_catalog.pg_is_in_recovery()
"""

# The location of a store: no schema, an empty schema, or other objects. Asked also where nothing is settled.
OCCUPIED: Final = """
SELECT
  space.oid IS NOT NULL,
  EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace OPERATOR(pg_catalog.=) space.oid)
  OR EXISTS (SELECT FROM pg_catalog.pg_type WHERE typnamespace OPERATOR(pg_catalog.=) space.oid)
  OR EXISTS (SELECT FROM pg_catalog.pg_proc WHERE pronamespace OPERATOR(pg_catalog.=) space.oid),
  pg_catalog.current_setting('server_encoding')
FROM (SELECT) AS one
LEFT JOIN pg_catalog.pg_namespace AS space ON nspname OPERATOR(pg_catalog.=) %(schema)s::pg_catalog.name
"""

# Processes that initialize wait here for the first; the lock ends with the transaction.
INITIALIZE_LOCK: Final = """
SELECT pg_catalog.pg_advisory_xact_lock(1163285332, pg_catalog.hashtext(%(schema)s))
"""

CREATE_SCHEMA: Final = """
CREATE SCHEMA evstore
"""

MAKE_TAMPER_EVIDENT: Final = """
UPDATE evstore.store SET tamper_evident = true
"""

# Of these roles, those that exist. PUBLIC and NONE are no roles.
ROLES: Final = """
SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolname::text = ANY (%(roles)s::text[])
"""

# True if a role is to get the right to use the schema: not if only another may grant it, who has done so.
WANTS_USAGE: Final = """
SELECT
  pg_catalog.has_schema_privilege(%(schema)s, 'USAGE WITH GRANT OPTION')
  OR NOT pg_catalog.has_schema_privilege(%(role)s::name, %(schema)s, 'USAGE')
"""

# True if a role may emit a message into the log, in each of the forms that this server has.
MAY_EMIT: Final = """
SELECT bool_and(pg_catalog.has_function_privilege(%(role)s::name, oid, 'EXECUTE'))
FROM pg_catalog.pg_proc
WHERE proname = 'pg_logical_emit_message' AND pronamespace = 'pg_catalog'::regnamespace
"""

# --- Appending -----------------------------------------------------------------------------------------------

# A pooler lends a session that is not settled, and a CALL that commits cannot settle it: every type and operator
# has its schema.

APPEND: Final = """
CALL evstore.append_v1(
  %(unit_writes)s::integer[], %(unit_events)s::integer[], %(unit_positions)s::bigint[], %(until_refused)s,
  %(wait_ms)s,
  %(stream_ids)s::pg_catalog.text[], %(categories)s::pg_catalog.text[], %(expected)s::bigint[],
  %(sizes)s::integer[], %(writes)s::integer[], %(ids)s::pg_catalog.uuid[], %(types)s::pg_catalog.text[],
  %(hashes)s::bigint[], %(metadatas)s::pg_catalog.json[], %(datas)s::pg_catalog.json[], %(times)s::bigint[],
  %(tags)s::pg_catalog.text[], %(redacted)s::boolean[], %(guards)s::pg_catalog.json[], NULL
)
"""

# The same for one event: its values are sent as they are, which costs the client and the server less than lists.
APPEND_ONE: Final = """
CALL evstore.append_v1(
  '{1}', '{1}', ARRAY[%(unit_positions)s::bigint], false,
  %(wait_ms)s,
  ARRAY[%(stream_ids)s::pg_catalog.text], ARRAY[%(categories)s::pg_catalog.text], ARRAY[%(expected)s::bigint],
  '{1}', '{1}', ARRAY[%(ids)s::pg_catalog.uuid], ARRAY[%(types)s::pg_catalog.text],
  ARRAY[%(hashes)s::bigint], ARRAY[%(metadatas)s::pg_catalog.json], ARRAY[%(datas)s::pg_catalog.json],
  ARRAY[%(times)s::bigint], ARRAY[%(tags)s::pg_catalog.text], NULL, ARRAY[%(guards)s::pg_catalog.json], NULL
)
"""

STAGE: Final = """
COPY evstore.staged (
  append_id, number, stream_id, category, expected_version, id, type, correlation_hash, tags, redacted,
  metadata, data, stored_at
) FROM STDIN (FORMAT BINARY)
"""

APPEND_STAGED: Final = """
CALL evstore.append_staged_v1(
  %(staged_as)s::pg_catalog.uuid, %(size)s, %(wanted_position)s::bigint, %(most_versions)s, %(wait_ms)s,
  %(guards)s::pg_catalog.json, NULL
)
"""

SWEEP_STAGED: Final = """
SELECT evstore.sweep_staged_v1(%(staged_as)s::pg_catalog.uuid)
"""

# A function runs in the isolation of its caller's transaction, and cannot set it.
REDACTING: Final = """
SET TRANSACTION ISOLATION LEVEL READ COMMITTED
"""

# For the transaction alone.
SETTLE_REDACTION: Final = """
SELECT
  pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true),
  pg_catalog.set_config('synchronous_commit', 'on', true),
  pg_catalog.set_config('lock_timeout', %(wait_ms)s::pg_catalog.text, true)
"""

REDACT: Final = """
SELECT evstore.redact_v1(
  %(redacted_ids)s::uuid[], %(with_metadata)s, %(stream_id)s::text, %(category)s::text, %(id)s::uuid,
  %(type)s::text, %(hash)s::bigint, %(metadata)s::json, %(data)s::json, %(tags)s::text,
  %(expected)s::bigint, %(stored_at)s::bigint, %(wanted_position)s::bigint, %(redacted)s
)
"""

# Index events_by_id. NULL where this server does not show what is stored: a standby may lag behind, and row level
# security hides rows.
HOLDS: Final = """
SELECT
  CASE
    WHEN pg_catalog.pg_is_in_recovery() OR pg_catalog.row_security_active('evstore.events'::pg_catalog.regclass)
    THEN NULL
    ELSE EXISTS (
      SELECT FROM evstore.events WHERE events.id OPERATOR(pg_catalog.=) ANY (%(ids)s::pg_catalog.uuid[])
    )
  END
"""

# A transaction of its own, never part of an append: where the queue of notifications is full, its commit fails.
# No commit needs to wait for its flush.
NOTIFY: Final = """
SELECT pg_catalog.set_config('synchronous_commit', 'off', true), pg_catalog.pg_notify('evstore', %(payload)s)
"""

LISTEN: Final = """
LISTEN evstore
"""

UNLISTEN: Final = """
UNLISTEN evstore
"""

# --- Durability of what was read -----------------------------------------------------------------------------

# True if a writer of an event up to a position waits for standbys; see append_v1. When the server dies, a writer
# gives up that wait: then this session ends in its sleep, without an answer.
WAIT: Final = """CASE
    WHEN EXISTS (
      SELECT FROM pg_catalog.pg_locks
      WHERE locktype = 'advisory' AND objsubid = 2 AND granted
        AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
        AND classid = 'evstore.events'::pg_catalog.regclass
        AND ((%(seen)s::bigint - objid::bigint) & 2147483647) < 1073741824
    ) THEN true
    ELSE pg_catalog.pg_sleep(0.001)::text IS NULL
  END"""
AWAITED: Final = f"""
SELECT {WAIT}
"""

# Asked after a page was read, so that all commits the page has seen stand before this place in the log. A standby
# has only what is durable on its primary.
WRITTEN: Final = f"""
SELECT
  CASE WHEN pg_catalog.pg_is_in_recovery() THEN NULL ELSE pg_catalog.pg_current_wal_insert_lsn() END::text,
  CASE
    WHEN pg_catalog.pg_is_in_recovery() THEN true
    ELSE pg_catalog.pg_current_wal_flush_lsn() >= pg_catalog.pg_current_wal_insert_lsn()
  END,
  CASE WHEN pg_catalog.current_setting('synchronous_standby_names') <> '' THEN {WAIT} ELSE false END
"""

FLUSHED: Final = """
SELECT pg_catalog.pg_current_wal_flush_lsn() >= %(written)s::pg_lsn
"""

# Nobody flushed so far by himself: a writer died between its commits, or the log stands where no commit is. No
# standby is waited for: as in PostgreSQL itself, what a writer left that died while it waited is taken as it is.
FLUSH: Final = """
SELECT
  pg_catalog.set_config('synchronous_commit', 'local', true),
  pg_catalog.pg_logical_emit_message(true, 'evstore', '')
"""

# The same where not everybody may write a message, for whom the store's owner lets do it.
MAKE_DURABLE: Final = """
SELECT pg_catalog.set_config('synchronous_commit', 'local', true), evstore.make_durable_v1()
"""

# --- Reading events ------------------------------------------------------------------------------------------

# Names are joined from the outside: an event without its stream or type is a fault to report, and no absence.

# Index events_by_id.
GET_EVENTS: Final = f"""
SELECT {EVENT}
FROM evstore.events
LEFT JOIN evstore.streams ON streams.key = events.stream_key
LEFT JOIN evstore.types ON types.key = events.type_key
WHERE events.id = ANY (%(ids)s::uuid[])
"""

# Index events_by_stream. The query is a path and no subquery: to ask a subquery less often, the planner sorts the
# whole stream.
READ_STREAM_FORWARD: Final = f"""
SELECT events.id, %(stream_id)s::text, types.name, {OWN}
FROM evstore.events
LEFT JOIN evstore.types ON types.key = events.type_key
WHERE (events.stream_key, events.version)
    BETWEEN ((SELECT key FROM evstore.streams WHERE stream_id = %(stream_id)s), %(low)s)
    AND ((SELECT key FROM evstore.streams WHERE stream_id = %(stream_id)s), %(high)s)
  AND (%(types)s::text[] IS NULL OR types.name IS NULL OR types.name = ANY (%(types)s))
  AND (%(since)s::bigint IS NULL OR events.timestamp >= %(since)s)
  AND (%(until)s::bigint IS NULL OR events.timestamp < %(until)s)
  AND (%(query)s::jsonpath IS NULL OR pg_catalog.jsonb_path_match(
    pg_catalog.jsonb_build_object('type', types.name, 'tags', pg_catalog.string_to_array(events.tags, ' ')),
    %(query)s::jsonpath
  ))
ORDER BY events.stream_key, events.version
LIMIT (SELECT %(limit)s::bigint)
"""

# Index events_by_stream.
READ_STREAM_BACKWARD: Final = f"""
SELECT events.id, %(stream_id)s::text, types.name, {OWN}
FROM evstore.events
LEFT JOIN evstore.types ON types.key = events.type_key
WHERE (events.stream_key, events.version)
    BETWEEN ((SELECT key FROM evstore.streams WHERE stream_id = %(stream_id)s), %(low)s)
    AND ((SELECT key FROM evstore.streams WHERE stream_id = %(stream_id)s), %(high)s)
  AND (%(types)s::text[] IS NULL OR types.name IS NULL OR types.name = ANY (%(types)s))
  AND (%(since)s::bigint IS NULL OR events.timestamp >= %(since)s)
  AND (%(until)s::bigint IS NULL OR events.timestamp < %(until)s)
  AND (%(query)s::jsonpath IS NULL OR pg_catalog.jsonb_path_match(
    pg_catalog.jsonb_build_object('type', types.name, 'tags', pg_catalog.string_to_array(events.tags, ' ')),
    %(query)s::jsonpath
  ))
ORDER BY events.stream_key DESC, events.version DESC
LIMIT (SELECT %(limit)s::bigint)
"""

# Index events_pkey.
READ_LOG_FORWARD: Final = f"""
SELECT {EVENT}
FROM evstore.events
LEFT JOIN evstore.streams ON streams.key = events.stream_key
LEFT JOIN evstore.types ON types.key = events.type_key
WHERE events.global_position BETWEEN %(low)s AND %(high)s
  AND (%(types)s::text[] IS NULL OR types.name IS NULL OR types.name = ANY (%(types)s))
  AND (%(since)s::bigint IS NULL OR events.timestamp >= %(since)s)
  AND (%(until)s::bigint IS NULL OR events.timestamp < %(until)s)
  AND {METADATA}
ORDER BY events.global_position
LIMIT (SELECT %(limit)s::bigint)
"""

# Index events_pkey.
READ_LOG_BACKWARD: Final = f"""
SELECT {EVENT}
FROM evstore.events
LEFT JOIN evstore.streams ON streams.key = events.stream_key
LEFT JOIN evstore.types ON types.key = events.type_key
WHERE events.global_position BETWEEN %(low)s AND %(high)s
  AND (%(types)s::text[] IS NULL OR types.name IS NULL OR types.name = ANY (%(types)s))
  AND (%(since)s::bigint IS NULL OR events.timestamp >= %(since)s)
  AND (%(until)s::bigint IS NULL OR events.timestamp < %(until)s)
  AND {METADATA}
ORDER BY events.global_position DESC
LIMIT (SELECT %(limit)s::bigint)
"""

# The log without a filter, with keys in the place of names, which NAMES has. To join them to each event would take
# longer than all else.

# Index events_pkey.
READ_KEYED_LOG_FORWARD: Final = f"""
SELECT events.id, events.stream_key, events.type_key, {OWN}
FROM evstore.events
WHERE events.global_position BETWEEN %(low)s AND %(high)s
ORDER BY events.global_position
LIMIT (SELECT %(limit)s::bigint)
"""

# Index events_pkey.
READ_KEYED_LOG_BACKWARD: Final = f"""
SELECT events.id, events.stream_key, events.type_key, {OWN}
FROM evstore.events
WHERE events.global_position BETWEEN %(low)s AND %(high)s
ORDER BY events.global_position DESC
LIMIT (SELECT %(limit)s::bigint)
"""

# The digest of a part of the log, as evstore.model.digests defines it, and what shows that the part is whole.
# Index events_pkey. Names are looked up for each event: a join might read all streams for a part of the log.
DIGEST: Final = """
SELECT
  pg_catalog.sha256(coalesce(
    pg_catalog.string_agg(
      pg_catalog.int8send(event.global_position)
      || pg_catalog.sha256(pg_catalog.convert_to(
        pg_catalog.concat_ws(
          pg_catalog.chr(10), event.id::text, event.stream_id, event.type, event.version::text,
          event.timestamp::text, coalesce(event.tags, ''), event.metadata::text, event.data::text, ''
        ),
        'UTF8'
      ))
      || pg_catalog.decode(CASE WHEN event.redacted_at IS NULL THEN '00' ELSE '01' END, 'hex'),
      ''::bytea ORDER BY event.global_position
    ),
    ''::bytea
  )),
  count(*),
  min(event.global_position) FILTER (WHERE event.stream_id IS NULL),
  min(event.global_position) FILTER (WHERE event.type IS NULL),
  coalesce(max(event.global_position), 0)
FROM (
  SELECT
    events.*,
    (SELECT streams.stream_id FROM evstore.streams WHERE streams.key = events.stream_key) AS stream_id,
    (SELECT types.name FROM evstore.types WHERE types.key = events.type_key) AS type
  FROM evstore.events
  WHERE events.global_position BETWEEN %(low)s AND %(high)s
  ORDER BY events.global_position
  LIMIT (SELECT 9223372036854775807)
) AS event
"""

# Index streams_pkey; of types there are few. Who has names of the same snapshot asks for the new ones alone: no
# transaction has ended since, so none was taken away.
NAMES: Final = """
WITH state AS (SELECT pg_catalog.pg_current_snapshot()::text AS snapshot)
SELECT NULL::boolean, NULL::bigint, state.snapshot
FROM state
UNION ALL
SELECT false, key, stream_id
FROM evstore.streams
WHERE key = ANY (
  CASE (SELECT snapshot FROM state) WHEN %(snapshot)s::text THEN %(new_streams)s ELSE %(streams)s END::bigint[]
)
UNION ALL
SELECT true, key, name
FROM evstore.types
WHERE key = ANY (
  CASE (SELECT snapshot FROM state) WHEN %(snapshot)s::text THEN %(new_types)s ELSE %(types)s END::integer[]
)
"""

# Index events_by_type, a page for each type: rare ones of the whole log are found without reading the rest.
READ_TYPES_FORWARD: Final = f"""
SELECT page.*
FROM evstore.types
CROSS JOIN LATERAL (
  SELECT {EVENT}
  FROM evstore.events
  LEFT JOIN evstore.streams ON streams.key = events.stream_key
  WHERE (events.type_key, events.global_position)
      BETWEEN (types.key, %(low)s) AND (types.key, %(high)s)
    AND (%(since)s::bigint IS NULL OR events.timestamp >= %(since)s)
    AND (%(until)s::bigint IS NULL OR events.timestamp < %(until)s)
    AND {METADATA}
  ORDER BY events.type_key, events.global_position
  LIMIT (SELECT %(limit)s::bigint)
) AS page
WHERE types.name = ANY (%(types)s)
ORDER BY page.global_position
LIMIT (SELECT %(limit)s::bigint)
"""

# Index events_by_type.
READ_TYPES_BACKWARD: Final = f"""
SELECT page.*
FROM evstore.types
CROSS JOIN LATERAL (
  SELECT {EVENT}
  FROM evstore.events
  LEFT JOIN evstore.streams ON streams.key = events.stream_key
  WHERE (events.type_key, events.global_position)
      BETWEEN (types.key, %(low)s) AND (types.key, %(high)s)
    AND (%(since)s::bigint IS NULL OR events.timestamp >= %(since)s)
    AND (%(until)s::bigint IS NULL OR events.timestamp < %(until)s)
    AND {METADATA}
  ORDER BY events.type_key DESC, events.global_position DESC
  LIMIT (SELECT %(limit)s::bigint)
) AS page
WHERE types.name = ANY (%(types)s)
ORDER BY page.global_position DESC
LIMIT (SELECT %(limit)s::bigint)
"""

# What a query matches, each position with its event, or with nothing where another filter does not admit it. The
# last column is true where there is an event. The key of event_tags, index events_by_type, then events_pkey. By
# LIMIT 1 an event is looked up for each position, in their order; or else the planner, which cannot know how few
# positions match, joins all events of the store, in theirs.
READ_MATCHES: Final = f"""
SELECT
  kept.id, kept.stream_id, kept.name, kept.data, kept.metadata, kept.version, matched.position, kept.timestamp,
  kept.tags, kept.redacted, kept.is_there
FROM evstore.matches_v1(
  %(query)s::json, %(begin)s, %(end)s, %(backward)s, %(limit)s
) AS matched (position)
LEFT JOIN LATERAL (
  SELECT
    events.id, streams.stream_id, types.name, events.data, events.metadata, events.version, events.timestamp,
    events.tags, events.redacted_at IS NOT NULL AS redacted, true AS is_there
  FROM evstore.events
  LEFT JOIN evstore.streams ON streams.key = events.stream_key
  LEFT JOIN evstore.types ON types.key = events.type_key
  LEFT JOIN evstore.categories ON categories.key = events.category_key
  WHERE events.global_position = matched.position
    AND (%(correlation_id)s::text IS NULL OR events.metadata ->> 'correlationId' = %(correlation_id)s)
    AND (%(categories)s::text[] IS NULL OR categories.name IS NULL OR categories.name = ANY (%(categories)s))
    AND (%(types)s::text[] IS NULL OR types.name IS NULL OR types.name = ANY (%(types)s))
    AND (%(since)s::bigint IS NULL OR events.timestamp >= %(since)s)
    AND (%(until)s::bigint IS NULL OR events.timestamp < %(until)s)
    AND {METADATA}
  LIMIT 1
) AS kept ON true
"""

# The same, counted.
COUNT_MATCHES: Final = f"""
SELECT count(*), min(kept.position), max(kept.position)
FROM evstore.matches_v1(%(query)s::json, %(begin)s, %(end)s, false, NULL) AS matched (position)
CROSS JOIN LATERAL (
  SELECT matched.position
  FROM evstore.events
  LEFT JOIN evstore.types ON types.key = events.type_key
  LEFT JOIN evstore.categories ON categories.key = events.category_key
  WHERE events.global_position = matched.position
    AND (%(correlation_id)s::text IS NULL OR events.metadata ->> 'correlationId' = %(correlation_id)s)
    AND (%(categories)s::text[] IS NULL OR categories.name IS NULL OR categories.name = ANY (%(categories)s))
    AND (%(types)s::text[] IS NULL OR types.name IS NULL OR types.name = ANY (%(types)s))
    AND (%(since)s::bigint IS NULL OR events.timestamp >= %(since)s)
    AND (%(until)s::bigint IS NULL OR events.timestamp < %(until)s)
    AND {METADATA}
  LIMIT 1
) AS kept
"""

# Index events_by_category. A page of one category has two more columns, in the same snapshot: the number of an
# earlier event of the category, and the event's own. From its oldest event to its newest they count what the
# page must hold. Forward, the earlier event is the last before the range.
READ_CATEGORY_FORWARD: Final = f"""
SELECT
  {EVENT},
  (
    SELECT category_number FROM evstore.events
    WHERE (category_key, global_position)
        < ((SELECT key FROM evstore.categories WHERE name = %(category)s), %(low)s)
      AND category_key >= (SELECT key FROM evstore.categories WHERE name = %(category)s)
    ORDER BY category_key DESC, global_position DESC LIMIT 1
  ),
  events.category_number
FROM evstore.events
LEFT JOIN evstore.streams ON streams.key = events.stream_key
LEFT JOIN evstore.types ON types.key = events.type_key
WHERE (events.category_key, events.global_position)
    BETWEEN ((SELECT key FROM evstore.categories WHERE name = %(category)s), %(low)s)
    AND ((SELECT key FROM evstore.categories WHERE name = %(category)s), %(high)s)
ORDER BY events.category_key, events.global_position
LIMIT (SELECT %(limit)s::bigint)
"""

# Index events_by_category. Any event may be the last of the page, so each has the number of the event before it.
READ_CATEGORY_BACKWARD: Final = f"""
SELECT
  {EVENT},
  coalesce(
    lead(events.category_number) OVER (ORDER BY events.category_key DESC, events.global_position DESC),
    (
      SELECT category_number FROM evstore.events
      WHERE (category_key, global_position)
          < ((SELECT key FROM evstore.categories WHERE name = %(category)s), %(low)s)
        AND category_key >= (SELECT key FROM evstore.categories WHERE name = %(category)s)
      ORDER BY category_key DESC, global_position DESC LIMIT 1
    )
  ),
  events.category_number
FROM evstore.events
LEFT JOIN evstore.streams ON streams.key = events.stream_key
LEFT JOIN evstore.types ON types.key = events.type_key
WHERE (events.category_key, events.global_position)
    BETWEEN ((SELECT key FROM evstore.categories WHERE name = %(category)s), %(low)s)
    AND ((SELECT key FROM evstore.categories WHERE name = %(category)s), %(high)s)
ORDER BY events.category_key DESC, events.global_position DESC
LIMIT (SELECT %(limit)s::bigint)
"""

# Index events_by_category, a page for each category, and all in one snapshot: a page of a later moment could show
# a position above one that is still missing.
READ_CATEGORIES_FORWARD: Final = f"""
SELECT page.*
FROM evstore.categories
CROSS JOIN LATERAL (
  SELECT {EVENT}
  FROM evstore.events
  LEFT JOIN evstore.streams ON streams.key = events.stream_key
  LEFT JOIN evstore.types ON types.key = events.type_key
  WHERE (events.category_key, events.global_position)
      BETWEEN (categories.key, %(low)s) AND (categories.key, %(high)s)
    AND (%(types)s::text[] IS NULL OR types.name IS NULL OR types.name = ANY (%(types)s))
    AND (%(since)s::bigint IS NULL OR events.timestamp >= %(since)s)
    AND (%(until)s::bigint IS NULL OR events.timestamp < %(until)s)
    AND {METADATA}
  ORDER BY events.category_key, events.global_position
  LIMIT (SELECT %(limit)s::bigint)
) AS page
WHERE categories.name = ANY (%(categories)s)
ORDER BY page.global_position
LIMIT (SELECT %(limit)s::bigint)
"""

# Index events_by_category.
READ_CATEGORIES_BACKWARD: Final = f"""
SELECT page.*
FROM evstore.categories
CROSS JOIN LATERAL (
  SELECT {EVENT}
  FROM evstore.events
  LEFT JOIN evstore.streams ON streams.key = events.stream_key
  LEFT JOIN evstore.types ON types.key = events.type_key
  WHERE (events.category_key, events.global_position)
      BETWEEN (categories.key, %(low)s) AND (categories.key, %(high)s)
    AND (%(types)s::text[] IS NULL OR types.name IS NULL OR types.name = ANY (%(types)s))
    AND (%(since)s::bigint IS NULL OR events.timestamp >= %(since)s)
    AND (%(until)s::bigint IS NULL OR events.timestamp < %(until)s)
    AND {METADATA}
  ORDER BY events.category_key DESC, events.global_position DESC
  LIMIT (SELECT %(limit)s::bigint)
) AS page
WHERE categories.name = ANY (%(categories)s)
ORDER BY page.global_position DESC
LIMIT (SELECT %(limit)s::bigint)
"""

# Index events_by_correlation. The hash finds few, the text decides: two ids may share a hash.
READ_CORRELATION_FORWARD: Final = f"""
SELECT events.id, CASE WHEN categories.name IS NOT NULL THEN streams.stream_id END, types.name, {OWN}
FROM evstore.events
LEFT JOIN evstore.streams ON streams.key = events.stream_key
LEFT JOIN evstore.types ON types.key = events.type_key
LEFT JOIN evstore.categories ON categories.key = events.category_key
WHERE events.correlation_hash IS NOT NULL
  AND (events.correlation_hash, events.global_position)
    BETWEEN (%(correlation_hash)s, %(low)s) AND (%(correlation_hash)s, %(high)s)
  AND events.metadata ->> 'correlationId' = %(correlation_id)s
  AND (%(categories)s::text[] IS NULL OR categories.name IS NULL OR categories.name = ANY (%(categories)s))
  AND (%(types)s::text[] IS NULL OR types.name IS NULL OR types.name = ANY (%(types)s))
  AND (%(since)s::bigint IS NULL OR events.timestamp >= %(since)s)
  AND (%(until)s::bigint IS NULL OR events.timestamp < %(until)s)
  AND {METADATA}
ORDER BY events.correlation_hash, events.global_position
LIMIT (SELECT %(limit)s::bigint)
"""

# Index events_by_correlation.
READ_CORRELATION_BACKWARD: Final = f"""
SELECT events.id, CASE WHEN categories.name IS NOT NULL THEN streams.stream_id END, types.name, {OWN}
FROM evstore.events
LEFT JOIN evstore.streams ON streams.key = events.stream_key
LEFT JOIN evstore.types ON types.key = events.type_key
LEFT JOIN evstore.categories ON categories.key = events.category_key
WHERE events.correlation_hash IS NOT NULL
  AND (events.correlation_hash, events.global_position)
    BETWEEN (%(correlation_hash)s, %(low)s) AND (%(correlation_hash)s, %(high)s)
  AND events.metadata ->> 'correlationId' = %(correlation_id)s
  AND (%(categories)s::text[] IS NULL OR categories.name IS NULL OR categories.name = ANY (%(categories)s))
  AND (%(types)s::text[] IS NULL OR types.name IS NULL OR types.name = ANY (%(types)s))
  AND (%(since)s::bigint IS NULL OR events.timestamp >= %(since)s)
  AND (%(until)s::bigint IS NULL OR events.timestamp < %(until)s)
  AND {METADATA}
ORDER BY events.correlation_hash DESC, events.global_position DESC
LIMIT (SELECT %(limit)s::bigint)
"""

# Counts read no data. With the count go the ends of what is counted.

# Index events_pkey.
COUNT_LOG: Final = f"""
SELECT count(*), min(events.global_position), max(events.global_position)
FROM evstore.events
WHERE events.global_position BETWEEN %(low)s AND %(high)s
  AND (%(since)s::bigint IS NULL OR events.timestamp >= %(since)s)
  AND (%(until)s::bigint IS NULL OR events.timestamp < %(until)s)
  AND {METADATA}
"""

# Index events_by_category, for each category.
COUNT_CATEGORIES: Final = f"""
SELECT coalesce(sum(counted.events), 0)::bigint, min(counted.first), max(counted.last)
FROM evstore.categories
CROSS JOIN LATERAL (
  SELECT count(*) AS events, min(events.global_position) AS first, max(events.global_position) AS last
  FROM evstore.events
  WHERE (events.category_key, events.global_position)
      BETWEEN (categories.key, %(low)s) AND (categories.key, %(high)s)
  AND (%(types)s::text[] IS NULL OR events.type_key IN (
    SELECT key FROM evstore.types WHERE name = ANY (%(types)s)
  ))
  AND (%(since)s::bigint IS NULL OR events.timestamp >= %(since)s)
  AND (%(until)s::bigint IS NULL OR events.timestamp < %(until)s)
  AND {METADATA}
) AS counted
WHERE categories.name = ANY (%(categories)s)
"""

# Index events_by_type, for each type.
COUNT_TYPES: Final = f"""
SELECT coalesce(sum(counted.events), 0)::bigint, min(counted.first), max(counted.last)
FROM evstore.types
CROSS JOIN LATERAL (
  SELECT count(*) AS events, min(events.global_position) AS first, max(events.global_position) AS last
  FROM evstore.events
  WHERE (events.type_key, events.global_position)
      BETWEEN (types.key, %(low)s) AND (types.key, %(high)s)
  AND (%(since)s::bigint IS NULL OR events.timestamp >= %(since)s)
  AND (%(until)s::bigint IS NULL OR events.timestamp < %(until)s)
  AND {METADATA}
) AS counted
WHERE types.name = ANY (%(types)s)
"""

# Index events_by_correlation.
COUNT_CORRELATION: Final = f"""
SELECT count(*), min(events.global_position), max(events.global_position)
FROM evstore.events
WHERE events.correlation_hash IS NOT NULL
  AND (events.correlation_hash, events.global_position)
    BETWEEN (%(correlation_hash)s, %(low)s) AND (%(correlation_hash)s, %(high)s)
  AND events.metadata ->> 'correlationId' = %(correlation_id)s
  AND (%(categories)s::text[] IS NULL OR events.category_key IN (
    SELECT key FROM evstore.categories WHERE name = ANY (%(categories)s)
  ))
  AND (%(types)s::text[] IS NULL OR events.type_key IN (
    SELECT key FROM evstore.types WHERE name = ANY (%(types)s)
  ))
  AND (%(since)s::bigint IS NULL OR events.timestamp >= %(since)s)
  AND (%(until)s::bigint IS NULL OR events.timestamp < %(until)s)
  AND {METADATA}
"""

# --- Lists and facts -----------------------------------------------------------------------------------------

# Names are compared as [low, high) by their bytes, which is code point order; `after` itself is left out. What a
# row needs is joined from the outside: that it is missing is a fault to report, and the row is no absence.

# Index streams_by_id; each stream's first and last event by events_by_stream.
LIST_STREAMS: Final = """
SELECT
  streams.stream_id, categories.name, newest.version, oldest.timestamp, newest.timestamp, types.name,
  newest.global_position
FROM evstore.streams
LEFT JOIN evstore.categories ON categories.key = streams.category_key
LEFT JOIN LATERAL (
  SELECT timestamp FROM evstore.events WHERE stream_key = streams.key AND version = 1
) AS oldest ON true
CROSS JOIN LATERAL (
  SELECT version, timestamp, type_key, global_position FROM evstore.events
  WHERE stream_key = streams.key ORDER BY version DESC LIMIT 1
) AS newest
LEFT JOIN evstore.types ON types.key = newest.type_key
WHERE streams.stream_id >= %(low)s
  AND (%(high)s::text IS NULL OR streams.stream_id < %(high)s)
  AND (%(after)s::text IS NULL OR streams.stream_id > %(after)s)
ORDER BY streams.stream_id
LIMIT (SELECT %(limit)s::bigint)
"""

# Index streams_by_category; each stream's first and last event by events_by_stream.
LIST_STREAMS_OF_CATEGORY: Final = """
SELECT
  streams.stream_id, %(category)s::text, newest.version, oldest.timestamp, newest.timestamp, types.name,
  newest.global_position
FROM evstore.streams
LEFT JOIN LATERAL (
  SELECT timestamp FROM evstore.events WHERE stream_key = streams.key AND version = 1
) AS oldest ON true
CROSS JOIN LATERAL (
  SELECT version, timestamp, type_key, global_position FROM evstore.events
  WHERE stream_key = streams.key ORDER BY version DESC LIMIT 1
) AS newest
LEFT JOIN evstore.types ON types.key = newest.type_key
WHERE (streams.category_key, streams.stream_id) >= (
    (SELECT key FROM evstore.categories WHERE name = %(category)s),
    greatest(%(low)s::text COLLATE "C", %(after)s::text)
  )
  AND streams.category_key <= (SELECT key FROM evstore.categories WHERE name = %(category)s)
  AND (%(high)s::text IS NULL OR (streams.category_key, streams.stream_id) < (
    (SELECT key FROM evstore.categories WHERE name = %(category)s), %(high)s
  ))
  AND (%(after)s::text IS NULL OR streams.stream_id > %(after)s)
ORDER BY streams.category_key, streams.stream_id
LIMIT (SELECT %(limit)s::bigint)
"""

# Index streams_by_id; the stream's first and last event by events_by_stream.
FIND_STREAM: Final = """
SELECT
  streams.stream_id, categories.name, newest.version, oldest.timestamp, newest.timestamp, types.name,
  newest.global_position
FROM evstore.streams
LEFT JOIN evstore.categories ON categories.key = streams.category_key
LEFT JOIN LATERAL (
  SELECT timestamp FROM evstore.events WHERE stream_key = streams.key AND version = 1
) AS oldest ON true
CROSS JOIN LATERAL (
  SELECT version, timestamp, type_key, global_position FROM evstore.events
  WHERE stream_key = streams.key ORDER BY version DESC LIMIT 1
) AS newest
LEFT JOIN evstore.types ON types.key = newest.type_key
WHERE streams.stream_id = %(stream_id)s
"""

# Index categories_by_name; the counts are the last numbers given out, found by streams_by_number and
# events_by_category.
LIST_CATEGORIES: Final = """
SELECT
  categories.name, streams_of.category_number, newest.category_number, oldest.global_position,
  newest.global_position, newest.timestamp, newest.global_position
FROM evstore.categories
LEFT JOIN LATERAL (
  SELECT category_number FROM evstore.streams
  WHERE category_key = categories.key ORDER BY category_number DESC LIMIT 1
) AS streams_of ON true
CROSS JOIN LATERAL (
  SELECT category_key, global_position FROM evstore.events
  WHERE (category_key, global_position) >= (categories.key, 0) ORDER BY category_key, global_position LIMIT 1
) AS oldest
CROSS JOIN LATERAL (
  SELECT category_key, category_number, global_position, timestamp FROM evstore.events
  WHERE (category_key, global_position) <= (categories.key, 9223372036854775807)
  ORDER BY category_key DESC, global_position DESC LIMIT 1
) AS newest
WHERE categories.name >= %(low)s
  AND (%(high)s::text IS NULL OR categories.name < %(high)s)
  AND (%(after)s::text IS NULL OR categories.name > %(after)s)
ORDER BY categories.name
LIMIT (SELECT %(limit)s::bigint)
"""

# Index types_by_name; counted in events_by_type.
LIST_TYPES: Final = """
SELECT types.name, counted.events, counted.first, counted.last, counted.last
FROM evstore.types
CROSS JOIN LATERAL (
  SELECT count(*) AS events, min(global_position) AS first, max(global_position) AS last
  FROM evstore.events
  WHERE type_key = types.key
) AS counted
WHERE types.name >= %(low)s
  AND (%(high)s::text IS NULL OR types.name < %(high)s)
  AND (%(after)s::text IS NULL OR types.name > %(after)s)
  AND counted.events > 0
ORDER BY types.name
LIMIT (SELECT %(limit)s::bigint)
"""

# Index tags_by_name; counted in the key of event_tags.
LIST_TAGS: Final = """
SELECT tags.name, counted.events, counted.first, counted.last, counted.last
FROM evstore.tags
CROSS JOIN LATERAL (
  SELECT count(*) AS events, min(global_position) AS first, max(global_position) AS last
  FROM evstore.event_tags
  WHERE tag_key = tags.key
) AS counted
WHERE tags.name >= %(low)s
  AND (%(high)s::text IS NULL OR tags.name < %(high)s)
  AND (%(after)s::text IS NULL OR tags.name > %(after)s)
  AND counted.events > 0
ORDER BY tags.name
LIMIT (SELECT %(limit)s::bigint)
"""

# From name to name along the key of sources, each by its last entry: no table has one row for each name, and a
# scan would cost by the appends. The few names are sorted afterwards.
LIST_SOURCES: Final = """
WITH RECURSIVE named (name, n) AS (
  (
    SELECT sources.name, 1
    FROM evstore.sources
    WHERE sources.name >= %(low)s
      AND (%(high)s::text IS NULL OR sources.name < %(high)s)
      AND (%(after)s::text IS NULL OR sources.name > %(after)s)
    ORDER BY sources.name
    LIMIT (SELECT least(1, %(limit)s::bigint))
  )
  UNION ALL
  SELECT next.name, named.n + 1
  FROM named
  CROSS JOIN LATERAL (
    SELECT sources.name
    FROM evstore.sources
    WHERE sources.name > named.name
      AND (%(high)s::text IS NULL OR sources.name < %(high)s)
    ORDER BY sources.name
    LIMIT 1
  ) AS next
  WHERE named.n < %(limit)s::bigint
)
SELECT named.name, last.position, last.global_position, last.global_position
FROM named
CROSS JOIN LATERAL (
  SELECT sources.position, sources.global_position
  FROM evstore.sources
  WHERE sources.name = named.name
  ORDER BY sources.name DESC, sources.position DESC
  LIMIT 1
) AS last
ORDER BY named.n
"""

# Index events_by_category; the few types of a category are named and sorted afterwards.
LIST_TYPES_OF_CATEGORY: Final = """
SELECT types.name, counted.events, counted.first, counted.last, counted.last
FROM (
  SELECT type_key, count(*) AS events, min(global_position) AS first, max(global_position) AS last
  FROM evstore.events
  WHERE category_key = (SELECT key FROM evstore.categories WHERE name = %(category)s)
  GROUP BY type_key
) AS counted
LEFT JOIN evstore.types ON types.key = counted.type_key
WHERE types.name IS NULL
  OR types.name >= %(low)s
  AND (%(high)s::text IS NULL OR types.name < %(high)s)
  AND (%(after)s::text IS NULL OR types.name > %(after)s)
ORDER BY types.name NULLS FIRST
LIMIT (SELECT %(limit)s::bigint)
"""

# Index events_by_timestamp, which holds both columns: ordered by it, and with a limit that is hidden, so that the
# table itself is never read for a long time. Where the first and the last event are of that time, it is not asked.
SPAN: Final = """
WITH stored AS MATERIALIZED (
  SELECT min(global_position) AS first, max(global_position) AS last
  FROM (
    SELECT global_position
    FROM evstore.events
    WHERE timestamp BETWEEN %(since)s AND %(last)s
    ORDER BY timestamp, global_position
    LIMIT (SELECT 9223372036854775807)
  ) AS within
),
ends AS (
  SELECT
    oldest.global_position AS first,
    newest.global_position AS last,
    oldest.timestamp BETWEEN %(since)s AND %(last)s AND newest.timestamp BETWEEN %(since)s AND %(last)s AS within
  FROM (
    SELECT global_position, timestamp FROM evstore.events ORDER BY global_position LIMIT 1
  ) AS oldest
  CROSS JOIN (
    SELECT global_position, timestamp FROM evstore.events ORDER BY global_position DESC LIMIT 1
  ) AS newest
)
SELECT
  CASE WHEN within THEN first ELSE (SELECT first FROM stored) END,
  CASE WHEN within THEN last ELSE (SELECT last FROM stored) END,
  CASE WHEN within THEN last ELSE (SELECT last FROM stored) END
FROM ends
"""

# The table in which the log lacks names, NULL if none, and the head. Keys are given out without gaps, so that the
# ends of the tables and of their indexes show if they agree: what a replication copies arrives table by table.
HEAD: Final = """
SELECT
  CASE
    WHEN (SELECT coalesce(max(stream_key), 0) FROM evstore.events)
      > (SELECT coalesce(max(key), 0) FROM evstore.streams)
    THEN 'streams'
    WHEN (SELECT coalesce(max(category_key), 0) FROM evstore.events)
      > (SELECT coalesce(max(key), 0) FROM evstore.categories)
    THEN 'categories'
    WHEN (SELECT coalesce(max(category_key), 0) FROM evstore.streams)
      > (SELECT coalesce(max(key), 0) FROM evstore.categories)
    THEN 'categories'
    WHEN (SELECT coalesce(max(type_key), 0) FROM evstore.events)
      > (SELECT coalesce(max(key), 0) FROM evstore.types)
    THEN 'types'
    WHEN (SELECT coalesce(max(tag_key), 0) FROM evstore.event_tags)
      > (SELECT coalesce(max(key), 0) FROM evstore.tags)
    THEN 'tags'
  END,
  (SELECT coalesce(max(global_position), 0) FROM evstore.events)
"""

# The same for what asks by name, or lists all names. Names that are all there need no look at the tables, and the
# answer is an empty text. Of categories and types, which are few, the count shows if one is lost. The head is for
# the report of a fault: no answer rests on it, and none waits until it is durable.
LOST: Final = """
SELECT
  CASE
    WHEN NOT %(all)s
      AND (%(stream_id)s::text IS NULL OR EXISTS (SELECT FROM evstore.streams WHERE stream_id = %(stream_id)s))
      AND NOT EXISTS (SELECT FROM pg_catalog.unnest(%(categories)s::text[]) AS given (name)
        WHERE NOT EXISTS (SELECT FROM evstore.categories WHERE categories.name = given.name))
      AND NOT EXISTS (SELECT FROM pg_catalog.unnest(%(types)s::text[]) AS given (name)
        WHERE NOT EXISTS (SELECT FROM evstore.types WHERE types.name = given.name))
      AND NOT EXISTS (SELECT FROM pg_catalog.unnest(%(tags)s::text[]) AS given (name)
        WHERE NOT EXISTS (SELECT FROM evstore.tags WHERE tags.name = given.name))
    THEN ''
    WHEN (SELECT coalesce(max(stream_key), 0) FROM evstore.events)
      > (SELECT coalesce(max(key), 0) FROM evstore.streams)
    THEN 'streams'
    WHEN (SELECT coalesce(max(category_key), 0) FROM evstore.events)
      > (SELECT coalesce(max(key), 0) FROM evstore.categories)
    THEN 'categories'
    WHEN (SELECT coalesce(max(category_key), 0) FROM evstore.streams)
      > (SELECT coalesce(max(key), 0) FROM evstore.categories)
    THEN 'categories'
    WHEN (SELECT coalesce(max(type_key), 0) FROM evstore.events)
      > (SELECT coalesce(max(key), 0) FROM evstore.types)
    THEN 'types'
    WHEN (SELECT coalesce(max(tag_key), 0) FROM evstore.event_tags)
      > (SELECT coalesce(max(key), 0) FROM evstore.tags)
    THEN 'tags'
    WHEN (SELECT count(*) FROM evstore.categories) < (SELECT coalesce(max(key), 0) FROM evstore.categories)
    THEN 'categories'
    WHEN (SELECT count(*) FROM evstore.types) < (SELECT coalesce(max(key), 0) FROM evstore.types)
    THEN 'types'
    WHEN %(all)s AND (SELECT count(*) FROM evstore.tags) < (SELECT coalesce(max(key), 0) FROM evstore.tags)
    THEN 'tags'
  END,
  (SELECT coalesce(max(global_position), 0) FROM evstore.events),
  0
"""

# The same of streams, counted beyond the key up to which none is missing, and the last key.
COUNT_STREAMS: Final = """
SELECT
  CASE WHEN count(*) < max(key) - %(whole)s THEN 'streams' END,
  coalesce(max(key), %(whole)s),
  (SELECT coalesce(max(global_position), 0) FROM evstore.events),
  0
FROM evstore.streams
WHERE key > %(whole)s
"""

# The same of tags.
COUNT_TAGS: Final = """
SELECT
  CASE WHEN count(*) < max(key) - %(whole)s THEN 'tags' END,
  coalesce(max(key), %(whole)s),
  (SELECT coalesce(max(global_position), 0) FROM evstore.events),
  0
FROM evstore.tags
WHERE key > %(whole)s
"""

INFO: Final = """
SELECT
  store.schema_version,
  (SELECT coalesce(max(key), 0) FROM evstore.streams),
  (SELECT coalesce(max(key), 0) FROM evstore.categories),
  (SELECT sum(pg_catalog.pg_total_relation_size(oid))::bigint FROM pg_catalog.pg_class
   WHERE relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = %(schema)s)
     AND relkind = 'r'),
  pg_catalog.pg_is_in_recovery(),
  evstore.filled_by_v1(ARRAY['evstore.events'::pg_catalog.regclass]),
  pg_catalog.current_setting('fsync'),
  pg_catalog.current_setting('full_page_writes'),
  pg_catalog.current_setting('synchronous_commit'),
  pg_catalog.current_setting('commit_delay')::integer,
  pg_catalog.current_setting('server_version_num')::integer,
  ARRAY(
    SELECT relname::text FROM pg_catalog.pg_class
    WHERE relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = %(schema)s)
      AND relkind = 'r' AND pg_catalog.row_security_active(oid)
    ORDER BY relname
  ),
  store.tamper_evident,
  CASE WHEN store.tamper_evident THEN (
    SELECT chain_hash FROM evstore.events ORDER BY global_position DESC LIMIT 1
  ) END,
  (SELECT coalesce(max(global_position), 0) FROM evstore.events)
FROM evstore.store
"""
