#!/usr/bin/env bash
# DuckDB 2.0.0: a field that read_json is asked to keep as JSON, or as VARCHAR, is printed anew.
#
# Expected: columns={data: 'JSON'} keeps the text of the field, as '…'::JSON keeps the text it is given.
# Happens: 1.10 comes out as 1.1, 1e2 as 100.0, -0 as 0, and a long decimal is cut to a double. 'VARCHAR' does
#   the same. Integers of thirty digits stay exact, so a look at large numbers does not show it.
# Matters: a hash over the payload no longer holds, and 1.10 is no longer the amount that was signed.
# Instead: read_ndjson_objects gives each line as it is. Cut the payload out of it outside of DuckDB.
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
payload = '{"total":1.10,"rate":1e2,"z":-0,"exact":0.12345678901234567890,"n":123456789012345678901234567890}'
with open("in.ndjson", "w") as file:
    file.write('{"data":' + payload + "}\n")


def one(query):
    return duckdb.sql(query).fetchall()[0][0]


print("literal:", one(f"select '{payload}'::JSON::VARCHAR"))
print("JSON:   ", one("select data::VARCHAR from read_json('in.ndjson', columns={data:'JSON'})"))
print("VARCHAR:", one("select data from read_json('in.ndjson', columns={data:'VARCHAR'})"))
print("objects:", one("select json::VARCHAR from read_ndjson_objects('in.ndjson')"))
PY
"$work/venv/bin/python" "$work/try.py" "$work" | tee "$work/seen"

cat > "$work/expected" <<'SEEN'
duckdb 2.0.0
literal: {"total":1.10,"rate":1e2,"z":-0,"exact":0.12345678901234567890,"n":123456789012345678901234567890}
JSON:    {"total":1.1,"rate":100.0,"z":0,"exact":0.12345678901234568,"n":123456789012345678901234567890}
VARCHAR: {"total":1.1,"rate":100.0,"z":0,"exact":0.12345678901234568,"n":123456789012345678901234567890}
objects: {"data":{"total":1.10,"rate":1e2,"z":-0,"exact":0.12345678901234567890,"n":123456789012345678901234567890}}
SEEN
diff "$work/expected" "$work/seen" || { echo "changed: this is not what was seen" >&2; exit 1; }
