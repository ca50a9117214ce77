#!/usr/bin/env bash
# msgspec 0.22.0: Decoder.decode_lines does not look at lines.
#
# Expected: one JSON value a line, and an error for two values on a line or for a value over two lines.
# Happens: it takes values one after another, whatever stands between them: two on a line, one over two lines, and
#   blank lines are all accepted. Neither an error nor the length of the result shows it.
# Matters: two writers that tore each other's lines apart pass unseen, and the n-th value is not on line n, so
#   "go on after line n" skips or repeats events.
# Instead: split the lines first, and decode each.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check msgspec==0.22.0

cat > "$work/try.py" <<'PY'
from importlib.metadata import version

import msgspec

print("msgspec", version("msgspec"))
decoder = msgspec.json.Decoder()
for text in ('{"n":1}{"n":2}\n', '{"n":\n1}\n', '1 2\n3\n', '\n\n{"n":1}\n'):
    print(f"{text!r}: {text.count(chr(10))} lines, values {decoder.decode_lines(text)}")
try:
    [decoder.decode(line) for line in '{"n":1}{"n":2}\n'.splitlines()]
except msgspec.DecodeError as error:
    print("line by line:", error)
PY
"$work/venv/bin/python" "$work/try.py" | tee "$work/seen"

cat > "$work/expected" <<'SEEN'
msgspec 0.22.0
'{"n":1}{"n":2}\n': 1 lines, values [{'n': 1}, {'n': 2}]
'{"n":\n1}\n': 2 lines, values [{'n': 1}]
'1 2\n3\n': 2 lines, values [1, 2, 3]
'\n\n{"n":1}\n': 3 lines, values [{'n': 1}]
line by line: JSON is malformed: trailing characters (byte 8)
SEEN
diff "$work/expected" "$work/seen" || { echo "changed: this is not what was seen" >&2; exit 1; }
