#!/usr/bin/env bash
# Castore 2.4.2, Node.js, event storage adapter in memory: who changes an object of its own changes the stored event.
#
# Expected: a stored event stays as it was stored, as in the adapters that write it elsewhere.
# Happens: the adapter keeps the very object that was pushed, and gives it to each reader. A payload that the caller
#   uses again for the next event changes the first one, and a reader that sorts a list or fills in a default does it
#   in the log. The aggregate that is loaded then has another state.
# Matters: the tests of a service run on this adapter. They pass with code that reuses a payload, or fail with an
#   order that is right elsewhere.
# Instead: push and read copies, `structuredClone(payload)`, in tests.
#
# Needs node and npm.
set -euo pipefail
command -v npm > /dev/null || { echo "this one needs node and npm" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init -y > npm.log
npm install --save-exact --no-audit --no-fund @castore/core@2.4.2 @castore/event-storage-adapter-in-memory@2.4.2 \
  >> npm.log 2>&1 || { cat npm.log >&2; exit 1; }

cat > try.mjs <<'JS'
import { createRequire } from 'node:module';
import { EventStore, EventType } from '@castore/core';
import { InMemoryEventStorageAdapter } from '@castore/event-storage-adapter-in-memory';

console.log('castore', createRequire(import.meta.url)('./package.json').dependencies['@castore/core']);
const baskets = new EventStore({
  eventStoreId: 'BASKETS',
  eventTypes: [new EventType({ type: 'Filled' })],
  reducer: (basket, event) => ({ ...basket, aggregateId: event.aggregateId, version: event.version }),
  eventStorageAdapter: new InMemoryEventStorageAdapter({}),
});
const show = async (when) =>
  console.log(`${when}:`, ...(await baskets.getEvents('1')).events.map(({ payload }) => JSON.stringify(payload)));

const payload = { items: ['pear', 'apple'] };
await baskets.pushEvent({ aggregateId: '1', version: 1, type: 'Filled', payload });
await show('stored');
payload.items.push('fig');
await baskets.pushEvent({ aggregateId: '1', version: 2, type: 'Filled', payload });
await show('after the second push');
const { events } = await baskets.getEvents('1');
events[0].payload.items.sort();
await show('after a reader sorted');
JS
node try.mjs | tee seen

cat > expected <<'SEEN'
castore 2.4.2
stored: {"items":["pear","apple"]}
after the second push: {"items":["pear","apple","fig"]} {"items":["pear","apple","fig"]}
after a reader sorted: {"items":["apple","fig","pear"]} {"items":["apple","fig","pear"]}
SEEN
diff expected seen || { echo "changed: this is not what was seen" >&2; exit 1; }
