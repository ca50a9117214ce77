#!/usr/bin/env bash
# DuckDB 2.0.0: read_json rounds a fraction that comes after the sample.
#
# Expected: the types come from the first 20,480 lines. A later value that does not fit raises an error, as a
#   later text does.
# Happens: where the sample has only integers, a later 19.99 is read as 20 and 2.5 as 2. No error, no warning.
# Matters: totals over an export of events are wrong, and the wrong rows are the ones that came last.
# Instead: read with sample_size=-1, or name the types in columns={…}.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check duckdb==2.0.0

cat > "$work/try.py" <<'PY'
import os
import sys

import duckdb

os.chdir(sys.argv[1])
print("duckdb", duckdb.__version__)


def export(name, late):
    with open(name, "w") as file:
        file.writelines('{"type":"Paid","data":{"total":1}}\n' for _ in range(30_000))
        file.writelines(line + "\n" for line in late)


def last(source, count):
    return [row[0] for row in duckdb.sql(f"select data.total from {source}").fetchall()[-count:]]


export("late.ndjson", ['{"type":"Paid","data":{"total":19.99}}', '{"type":"Paid","data":{"total":2.5}}'])
print("type:      ", duckdb.sql("select typeof(data.total) from read_json('late.ndjson') limit 1").fetchall()[0][0])
print("totals:    ", last("read_json('late.ndjson')", 2))
print("whole file:", last("read_json('late.ndjson', sample_size=-1)", 2))

export("text.ndjson", ['{"type":"Paid","data":{"total":"soon"}}'])
try:
    print("late text: ", last("read_json('text.ndjson')", 1))
except duckdb.Error as error:
    print("late text: ", type(error).__name__)
PY
"$work/venv/bin/python" "$work/try.py" "$work" | tee "$work/seen"

cat > "$work/expected" <<'SEEN'
duckdb 2.0.0
type:       BIGINT
totals:     [20, 2]
whole file: [19.99, 2.5]
late text:  InvalidInputException
SEEN
diff "$work/expected" "$work/seen" || { echo "changed: this is not what was seen" >&2; exit 1; }
