#!/usr/bin/env bash
# polars 2.1.0 and DuckDB 2.0.0: one integer above 2^63 makes a Parquet column that DuckDB reads as bytes.
#
# Expected: read_ndjson refuses such an integer or makes a decimal of it, and Parquet carries it to any reader.
# Happens: the whole column becomes Int128. polars writes it as sixteen raw bytes and reads it back well. DuckDB
#   reads a BLOB: 1 is then b'\x01\x00…', with the lowest byte first. No error on either side.
# Matters: one event with a large integer changes the type of the field for all events of an export.
# Instead: cast such a column to Decimal(38, 0) before Parquet is written.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check polars==2.1.0 duckdb==2.0.0

cat > "$work/try.py" <<'PY'
import os
import sys

import duckdb
import polars

os.chdir(sys.argv[1])
print("polars", polars.__version__, "duckdb", duckdb.__version__)
with open("usual.ndjson", "w") as file:
    file.write('{"n":1}\n{"n":2}\n')
with open("large.ndjson", "w") as file:
    file.write('{"n":1}\n{"n":9223372036854775813}\n')


def through_parquet(frame):
    frame.write_parquet("n.parquet")
    return duckdb.sql("select typeof(n), n from 'n.parquet' order by all").fetchall()


print("usual: ", through_parquet(polars.read_ndjson("usual.ndjson")))
large = polars.read_ndjson("large.ndjson")
print("large: ", large.schema, through_parquet(large))
print("polars:", polars.read_parquet("n.parquet")["n"].to_list())
print("cast:  ", through_parquet(large.cast(polars.Decimal(38, 0))))
PY
"$work/venv/bin/python" "$work/try.py" "$work" | tee "$work/seen"

cat > "$work/expected" <<'SEEN'
polars 2.1.0 duckdb 2.0.0
usual:  [('BIGINT', 1), ('BIGINT', 2)]
large:  Schema([('n', Int128)]) [('BLOB', b'\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00'), ('BLOB', b'\x05\x00\x00\x00\x00\x00\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00')]
polars: [1, 9223372036854775813]
cast:   [('DECIMAL(38,0)', Decimal('1')), ('DECIMAL(38,0)', Decimal('9223372036854775813'))]
SEEN
diff "$work/expected" "$work/seen" || { echo "changed: this is not what was seen" >&2; exit 1; }
