#!/usr/bin/env bash
# polars 2.1.0: where the first 100 lists of a field are empty, read_ndjson reads the items of later lists as null.
#
# Expected: an error, as for a field that was null in the first 100 lines and then holds a text.
# Happens: the field becomes a list of nothing. A later ["vip","new"] is read as [null, null]. The number of items is
#   right, so counts agree; only what they say is gone. No error, no warning.
# Matters: events start with "tags": [] and get tags later. Looking for a tag finds no event.
# Instead: read with infer_schema_length=None, or name the type in schema_overrides.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check polars==2.1.0

cat > "$work/try.py" <<'PY'
import io

import polars

print("polars", polars.__version__)
tags = b'{"tags":[]}\n' * 150 + b'{"tags":["vip","new"]}\n'


def last(lines, **options):
    frame = polars.read_ndjson(io.BytesIO(lines), **options)
    return f"{frame.schema['tags']} {frame['tags'].to_list()[-1]}"


print("late items:        ", last(tags))
print("all lines looked at:", last(tags, infer_schema_length=None))
print("named:             ", last(tags, schema_overrides={"tags": polars.List(polars.String)}))
try:
    print("null first:        ", last(b'{"tags":null}\n' * 150 + b'{"tags":"vip"}\n'))
except polars.exceptions.ComputeError as error:
    print("null first:        ", type(error).__name__)
PY
"$work/venv/bin/python" "$work/try.py" | tee "$work/seen"

cat > "$work/expected" <<'SEEN'
polars 2.1.0
late items:         List(Null) [None, None]
all lines looked at: List(String) ['vip', 'new']
named:              List(String) ['vip', 'new']
null first:         ComputeError
SEEN
diff "$work/expected" "$work/seen" || { echo "changed: this is not what was seen" >&2; exit 1; }
