"""Every statement of the holds of consumers, whole, as in `consumer_statements`."""

from __future__ import annotations

from typing import Final

# Index consumers_by_name, and the key of holds.
FIND_HOLDERS: Final = """
SELECT slot, holder, 0
FROM evstore.holds
WHERE consumer_key = (SELECT key FROM evstore.consumers WHERE name = %(name)s)
  AND pg_catalog.abs(renewed_at - (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint) < 10000000
ORDER BY slot
"""

# Those of the slots that are free, or that an earlier try of the same hold has taken. What is held is not even
# waited for. The consumer stays as long as the transaction lasts. Slots are locked in their order, here as
# everywhere, so that no two transactions wait for each other.
TAKE: Final = """
WITH its AS (
  SELECT key FROM evstore.consumers WHERE name = %(name)s FOR KEY SHARE
)
INSERT INTO evstore.holds AS held (consumer_key, slot, token, hold_id, holder, renewed_at)
SELECT
  its.key, given.slot, 1, %(hold_id)s::uuid, %(holder)s,
  (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint
FROM its
CROSS JOIN pg_catalog.unnest(%(slots)s::integer[]) AS given (slot)
WHERE NOT EXISTS (
  SELECT FROM evstore.holds AS others
  WHERE others.consumer_key = its.key
    AND others.slot = given.slot
    AND others.hold_id <> %(hold_id)s::uuid
    AND pg_catalog.abs(
      others.renewed_at - (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint
    ) < 10000000
)
ORDER BY given.slot
ON CONFLICT (consumer_key, slot) DO UPDATE SET
  token = held.token + 1,
  hold_id = excluded.hold_id,
  holder = excluded.holder,
  renewed_at = (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint
WHERE held.hold_id = excluded.hold_id
  OR pg_catalog.abs(
    held.renewed_at - (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint
  ) >= 10000000
RETURNING held.consumer_key, held.slot, held.token
"""

# The slots that are still held, by the key of holds. What was given back is not renewed by a call that comes late.
# No renewal waits for the disk: one that a crash takes leaves the slot free a little earlier.
RENEW: Final = """
WITH locked AS (
  SELECT slot, token FROM evstore.holds
  WHERE consumer_key = %(key)s::uuid AND slot = ANY (%(slots)s::integer[])
  ORDER BY slot
  FOR NO KEY UPDATE
)
UPDATE evstore.holds
SET renewed_at = CASE
  WHEN %(gives_back)s THEN 0 ELSE (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint
END
FROM locked
JOIN unnest(%(slots)s::integer[], %(tokens)s::bigint[]) AS given (slot, token)
  ON given.slot = locked.slot AND given.token = locked.token
WHERE holds.consumer_key = %(key)s::uuid
  AND holds.slot = locked.slot
  AND holds.token = given.token
  AND holds.hold_id = %(hold_id)s::uuid
  AND holds.renewed_at > 0
RETURNING holds.slot, pg_catalog.set_config('synchronous_commit', 'off', true)
"""
