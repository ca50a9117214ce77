#!/usr/bin/env bash
# cloudevents 2.2.0: reading an event without an id gives it one, another one each time; so with a missing time.
#
# Expected: the specification requires an id, so a reader refuses an event without one. A missing time is absent.
# Happens: JSONFormat.read makes an id, and takes the time of the reading for the time of the event. Written out
#   again, both look like the sender's. The reader of version 1 in the same package refuses the missing id.
# Matters: a message that is delivered twice is two events for whoever stores each id once, and a replayed file
#   has today's times.
# Instead: look at the JSON for "id" and "time" before it is read.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check cloudevents==2.2.0

cat > "$work/try.py" <<'PY'
import json
import time
from importlib.metadata import version

from cloudevents.core.formats.json import JSONFormat
from cloudevents.v1.exceptions import MissingRequiredFields
from cloudevents.v1.http import from_json

print("cloudevents", version("cloudevents"))
message = '{"specversion":"1.0","source":"/shop","type":"OrderPlaced","data":{"order":1}}'
first = JSONFormat().read(None, message)
time.sleep(0.01)
second = JSONFormat().read(None, message)
print("ids:     ", bool(first.get_id()), bool(second.get_id()), "equal", first.get_id() == second.get_id())
print("times:   ", bool(first.get_time()), bool(second.get_time()), "equal", first.get_time() == second.get_time())
print("written: ", sorted(json.loads(JSONFormat().write(first))))
try:
    from_json(message)
except MissingRequiredFields as error:
    print("version 1:", error)
PY
"$work/venv/bin/python" "$work/try.py" | tee "$work/seen"

cat > "$work/expected" <<'SEEN'
cloudevents 2.2.0
ids:      True True equal False
times:    True True equal False
written:  ['data', 'id', 'source', 'specversion', 'time', 'type']
version 1: Missing required attributes: {'id'}
SEEN
diff "$work/expected" "$work/seen" || { echo "changed: this is not what was seen" >&2; exit 1; }
