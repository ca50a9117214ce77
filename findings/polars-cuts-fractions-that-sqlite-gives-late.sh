#!/usr/bin/env bash
# polars 2.1.0 with SQLite: read_database cuts a fraction that comes after the first 100 rows.
#
# Expected: a value that does not fit the type found in the first rows raises an error, as a late text does, and as
#   read_ndjson does for the same numbers.
# Happens: SQLite types each value by itself. Where the first 100 totals are integers, a later 19.99 becomes 19 and
#   -0.5 becomes 0. No error, no warning.
# Matters: a sum over payloads of a SQLite store is wrong, and SQLite itself gives the right one.
# Instead: read with infer_schema_length=None, or write cast(… as real) in the query.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check polars==2.1.0

cat > "$work/try.py" <<'PY'
import io
import sqlite3

import polars

print("polars", polars.__version__)
QUERY = "select data ->> 'total' as total from events order by position"


def store(*late):
    connection = sqlite3.connect(":memory:")
    connection.execute("create table events (position integer primary key, data text not null)")
    totals = [1] * 150 + list(late)
    connection.executemany("insert into events (data) values (?)", [(f'{{"total":{total}}}',) for total in totals])
    return connection


def last(count, query, **options):
    return polars.read_database(query, store(19.99, -0.5), **options)["total"].to_list()[-count:]


print("SQLite:           ", [row[0] for row in store(19.99, -0.5).execute(QUERY)][-2:])
print("polars:           ", last(2, QUERY))
print("all rows looked at:", last(2, QUERY, infer_schema_length=None))
print("cast:             ", last(2, QUERY.replace("data ->> 'total'", "cast(data ->> 'total' as real)")))
for name, read in (
    ("late text", lambda: polars.read_database(QUERY, store('"soon"'))),
    ("read_ndjson", lambda: polars.read_ndjson(io.BytesIO(b'{"total":1}\n' * 150 + b'{"total":19.99}\n'))),
):
    try:
        print(f"{name}: {read()['total'].to_list()[-1]}")
    except polars.exceptions.ComputeError as error:
        print(f"{name}: {type(error).__name__}")
PY
"$work/venv/bin/python" "$work/try.py" | tee "$work/seen"

cat > "$work/expected" <<'SEEN'
polars 2.1.0
SQLite:            [19.99, -0.5]
polars:            [19, 0]
all rows looked at: [19.99, -0.5]
cast:              [19.99, -0.5]
late text: ComputeError
read_ndjson: ComputeError
SEEN
diff "$work/expected" "$work/seen" || { echo "changed: this is not what was seen" >&2; exit 1; }
