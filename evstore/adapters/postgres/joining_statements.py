"""Statements of appends in a transaction that is not over yet.

All but PIN run with evstore's search_path.
"""

from __future__ import annotations

from typing import Final

# In the caller's transaction, whatever is settled there.
APPEND_UNIT: Final = """
SELECT evstore.append_unit_v1(
  %(stream_ids)s::pg_catalog.text[], %(categories)s::pg_catalog.text[], %(expected)s::bigint[],
  %(sizes)s::integer[], %(writes)s::integer[], %(ids)s::pg_catalog.uuid[], %(types)s::pg_catalog.text[],
  %(hashes)s::bigint[], %(metadatas)s::pg_catalog.json[], %(datas)s::pg_catalog.json[], %(times)s::bigint[],
  %(tags)s::pg_catalog.text[], %(redacted)s::boolean[], %(wanted_position)s::bigint, %(guards)s::pg_catalog.json
)::pg_catalog.text
"""

APPEND_STAGED_UNIT: Final = """
SELECT evstore.append_staged_unit_v1(
  %(staged_as)s::pg_catalog.uuid, %(size)s::bigint, %(wanted_position)s::bigint, %(most_versions)s::integer,
  %(guards)s::pg_catalog.json
)::pg_catalog.text
"""

# The server since it was started, its database, and the log in it. Names that a new server gives again come with
# another time.
IDENTITY: Final = """
SELECT
  extract(epoch FROM pg_postmaster_start_time())::text,
  (SELECT oid FROM pg_database WHERE datname = current_database())::bigint,
  to_regclass('evstore.events')::oid::bigint
"""

SETTINGS: Final = (
    "transaction_isolation", "search_path", "row_security", "lock_timeout", "array_nulls", "synchronous_commit",
)  # fmt: skip

# The settings of the transaction, and then those of evstore in their place.
PIN: Final = """
SELECT
  pg_catalog.current_setting('transaction_isolation'), pg_catalog.current_setting('search_path'),
  pg_catalog.current_setting('row_security'), pg_catalog.current_setting('lock_timeout'),
  pg_catalog.current_setting('array_nulls'), pg_catalog.current_setting('synchronous_commit'),
  pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true),
  pg_catalog.set_config('row_security', 'off', true),
  pg_catalog.set_config('lock_timeout', %(wait_ms)s::pg_catalog.text, true),
  pg_catalog.set_config('array_nulls', 'on', true)
"""

UNPIN: Final = """
SELECT
  pg_catalog.set_config('search_path', %(search_path)s, true),
  pg_catalog.set_config('row_security', %(row_security)s, true),
  pg_catalog.set_config('lock_timeout', %(lock_timeout)s, true),
  pg_catalog.set_config('array_nulls', %(array_nulls)s, true),
  pg_catalog.set_config('synchronous_commit', %(synchronous_commit)s, true)
"""
