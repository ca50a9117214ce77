-- A PostgreSQL event store, schema 1. Rows are only ever inserted: nothing that an append does is an UPDATE.
-- Keys of the log are integers; a name is stored once. Times are microseconds since 1970-01-01T00:00:00Z.
--
-- Every name is written out with its schema, so that no search_path decides what is meant; another schema than
-- "evstore" is made by putting its name in the place of this one. All of it runs in one transaction.

-- One row: which evstores may use this store. A client compares its own schema number with min_reader and
-- min_writer only.
CREATE TABLE evstore.store (
  id integer PRIMARY KEY CHECK (id = 1),
  application text NOT NULL,
  schema_version integer NOT NULL,
  min_reader integer NOT NULL,
  min_writer integer NOT NULL,
  tamper_evident boolean NOT NULL DEFAULT false  -- true: every event has its hashes
);

INSERT INTO evstore.store (id, application, schema_version, min_reader, min_writer) VALUES (1, 'EVST', 1, 1, 1);

-- The steps of `evstore migrate` that were applied here. A store that is made new needs none of them.
CREATE TABLE evstore.migrations (
  step text COLLATE "C" NOT NULL,  -- 0002_what, and 0002_what.finish
  checksum text NOT NULL,          -- SHA-256 of its file
  applied_at bigint NOT NULL,
  PRIMARY KEY (step)
);

CREATE TABLE evstore.categories (
  key integer PRIMARY KEY,
  name text COLLATE "C" NOT NULL
);

CREATE UNIQUE INDEX categories_by_name ON evstore.categories (name);

CREATE TABLE evstore.types (
  key integer PRIMARY KEY,
  name text COLLATE "C" NOT NULL
);

CREATE UNIQUE INDEX types_by_name ON evstore.types (name);

CREATE TABLE evstore.tags (
  key integer PRIMARY KEY,
  name text COLLATE "C" NOT NULL
);

CREATE UNIQUE INDEX tags_by_name ON evstore.tags (name);

CREATE TABLE evstore.streams (
  key bigint PRIMARY KEY,
  category_key integer NOT NULL,
  category_number bigint NOT NULL CHECK (category_number > 0),  -- 1, 2, 3… within the category: the last is the count
  stream_id text COLLATE "C" NOT NULL
);

CREATE UNIQUE INDEX streams_by_id ON evstore.streams (stream_id);
CREATE UNIQUE INDEX streams_by_category ON evstore.streams (category_key, stream_id);
CREATE UNIQUE INDEX streams_by_number ON evstore.streams (category_key, category_number);

-- Keys are not declared as foreign ones: checking three of them for each event would take longer than its insert,
-- and nobody but the functions that append writes here.
CREATE TABLE evstore.events (
  global_position bigint PRIMARY KEY CHECK (global_position > 0),
  stream_key bigint NOT NULL,
  version bigint NOT NULL CHECK (version > 0),
  category_number bigint NOT NULL CHECK (category_number > 0),  -- 1, 2, 3… within the category: the last is the count
  timestamp bigint NOT NULL,  -- when the event was first stored, here or where it was imported from
  correlation_hash bigint,    -- 64 bits of BLAKE2b of metadata's correlationId
  redacted_at bigint,         -- when the data was replaced by null
  category_key integer NOT NULL,
  type_key integer NOT NULL,
  id uuid NOT NULL,
  content_hash bytea,
  chain_hash bytea,
  tags text COLLATE "C",      -- by code point, a space between two; NULL when there are none
  metadata json NOT NULL,
  data json NOT NULL          -- json, not jsonb: it keeps the text
);

CREATE UNIQUE INDEX events_by_id ON evstore.events (id);
CREATE UNIQUE INDEX events_by_stream ON evstore.events (stream_key, version);
CREATE UNIQUE INDEX events_by_category ON evstore.events (category_key, global_position);
CREATE INDEX events_by_type ON evstore.events (type_key, global_position);
CREATE INDEX events_by_timestamp ON evstore.events (timestamp, global_position);
CREATE INDEX events_by_correlation ON evstore.events (correlation_hash, global_position)
  WHERE correlation_hash IS NOT NULL;

-- The events of each tag, in the order of the log.
CREATE TABLE evstore.event_tags (
  tag_key integer NOT NULL,
  global_position bigint NOT NULL,
  PRIMARY KEY (tag_key, global_position)
);

-- How far outside sources were taken: a row for each append that named one, of which the last of a name counts. The
-- name stands in each row, so that none can be lost and its positions with it.
CREATE TABLE evstore.sources (
  name text COLLATE "C" NOT NULL,
  position bigint NOT NULL CHECK (position >= 0),  -- the source's own
  global_position bigint NOT NULL,                 -- of the last event stored with it
  PRIMARY KEY (name, position)
);

-- The state of an object of the application at a version of its stream: a cache, which nothing rests on.
CREATE TABLE evstore.snapshots (
  stream_key bigint NOT NULL,
  kind text COLLATE "C" NOT NULL,  -- the class of the object
  version bigint NOT NULL CHECK (version > 0),
  event_id uuid NOT NULL,          -- the event at that version, so that another log is noticed
  code text NOT NULL,              -- a digest of the code that made the state
  state text NOT NULL,
  PRIMARY KEY (stream_key, kind)
);

-- Large appends come here by COPY before they are appended. Unlogged: what a crash takes is sent again. Not
-- temporary: behind a pooler the next statement may run in another session.
CREATE UNLOGGED TABLE evstore.staged (
  append_id uuid NOT NULL,
  number integer NOT NULL,        -- 1, 2, 3… within the append: the order of its events
  stream_id text COLLATE "C" NOT NULL,
  category text COLLATE "C" NOT NULL,
  expected_version bigint,        -- of the write that begins with this event; NULL: the event belongs to the one before
  id uuid NOT NULL,
  type text COLLATE "C" NOT NULL,
  correlation_hash bigint,
  tags text COLLATE "C",
  redacted boolean NOT NULL DEFAULT false,
  metadata json NOT NULL,
  data json NOT NULL,
  stored_at bigint,               -- NULL: when it is appended
  staged_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (append_id, number)
);

-- An entry for each append.
CREATE INDEX staged_by_age ON evstore.staged (staged_at) WHERE number = 1;

-- Consumers, and how far each has handled the log. These rows change, but no append touches them. A key is never given
-- out again: a holder that slept while its consumer was removed must not meet another consumer under its key.
CREATE TABLE evstore.consumers (
  key uuid PRIMARY KEY,
  name text COLLATE "C" NOT NULL,
  filter text NOT NULL,
  created_at bigint NOT NULL
);

CREATE UNIQUE INDEX consumers_by_name ON evstore.consumers (name);

-- One of slot 0, or one of each slot.
CREATE TABLE evstore.checkpoints (
  consumer_key uuid NOT NULL,
  slot integer NOT NULL CHECK (slot >= 0 AND slot <= 63),
  global_position bigint NOT NULL CHECK (global_position >= 0),
  event_id uuid,                  -- the event at that position, so that another log is noticed; NULL at position 0
  updated_at bigint NOT NULL,
  PRIMARY KEY (consumer_key, slot)
);

-- The event of a stream that holds back the later ones. A consumer that runs sees its state: with "retry" it handles
-- that event again, and with "drop" it goes on after it.
CREATE TABLE evstore.parked (
  consumer_key uuid NOT NULL,
  stream_key bigint NOT NULL,
  global_position bigint NOT NULL,
  reason text NOT NULL,
  parked_at bigint NOT NULL,
  state text NOT NULL CHECK (state = 'parked'::text OR state = 'retry'::text OR state = 'drop'::text),
  PRIMARY KEY (consumer_key, stream_key)
);

-- Who works for a slot: until it was not renewed for ten seconds by the clock of this server. Whoever takes a slot
-- raises its token, and a holder whose token is not the slot's any more changes nothing.
CREATE TABLE evstore.holds (
  consumer_key uuid NOT NULL,
  slot integer NOT NULL CHECK (slot >= 0 AND slot <= 63),
  token bigint NOT NULL,
  hold_id uuid NOT NULL,          -- whose answer was lost, that finds what it has taken
  holder text NOT NULL,           -- for people
  renewed_at bigint NOT NULL,     -- 0: given back
  PRIMARY KEY (consumer_key, slot)
);

-- They change all the time, and none of the columns that change is in an index: with room beside a row, its next
-- version costs no entry, and the room of the last one is used again.
ALTER TABLE evstore.checkpoints SET (fillfactor = 50);
ALTER TABLE evstore.holds SET (fillfactor = 50);

-- Long payloads are compressed while everybody waits for the lock, and lz4 is the faster way to do it. Not every
-- server has it. What is staged is compressed by its COPY, when nobody waits, and appended as it is.
DO $$
BEGIN
  EXECUTE 'ALTER TABLE evstore.events ALTER COLUMN data SET COMPRESSION lz4';
  EXECUTE 'ALTER TABLE evstore.staged ALTER COLUMN data SET COMPRESSION lz4';
EXCEPTION WHEN syntax_error OR feature_not_supported OR invalid_parameter_value THEN
  NULL;
END $$;

-- The log refuses accidents.
CREATE FUNCTION evstore.refuse_change_v1() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RAISE EXCEPTION USING
    ERRCODE = 'EV009',
    MESSAGE = format('evstore: what is stored in %s never changes: no %s', TG_TABLE_NAME, TG_OP);
END $$;

CREATE TRIGGER events_are_never_deleted BEFORE DELETE OR TRUNCATE ON evstore.events
  FOR EACH STATEMENT EXECUTE FUNCTION evstore.refuse_change_v1();

-- A redaction alone changes an event: its data becomes null, its metadata perhaps {}, and the hash of the content
-- that it had stays.
CREATE TRIGGER events_never_change BEFORE UPDATE ON evstore.events
  FOR EACH ROW
  WHEN (
    new.data::text <> 'null' OR (new.metadata::text <> old.metadata::text AND new.metadata::text <> '{}')
    OR new.redacted_at IS NULL OR new.content_hash IS NULL
    OR (new.redacted_at, new.content_hash)
      <> (COALESCE(old.redacted_at, new.redacted_at), COALESCE(old.content_hash, new.content_hash))
    OR (new.correlation_hash IS DISTINCT FROM old.correlation_hash
      AND (new.correlation_hash IS NOT NULL OR new.metadata::text <> '{}'))
    OR (new.global_position, new.id, new.stream_key, new.version, new.category_key, new.category_number,
        new.type_key, new.timestamp)
      <> (old.global_position, old.id, old.stream_key, old.version, old.category_key, old.category_number,
        old.type_key, old.timestamp)
    OR new.chain_hash IS DISTINCT FROM old.chain_hash OR new.tags IS DISTINCT FROM old.tags
  )
  EXECUTE FUNCTION evstore.refuse_change_v1();
CREATE TRIGGER streams_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON evstore.streams
  FOR EACH STATEMENT EXECUTE FUNCTION evstore.refuse_change_v1();
CREATE TRIGGER categories_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON evstore.categories
  FOR EACH STATEMENT EXECUTE FUNCTION evstore.refuse_change_v1();
CREATE TRIGGER types_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON evstore.types
  FOR EACH STATEMENT EXECUTE FUNCTION evstore.refuse_change_v1();
CREATE TRIGGER tags_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON evstore.tags
  FOR EACH STATEMENT EXECUTE FUNCTION evstore.refuse_change_v1();
CREATE TRIGGER event_tags_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON evstore.event_tags
  FOR EACH STATEMENT EXECUTE FUNCTION evstore.refuse_change_v1();
CREATE TRIGGER sources_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON evstore.sources
  FOR EACH STATEMENT EXECUTE FUNCTION evstore.refuse_change_v1();

-- The log for other tools. Joined from the outside: an event that lacks a name is shown without.
CREATE VIEW evstore.log AS
SELECT
  events.global_position AS position,
  streams.stream_id,
  categories.name AS category,
  events.version,
  types.name AS type,
  events.timestamp AS micros,
  events.id::text AS id,
  events.data,
  events.metadata
FROM evstore.events
LEFT JOIN evstore.streams ON streams.key = events.stream_key
LEFT JOIN evstore.categories ON categories.key = events.category_key
LEFT JOIN evstore.types ON types.key = events.type_key;

CREATE VIEW evstore.log_tags AS
SELECT event_tags.global_position AS position, tags.name AS tag
FROM evstore.event_tags
LEFT JOIN evstore.tags ON tags.key = event_tags.tag_key;

-- What a policy hides from a role in the tables, the views hide as well. Before PostgreSQL 15 they cannot.
DO $$
BEGIN
  EXECUTE 'ALTER VIEW evstore.log SET (security_invoker = true)';
  EXECUTE 'ALTER VIEW evstore.log_tags SET (security_invoker = true)';
EXCEPTION WHEN invalid_parameter_value THEN
  NULL;
END $$;

-- An enabled subscription that fills one of these tables, NULL if there is none. A row that is written beside it takes
-- a key that a row of the publisher will have, and stops the replication there.
CREATE FUNCTION evstore.filled_by_v1(tables regclass[]) RETURNS text
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_subscription_rel WHERE srrelid = ANY (tables)) THEN
    RETURN NULL;
  END IF;
  RETURN (
    SELECT min(its.subname::text)
    FROM pg_subscription_rel AS filling
    JOIN pg_stat_subscription AS known ON known.subid = filling.srsubid  -- 13 hides the oid of pg_subscription
    JOIN pg_subscription AS its ON its.subname = known.subname
    JOIN pg_database AS here ON here.oid = its.subdbid
    WHERE filling.srrelid = ANY (tables) AND its.subenabled AND here.datname = current_database()
  );
END $$;

-- Raise if a subscription fills the log.
CREATE FUNCTION evstore.check_unfilled_v1() RETURNS void
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  subscription text := evstore.filled_by_v1(ARRAY[
    'evstore.events', 'evstore.streams', 'evstore.categories', 'evstore.types', 'evstore.tags', 'evstore.event_tags',
    'evstore.sources'
  ]::regclass[]);
BEGIN
  IF subscription IS NOT NULL THEN
    RAISE EXCEPTION USING
      ERRCODE = 'EV010', MESSAGE = 'evstore: a subscription fills this store', DETAIL = subscription;
  END IF;
END $$;

-- Raise, where fewer rows were inserted than there were: a trigger or a rule of another hand can swallow them.
CREATE FUNCTION evstore.swallowed_v1() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RAISE EXCEPTION USING
    ERRCODE = 'EV011', MESSAGE = 'something in it swallows what is appended; evstore verify names it';
END $$;

-- Judge one unit and insert its events, in the caller's transaction. The lock it takes is held to the end of that
-- transaction: as a writer can go on only when the one before it is visible, the order of positions is the order
-- of commits, without gaps, and a reader that has seen a position has seen all before it.
--
-- A refusal is an answer and not an exception, found before anything is inserted, so that other units of the same
-- transaction can still succeed. The answer is one of
--   {"status": "stored", "position": of the first event, "size": how many events, "versions": [of each write's first
--    event], "timestamp"}
--   {"status": "held", "ids": [those that are stored already]}
--   {"status": "misplaced", "actual": the position that the first event would get}
--   what taken_v1 says
--   {"status": "refused", "write": which, "actual": the version its stream has there}
--   what guarded_v1 says
-- SECURITY DEFINER, so that a role that may append needs no right to insert; row_security off, so that a policy that
-- hides rows from the owner is an error; index scans and a generic plan, because statistics of a young table lead
-- astray and planning takes longer than the insert.
CREATE FUNCTION evstore.append_unit_v1(
  stream_ids text[],            -- for each write
  category_names text[],        -- for each write
  expected_versions bigint[],   -- for each write: -1 any, 0 none, -2 exists, else the version
  sizes integer[],              -- for each write: how many events
  writes integer[],             -- for each event: which write
  ids uuid[],                   -- for each event, and so are the following
  type_names text[],
  correlation_hashes bigint[],
  metadatas json[],
  datas json[],
  times bigint[],               -- when it was stored; NULL: now
  tags text[],                  -- as events.tags
  redacted boolean[],           -- another store redacted it; the list may be NULL
  wanted_position bigint,       -- the position that the first event must get; NULL: any
  guards json                   -- as guarded_v1 takes them; NULL: none
) RETURNS json
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET row_security = off
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  now_us bigint;
  head bigint;
  held uuid[];
  type_keys integer[];
  stream_keys bigint[];
  category_keys integer[];
  first_versions bigint[];
  first_numbers bigint[];
  starts bigint[];
  refused integer;
  single boolean := cardinality(ids) = 1 AND cardinality(stream_ids) = 1 AND sizes[1] = 1;
  answer json;
  inserted bigint;
  source json := guards -> 'source';
  taken json;
  unmet json;
  is_chained boolean;
  digest bytea;
  contents bytea[];
  digests bytea[];
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION USING
      ERRCODE = 'EV002',
      MESSAGE = 'evstore: an append needs READ COMMITTED, for its later statements must see what the lock waited for';
  END IF;
  IF EXISTS (SELECT FROM pg_subscription_rel) THEN  -- in a fraction of the time of a call
    PERFORM evstore.check_unfilled_v1();
  END IF;
  IF NOT single THEN  -- what has a key keeps it for ever, so that is found before anybody waits for this append
    SELECT * INTO type_keys, stream_keys, category_keys FROM evstore.keys_v1(stream_ids, category_names, type_names);
  END IF;
  -- The table's number keeps apart the stores of one database; EVST keeps apart other programs.
  PERFORM pg_advisory_xact_lock(1163285332, 'evstore.events'::regclass::oid::integer);
  now_us := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
  IF guards IS NOT NULL THEN
    IF source IS NOT NULL THEN
      taken := evstore.taken_v1(source);
    END IF;
    unmet := coalesce(taken, evstore.guarded_v1(guards));
  END IF;
  IF single AND unmet IS NULL AND redacted IS NULL THEN
    -- What is asked most, in one statement: the next event of a stream, under names that are there. It stores what is
    -- certainly accepted; whatever it does not store is judged below.
    INSERT INTO evstore.events (
      global_position, stream_key, version, category_number, timestamp, correlation_hash, category_key, type_key,
      id, tags, metadata, data
    )
    SELECT
      last.global_position + 1,
      streams.key,
      last_of_stream.version + 1,
      last_of_category.category_number + 1,
      coalesce(times[1], now_us),
      correlation_hashes[1],
      streams.category_key,
      types.key,
      ids[1],
      append_unit_v1.tags[1],
      metadatas[1],
      datas[1]
    FROM evstore.streams
    CROSS JOIN evstore.types
    CROSS JOIN LATERAL (
      SELECT events.version FROM evstore.events
      WHERE events.stream_key = streams.key
      ORDER BY events.version DESC LIMIT 1
    ) AS last_of_stream
    CROSS JOIN LATERAL (
      SELECT events.category_number FROM evstore.events
      WHERE (events.category_key, events.global_position) <= (streams.category_key, 9223372036854775807)
        AND events.category_key >= streams.category_key
      ORDER BY events.category_key DESC, events.global_position DESC LIMIT 1
    ) AS last_of_category
    CROSS JOIN (
      SELECT events.global_position FROM evstore.events
      ORDER BY events.global_position DESC LIMIT 1
    ) AS last
    WHERE streams.stream_id = stream_ids[1]
      AND types.name = type_names[1]
      AND expected_versions[1] IN (-1, last_of_stream.version)
      AND wanted_position IS NULL
      AND NOT EXISTS (SELECT FROM evstore.events WHERE events.id = ids[1])
      AND NOT (SELECT store.tamper_evident FROM evstore.store)
    RETURNING events.global_position, json_build_object(
      'status', 'stored', 'position', events.global_position, 'size', 1, 'versions', ARRAY[events.version],
      'timestamp', events.timestamp
    ) INTO head, answer;
    IF FOUND THEN
      IF tags[1] IS NOT NULL THEN
        PERFORM evstore.tag_v1(head, tags);
      END IF;
      IF source IS NOT NULL THEN
        PERFORM evstore.take_v1(source, head);
      END IF;
      RETURN answer;
    END IF;
  END IF;
  IF single OR array_position(stream_keys, NULL) IS NOT NULL OR array_position(type_keys, NULL) IS NOT NULL THEN
    SELECT * INTO type_keys, stream_keys, category_keys FROM evstore.keys_v1(stream_ids, category_names, type_names);
  END IF;
  -- Ordered by both columns of an index, because ordered by the second alone the planner may walk the whole log in
  -- search of the first.
  IF cardinality(stream_ids) = 1 THEN  -- without windows, in a third of the time
    SELECT
      (SELECT coalesce(max(events.global_position), 0) FROM evstore.events),
      ARRAY(SELECT events.id FROM evstore.events WHERE events.id = ANY (ids)),
      ARRAY[1 + coalesce((
        SELECT events.version FROM evstore.events
        WHERE events.stream_key = stream_keys[1]
        ORDER BY events.version DESC LIMIT 1
      ), 0)],
      ARRAY[1 + coalesce((
        SELECT events.category_number FROM evstore.events
        WHERE (events.category_key, events.global_position) <= (category_keys[1], 9223372036854775807)
          AND events.category_key >= category_keys[1]
        ORDER BY events.category_key DESC, events.global_position DESC LIMIT 1
      ), 0)],
      ARRAY[1]
    INTO head, held, first_versions, first_numbers, starts;
  ELSE
    SELECT
      (SELECT coalesce(max(events.global_position), 0) FROM evstore.events),
      ARRAY(SELECT events.id FROM evstore.events WHERE events.id = ANY (ids)),
      array_agg(found.first_version ORDER BY found.n),
      array_agg(found.first_number ORDER BY found.n),
      array_agg(found.start ORDER BY found.n)
    INTO head, held, first_versions, first_numbers, starts
    FROM (
      SELECT
        given.n,
        coalesce(last.version, 0) + 1
          + sum(given.size) OVER (PARTITION BY given.stream_id ORDER BY given.n) - given.size
          AS first_version,
        coalesce(max(given.last_number) OVER (PARTITION BY given.category_key, given.category), 0) + 1
          + sum(given.size) OVER (PARTITION BY given.category_key, given.category ORDER BY given.n) - given.size
          AS first_number,
        1 + sum(given.size) OVER (ORDER BY given.n) - given.size AS start
      FROM (
        SELECT
          given.*,
          CASE  -- asked once for each category
            WHEN row_number() OVER (PARTITION BY given.category_key, given.category ORDER BY given.n) = 1
            THEN (
              SELECT events.category_number FROM evstore.events
              WHERE (events.category_key, events.global_position) <= (given.category_key, 9223372036854775807)
                AND events.category_key >= given.category_key
              ORDER BY events.category_key DESC, events.global_position DESC LIMIT 1
            )
          END AS last_number
        FROM (
          SELECT
            given.stream_id COLLATE "C" AS stream_id, given.category COLLATE "C" AS category, given.size,
            given.stream_key, given.category_key, given.n
          FROM unnest(stream_ids, category_names, sizes, stream_keys, category_keys) WITH ORDINALITY
            AS given (stream_id, category, size, stream_key, category_key, n)
        ) AS given
      ) AS given
      LEFT JOIN LATERAL (
        SELECT events.version FROM evstore.events
        WHERE events.stream_key = given.stream_key
        ORDER BY events.version DESC LIMIT 1
      ) AS last ON true
    ) AS found;
  END IF;

  IF held <> '{}' THEN
    RETURN json_build_object('status', 'held', 'ids', held);
  END IF;
  IF wanted_position <> head + 1 THEN
    RETURN json_build_object('status', 'misplaced', 'actual', head + 1);
  END IF;
  IF taken IS NOT NULL THEN
    RETURN taken;
  END IF;

  refused := evstore.refused_v1(expected_versions, first_versions);
  IF refused IS NOT NULL THEN
    RETURN json_build_object('status', 'refused', 'write', refused, 'actual', first_versions[refused] - 1);
  END IF;

  IF unmet IS NOT NULL THEN
    RETURN unmet;
  END IF;

  IF 1 = ANY (first_versions) THEN  -- a stream that has a name has an event, or its events are lost
    FOR w IN 1 .. cardinality(first_versions) LOOP
      IF first_versions[w] = 1 AND stream_keys[w] IS NOT NULL THEN
        RAISE EXCEPTION USING
          ERRCODE = 'EV007',
          MESSAGE = 'evstore: the tables disagree; no version is given out',
          DETAIL = head::text,
          HINT = 'events';
      END IF;
    END LOOP;
  END IF;

  IF array_position(stream_keys, NULL) IS NOT NULL OR array_position(type_keys, NULL) IS NOT NULL THEN
    PERFORM evstore.add_names_v1(stream_ids, category_names, type_names);
    SELECT * INTO type_keys, stream_keys, category_keys FROM evstore.keys_v1(stream_ids, category_names, type_names);
  END IF;

  SELECT
    store.tamper_evident,
    CASE WHEN store.tamper_evident THEN (
      SELECT events.chain_hash FROM evstore.events ORDER BY events.global_position DESC LIMIT 1
    ) END
  INTO is_chained, digest
  FROM evstore.store;
  IF is_chained OR redacted IS NOT NULL THEN
    contents := ARRAY(
      SELECT evstore.content_hash_v1(
        given.id,
        stream_ids[given.write],
        type_names[given.n],
        first_versions[given.write] + given.n - starts[given.write],
        coalesce(given.stored_at, now_us),
        given.tags,
        given.metadata,
        given.data
      )
      FROM unnest(writes, ids, append_unit_v1.tags, metadatas, datas, times) WITH ORDINALITY
        AS given (write, id, tags, metadata, data, stored_at, n)
      ORDER BY given.n
    );
  END IF;
  IF is_chained THEN
    digests := evstore.digests_v1(head, digest, contents);
  END IF;

  INSERT INTO evstore.events (
    global_position, stream_key, version, category_number, timestamp, correlation_hash, category_key, type_key,
    id, redacted_at, content_hash, chain_hash, tags, metadata, data
  )
  SELECT
    head + given.n,
    stream_keys[given.write],
    first_versions[given.write] + given.n - starts[given.write],
    first_numbers[given.write] + given.n - starts[given.write],
    coalesce(given.stored_at, now_us),
    given.correlation_hash,
    category_keys[given.write],
    type_keys[given.n],
    given.id,
    CASE WHEN redacted[given.n] THEN now_us END,
    CASE WHEN redacted[given.n] THEN contents[given.n] END,
    digests[given.n],
    given.tags,
    given.metadata,
    given.data
  FROM unnest(writes, ids, correlation_hashes, append_unit_v1.tags, metadatas, datas, times) WITH ORDINALITY
    AS given (write, id, correlation_hash, tags, metadata, data, stored_at, n);

  GET DIAGNOSTICS inserted = ROW_COUNT;
  IF cardinality(ids) IS DISTINCT FROM starts[cardinality(starts)] + sizes[cardinality(sizes)] - 1 THEN
    RAISE EXCEPTION USING ERRCODE = 'EV003', MESSAGE = 'evstore: the lists that make an append disagree in length';
  END IF;
  IF inserted IS DISTINCT FROM cardinality(ids) THEN
    PERFORM evstore.swallowed_v1();
  END IF;
  IF array_remove(tags, NULL) <> '{}' THEN
    PERFORM evstore.tag_v1(head + 1, tags);
  END IF;
  IF source IS NOT NULL THEN
    PERFORM evstore.take_v1(source, head + inserted);
  END IF;
  RETURN json_build_object(
    'status', 'stored', 'position', head + 1, 'size', inserted, 'versions', first_versions,
    'timestamp', coalesce(times[1], now_us)
  );
END $$;

-- The first of these expectations that the version which would be given out does not meet, NULL if all are met. The one
-- whole restatement of evstore.model.versions.check_version, held equal to it by the contract's truth table.
CREATE FUNCTION evstore.refused_v1(expected_versions bigint[], versions bigint[]) RETURNS integer
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  actual bigint;
BEGIN
  IF -1 <> ANY (expected_versions) THEN
    FOR n IN 1 .. cardinality(expected_versions) LOOP
      actual := versions[n] - 1;
      IF NOT (
        CASE expected_versions[n] WHEN -1 THEN true WHEN -2 THEN actual > 0 ELSE actual = expected_versions[n] END
      ) THEN
        RETURN n;
      END IF;
    END LOOP;
  END IF;
  RETURN NULL;
END $$;

-- The tags of events, which stand at the positions from `first` on, into their table.
CREATE FUNCTION evstore.tag_v1(first bigint, tags text[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_nestloop = on
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
DECLARE
  positions bigint[];
  names text[];
  inserted bigint;
BEGIN
  SELECT array_agg(first + given.n - 1), array_agg(its.name)
  INTO positions, names
  FROM unnest(tags) WITH ORDINALITY AS given (tags, n)
  CROSS JOIN LATERAL unnest(string_to_array(given.tags, ' ')) AS its (name);
  IF EXISTS (
    SELECT FROM unnest(names) AS given (name)
    WHERE NOT EXISTS (SELECT FROM evstore.tags AS known WHERE known.name = given.name)
  ) THEN
    IF (SELECT coalesce(max(event_tags.tag_key), 0) FROM evstore.event_tags)
      > (SELECT coalesce(max(known.key), 0) FROM evstore.tags AS known)
    THEN
      RAISE EXCEPTION USING
        ERRCODE = 'EV007',
        MESSAGE = 'evstore: the tables disagree; no key is given out',
        DETAIL = (first - 1)::text,
        HINT = 'tags';
    END IF;
    INSERT INTO evstore.tags (key, name)
    SELECT
      (SELECT coalesce(max(known.key), 0) FROM evstore.tags AS known) + row_number() OVER (ORDER BY missing.first),
      missing.name
    FROM (
      SELECT given.name COLLATE "C" AS name, min(given.n) AS first
      FROM unnest(names) WITH ORDINALITY AS given (name, n)
      WHERE NOT EXISTS (SELECT FROM evstore.tags AS known WHERE known.name = given.name)
      GROUP BY given.name COLLATE "C"
    ) AS missing;
  END IF;
  INSERT INTO evstore.event_tags (tag_key, global_position)
  SELECT known.key, given.global_position
  FROM unnest(names, positions) AS given (name, global_position)
  JOIN evstore.tags AS known ON known.name = given.name;
  GET DIAGNOSTICS inserted = ROW_COUNT;
  IF inserted IS DISTINCT FROM cardinality(names) THEN
    PERFORM evstore.swallowed_v1();
  END IF;
END $$;

-- The answer if a source, [name, position], is taken so far already, NULL if not: {"status": "taken", "actual": its last
-- position}.
CREATE FUNCTION evstore.taken_v1(source json) RETURNS json
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  last bigint := (
    SELECT sources.position FROM evstore.sources
    WHERE sources.name = source ->> 0
    ORDER BY sources.name DESC, sources.position DESC LIMIT 1
  );
BEGIN
  IF (source ->> 1)::bigint <= last THEN
    RETURN json_build_object('status', 'taken', 'actual', last);
  END IF;
  RETURN NULL;
END $$;

-- Record how far a source is taken by a unit whose last event stands at this position.
CREATE FUNCTION evstore.take_v1(source json, last bigint) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  INSERT INTO evstore.sources (name, position, global_position) VALUES (source ->> 0, (source ->> 1)::bigint, last);
  IF NOT FOUND THEN
    PERFORM evstore.swallowed_v1();
  END IF;
END $$;

-- The first refusal of what must hold of the store, NULL if all of it holds. `guards` is
--   {"requirements": [[stream id, expected version], ...],
--    "conditions": [{"query": [{"types": [...], "tags": [...]}, ...], "after": position}, ...],
--    "source": [name, position], or absent; see taken_v1}
-- and the refusal one of
--   {"status": "unmet", "requirement": which, "actual": the version that its stream has}
--   {"status": "violated", "violations": [[which condition, the first position that violates it], ...]}
CREATE FUNCTION evstore.guarded_v1(guards json) RETURNS json
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  n integer := 0;
  guard json;
  actual bigint;
  after bigint;
  violating bigint;
  violations json[] := '{}';
BEGIN
  FOR guard IN SELECT json_array_elements(guards -> 'requirements') LOOP
    actual := coalesce((
      SELECT events.version FROM evstore.events
      WHERE events.stream_key = (SELECT streams.key FROM evstore.streams WHERE streams.stream_id = guard ->> 0)
      ORDER BY events.stream_key DESC, events.version DESC LIMIT 1
    ), 0);
    IF evstore.refused_v1(ARRAY[(guard ->> 1)::bigint], ARRAY[actual + 1]) IS NOT NULL THEN
      RETURN json_build_object('status', 'unmet', 'requirement', n, 'actual', actual);
    END IF;
    n := n + 1;
  END LOOP;
  -- An item can match only if each of its tags has an event after the position, and so has one of its types. Mostly
  -- that is not so, and is known in a fraction of the time of a search.
  IF NOT EXISTS (
    SELECT FROM json_array_elements(guards -> 'conditions') AS given (guard)
    CROSS JOIN LATERAL (
      SELECT json_array_elements(given.guard -> 'query') UNION ALL
      SELECT '{}' WHERE json_array_length(given.guard -> 'query') = 0
    ) AS items (item)
    WHERE NOT EXISTS (
        SELECT FROM json_array_elements_text(items.item -> 'tags') AS its (name)
        WHERE NOT EXISTS (
          SELECT FROM evstore.event_tags
          WHERE event_tags.tag_key = (SELECT tags.key FROM evstore.tags WHERE tags.name = its.name)
            AND event_tags.global_position > (given.guard ->> 'after')::bigint
        )
      )
      AND (items.item -> 'types' IS NULL OR EXISTS (
        SELECT FROM json_array_elements_text(items.item -> 'types') AS its (name)
        WHERE EXISTS (
          SELECT FROM evstore.events
          WHERE events.type_key = (SELECT types.key FROM evstore.types WHERE types.name = its.name)
            AND events.global_position > (given.guard ->> 'after')::bigint
        )
      ))
  ) THEN
    RETURN NULL;
  END IF;
  n := 0;
  FOR guard IN SELECT json_array_elements(guards -> 'conditions') LOOP
    after := (guard ->> 'after')::bigint;
    violating := (
      SELECT matched.global_position
      FROM evstore.matches_v1(guard -> 'query', after, NULL, false, 1) AS matched (global_position)
    );
    IF violating IS NOT NULL THEN
      violations := violations || json_build_array(n, violating);
    END IF;
    n := n + 1;
  END LOOP;
  IF cardinality(violations) > 0 THEN
    RETURN json_build_object('status', 'violated', 'violations', violations);
  END IF;
  RETURN NULL;
END $$;

-- At most so many positions of events that match a query, in order: forward those after `after` up to `last`, NULL for
-- the head, backward those before `after` down to `last`. From each list of a tag or of types it goes to the next,
-- each time to the first position from where the last one stands: so it costs by the list that has the fewest.
CREATE FUNCTION evstore.matches_v1(
  query json, after bigint, last bigint, backward boolean, most bigint
) RETURNS SETOF bigint
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  item json;
  items json[] := '{}';
  nexts bigint[] := '{}';
  at bigint;
  start bigint := CASE WHEN backward THEN after - 1 WHEN after = 9223372036854775807 THEN NULL ELSE after + 1 END;
  stop bigint := coalesce(last, (SELECT max(events.global_position) FROM evstore.events));
BEGIN
  IF start IS NULL OR stop IS NULL THEN
    RETURN;
  END IF;
  IF json_array_length(query) = 0 THEN
    items := ARRAY['{"types": null, "tags": []}'::json];
  ELSE
    FOR item IN SELECT json_array_elements(query) LOOP
      item := evstore.keyed_v1(item);
      IF item IS NOT NULL THEN
        items := items || item;
      END IF;
    END LOOP;
  END IF;
  FOR i IN 1 .. cardinality(items) LOOP
    nexts[i] := evstore.next_match_v1(items[i], start, stop, backward);
  END LOOP;
  WHILE most IS NULL OR most > 0 LOOP
    at := (
      SELECT CASE WHEN backward THEN max(given.next) ELSE min(given.next) END FROM unnest(nexts) AS given (next)
    );
    EXIT WHEN at IS NULL;
    RETURN NEXT at;
    most := most - 1;
    FOR i IN 1 .. cardinality(items) LOOP
      IF nexts[i] = at THEN
        nexts[i] := evstore.next_match_v1(items[i], CASE WHEN backward THEN at - 1 ELSE at + 1 END, stop, backward);
      END IF;
    END LOOP;
  END LOOP;
END $$;

-- An item of a query with keys in the place of names, {"types": keys or null, "tags": keys}; NULL if no event can
-- match it.
CREATE FUNCTION evstore.keyed_v1(item json) RETURNS json
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  type_keys integer[];
  tag_keys integer[];
BEGIN
  type_keys := ARRAY(
    SELECT types.key FROM json_array_elements_text(item -> 'types') AS given (name)
    JOIN evstore.types ON types.name = given.name
  );
  tag_keys := ARRAY(
    SELECT tags.key FROM json_array_elements_text(item -> 'tags') AS given (name)
    LEFT JOIN evstore.tags ON tags.name = given.name
  );
  IF (item -> 'types' IS NOT NULL AND type_keys = '{}') OR array_position(tag_keys, NULL) IS NOT NULL THEN
    RETURN NULL;
  END IF;
  RETURN json_build_object('types', CASE WHEN item -> 'types' IS NOT NULL THEN type_keys END, 'tags', tag_keys);
END $$;

-- The first position from `start` on, up to `stop`, that has all the tags and one of the types.
CREATE FUNCTION evstore.next_match_v1(item json, start bigint, stop bigint, backward boolean) RETURNS bigint
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  type_keys integer[] := ARRAY(SELECT json_array_elements_text(nullif((item -> 'types')::text, 'null')::json)::integer);
  tag_keys integer[] := ARRAY(SELECT json_array_elements_text(item -> 'tags')::integer);
  at bigint := start;
  furthest bigint;
  its bigint;
  nearest bigint;
  its_key integer;
BEGIN
  LOOP
    IF (backward AND at < stop) OR (NOT backward AND at > stop) THEN
      RETURN NULL;
    END IF;
    furthest := at;
    FOREACH its_key IN ARRAY tag_keys LOOP
      IF backward THEN
        its := (
          SELECT event_tags.global_position FROM evstore.event_tags
          WHERE event_tags.tag_key = its_key AND event_tags.global_position <= furthest
          ORDER BY event_tags.tag_key DESC, event_tags.global_position DESC LIMIT 1
        );
      ELSE
        its := (
          SELECT event_tags.global_position FROM evstore.event_tags
          WHERE event_tags.tag_key = its_key AND event_tags.global_position >= furthest
          ORDER BY event_tags.tag_key, event_tags.global_position LIMIT 1
        );
      END IF;
      IF its IS NULL THEN
        RETURN NULL;
      END IF;
      furthest := its;
    END LOOP;
    IF type_keys <> '{}' THEN
      nearest := NULL;
      FOREACH its_key IN ARRAY type_keys LOOP
        IF backward THEN
          its := (
            SELECT events.global_position FROM evstore.events
            WHERE (events.type_key, events.global_position) <= (its_key, furthest) AND events.type_key >= its_key
            ORDER BY events.type_key DESC, events.global_position DESC LIMIT 1
          );
          nearest := greatest(nearest, its);
        ELSE
          its := (
            SELECT events.global_position FROM evstore.events
            WHERE (events.type_key, events.global_position) >= (its_key, furthest) AND events.type_key <= its_key
            ORDER BY events.type_key, events.global_position LIMIT 1
          );
          nearest := least(nearest, its);
        END IF;
      END LOOP;
      IF nearest IS NULL THEN
        RETURN NULL;
      END IF;
      furthest := nearest;
    END IF;
    IF furthest = at THEN  -- each list has it
      RETURN at;
    END IF;
    at := furthest;
  END LOOP;
END $$;

-- The hash of an event's content, as evstore.model.digests defines it.
CREATE FUNCTION evstore.content_hash_v1(
  id uuid, stream_id text, type_name text, version bigint, time_us bigint, tags text, metadata json, data json
) RETURNS bytea
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN sha256(convert_to(concat_ws(
    E'\n', id::text, stream_id, type_name, version::text, time_us::text, coalesce(tags, ''), metadata::text, data::text, ''
  ), 'UTF8'));
END $$;

-- The digest of the log after each of these contents, of which the first follows the position `head`.
CREATE FUNCTION evstore.digests_v1(head bigint, digest bytea, contents bytea[]) RETURNS bytea[]
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  content bytea;
  digests bytea[] := '{}';
BEGIN
  IF head = 0 THEN
    digest := decode(repeat('00', 32), 'hex');
  ELSIF digest IS NULL OR length(digest) <> 32 THEN
    RAISE EXCEPTION USING
      ERRCODE = 'EV008',
      MESSAGE = format('evstore: the digest of position %s is missing; nothing is appended after it', head);
  END IF;
  FOREACH content IN ARRAY contents LOOP
    digest := sha256(digest || content);
    digests := array_append(digests, digest);
  END LOOP;
  RETURN digests;
END $$;

-- The keys of names, in their order, NULL where there is none yet: of types, of streams, and of their categories.
CREATE FUNCTION evstore.keys_v1(
  stream_ids text[], category_names text[], type_names text[],
  OUT type_keys integer[], OUT stream_keys bigint[], OUT category_keys integer[]
)
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
  type_keys := ARRAY(
    SELECT types.key
    FROM unnest(type_names) WITH ORDINALITY AS given (name, n)
    LEFT JOIN evstore.types ON types.name = given.name
    ORDER BY given.n
  );
  SELECT array_agg(found.stream_key), array_agg(found.category_key)
  INTO stream_keys, category_keys
  FROM (
    SELECT streams.key AS stream_key, coalesce(streams.category_key, categories.key) AS category_key
    FROM unnest(stream_ids, category_names) WITH ORDINALITY AS given (stream_id, category, n)
    LEFT JOIN evstore.streams ON streams.stream_id = given.stream_id
    LEFT JOIN evstore.categories ON streams.key IS NULL AND categories.name = given.category
    ORDER BY given.n
  ) AS found;
END $$;

-- Categories, types and streams that are missing, each under the next free key, in the order they are met. Each name is
-- looked up in its index, whatever the caller has set, and however many names there are.
CREATE FUNCTION evstore.add_names_v1(stream_ids text[], category_names text[], type_names text[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_nestloop = on
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
DECLARE
  missing text;
BEGIN
  -- Where the tables disagree, as while a replication still copies them, a key would be given out again.
  missing := CASE
    WHEN (SELECT coalesce(max(events.stream_key), 0) FROM evstore.events)
      > (SELECT coalesce(max(streams.key), 0) FROM evstore.streams)
    THEN 'streams'
    WHEN greatest(
        (SELECT max(events.category_key) FROM evstore.events),
        (SELECT max(streams.category_key) FROM evstore.streams)
      ) > (SELECT coalesce(max(categories.key), 0) FROM evstore.categories)
    THEN 'categories'
    WHEN (SELECT coalesce(max(events.type_key), 0) FROM evstore.events)
      > (SELECT coalesce(max(types.key), 0) FROM evstore.types)
    THEN 'types'
  END;
  IF missing IS NOT NULL THEN
    RAISE EXCEPTION USING
      ERRCODE = 'EV007',
      MESSAGE = 'evstore: the tables disagree; no key is given out',
      DETAIL = (SELECT coalesce(max(events.global_position), 0) FROM evstore.events)::text,
      HINT = missing;
  END IF;
  INSERT INTO evstore.types (key, name)
  SELECT
    (SELECT coalesce(max(types.key), 0) FROM evstore.types) + row_number() OVER (ORDER BY missing.first),
    missing.name
  FROM (
    SELECT given.name COLLATE "C" AS name, min(given.n) AS first
    FROM unnest(type_names) WITH ORDINALITY AS given (name, n)
    WHERE NOT EXISTS (SELECT FROM evstore.types WHERE types.name = given.name)
    GROUP BY given.name COLLATE "C"
  ) AS missing;

  INSERT INTO evstore.categories (key, name)
  SELECT
    (SELECT coalesce(max(categories.key), 0) FROM evstore.categories) + row_number() OVER (ORDER BY missing.first),
    missing.name
  FROM (
    SELECT given.name COLLATE "C" AS name, min(given.n) AS first
    FROM unnest(category_names) WITH ORDINALITY AS given (name, n)
    WHERE NOT EXISTS (SELECT FROM evstore.categories WHERE categories.name = given.name)
    GROUP BY given.name COLLATE "C"
  ) AS missing;

  INSERT INTO evstore.streams (key, category_key, category_number, stream_id)
  SELECT
    (SELECT coalesce(max(streams.key), 0) FROM evstore.streams) + row_number() OVER (ORDER BY missing.first),
    categories.key,
    coalesce(last.category_number, 0) + row_number() OVER (PARTITION BY categories.key ORDER BY missing.first),
    missing.stream_id
  FROM (
    SELECT given.stream_id COLLATE "C" AS stream_id, given.category COLLATE "C" AS category, min(given.n) AS first
    FROM unnest(stream_ids, category_names) WITH ORDINALITY AS given (stream_id, category, n)
    WHERE NOT EXISTS (SELECT FROM evstore.streams WHERE streams.stream_id = given.stream_id)
    GROUP BY given.stream_id COLLATE "C", given.category COLLATE "C"
  ) AS missing
  JOIN evstore.categories ON categories.name = missing.category
  LEFT JOIN LATERAL (
    SELECT streams.category_number FROM evstore.streams
    WHERE streams.category_key = categories.key
    ORDER BY streams.category_number DESC LIMIT 1
  ) AS last ON true;
END $$;

-- The same as append_unit_v1 for a unit that was staged: chunk by chunk, so that the server's memory stays flat. The
-- arrays of a chunk hold numbers, and names that are new; events go from the one table to the other as they are.
-- Joins are hashed, for nothing is known of what was just staged; what is LATERAL is still looked up in its index.
CREATE FUNCTION evstore.append_staged_unit_v1(
  staged_as uuid, size bigint, wanted_position bigint, most_versions integer, guards json
) RETURNS json
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET row_security = off
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_nestloop = off
SET enable_mergejoin = off
SET jit = off
AS $$
DECLARE
  chunk CONSTANT integer := 20000;  -- events
  now_us bigint;
  there bigint;
  held uuid[];
  head bigint;
  last_stream bigint;
  last_named bigint;
  first_us bigint;
  low integer := 0;  -- the last number of the chunk before
  stream_ids text[];
  category_names text[];
  type_names text[];
  expected_versions bigint[];
  type_keys integer[];
  stream_keys bigint[];
  category_keys integer[];
  versions bigint[];
  numbers bigint[];
  refused integer;
  lost boolean;
  first_versions bigint[] := '{}';
  answer json;
  source json := guards -> 'source';
  unmet json;
  has_tags boolean;
  has_redacted boolean;
  is_chained boolean;
  digest bytea;
  contents bytea[];
  digests bytea[];
  inserted bigint;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION USING
      ERRCODE = 'EV002',
      MESSAGE = 'evstore: an append needs READ COMMITTED, for its later statements must see what the lock waited for';
  END IF;
  IF EXISTS (SELECT FROM pg_subscription_rel) THEN  -- in a fraction of the time of a call
    PERFORM evstore.check_unfilled_v1();
  END IF;
  PERFORM pg_advisory_xact_lock_shared(hashtextextended(staged_as::text, 1163285332));  -- nobody sweeps meanwhile
  PERFORM pg_advisory_xact_lock(1163285332, 'evstore.events'::regclass::oid::integer);
  now_us := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
  SELECT
    count(*),
    coalesce(min(staged.stored_at) FILTER (WHERE staged.number = 1), now_us),
    array_agg(staged.id) FILTER (WHERE (SELECT true FROM evstore.events WHERE events.id = staged.id)),
    bool_or(staged.tags IS NOT NULL),
    bool_or(staged.redacted),
    (SELECT coalesce(max(events.global_position), 0) FROM evstore.events),
    (SELECT coalesce(max(streams.key), 0) FROM evstore.streams)
  INTO there, first_us, held, has_tags, has_redacted, head, last_stream
  FROM evstore.staged
  WHERE staged.append_id = staged_as AND staged.number BETWEEN 1 AND size;
  IF there <> size THEN
    RAISE EXCEPTION USING ERRCODE = 'EV004', MESSAGE = 'evstore: what was staged is not there any more';
  END IF;
  IF held IS NOT NULL THEN
    RETURN json_build_object('status', 'held', 'ids', held);
  END IF;
  IF wanted_position <> head + 1 THEN
    RETURN json_build_object('status', 'misplaced', 'actual', head + 1);
  END IF;
  IF source IS NOT NULL THEN
    answer := evstore.taken_v1(source);
    IF answer IS NOT NULL THEN
      RETURN answer;
    END IF;
  END IF;
  IF guards IS NOT NULL THEN
    unmet := evstore.guarded_v1(guards);  -- of the store as it is now; but versions are answered first
  END IF;
  SELECT
    store.tamper_evident,
    CASE WHEN store.tamper_evident THEN (
      SELECT events.chain_hash FROM evstore.events ORDER BY events.global_position DESC LIMIT 1
    ) END
  INTO is_chained, digest
  FROM evstore.store;

  WHILE low < size LOOP
    SELECT
      ARRAY(
        SELECT given.type
        FROM (
          SELECT staged.type, min(staged.number) AS first FROM evstore.staged
          WHERE staged.append_id = staged_as AND staged.number > low AND staged.number <= low + chunk
          GROUP BY staged.type
        ) AS given
        WHERE (SELECT types.key FROM evstore.types WHERE types.name = given.type) IS NULL
        ORDER BY given.first
      ),
      coalesce(array_agg(missing.stream_id), '{}'),
      coalesce(array_agg(missing.category), '{}')
    INTO type_names, stream_ids, category_names
    FROM (
      SELECT given.stream_id, given.category
      FROM (
        SELECT staged.stream_id, staged.category, min(staged.number) AS first FROM evstore.staged
        WHERE staged.append_id = staged_as AND staged.number > low AND staged.number <= low + chunk
        GROUP BY staged.stream_id, staged.category
      ) AS given
      WHERE (SELECT streams.key FROM evstore.streams WHERE streams.stream_id = given.stream_id) IS NULL
      ORDER BY given.first
    ) AS missing;
    last_named := (SELECT coalesce(max(streams.key), 0) FROM evstore.streams);  -- no later stream has an event yet
    IF type_names <> '{}' OR stream_ids <> '{}' THEN
      PERFORM evstore.add_names_v1(stream_ids, category_names, type_names);
    END IF;

    WITH given AS MATERIALIZED (
      SELECT staged.number, staged.stream_id, staged.type, staged.expected_version
      FROM evstore.staged
      WHERE staged.append_id = staged_as AND staged.number > low AND staged.number <= low + chunk
    ),
    of_streams AS MATERIALIZED (
      SELECT its.stream_id, its_keys.key, its_keys.category_key, coalesce(last.version, 0) AS version
      FROM (SELECT DISTINCT given.stream_id FROM given) AS its
      CROSS JOIN LATERAL (
        SELECT streams.key, streams.category_key FROM evstore.streams
        WHERE streams.stream_id = its.stream_id LIMIT 1
      ) AS its_keys
      LEFT JOIN LATERAL (
        SELECT events.version FROM evstore.events
        WHERE events.stream_key = its_keys.key AND its_keys.key <= last_named
        ORDER BY events.version DESC LIMIT 1
      ) AS last ON true
    ),
    of_categories AS MATERIALIZED (
      SELECT its.category_key, coalesce(last.category_number, 0) AS number
      FROM (SELECT DISTINCT of_streams.category_key FROM of_streams) AS its
      LEFT JOIN LATERAL (
        SELECT events.category_number FROM evstore.events
        WHERE (events.category_key, events.global_position) <= (its.category_key, 9223372036854775807)
          AND events.category_key >= its.category_key
        ORDER BY events.category_key DESC, events.global_position DESC LIMIT 1
      ) AS last ON true
    ),
    of_types AS MATERIALIZED (
      SELECT its.type, its_key.key
      FROM (SELECT DISTINCT given.type FROM given) AS its
      CROSS JOIN LATERAL (SELECT types.key FROM evstore.types WHERE types.name = its.type LIMIT 1) AS its_key
    )
    SELECT
      array_agg(coalesce(found.expected_version, -1)),
      bool_or(found.version = 1 AND found.stream_key <= last_stream),
      first_versions || (
        array_agg(found.version) FILTER (WHERE found.expected_version IS NOT NULL)
      )[:most_versions - cardinality(first_versions)],
      array_agg(found.type_key),
      array_agg(found.stream_key),
      array_agg(found.category_key),
      array_agg(found.version),
      array_agg(found.number)
    INTO expected_versions, lost, first_versions, type_keys, stream_keys, category_keys, versions, numbers
    FROM (
      SELECT
        given.expected_version,
        of_types.key AS type_key,
        of_streams.key AS stream_key,
        of_streams.category_key,
        of_streams.version + row_number() OVER (PARTITION BY of_streams.key ORDER BY given.number) AS version,
        of_categories.number + row_number() OVER (PARTITION BY of_streams.category_key ORDER BY given.number) AS number
      FROM given
      JOIN of_streams ON of_streams.stream_id = given.stream_id
      JOIN of_categories ON of_categories.category_key = of_streams.category_key
      JOIN of_types ON of_types.type = given.type
      ORDER BY given.number
    ) AS found;

    refused := evstore.refused_v1(expected_versions, versions);
    IF refused IS NOT NULL THEN
      answer := json_build_object(
        'status', 'refused',
        'write', (
          SELECT count(staged.expected_version) FROM evstore.staged
          WHERE staged.append_id = staged_as AND staged.number <= low + refused
        ),
        'actual', versions[refused] - 1
      );
      RAISE EXCEPTION USING ERRCODE = 'EV005';  -- takes back names, and the chunks before
    END IF;
    IF lost THEN  -- a stream that has a name has an event, or its events are lost
      RAISE EXCEPTION USING
        ERRCODE = 'EV007',
        MESSAGE = 'evstore: the tables disagree; no version is given out',
        DETAIL = head::text,
        HINT = 'events';
    END IF;

    IF is_chained OR has_redacted THEN
      contents := ARRAY(
        SELECT evstore.content_hash_v1(
          staged.id,
          staged.stream_id,
          staged.type,
          versions[staged.number - low],
          coalesce(staged.stored_at, now_us),
          staged.tags,
          staged.metadata,
          staged.data
        )
        FROM evstore.staged
        WHERE staged.append_id = staged_as AND staged.number > low AND staged.number <= low + chunk
        ORDER BY staged.number
      );
    END IF;
    IF is_chained THEN
      digests := evstore.digests_v1(head + low, digest, contents);
      digest := digests[cardinality(digests)];
    END IF;

    INSERT INTO evstore.events (
      global_position, stream_key, version, category_number, timestamp, correlation_hash, category_key, type_key,
      id, redacted_at, content_hash, chain_hash, tags, metadata, data
    )
    SELECT
      head + staged.number,
      stream_keys[staged.number - low],
      versions[staged.number - low],
      numbers[staged.number - low],
      coalesce(staged.stored_at, now_us),
      staged.correlation_hash,
      category_keys[staged.number - low],
      type_keys[staged.number - low],
      staged.id,
      CASE WHEN staged.redacted THEN now_us END,
      CASE WHEN staged.redacted THEN hashed.content END,
      hashed.digest,
      staged.tags,
      staged.metadata,
      staged.data
    FROM (  -- in order already: to sort whole events after the join would take longer than all else
      SELECT * FROM evstore.staged AS its
      WHERE its.append_id = staged_as AND its.number > low AND its.number <= low + chunk
      ORDER BY its.append_id, its.number
    ) AS staged
    LEFT JOIN unnest(contents, digests) WITH ORDINALITY AS hashed (content, digest, n)
      ON hashed.n = staged.number - low;
    GET DIAGNOSTICS inserted = ROW_COUNT;
    IF inserted IS DISTINCT FROM least(chunk, size - low) THEN
      PERFORM evstore.swallowed_v1();
    END IF;

    IF has_tags THEN
      PERFORM evstore.tag_v1(head + low + 1, ARRAY(
        SELECT staged.tags FROM evstore.staged
        WHERE staged.append_id = staged_as AND staged.number > low AND staged.number <= low + chunk
        ORDER BY staged.number
      ));
    END IF;
    contents := NULL;
    low := low + chunk;
  END LOOP;
  IF unmet IS NOT NULL THEN
    answer := unmet;
    RAISE EXCEPTION USING ERRCODE = 'EV005';
  END IF;
  IF source IS NOT NULL THEN
    PERFORM evstore.take_v1(source, head + size);
  END IF;
  RETURN json_build_object(
    'status', 'stored', 'position', head + 1, 'size', size, 'versions', first_versions, 'timestamp', first_us
  );
EXCEPTION WHEN SQLSTATE 'EV005' THEN
  RETURN answer;
END $$;

-- Make durable, with the transaction it is called in, whatever was committed before it: an append's own events, and
-- those that its answer rests on. The session's own synchronous_commit decides what durable means, but that `off`
-- means nothing. Where the log is flushed that far there is nothing to do, unless standbys must have it, too; a wait for
-- them that somebody cancels is reported in a warning alone.
-- SECURITY DEFINER, so that only the owner needs a right to emit messages.
CREATE FUNCTION evstore.make_durable_v1() RETURNS void
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF pg_current_wal_flush_lsn() < pg_current_wal_insert_lsn() OR current_setting('synchronous_standby_names') <> ''
  THEN
    PERFORM
      set_config('client_min_messages', 'warning', true),
      set_config('synchronous_commit', coalesce(nullif(current_setting('synchronous_commit'), 'off'), 'on'), true),
      pg_logical_emit_message(true, 'evstore', '');
  END IF;
END $$;

-- An append is one CALL of a procedure, because only a procedure can leave the transaction it was started in (and
-- its isolation), and can commit twice: first so that the lock is free and the next writer can go on, without
-- waiting for the disk; then durably. Writers that wait for the disk at the same time share one flush, and whoever
-- is behind in the log makes durable all that is before it. The client hears nothing before the second commit.
--
-- What fails between the two commits is told as EV006: it refuses nothing, for the events are stored.
--
-- Where a commit waits for standbys, whoever reads waits as well, else a failover would take back what was shown. Who
-- must wait is told by locks that keep nobody off: from before the first commit to the end of the second one, a writer
-- shares the lock (events, position) of its first event, without its highest bits. The session holds it over the first
-- commit alone; what an interruption leaves there makes readers look longer, and nothing else.
--
-- `answer` is a list of what append_unit_v1 said for each unit that was judged.
CREATE PROCEDURE evstore.append_v1(
  unit_writes integer[],        -- for each unit: how many writes
  unit_events integer[],        -- for each unit: how many events
  unit_positions bigint[],      -- for each unit: the position that its first event must get; NULL: any
  until_refused boolean,        -- whether the first unit that is not stored ends it
  wait_ms integer,              -- how long to wait for the lock
  stream_ids text[],
  category_names text[],
  expected_versions bigint[],
  sizes integer[],
  writes integer[],             -- counted within its unit
  ids uuid[],
  type_names text[],
  correlation_hashes bigint[],
  metadatas json[],
  datas json[],
  times bigint[],
  tags text[],
  redacted boolean[],
  guards json[],                -- for each unit
  INOUT answer json
)
LANGUAGE plpgsql
AS $$
DECLARE
  answers pg_catalog.json[] := '{}';  -- resolved before the path is set
  lock_class integer := 'evstore.events'::pg_catalog.regclass::pg_catalog.oid::integer;
  lock_at integer;
  w integer := 1;  -- the unit's first write
  e integer := 1;  -- and first event
  last_w integer;
  last_e integer;
BEGIN
  IF pg_catalog.pg_is_in_recovery() THEN
    RAISE EXCEPTION USING ERRCODE = 'EV001', MESSAGE = 'evstore: a read replica cannot append';
  END IF;
  -- What the caller may not do must not come out behind the first commit.
  IF pg_catalog.has_function_privilege('evstore.make_durable_v1()'::pg_catalog.regprocedure, 'EXECUTE') IS NOT TRUE THEN
    RAISE insufficient_privilege USING MESSAGE = 'permission denied for function make_durable_v1';
  END IF;
  COMMIT;
  SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
  PERFORM
    pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true),
    pg_catalog.set_config('synchronous_commit', 'off', true),
    pg_catalog.set_config('lock_timeout', wait_ms::pg_catalog.text, true);
  IF cardinality(unit_writes) = 1 THEN  -- nothing to cut into pieces
    answer := json_build_array(evstore.append_unit_v1(
      stream_ids, category_names, expected_versions, sizes, writes, ids, type_names, correlation_hashes, metadatas,
      datas, times, tags, redacted, unit_positions[1], guards[1]
    ));
  ELSE
    FOR u IN 1 .. cardinality(unit_writes) LOOP
      last_w := w + unit_writes[u] - 1;
      last_e := e + unit_events[u] - 1;
      answers := answers || evstore.append_unit_v1(
        stream_ids[w:last_w], category_names[w:last_w], expected_versions[w:last_w], sizes[w:last_w],
        writes[e:last_e], ids[e:last_e], type_names[e:last_e], correlation_hashes[e:last_e], metadatas[e:last_e],
        datas[e:last_e], times[e:last_e], tags[e:last_e], redacted[e:last_e], unit_positions[u], guards[u]
      );
      EXIT WHEN until_refused AND answers[u] ->> 'status' <> 'stored';
      w := last_w + 1;
      e := last_e + 1;
    END LOOP;
    answer := array_to_json(answers);
  END IF;
  IF current_setting('synchronous_standby_names') <> '' THEN
    lock_at := (
      SELECT min((its.of_unit ->> 'position')::bigint) FROM json_array_elements(answer) AS its (of_unit)
      WHERE its.of_unit ->> 'status' = 'stored'
    ) & 2147483647;
    PERFORM pg_try_advisory_lock_shared(lock_class, lock_at);
  END IF;
  COMMIT;
  IF lock_at IS NOT NULL THEN
    PERFORM
      pg_catalog.pg_try_advisory_xact_lock_shared(lock_class, lock_at),
      pg_catalog.pg_advisory_unlock_shared(lock_class, lock_at);
  END IF;
  BEGIN
    PERFORM evstore.make_durable_v1();
  EXCEPTION WHEN OTHERS THEN
    RAISE EXCEPTION USING ERRCODE = 'EV006', MESSAGE = pg_catalog.concat('evstore: stored, but not made durable: ', SQLERRM);
  END;
  COMMIT;
END $$;

-- The same for one unit that was staged.
CREATE PROCEDURE evstore.append_staged_v1(
  staged_as uuid,
  size bigint,
  wanted_position bigint,
  most_versions integer,        -- of how many writes the answer has the version
  wait_ms integer,
  guards json,
  INOUT answer json
)
LANGUAGE plpgsql
AS $$
DECLARE
  lock_class integer := 'evstore.events'::pg_catalog.regclass::pg_catalog.oid::integer;
  lock_at integer;
BEGIN
  IF pg_catalog.pg_is_in_recovery() THEN
    RAISE EXCEPTION USING ERRCODE = 'EV001', MESSAGE = 'evstore: a read replica cannot append';
  END IF;
  -- What the caller may not do must not come out behind the first commit.
  IF pg_catalog.has_function_privilege('evstore.make_durable_v1()'::pg_catalog.regprocedure, 'EXECUTE') IS NOT TRUE THEN
    RAISE insufficient_privilege USING MESSAGE = 'permission denied for function make_durable_v1';
  END IF;
  COMMIT;
  SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
  PERFORM
    pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true),
    pg_catalog.set_config('synchronous_commit', 'off', true),
    pg_catalog.set_config('lock_timeout', wait_ms::pg_catalog.text, true);
  answer := json_build_array(evstore.append_staged_unit_v1(staged_as, size, wanted_position, most_versions, guards));
  IF current_setting('synchronous_standby_names') <> '' THEN
    lock_at := (
      SELECT min((its.of_unit ->> 'position')::bigint) FROM json_array_elements(answer) AS its (of_unit)
      WHERE its.of_unit ->> 'status' = 'stored'
    ) & 2147483647;
    PERFORM pg_try_advisory_lock_shared(lock_class, lock_at);
  END IF;
  COMMIT;
  IF lock_at IS NOT NULL THEN
    PERFORM
      pg_catalog.pg_try_advisory_xact_lock_shared(lock_class, lock_at),
      pg_catalog.pg_advisory_unlock_shared(lock_class, lock_at);
  END IF;
  BEGIN
    PERFORM evstore.make_durable_v1();
  EXCEPTION WHEN OTHERS THEN
    RAISE EXCEPTION USING ERRCODE = 'EV006', MESSAGE = pg_catalog.concat('evstore: stored, but not made durable: ', SQLERRM);
  END;
  COMMIT;
END $$;

-- Take the data of events for ever, perhaps their metadata, and append the event that tells of it, in the caller's
-- transaction. The answer is that of append_unit_v1, or {"status": "absent", "id": of an event that is not there}.
-- It runs with the caller's rights: nobody but the owner of the tables may change them.
CREATE FUNCTION evstore.redact_v1(
  ids uuid[], with_metadata boolean,
  stream_id text, category_name text, event_id uuid, type_name text, correlation_hash bigint, metadata json, data json,
  tags text, expected_version bigint, stored_at bigint, wanted_position bigint, redacted boolean
) RETURNS json
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = off
SET enable_seqscan = off
AS $$
DECLARE
  absent uuid;
  answer json;
  now_us bigint := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
BEGIN
  absent := (
    SELECT given.id FROM unnest(ids) WITH ORDINALITY AS given (id, n)
    WHERE NOT EXISTS (SELECT FROM evstore.events WHERE events.id = given.id)
    ORDER BY given.n LIMIT 1
  );
  IF absent IS NOT NULL THEN
    RETURN json_build_object('status', 'absent', 'id', absent);
  END IF;
  answer := evstore.append_unit_v1(
    ARRAY[stream_id], ARRAY[category_name], ARRAY[expected_version], ARRAY[1], ARRAY[1], ARRAY[event_id],
    ARRAY[type_name], ARRAY[correlation_hash], ARRAY[metadata], ARRAY[data], ARRAY[stored_at], ARRAY[redact_v1.tags],
    CASE WHEN redacted THEN ARRAY[true] END, wanted_position, NULL
  );
  IF answer ->> 'status' = 'stored' THEN
    UPDATE evstore.events SET
      data = 'null',
      metadata = CASE WHEN with_metadata THEN '{}' ELSE events.metadata END,
      correlation_hash = CASE WHEN NOT with_metadata THEN events.correlation_hash END,
      redacted_at = coalesce(events.redacted_at, now_us),
      content_hash = coalesce(events.content_hash, evstore.content_hash_v1(
        events.id, streams.stream_id, types.name, events.version, events.timestamp, events.tags, events.metadata,
        events.data
      ))
    FROM evstore.streams, evstore.types
    WHERE events.id = ANY (ids) AND streams.key = events.stream_key AND types.key = events.type_key;
    DELETE FROM evstore.snapshots
    USING evstore.events
    WHERE events.id = ANY (ids) AND snapshots.stream_key = events.stream_key;
  END IF;
  RETURN answer;
END $$;

-- Forget what was staged, and what others staged and left; whoever comes back to that after a day is told that it
-- is gone, and stages it again. False, and nothing is forgotten, while a call whose answer was lost still reads it.
CREATE FUNCTION evstore.sweep_staged_v1(staged_as uuid) RETURNS boolean
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET row_security = off
SET enable_seqscan = off  -- the table is full of what was swept
AS $$
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtextextended(staged_as::text, 1163285332)) THEN
    RETURN false;
  END IF;
  DELETE FROM evstore.staged
  WHERE staged.append_id = ANY (ARRAY(
    SELECT staged_as
    UNION ALL
    SELECT first.append_id FROM evstore.staged AS first
    WHERE first.number = 1 AND first.staged_at < now() - interval '1 day'
  ));
  RETURN true;
END $$;

-- Nobody but the owner, who made the store, has any right to it until the owner grants one, whatever the default
-- privileges say. What was granted on a schema that was there before this transaction stays.
DO $$
DECLARE
  revoke text;
BEGIN
  PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
  FOR revoke IN
    SELECT format(
      'REVOKE ALL ON %s %s FROM %s',
      made.kind, made.name, CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE acl.grantee::regrole::text END
    )
    FROM (
      SELECT 'SCHEMA' AS kind, oid::regnamespace::text AS name, nspowner AS owner, nspacl AS acl, oid AS schema
      FROM pg_namespace
      WHERE xmin = pg_current_xact_id()::xid
      UNION ALL
      SELECT 'TABLE', oid::regclass::text, relowner, relacl, relnamespace
      FROM pg_class
      UNION ALL
      SELECT 'ROUTINE', oid::regprocedure::text, proowner, coalesce(proacl, acldefault('f', proowner)), pronamespace
      FROM pg_proc
    ) AS made
    CROSS JOIN LATERAL aclexplode(made.acl) AS acl
    WHERE made.schema = (SELECT relnamespace FROM pg_class WHERE oid = 'evstore.events'::regclass)
      AND acl.grantee <> made.owner
  LOOP
    EXECUTE revoke;
  END LOOP;
END $$;

-- But to search by query needs no more than to read, and what a subscription fills is known to all: these read with the
-- rights of whoever calls them.
GRANT EXECUTE ON FUNCTION
  evstore.filled_by_v1(regclass[]),
  evstore.matches_v1(json, bigint, bigint, boolean, bigint),
  evstore.keyed_v1(json),
  evstore.next_match_v1(json, bigint, bigint, boolean)
TO PUBLIC;
