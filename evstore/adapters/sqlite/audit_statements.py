"""Every statement of the audits of a SQLite store, whole.

INDEXED BY says in which index something must be found: what is missing there is missing for every reader.
"""

from __future__ import annotations

from typing import Final

from evstore.adapters.sqlite.statements import EVENT, OWN

# A page of the table itself, with keys in the place of names.
AUDIT_PAGE: Final = f"""
SELECT
  events.id, events.stream_key, events.type_key, {OWN},
  events.category_key, events.category_number,
  events.correlation_hash, events.content_hash, events.chain_hash
FROM events
WHERE events.global_position >= :low AND events.global_position <= :high
ORDER BY events.global_position
"""

# Of the events of a page: the rows that the searches for them find, which are more than the events if one is found
# twice; the number of events that each search finds; the positions of the versions before, empty for none. One row
# for all takes half the time of a row for each.
AUDIT_AGREED: Final = """
SELECT
  count(*),
  total(
    by_id.global_position IS events.global_position
    AND by_stream.global_position IS events.global_position
    AND streams.category_key IS events.category_key
    AND by_type.global_position IS NOT NULL
    AND by_timestamp.global_position IS NOT NULL
    AND (events.correlation_hash IS NULL OR by_correlation.global_position IS NOT NULL)
    AND typeof(before.global_position) IN ('integer', 'null')
  ),
  group_concat(coalesce(before.global_position, ''))
FROM events
LEFT JOIN streams ON streams.key = events.stream_key
LEFT JOIN events AS by_id INDEXED BY events_by_id ON by_id.id = events.id
LEFT JOIN events AS by_stream INDEXED BY events_by_stream
  ON by_stream.stream_key = events.stream_key AND by_stream.version = events.version
LEFT JOIN events AS before INDEXED BY events_by_stream
  ON before.stream_key = events.stream_key AND before.version = events.version - 1
LEFT JOIN events AS by_type INDEXED BY events_by_type
  ON by_type.type_key = events.type_key AND by_type.global_position = events.global_position
LEFT JOIN events AS by_timestamp INDEXED BY events_by_timestamp
  ON by_timestamp.timestamp = events.timestamp AND by_timestamp.global_position = events.global_position
LEFT JOIN events AS by_correlation INDEXED BY events_by_correlation
  ON by_correlation.correlation_hash = events.correlation_hash
  AND by_correlation.global_position = events.global_position
WHERE events.global_position >= :low AND events.global_position <= :high
"""

# For each category of a page: its name, the number of its last event before the page, and all of its events there
# that its index holds.
AUDIT_NUMBERS: Final = """
SELECT
  given.value,
  (SELECT name FROM categories WHERE categories.key = given.value),
  (SELECT before.category_number FROM events AS before INDEXED BY events_by_category
   WHERE before.category_key = given.value AND before.global_position < :low
   ORDER BY before.global_position DESC LIMIT 1),
  (SELECT group_concat(held.global_position) FROM events AS held INDEXED BY events_by_category
   WHERE held.category_key = given.value AND held.global_position >= :low AND held.global_position <= :high)
FROM json_each(:categories) AS given
"""

# For each of these tags, its events among the positions of a page. Index tags_by_name, then the key of event_tags.
AUDIT_TAGGED: Final = """
SELECT
  given.value,
  (SELECT group_concat(held.global_position) FROM event_tags AS held
   WHERE held.tag_key = tags.key AND held.global_position >= :low AND held.global_position <= :high)
FROM json_each(:tags) AS given
CROSS JOIN tags INDEXED BY tags_by_name ON tags.name = given.value
"""

# The whole key of event_tags.
COUNT_TAGS: Final = """
SELECT count(*) FROM event_tags WHERE global_position <= :high
"""

# The table itself; what belongs to an event is looked up by its keys, what must lead to it by its indexes.
AUDIT_EVENTS: Final = f"""
SELECT
  {EVENT},
  categories.name,
  (SELECT its.name FROM categories AS its WHERE its.key = streams.category_key),
  (SELECT min(same.global_position) FROM events AS same INDEXED BY events_by_id
   WHERE same.id = events.id),
  (SELECT min(same.global_position) FROM events AS same INDEXED BY events_by_stream
   WHERE same.stream_key = events.stream_key AND same.version = events.version),
  (SELECT min(before.global_position) FROM events AS before INDEXED BY events_by_stream
   WHERE before.stream_key = events.stream_key AND before.version = events.version - 1),
  events.category_number,
  (SELECT before.category_number FROM events AS before INDEXED BY events_by_category
   WHERE before.category_key = events.category_key AND before.global_position < events.global_position
   ORDER BY before.global_position DESC LIMIT 1),
  events.correlation_hash, events.content_hash, events.chain_hash,
  EXISTS (SELECT 1 FROM events AS same INDEXED BY events_by_category
    WHERE same.category_key = events.category_key AND same.global_position = events.global_position),
  EXISTS (SELECT 1 FROM events AS same INDEXED BY events_by_type
    WHERE same.type_key = events.type_key AND same.global_position = events.global_position),
  EXISTS (SELECT 1 FROM events AS same INDEXED BY events_by_timestamp
    WHERE same.timestamp = events.timestamp AND same.global_position = events.global_position),
  events.correlation_hash IS NULL OR EXISTS (SELECT 1 FROM events AS same INDEXED BY events_by_correlation
    WHERE same.correlation_hash = events.correlation_hash AND same.global_position = events.global_position)
FROM events
LEFT JOIN streams ON streams.key = events.stream_key
LEFT JOIN types ON types.key = events.type_key
LEFT JOIN categories ON categories.key = events.category_key
WHERE events.global_position >= :low AND events.global_position <= :high
ORDER BY events.global_position
LIMIT :limit
"""

# The table itself.
AUDIT_STREAMS: Final = """
SELECT
  streams.key, streams.stream_id,
  (SELECT min(same.key) FROM streams AS same INDEXED BY streams_by_id WHERE same.stream_id = streams.stream_id),
  EXISTS (SELECT 1 FROM events INDEXED BY events_by_stream WHERE events.stream_key = streams.key),
  categories.name,
  streams.category_number,
  (SELECT max(before.category_number) FROM streams AS before INDEXED BY streams_by_number
   WHERE before.category_key = streams.category_key AND before.category_number < streams.category_number),
  (SELECT min(same.key) FROM streams AS same INDEXED BY streams_by_number
   WHERE same.category_key = streams.category_key AND same.category_number = streams.category_number),
  EXISTS (SELECT 1 FROM streams AS same INDEXED BY streams_by_category
    WHERE same.category_key = streams.category_key AND same.stream_id = streams.stream_id)
FROM streams
LEFT JOIN categories ON categories.key = streams.category_key
WHERE streams.key > :after
ORDER BY streams.key
LIMIT :limit
"""

# The table itself.
AUDIT_CATEGORIES: Final = """
SELECT
  categories.key, categories.name,
  (SELECT min(same.key) FROM categories AS same INDEXED BY categories_by_name WHERE same.name = categories.name),
  EXISTS (SELECT 1 FROM events INDEXED BY events_by_category WHERE events.category_key = categories.key)
FROM categories
WHERE categories.key > :after
ORDER BY categories.key
LIMIT :limit
"""

# The table itself.
AUDIT_TYPES: Final = """
SELECT
  types.key, types.name,
  (SELECT min(same.key) FROM types AS same INDEXED BY types_by_name WHERE same.name = types.name),
  EXISTS (SELECT 1 FROM events INDEXED BY events_by_type WHERE events.type_key = types.key)
FROM types
WHERE types.key > :after
ORDER BY types.key
LIMIT :limit
"""

# The table itself.
AUDIT_TAGS: Final = """
SELECT
  tags.key, tags.name,
  (SELECT min(same.key) FROM tags AS same INDEXED BY tags_by_name WHERE same.name = tags.name),
  EXISTS (SELECT 1 FROM event_tags WHERE event_tags.tag_key = tags.key)
FROM tags
WHERE tags.key > :after
ORDER BY tags.key
LIMIT :limit
"""

# Searches for ids and hashes lead all over their indexes; in SQLite's own 2 MB, most pages would be read again.
CACHE: Final = """
PRAGMA cache_size = -16384
"""

INTEGRITY: Final = """
PRAGMA integrity_check
"""
