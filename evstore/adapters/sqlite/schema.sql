-- A SQLite event store, schema 1. Rows are only ever inserted: nothing that an append does is an UPDATE.
-- Keys are integers; a name is stored once. Times are microseconds since 1970-01-01T00:00:00Z.

PRAGMA application_id = 0x45565354;  -- "EVST"
PRAGMA user_version = 1;             -- the schema's number

-- One row: which evstores may use this store. A client compares its own schema number with these two only.
CREATE TABLE store (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  min_reader INTEGER NOT NULL,
  min_writer INTEGER NOT NULL,
  tamper_evident INTEGER NOT NULL DEFAULT 0 CHECK (tamper_evident IN (0, 1))  -- 1: every event has its hashes
) STRICT;

INSERT INTO store (id, min_reader, min_writer) VALUES (1, 1, 1);

-- The steps of `evstore migrate` that were applied here. A store that is made new needs none of them.
CREATE TABLE migrations (
  step TEXT NOT NULL,           -- 0002_what, and 0002_what.finish
  checksum TEXT NOT NULL,       -- SHA-256 of its file
  applied_at INTEGER NOT NULL,
  PRIMARY KEY (step)
) STRICT, WITHOUT ROWID;

CREATE TABLE categories (
  key INTEGER PRIMARY KEY,
  name TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX categories_by_name ON categories (name);

CREATE TABLE types (
  key INTEGER PRIMARY KEY,
  name TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX types_by_name ON types (name);

CREATE TABLE tags (
  key INTEGER PRIMARY KEY,
  name TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX tags_by_name ON tags (name);

CREATE TABLE streams (
  key INTEGER PRIMARY KEY,
  stream_id TEXT NOT NULL,
  category_key INTEGER NOT NULL REFERENCES categories (key),
  category_number INTEGER NOT NULL CHECK (category_number > 0)  -- 1, 2, 3… within the category: the last is the count
) STRICT;

CREATE UNIQUE INDEX streams_by_id ON streams (stream_id);
CREATE UNIQUE INDEX streams_by_category ON streams (category_key, stream_id);
CREATE UNIQUE INDEX streams_by_number ON streams (category_key, category_number);

-- `data` stands last: a long payload overflows onto pages that reading the other columns need not touch.
CREATE TABLE events (
  global_position INTEGER PRIMARY KEY CHECK (global_position > 0),
  id BLOB NOT NULL CHECK (length(id) = 16),
  stream_key INTEGER NOT NULL REFERENCES streams (key),
  version INTEGER NOT NULL CHECK (version > 0),
  category_key INTEGER NOT NULL REFERENCES categories (key),
  category_number INTEGER NOT NULL CHECK (category_number > 0),  -- 1, 2, 3… within the category: the last is the count
  type_key INTEGER NOT NULL REFERENCES types (key),
  timestamp INTEGER NOT NULL,  -- when the event was first stored, here or where it was imported from
  correlation_hash INTEGER,    -- 64 bits of BLAKE2b of metadata's correlationId
  redacted_at INTEGER,         -- when the data was replaced by null
  content_hash BLOB,
  chain_hash BLOB,
  tags TEXT,                   -- by code point, a space between two; NULL when there are none
  metadata TEXT NOT NULL,
  data TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX events_by_id ON events (id);
CREATE UNIQUE INDEX events_by_stream ON events (stream_key, version);
-- global_position is the rowid, with which each entry of these ends, in its order.
CREATE INDEX events_by_category ON events (category_key);
CREATE INDEX events_by_type ON events (type_key);
CREATE INDEX events_by_timestamp ON events (timestamp);
CREATE INDEX events_by_correlation ON events (correlation_hash) WHERE correlation_hash IS NOT NULL;

-- The events of each tag, in the order of the log.
CREATE TABLE event_tags (
  tag_key INTEGER NOT NULL REFERENCES tags (key),
  global_position INTEGER NOT NULL REFERENCES events (global_position),
  PRIMARY KEY (tag_key, global_position)
) STRICT, WITHOUT ROWID;

-- How far outside sources were taken: a row for each append that named one, of which the last of a name counts. The
-- name stands in each row, so that none can be lost and its positions with it.
CREATE TABLE sources (
  name TEXT NOT NULL,
  position INTEGER NOT NULL CHECK (position >= 0),  -- the source's own
  global_position INTEGER NOT NULL REFERENCES events (global_position),  -- of the last event stored with it
  PRIMARY KEY (name, position)
) STRICT, WITHOUT ROWID;

-- The state of an object of the application at a version of its stream: a cache, which nothing rests on.
CREATE TABLE snapshots (
  stream_key INTEGER NOT NULL REFERENCES streams (key),
  kind TEXT NOT NULL,      -- the class of the object
  version INTEGER NOT NULL CHECK (version > 0),
  event_id BLOB NOT NULL,  -- the event at that version, so that another log is noticed
  code TEXT NOT NULL,      -- a digest of the code that made the state
  state TEXT NOT NULL,
  PRIMARY KEY (stream_key, kind)
) STRICT;

-- Consumers: a filter under a name, and for each of the 64 slots how far it has come (slot 0 alone when the
-- consumer is not partitioned).
CREATE TABLE consumers (
  key INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  filter TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX consumers_by_name ON consumers (name);

CREATE TABLE checkpoints (
  consumer_key INTEGER NOT NULL REFERENCES consumers (key),
  slot INTEGER NOT NULL CHECK (slot BETWEEN 0 AND 63),
  global_position INTEGER NOT NULL CHECK (global_position >= 0),
  event_id BLOB,  -- the event at that position, so that another log is noticed; NULL at position 0
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (consumer_key, slot)
) STRICT, WITHOUT ROWID;

-- The event of a stream that holds back the later ones. A consumer that runs sees its state: with "retry" it handles
-- that event again, and with "drop" it goes on after it.
CREATE TABLE parked (
  consumer_key INTEGER NOT NULL REFERENCES consumers (key),
  stream_key INTEGER NOT NULL REFERENCES streams (key),
  global_position INTEGER NOT NULL REFERENCES events (global_position),
  reason TEXT NOT NULL,
  parked_at INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('parked', 'retry', 'drop')),
  PRIMARY KEY (consumer_key, stream_key)
) STRICT, WITHOUT ROWID;

-- The log refuses accidents. INSERT OR REPLACE passes these triggers unless recursive_triggers is on; one
-- against it would cost a fifth of bulk append.
-- A redaction alone changes an event: its data becomes null, its metadata perhaps {}, and the hash of the content
-- that it had stays.
CREATE TRIGGER events_are_not_updated BEFORE UPDATE ON events
WHEN NOT (
  new.data = 'null' AND new.metadata IN (old.metadata, '{}') AND new.redacted_at IS NOT NULL
  AND new.content_hash IS NOT NULL
  AND (new.redacted_at, new.content_hash) IS (coalesce(old.redacted_at, new.redacted_at), coalesce(old.content_hash, new.content_hash))
  AND (new.correlation_hash IS old.correlation_hash OR new.correlation_hash IS NULL AND new.metadata = '{}')
  AND (new.global_position, new.id, new.stream_key, new.version, new.category_key, new.category_number, new.type_key, new.timestamp, new.chain_hash, new.tags)
    IS (old.global_position, old.id, old.stream_key, old.version, old.category_key, old.category_number, old.type_key, old.timestamp, old.chain_hash, old.tags)
)
BEGIN SELECT raise(ABORT, 'evstore: a stored event never changes'); END;

CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON events
BEGIN SELECT raise(ABORT, 'evstore: a stored event is never deleted'); END;

CREATE TRIGGER streams_are_not_updated BEFORE UPDATE ON streams
BEGIN SELECT raise(ABORT, 'evstore: a stream never changes its name'); END;

CREATE TRIGGER streams_are_not_deleted BEFORE DELETE ON streams
BEGIN SELECT raise(ABORT, 'evstore: a stream is never deleted'); END;

CREATE TRIGGER categories_are_not_updated BEFORE UPDATE ON categories
BEGIN SELECT raise(ABORT, 'evstore: a category never changes its name'); END;

CREATE TRIGGER categories_are_not_deleted BEFORE DELETE ON categories
BEGIN SELECT raise(ABORT, 'evstore: a category is never deleted'); END;

CREATE TRIGGER types_are_not_updated BEFORE UPDATE ON types
BEGIN SELECT raise(ABORT, 'evstore: an event type never changes its name'); END;

CREATE TRIGGER types_are_not_deleted BEFORE DELETE ON types
BEGIN SELECT raise(ABORT, 'evstore: an event type is never deleted'); END;

CREATE TRIGGER tags_are_not_updated BEFORE UPDATE ON tags
BEGIN SELECT raise(ABORT, 'evstore: a tag never changes its name'); END;

CREATE TRIGGER tags_are_not_deleted BEFORE DELETE ON tags
BEGIN SELECT raise(ABORT, 'evstore: a tag is never deleted'); END;

CREATE TRIGGER event_tags_are_not_updated BEFORE UPDATE ON event_tags
BEGIN SELECT raise(ABORT, 'evstore: the tags of a stored event never change'); END;

CREATE TRIGGER event_tags_are_not_deleted BEFORE DELETE ON event_tags
BEGIN SELECT raise(ABORT, 'evstore: the tags of a stored event are never deleted'); END;

CREATE TRIGGER sources_are_not_updated BEFORE UPDATE ON sources
BEGIN SELECT raise(ABORT, 'evstore: the position of a source never changes'); END;

CREATE TRIGGER sources_are_not_deleted BEFORE DELETE ON sources
BEGIN SELECT raise(ABORT, 'evstore: the position of a source is never deleted'); END;

-- The log for other tools. DuckDB runs this text as its own SQL: nothing here may mean something else there, as
-- functions of dates, divisions and casts do. Joined from the outside: an event that lacks a name is shown without.
CREATE VIEW log AS
SELECT
  events.global_position AS position,
  streams.stream_id AS stream_id,
  categories.name AS category,
  events.version AS version,
  types.name AS type,
  events.timestamp AS micros,
  lower(
    substr(hex(events.id), 1, 8) || '-' || substr(hex(events.id), 9, 4) || '-' || substr(hex(events.id), 13, 4)
    || '-' || substr(hex(events.id), 17, 4) || '-' || substr(hex(events.id), 21, 12)
  ) AS id,
  events.data AS data,
  events.metadata AS metadata
FROM events
LEFT JOIN streams ON streams.key = events.stream_key
LEFT JOIN categories ON categories.key = events.category_key
LEFT JOIN types ON types.key = events.type_key;

CREATE VIEW log_tags AS
SELECT event_tags.global_position AS position, tags.name AS tag
FROM event_tags
LEFT JOIN tags ON tags.key = event_tags.tag_key;
