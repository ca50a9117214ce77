#!/usr/bin/env bash
# sqlite-utils 4.2.1: "sqlite-utils insert" that fails keeps the lines before the failing batch.
#
# Expected: the command stores all lines or, where it exits with 1, none of them.
# Happens: it commits batch by batch, 100 lines each. Line 231 of 250 breaks a rule, and 200 lines stay. With
#   --batch-size 1000 nothing stays.
# Matters: the load that is mended and run again stores the first 200 events twice, or, where they have unique ids,
#   fails at line 1.
# Instead: choose a batch size larger than the file.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check sqlite-utils==4.2.1
cd "$work"

for n in $(seq 250); do
  if [ "$n" = 231 ]; then type=null; else type='"Counted"'; fi
  echo "{\"type\":$type,\"data\":$n}"
done > events.ndjson

{
  venv/bin/sqlite-utils --version
  for batch in 100 1000; do
    venv/bin/sqlite-utils create-table "$batch.db" events position integer type text data integer \
      --pk position --not-null type > created
    code=0
    venv/bin/sqlite-utils insert "$batch.db" events events.ndjson --nl --batch-size "$batch" > shown 2> error || code=$?
    echo "batch size $batch: exit $code, rows kept:" \
      "$(venv/bin/sqlite-utils query "$batch.db" 'select count(*) from events' --raw)"
    grep -o 'NOT NULL constraint failed: events.type' error | head -1
  done
} | tee seen

cat > expected <<'SEEN'
sqlite-utils, version 4.2.1
batch size 100: exit 1, rows kept: 200
NOT NULL constraint failed: events.type
batch size 1000: exit 1, rows kept: 0
NOT NULL constraint failed: events.type
SEEN
diff expected seen || { echo "changed: this is not what was seen" >&2; exit 1; }
