#!/usr/bin/env bash
# DuckDB 2.0.0: read_json makes dates and times of texts that only look like them, and writes them back changed.
#
# Expected: a JSON string stays text unless it is an ISO date or timestamp.
# Happens: the part number "12-11-26" becomes the date 2012-11-26, "1-2-26" becomes 2001-02-26, and the bay
#   "10:30" becomes 10:30:00. COPY … TO writes these instead of the texts that were read.
# Matters: a log that went through DuckDB has other payloads than before. Nothing failed.
# Instead: name such fields in columns={…: 'VARCHAR'}, or read whole lines with read_ndjson_objects.
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
with open("in.ndjson", "w") as file:
    file.write('{"part":"12-11-26","shelf":"1-2-26","bay":"10:30"}\n')


def copied(source):
    duckdb.sql(f"copy (from {source}) to 'out.ndjson' (format json)")
    with open("out.ndjson") as file:
        return file.read().rstrip()


print("types:", [str(kind) for kind in duckdb.sql("from read_json('in.ndjson')").types])
print("out:  ", copied("read_json('in.ndjson')"))
print("named:", copied("read_json('in.ndjson', columns={part:'VARCHAR', shelf:'VARCHAR', bay:'VARCHAR'})"))
PY
"$work/venv/bin/python" "$work/try.py" "$work" | tee "$work/seen"

cat > "$work/expected" <<'SEEN'
duckdb 2.0.0
types: ['DATE', 'DATE', 'TIME']
out:   {"part":"2012-11-26","shelf":"2001-02-26","bay":"10:30:00"}
named: {"part":"12-11-26","shelf":"1-2-26","bay":"10:30"}
SEEN
diff "$work/expected" "$work/seen" || { echo "changed: this is not what was seen" >&2; exit 1; }
