"""Every statement of the SQLite adapter, whole: print one, paste it into `sqlite3`, and it runs.

Rows of events have the columns of StoredEvent, in its order; nothing but that list and the filter over metadata is
put into a statement here.
Ranges are closed ([low, high]), filters that are NULL ask nothing. CROSS JOIN is SQLite's way to keep the order of
a join: the index that gives the order leads.
"""

from __future__ import annotations

from typing import Final

# The columns of an event, in the order of StoredEvent. What others know of it, its stream and its type, some
# statements get as parameters; its own columns are the same everywhere.
OWN: Final = """events.data, events.metadata,
  events.version, events.global_position, events.timestamp, events.tags, events.redacted_at IS NOT NULL"""
EVENT: Final = f"""events.id, streams.stream_id, types.name, {OWN}"""

# The filter over metadata, which no index serves. `custom` is an array of pairs, and each of them must be held.
METADATA: Final = """(:user_id IS NULL OR json_extract(events.metadata, '$.userId') = :user_id)
  AND (:tenant_id IS NULL OR json_extract(events.metadata, '$.tenantId') = :tenant_id)
  AND (:custom IS NULL OR NOT EXISTS (
    SELECT 1 FROM json_each(:custom) AS wanted
    WHERE NOT EXISTS (
      SELECT 1 FROM json_each(events.metadata, '$.custom') AS held
      WHERE held.key = json_extract(wanted.value, '$[0]') AND held.value = json_extract(wanted.value, '$[1]')
    )
  ))"""

# --- Opening -------------------------------------------------------------------------------------------------

ADMITS: Final = """
SELECT (SELECT user_version FROM pragma_user_version), CASE id WHEN 1 THEN min_reader END, min_writer
FROM store
"""

# What computes its rows in the place of a table: a view, a virtual table, a table with a generated column. To read
# it is to run what somebody else wrote. And tables that are not STRICT, whose columns may hold anything. SQLite
# looks names up without their case.
STRANGE_TABLES: Final = """
SELECT
  made.name,
  CASE
    WHEN made.type = 'view' THEN 'view'
    WHEN NOT coalesce(made.rootpage, 0) THEN 'virtual table'
    WHEN EXISTS (SELECT 1 FROM pragma_table_xinfo(made.name) WHERE hidden > 1) THEN 'table with generated columns'
    ELSE 'table that is not STRICT'
  END
FROM sqlite_schema AS made
WHERE made.type IN ('table', 'view') AND lower(made.name) IN (
  'store', 'migrations', 'categories', 'types', 'tags', 'streams', 'events', 'event_tags', 'sources', 'snapshots',
  'consumers', 'checkpoints', 'parked'
) AND (
  coalesce(made.rootpage, 0) = 0
  OR EXISTS (SELECT 1 FROM pragma_table_xinfo(made.name) WHERE hidden > 1)
  OR NOT (SELECT strict FROM pragma_table_list(made.name) WHERE schema = 'main')
)
"""

# --- Appending -----------------------------------------------------------------------------------------------

# Changes with each commit of another connection, and not with those of this one.
DATA_VERSION: Final = """
PRAGMA data_version
"""

# The head is the last row of the table itself; keys of names are given out the same way. None is given out where
# the tables disagree, as in HEAD, and none follows the greatest number.
LAST_KEYS: Final = """
SELECT
  (SELECT coalesce(max(global_position), 0) FROM events),
  (SELECT coalesce(max(key), 0) FROM streams),
  (SELECT coalesce(max(key), 0) FROM categories),
  (SELECT coalesce(max(key), 0) FROM types),
  (SELECT coalesce(max(key), 0) FROM tags),
  (SELECT min_writer FROM store WHERE id = 1),
  (SELECT tamper_evident FROM store WHERE id = 1),
  (SELECT chain_hash FROM events WHERE global_position = (SELECT max(global_position) FROM events)),
  CASE
    WHEN (SELECT coalesce(max(stream_key), 0) FROM events)
      > (SELECT coalesce(max(key), 0) FROM streams)
    THEN 'streams'
    WHEN (SELECT coalesce(max(category_key), 0) FROM events)
      > (SELECT coalesce(max(key), 0) FROM categories)
    THEN 'categories'
    WHEN (SELECT coalesce(max(category_key), 0) FROM streams)
      > (SELECT coalesce(max(key), 0) FROM categories)
    THEN 'categories'
    WHEN (SELECT coalesce(max(type_key), 0) FROM events)
      > (SELECT coalesce(max(key), 0) FROM types)
    THEN 'types'
    WHEN (SELECT coalesce(max(tag_key), 0) FROM event_tags)
      > (SELECT coalesce(max(key), 0) FROM tags)
    THEN 'tags'
    WHEN 9223372036854775807 IN (
      (SELECT max(global_position) FROM events),
      (SELECT max(key) FROM streams),
      (SELECT max(key) FROM categories),
      (SELECT max(key) FROM types),
      (SELECT max(key) FROM tags)
    )
    THEN 'names'
  END
"""

# Index streams_by_id, then the last entry of events_by_stream.
FIND_STREAMS: Final = """
SELECT
  streams.stream_id,
  streams.key,
  (SELECT max(version) FROM events WHERE events.stream_key = streams.key)
FROM json_each(:stream_ids) AS given
CROSS JOIN streams ON streams.stream_id = given.value
"""

# Index categories_by_name, then the last entries of streams_by_number and events_by_category.
FIND_CATEGORY: Final = """
SELECT
  categories.key,
  (SELECT max(category_number) FROM streams WHERE streams.category_key = categories.key),
  (SELECT category_number FROM events WHERE events.category_key = categories.key
   ORDER BY global_position DESC LIMIT 1)
FROM categories
WHERE categories.name = :name
"""

# Index types_by_name.
FIND_TYPE: Final = """
SELECT key FROM types WHERE name = :name
"""

# Index tags_by_name.
FIND_TAG: Final = """
SELECT key FROM tags WHERE name = :name
"""

ADD_CATEGORY: Final = """
INSERT INTO categories (key, name) VALUES (?, ?)
"""

ADD_TYPE: Final = """
INSERT INTO types (key, name) VALUES (?, ?)
"""

ADD_TAG: Final = """
INSERT INTO tags (key, name) VALUES (?, ?)
"""

ADD_STREAM: Final = """
INSERT INTO streams (key, stream_id, category_key, category_number) VALUES (?, ?, ?, ?)
"""

ADD_EVENT: Final = """
INSERT INTO events (
  global_position, id, stream_key, version, category_key, category_number,
  type_key, timestamp, correlation_hash, tags, metadata, data
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

# The same with hashes: of a tamper-evident store, and of events that another store redacted.
ADD_HASHED_EVENT: Final = """
INSERT INTO events (
  global_position, id, stream_key, version, category_key, category_number,
  type_key, timestamp, correlation_hash, tags, metadata, data,
  redacted_at, content_hash, chain_hash
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

ADD_EVENT_TAG: Final = """
INSERT INTO event_tags (tag_key, global_position) VALUES (?, ?)
"""

# The version of a stream. Index streams_by_id, then the last entry of events_by_stream.
VERSION: Final = """
SELECT max(version) FROM events WHERE stream_key = (SELECT key FROM streams WHERE stream_id = :stream_id)
"""

# The last entry of a source in its key.
LAST_OF_SOURCE: Final = """
SELECT max(position) FROM sources WHERE name = :name
"""

ADD_SOURCE: Final = """
INSERT INTO sources (name, position, global_position) VALUES (?, ?, ?)
"""

# Index events_by_id.
HOLDS_ID: Final = """
SELECT 1 FROM events WHERE id = ?
"""

# --- Redacting -----------------------------------------------------------------------------------------------

MAKE_TAMPER_EVIDENT: Final = """
UPDATE store SET tamper_evident = 1
"""

IS_TAMPER_EVIDENT: Final = """
SELECT tamper_evident FROM store
"""

# Index events_by_id.
REDACT: Final = """
UPDATE events SET
  data = 'null',
  metadata = CASE WHEN :metadata THEN '{}' ELSE metadata END,
  correlation_hash = CASE WHEN :metadata THEN NULL ELSE correlation_hash END,
  redacted_at = coalesce(redacted_at, :now),
  content_hash = coalesce(content_hash, :content_hash)
WHERE id = :id
"""

# --- Reading events ------------------------------------------------------------------------------------------

# Names are joined from the outside: an event without its stream or type is a fault to report, and no absence.

# Index events_by_id.
GET_EVENT: Final = f"""
SELECT {EVENT}
FROM events
LEFT JOIN streams ON streams.key = events.stream_key
LEFT JOIN types ON types.key = events.type_key
WHERE events.id = ?
"""

# Index events_by_stream.
READ_STREAM_FORWARD: Final = f"""
SELECT events.id, :stream_id, types.name, {OWN}
FROM events
LEFT JOIN types ON types.key = events.type_key
WHERE events.stream_key = (SELECT key FROM streams WHERE stream_id = :stream_id)
  AND events.version BETWEEN :low AND :high
  AND (:types IS NULL OR types.name IS NULL OR types.name IN (SELECT value FROM json_each(:types)))
  AND (:since IS NULL OR events.timestamp >= :since)
  AND (:until IS NULL OR events.timestamp < :until)
ORDER BY events.version
LIMIT :limit
"""

# Index events_by_stream.
READ_STREAM_BACKWARD: Final = f"""
SELECT events.id, :stream_id, types.name, {OWN}
FROM events
LEFT JOIN types ON types.key = events.type_key
WHERE events.stream_key = (SELECT key FROM streams WHERE stream_id = :stream_id)
  AND events.version BETWEEN :low AND :high
  AND (:types IS NULL OR types.name IS NULL OR types.name IN (SELECT value FROM json_each(:types)))
  AND (:since IS NULL OR events.timestamp >= :since)
  AND (:until IS NULL OR events.timestamp < :until)
ORDER BY events.version DESC
LIMIT :limit
"""

# The table itself, which is ordered by global_position.
READ_LOG_FORWARD: Final = f"""
SELECT {EVENT}
FROM events
LEFT JOIN streams ON streams.key = events.stream_key
LEFT JOIN types ON types.key = events.type_key
WHERE events.global_position BETWEEN :low AND :high
  AND (:types IS NULL OR types.name IS NULL OR types.name IN (SELECT value FROM json_each(:types)))
  AND (:since IS NULL OR events.timestamp >= :since)
  AND (:until IS NULL OR events.timestamp < :until)
  AND {METADATA}
ORDER BY events.global_position
LIMIT :limit
"""

# The table itself, which is ordered by global_position.
READ_LOG_BACKWARD: Final = f"""
SELECT {EVENT}
FROM events
LEFT JOIN streams ON streams.key = events.stream_key
LEFT JOIN types ON types.key = events.type_key
WHERE events.global_position BETWEEN :low AND :high
  AND (:types IS NULL OR types.name IS NULL OR types.name IN (SELECT value FROM json_each(:types)))
  AND (:since IS NULL OR events.timestamp >= :since)
  AND (:until IS NULL OR events.timestamp < :until)
  AND {METADATA}
ORDER BY events.global_position DESC
LIMIT :limit
"""

# The log without a filter, with keys in the place of names, which are looked up later: to join them to each event
# would take as long as all else.

# The table itself, which is ordered by global_position.
READ_KEYED_LOG_FORWARD: Final = f"""
SELECT events.id, events.stream_key, events.type_key, {OWN}
FROM events
WHERE events.global_position BETWEEN :low AND :high
ORDER BY events.global_position
LIMIT :limit
"""

# The table itself, which is ordered by global_position.
READ_KEYED_LOG_BACKWARD: Final = f"""
SELECT events.id, events.stream_key, events.type_key, {OWN}
FROM events
WHERE events.global_position BETWEEN :low AND :high
ORDER BY events.global_position DESC
LIMIT :limit
"""

# The same with names, for a log that has more of them than are kept in memory: to join them takes less time than
# to look most of them up. What is no text is no name.
NAMED: Final = f"""events.id,
  CASE typeof(streams.stream_id) WHEN 'text' THEN streams.stream_id END,
  CASE typeof(types.name) WHEN 'text' THEN types.name END,
  {OWN}"""

# The table itself, which is ordered by global_position.
READ_NAMED_LOG_FORWARD: Final = f"""
SELECT {NAMED}
FROM events
LEFT JOIN streams ON streams.key = events.stream_key
LEFT JOIN types ON types.key = events.type_key
WHERE events.global_position BETWEEN :low AND :high
ORDER BY events.global_position
LIMIT :limit
"""

# The table itself, which is ordered by global_position.
READ_NAMED_LOG_BACKWARD: Final = f"""
SELECT {NAMED}
FROM events
LEFT JOIN streams ON streams.key = events.stream_key
LEFT JOIN types ON types.key = events.type_key
WHERE events.global_position BETWEEN :low AND :high
ORDER BY events.global_position DESC
LIMIT :limit
"""

# The table itself.
NAMES_OF_STREAMS: Final = """
SELECT streams.key, streams.stream_id
FROM json_each(:keys) AS given
CROSS JOIN streams ON streams.key = given.value
"""

# The table itself.
NAMES_OF_TYPES: Final = """
SELECT types.key, types.name
FROM json_each(:keys) AS given
CROSS JOIN types ON types.key = given.value
"""

# Index events_by_category. Types are a residual filter: they never choose the index.
READ_CATEGORY_FORWARD: Final = f"""
SELECT {EVENT}
FROM events
LEFT JOIN streams ON streams.key = events.stream_key
LEFT JOIN types ON types.key = events.type_key
WHERE events.category_key = (SELECT key FROM categories WHERE name = :category)
  AND events.global_position BETWEEN :low AND :high
  AND (:types IS NULL OR types.name IS NULL OR types.name IN (SELECT value FROM json_each(:types)))
  AND (:since IS NULL OR events.timestamp >= :since)
  AND (:until IS NULL OR events.timestamp < :until)
  AND {METADATA}
ORDER BY events.global_position
LIMIT :limit
"""

# Index events_by_category.
READ_CATEGORY_BACKWARD: Final = f"""
SELECT {EVENT}
FROM events
LEFT JOIN streams ON streams.key = events.stream_key
LEFT JOIN types ON types.key = events.type_key
WHERE events.category_key = (SELECT key FROM categories WHERE name = :category)
  AND events.global_position BETWEEN :low AND :high
  AND (:types IS NULL OR types.name IS NULL OR types.name IN (SELECT value FROM json_each(:types)))
  AND (:since IS NULL OR events.timestamp >= :since)
  AND (:until IS NULL OR events.timestamp < :until)
  AND {METADATA}
ORDER BY events.global_position DESC
LIMIT :limit
"""

# Index events_by_type: a rare type of the whole log is found without reading the rest.
READ_TYPE_FORWARD: Final = f"""
SELECT events.id, streams.stream_id, :type, {OWN}
FROM events
LEFT JOIN streams ON streams.key = events.stream_key
WHERE events.type_key = (SELECT key FROM types WHERE name = :type)
  AND events.global_position BETWEEN :low AND :high
  AND (:since IS NULL OR events.timestamp >= :since)
  AND (:until IS NULL OR events.timestamp < :until)
  AND {METADATA}
ORDER BY events.global_position
LIMIT :limit
"""

# Index events_by_type.
READ_TYPE_BACKWARD: Final = f"""
SELECT events.id, streams.stream_id, :type, {OWN}
FROM events
LEFT JOIN streams ON streams.key = events.stream_key
WHERE events.type_key = (SELECT key FROM types WHERE name = :type)
  AND events.global_position BETWEEN :low AND :high
  AND (:since IS NULL OR events.timestamp >= :since)
  AND (:until IS NULL OR events.timestamp < :until)
  AND {METADATA}
ORDER BY events.global_position DESC
LIMIT :limit
"""

# Index events_by_correlation. The hash finds few, the text decides: two ids may share a hash.
READ_CORRELATION_FORWARD: Final = f"""
SELECT events.id, CASE WHEN categories.name IS NOT NULL THEN streams.stream_id END, types.name, {OWN}
FROM events
LEFT JOIN streams ON streams.key = events.stream_key
LEFT JOIN types ON types.key = events.type_key
LEFT JOIN categories ON categories.key = events.category_key
WHERE events.correlation_hash = :correlation_hash
  AND events.global_position BETWEEN :low AND :high
  AND json_extract(events.metadata, '$.correlationId') = :correlation_id
  AND (:categories IS NULL OR categories.name IS NULL
    OR categories.name IN (SELECT value FROM json_each(:categories)))
  AND (:types IS NULL OR types.name IS NULL OR types.name IN (SELECT value FROM json_each(:types)))
  AND (:since IS NULL OR events.timestamp >= :since)
  AND (:until IS NULL OR events.timestamp < :until)
  AND {METADATA}
ORDER BY events.global_position
LIMIT :limit
"""

# Index events_by_correlation.
READ_CORRELATION_BACKWARD: Final = f"""
SELECT events.id, CASE WHEN categories.name IS NOT NULL THEN streams.stream_id END, types.name, {OWN}
FROM events
LEFT JOIN streams ON streams.key = events.stream_key
LEFT JOIN types ON types.key = events.type_key
LEFT JOIN categories ON categories.key = events.category_key
WHERE events.correlation_hash = :correlation_hash
  AND events.global_position BETWEEN :low AND :high
  AND json_extract(events.metadata, '$.correlationId') = :correlation_id
  AND (:categories IS NULL OR categories.name IS NULL
    OR categories.name IN (SELECT value FROM json_each(:categories)))
  AND (:types IS NULL OR types.name IS NULL OR types.name IN (SELECT value FROM json_each(:types)))
  AND (:since IS NULL OR events.timestamp >= :since)
  AND (:until IS NULL OR events.timestamp < :until)
  AND {METADATA}
ORDER BY events.global_position DESC
LIMIT :limit
"""

# --- Queries -------------------------------------------------------------------------------------------------

# The key of event_tags.
TAGGED_FORWARD: Final = """
SELECT global_position
FROM event_tags
WHERE tag_key = :key
  AND global_position BETWEEN :low AND :high
ORDER BY global_position
LIMIT :limit
"""

# The key of event_tags.
TAGGED_BACKWARD: Final = """
SELECT global_position
FROM event_tags
WHERE tag_key = :key
  AND global_position BETWEEN :low AND :high
ORDER BY global_position DESC
LIMIT :limit
"""

# Index events_by_type.
TYPED_FORWARD: Final = """
SELECT global_position
FROM events
WHERE type_key = :key
  AND global_position BETWEEN :low AND :high
ORDER BY global_position
LIMIT :limit
"""

# Index events_by_type.
TYPED_BACKWARD: Final = """
SELECT global_position
FROM events
WHERE type_key = :key
  AND global_position BETWEEN :low AND :high
ORDER BY global_position DESC
LIMIT :limit
"""

# The table itself: an event that a query matches, if the other filters admit it too.
READ_MATCH: Final = f"""
SELECT {EVENT}
FROM events
LEFT JOIN streams ON streams.key = events.stream_key
LEFT JOIN types ON types.key = events.type_key
LEFT JOIN categories ON categories.key = events.category_key
WHERE events.global_position = :position
  AND (:correlation_id IS NULL OR json_extract(events.metadata, '$.correlationId') = :correlation_id)
  AND (:categories IS NULL OR categories.name IS NULL
    OR categories.name IN (SELECT value FROM json_each(:categories)))
  AND (:types IS NULL OR types.name IS NULL OR types.name IN (SELECT value FROM json_each(:types)))
  AND (:since IS NULL OR events.timestamp >= :since)
  AND (:until IS NULL OR events.timestamp < :until)
  AND {METADATA}
"""

# The same, without its data.
COUNT_MATCH: Final = f"""
SELECT count(*)
FROM events
LEFT JOIN types ON types.key = events.type_key
LEFT JOIN categories ON categories.key = events.category_key
WHERE events.global_position = :position
  AND (:correlation_id IS NULL OR json_extract(events.metadata, '$.correlationId') = :correlation_id)
  AND (:categories IS NULL OR categories.name IS NULL
    OR categories.name IN (SELECT value FROM json_each(:categories)))
  AND (:types IS NULL OR types.name IS NULL OR types.name IN (SELECT value FROM json_each(:types)))
  AND (:since IS NULL OR events.timestamp >= :since)
  AND (:until IS NULL OR events.timestamp < :until)
  AND {METADATA}
"""

# Index events_by_category: the numbers of a category's last event before a range of positions, and of its last
# event there. Where nothing is missing, the difference of the two is the count of events in the range.
CATEGORY_NUMBERS: Final = """
SELECT
  (SELECT category_number FROM events
   WHERE category_key = categories.key AND global_position < :first ORDER BY global_position DESC LIMIT 1),
  (SELECT category_number FROM events
   WHERE category_key = categories.key AND global_position = :last)
FROM categories
WHERE categories.name = :category
"""

# Counts read no data, which overflows onto pages of its own. With the count go the ends of what is counted.

# The table itself.
COUNT_LOG: Final = f"""
SELECT count(*), min(events.global_position), max(events.global_position)
FROM events
WHERE events.global_position BETWEEN :low AND :high
  AND (:since IS NULL OR events.timestamp >= :since)
  AND (:until IS NULL OR events.timestamp < :until)
  AND {METADATA}
"""

# Index events_by_category.
COUNT_CATEGORIES: Final = f"""
SELECT count(*), min(events.global_position), max(events.global_position)
FROM events
WHERE events.category_key IN (
    SELECT categories.key FROM json_each(:categories) AS given
    CROSS JOIN categories ON categories.name = given.value
  )
  AND events.global_position BETWEEN :low AND :high
  AND (:types IS NULL OR events.type_key IN (
    SELECT types.key FROM json_each(:types) AS given
    CROSS JOIN types ON types.name = given.value
  ))
  AND (:since IS NULL OR events.timestamp >= :since)
  AND (:until IS NULL OR events.timestamp < :until)
  AND {METADATA}
"""

# Index events_by_type.
COUNT_TYPES: Final = f"""
SELECT count(*), min(events.global_position), max(events.global_position)
FROM events
WHERE events.type_key IN (
    SELECT types.key FROM json_each(:types) AS given
    CROSS JOIN types ON types.name = given.value
  )
  AND events.global_position BETWEEN :low AND :high
  AND (:since IS NULL OR events.timestamp >= :since)
  AND (:until IS NULL OR events.timestamp < :until)
  AND {METADATA}
"""

# Index events_by_correlation.
COUNT_CORRELATION: Final = f"""
SELECT count(*), min(events.global_position), max(events.global_position)
FROM events
WHERE events.correlation_hash = :correlation_hash
  AND events.global_position BETWEEN :low AND :high
  AND json_extract(events.metadata, '$.correlationId') = :correlation_id
  AND (:categories IS NULL OR events.category_key IN (
    SELECT categories.key FROM json_each(:categories) AS given
    CROSS JOIN categories ON categories.name = given.value
  ))
  AND (:types IS NULL OR events.type_key IN (
    SELECT types.key FROM json_each(:types) AS given
    CROSS JOIN types ON types.name = given.value
  ))
  AND (:since IS NULL OR events.timestamp >= :since)
  AND (:until IS NULL OR events.timestamp < :until)
  AND {METADATA}
"""

# --- Lists and facts -----------------------------------------------------------------------------------------

# Names are compared as [low, high) by their bytes, which is code point order; `after` itself is left out. What a
# row needs is joined from the outside: that it is missing is a fault to report, and the row is no absence. The
# last column is the highest global position that a row rests on.

# Index streams_by_id; each stream's first and last event by events_by_stream.
LIST_STREAMS: Final = """
SELECT
  streams.stream_id, categories.name, newest.version, oldest.timestamp, newest.timestamp, types.name,
  newest.global_position
FROM streams
LEFT JOIN categories ON categories.key = streams.category_key
CROSS JOIN events AS newest ON newest.stream_key = streams.key
  AND newest.version = (SELECT max(version) FROM events WHERE events.stream_key = streams.key)
LEFT JOIN events AS oldest ON oldest.stream_key = streams.key AND oldest.version = 1
LEFT JOIN types ON types.key = newest.type_key
WHERE streams.stream_id >= :low
  AND streams.stream_id < :high
  AND streams.stream_id IS NOT :after
ORDER BY streams.stream_id
LIMIT :limit
"""

# Index streams_by_category; each stream's first and last event by events_by_stream.
LIST_STREAMS_OF_CATEGORY: Final = """
SELECT
  streams.stream_id, :category, newest.version, oldest.timestamp, newest.timestamp, types.name,
  newest.global_position
FROM streams
CROSS JOIN events AS newest ON newest.stream_key = streams.key
  AND newest.version = (SELECT max(version) FROM events WHERE events.stream_key = streams.key)
LEFT JOIN events AS oldest ON oldest.stream_key = streams.key AND oldest.version = 1
LEFT JOIN types ON types.key = newest.type_key
WHERE streams.category_key = (SELECT key FROM categories WHERE name = :category)
  AND streams.stream_id >= :low
  AND streams.stream_id < :high
  AND streams.stream_id IS NOT :after
ORDER BY streams.stream_id
LIMIT :limit
"""

# Index categories_by_name; the counts are the last numbers given out, found by streams_by_number and
# events_by_category.
LIST_CATEGORIES: Final = """
SELECT
  categories.name,
  (SELECT max(category_number) FROM streams WHERE streams.category_key = categories.key),
  newest.category_number,
  (SELECT min(global_position) FROM events WHERE events.category_key = categories.key),
  newest.global_position,
  newest.timestamp,
  newest.global_position
FROM categories
CROSS JOIN events AS newest ON newest.global_position =
  (SELECT max(global_position) FROM events WHERE events.category_key = categories.key)
WHERE categories.name >= :low
  AND categories.name < :high
  AND categories.name IS NOT :after
ORDER BY categories.name
LIMIT :limit
"""

# Index types_by_name; counted in events_by_type.
LIST_TYPES: Final = """
SELECT types.name, count(*), min(events.global_position), max(events.global_position), max(events.global_position)
FROM types
CROSS JOIN events ON events.type_key = types.key
WHERE types.name >= :low
  AND types.name < :high
  AND types.name IS NOT :after
GROUP BY types.name
ORDER BY types.name
LIMIT :limit
"""

# Index events_by_category; the few types of a category are sorted afterwards.
LIST_TYPES_OF_CATEGORY: Final = """
SELECT types.name, count(*), min(events.global_position), max(events.global_position), max(events.global_position)
FROM events
LEFT JOIN types ON types.key = events.type_key
WHERE events.category_key = (SELECT key FROM categories WHERE name = :category)
  AND (types.name IS NULL OR types.name >= :low AND types.name < :high AND types.name IS NOT :after)
GROUP BY types.name
ORDER BY types.name
LIMIT :limit
"""

# Index tags_by_name; counted in the key of event_tags.
LIST_TAGS: Final = """
SELECT
  tags.name, count(*), min(event_tags.global_position), max(event_tags.global_position),
  max(event_tags.global_position)
FROM tags
CROSS JOIN event_tags ON event_tags.tag_key = tags.key
WHERE tags.name >= :low
  AND tags.name < :high
  AND tags.name IS NOT :after
GROUP BY tags.name
ORDER BY tags.name
LIMIT :limit
"""

# The first source of the range, by its last entry in the key of sources. No table has one row for each name, and
# a scan would cost by the appends.
NEXT_SOURCE: Final = """
SELECT name, position, global_position
FROM sources
WHERE name = (
  SELECT name FROM sources WHERE name >= :low AND name < :high ORDER BY name LIMIT 1
)
ORDER BY position DESC
LIMIT 1
"""

# The first and the last row of the table.
ENDS: Final = """
SELECT oldest.global_position, oldest.timestamp, newest.global_position, newest.timestamp
FROM events AS oldest
CROSS JOIN events AS newest
WHERE oldest.global_position = (SELECT min(global_position) FROM events)
  AND newest.global_position = (SELECT max(global_position) FROM events)
"""

# Index events_by_timestamp, which holds both columns.
SPAN: Final = """
SELECT min(global_position), max(global_position)
FROM events
WHERE timestamp BETWEEN :since AND :last
"""

# The head, and the table in which the log lacks names, NULL if none. Keys are given out without gaps, so that the
# ends of the tables and of their indexes show if they agree.
HEAD: Final = """
SELECT
  (SELECT coalesce(max(global_position), 0) FROM events),
  CASE
    WHEN (SELECT coalesce(max(stream_key), 0) FROM events)
      > (SELECT coalesce(max(key), 0) FROM streams)
    THEN 'streams'
    WHEN (SELECT coalesce(max(category_key), 0) FROM events)
      > (SELECT coalesce(max(key), 0) FROM categories)
    THEN 'categories'
    WHEN (SELECT coalesce(max(category_key), 0) FROM streams)
      > (SELECT coalesce(max(key), 0) FROM categories)
    THEN 'categories'
    WHEN (SELECT coalesce(max(type_key), 0) FROM events)
      > (SELECT coalesce(max(key), 0) FROM types)
    THEN 'types'
    WHEN (SELECT coalesce(max(tag_key), 0) FROM event_tags)
      > (SELECT coalesce(max(key), 0) FROM tags)
    THEN 'tags'
  END
"""

# The same for what asks by name, or lists all names. Names that are all there need no look at the tables, and the
# answer is an empty text. Of categories and types, which are few, the count shows if one is lost.
LOST: Final = """
SELECT
  (SELECT coalesce(max(global_position), 0) FROM events),
  CASE
    WHEN NOT :all
      AND (:stream_id IS NULL OR EXISTS (SELECT 1 FROM streams WHERE stream_id = :stream_id))
      AND NOT EXISTS (SELECT 1 FROM json_each(:categories) AS given
        WHERE NOT EXISTS (SELECT 1 FROM categories WHERE name = given.value))
      AND NOT EXISTS (SELECT 1 FROM json_each(:types) AS given
        WHERE NOT EXISTS (SELECT 1 FROM types WHERE name = given.value))
      AND NOT EXISTS (SELECT 1 FROM json_each(:tags) AS given
        WHERE NOT EXISTS (SELECT 1 FROM tags WHERE name = given.value))
    THEN ''
    WHEN (SELECT coalesce(max(stream_key), 0) FROM events)
      > (SELECT coalesce(max(key), 0) FROM streams)
    THEN 'streams'
    WHEN (SELECT coalesce(max(category_key), 0) FROM events)
      > (SELECT coalesce(max(key), 0) FROM categories)
    THEN 'categories'
    WHEN (SELECT coalesce(max(category_key), 0) FROM streams)
      > (SELECT coalesce(max(key), 0) FROM categories)
    THEN 'categories'
    WHEN (SELECT coalesce(max(type_key), 0) FROM events)
      > (SELECT coalesce(max(key), 0) FROM types)
    THEN 'types'
    WHEN (SELECT coalesce(max(tag_key), 0) FROM event_tags)
      > (SELECT coalesce(max(key), 0) FROM tags)
    THEN 'tags'
    WHEN (SELECT count(*) FROM categories) < (SELECT coalesce(max(key), 0) FROM categories) THEN 'categories'
    WHEN (SELECT count(*) FROM types) < (SELECT coalesce(max(key), 0) FROM types) THEN 'types'
    WHEN :all AND (SELECT count(*) FROM tags) < (SELECT coalesce(max(key), 0) FROM tags) THEN 'tags'
  END
"""

# The same of streams, counted beyond the key up to which none is missing, and the last key.
COUNT_STREAMS: Final = """
SELECT
  (SELECT coalesce(max(global_position), 0) FROM events),
  CASE WHEN count(*) < max(key) - :whole THEN 'streams' END,
  coalesce(max(key), :whole)
FROM streams
WHERE key > :whole
"""

# The same of tags.
COUNT_TAGS: Final = """
SELECT
  (SELECT coalesce(max(global_position), 0) FROM events),
  CASE WHEN count(*) < max(key) - :whole THEN 'tags' END,
  coalesce(max(key), :whole)
FROM tags
WHERE key > :whole
"""
