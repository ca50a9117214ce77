#!/usr/bin/env bash
# Castore 2.4.2, Node.js, event storage adapter in memory: a group of events that was refused spoils the list.
#
# Expected: pushEventGroup stores all events or none, and a refused group leaves nothing.
# Happens: its events are taken back, but an aggregate that the group would have begun stays as a name without an
#   event. From then on listAggregateIds of the whole store raises "Unable to find initial timestamp", until somebody
#   pushes an event of that aggregate. Groups are refused whenever another writer was first, which is what they are for.
# Matters: a replay or a projection that starts from the list ends at the first conflict.
# Instead: after a refused group, push the first event of each new aggregate alone, or keep a list of your own.
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
const orders = new EventStore({
  eventStoreId: 'ORDERS',
  eventTypes: [new EventType({ type: 'Placed' })],
  reducer: (order, event) => ({ ...order, aggregateId: event.aggregateId, version: event.version }),
  eventStorageAdapter: new InMemoryEventStorageAdapter({}),
});
const list = async (when) => {
  try {
    const { aggregateIds } = await orders.listAggregateIds();
    console.log(`${when}, listed:`, ...aggregateIds.map(({ aggregateId }) => aggregateId));
  } catch (error) {
    console.log(`${when}, listing raised:`, error.message);
  }
};
const placed = (aggregateId) => ({ aggregateId, version: 1, type: 'Placed' });

await orders.pushEvent(placed('first'));
await list('before');
try {
  await EventStore.pushEventGroup(orders.groupEvent(placed('second')), orders.groupEvent(placed('first')));
} catch (error) {
  console.log('the group was refused:', error.message);
}
console.log('events of the second:', (await orders.getEvents('second')).events.length);
await list('after');
await orders.pushEvent(placed('second'));
await list('after an event of the second');
JS
node try.mjs | tee seen

cat > expected <<'SEEN'
castore 2.4.2
before, listed: first
the group was refused: Event already exists for ORDERS aggregate first and version 1
events of the second: 0
after, listing raised: Unable to find initial timestamp for aggregate second
after an event of the second, listed: first second
SEEN
diff expected seen || { echo "changed: this is not what was seen" >&2; exit 1; }
