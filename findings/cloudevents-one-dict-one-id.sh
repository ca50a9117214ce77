#!/usr/bin/env bash
# cloudevents 2.2.0: two events made from one dictionary of attributes have the same id and the same time.
#
# Expected: an id that the caller leaves out is made for each event, as the attributes are only read.
# Happens: the constructor writes the made id and time into the caller's dictionary. The next event that is made
#   from it takes both for given.
# Matters: a producer with a constant for source and type sends all events under one id. Whoever stores each id
#   once keeps the first event and takes the others for retries.
# Instead: pass a new dictionary each time, or set id and time oneself.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check cloudevents==2.2.0

cat > "$work/try.py" <<'PY'
from importlib.metadata import version

from cloudevents.core.v1.event import CloudEvent

print("cloudevents", version("cloudevents"))
attributes = {"specversion": "1.0", "source": "/shop", "type": "OrderPlaced"}
first = CloudEvent(attributes, {"order": 1})
second = CloudEvent(attributes, {"order": 2})
print("one dictionary:  same id", first.get_id() == second.get_id(), "same time", first.get_time() == second.get_time())
print("the dictionary: ", sorted(attributes))
attributes = {"specversion": "1.0", "source": "/shop", "type": "OrderPlaced"}
first = CloudEvent(dict(attributes), {"order": 1})
second = CloudEvent(dict(attributes), {"order": 2})
print("two dictionaries: same id", first.get_id() == second.get_id())
PY
"$work/venv/bin/python" "$work/try.py" | tee "$work/seen"

cat > "$work/expected" <<'SEEN'
cloudevents 2.2.0
one dictionary:  same id True same time True
the dictionary:  ['id', 'source', 'specversion', 'time', 'type']
two dictionaries: same id False
SEEN
diff "$work/expected" "$work/seen" || { echo "changed: this is not what was seen" >&2; exit 1; }
