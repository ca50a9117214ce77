#!/usr/bin/env bash
# jq 1.13.0 (the Python binding): numbers leave it as doubles, although the jq inside keeps them exactly.
#
# Expected: jq since 1.7 keeps the text of a number that no filter changes, so '.' returns it unchanged.
# Happens: '.' returns 100000000000000000001 as 100000000000000000000 and 1.10 as 1.1, in .first() and in
#   .text(). The filter .n|tostring returns both exactly. "unique" keeps two numbers that then print alike.
# Matters: the same filter is exact on the command line and rounds in a Python service.
# Instead: let the filter make strings of numbers that must be exact, or run the jq command.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check jq==1.13.0

cat > "$work/try.py" <<'PY'
from importlib.metadata import version

import jq

print("jq", version("jq"))


def text(filter_, json):
    return jq.compile(filter_).input_text(json).text()


event = '{"n":100000000000000000001,"total":1.10}'
print(".          ", text(".", event))
print(".first()   ", jq.compile(".").input_text(event).first())
print("tostring   ", text("[.n, .total | tostring]", event))
print("unique     ", text("unique", "[100000000000000001, 100000000000000000]"))
print("of strings ", text("map(tostring) | unique", "[100000000000000001, 100000000000000000]"))
PY
"$work/venv/bin/python" "$work/try.py" | tee "$work/seen"

cat > "$work/expected" <<'SEEN'
jq 1.13.0
.           {"n": 100000000000000000000, "total": 1.1}
.first()    {'n': 100000000000000000000, 'total': 1.1}
tostring    ["100000000000000000001", "1.10"]
unique      [100000000000000000, 100000000000000000]
of strings  ["100000000000000000", "100000000000000001"]
SEEN
diff "$work/expected" "$work/seen" || { echo "changed: this is not what was seen" >&2; exit 1; }
