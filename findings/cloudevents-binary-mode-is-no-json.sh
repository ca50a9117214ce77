#!/usr/bin/env bash
# cloudevents 2.2.0: HTTP binary mode sends a list, a text or true not as JSON, whatever datacontenttype says.
#
# Expected: with datacontenttype application/json the body is the JSON of the data, in both modes of HTTP.
# Happens: only an object is written as JSON. A list is written as Python prints it, and true as "True". A text goes
#   out without quotes, so "12" arrives as the number 12. Structured mode carries all of them correctly.
# Matters: the sender gets no error, and the receiver no event that equals the one sent.
# Instead: use structured mode, or hand the data over as bytes that are JSON already.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check cloudevents==2.2.0

cat > "$work/try.py" <<'PY'
from importlib.metadata import version

from cloudevents.core.bindings import http
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

print("cloudevents", version("cloudevents"))
for data in ({"a": 1}, ["a", 1], True, "12"):
    attributes = {"specversion": "1.0", "id": "1", "source": "/s", "type": "T", "datacontenttype": "application/json"}
    event = CloudEvent(attributes, data)
    binary = http.to_binary(event, JSONFormat())
    read = http.from_binary(binary, JSONFormat(), CloudEvent).get_data()
    whole = http.from_structured(http.to_structured(event, JSONFormat()), JSONFormat(), CloudEvent).get_data()
    print(f"{data!r}: body {binary.body!r}, read {read!r}, equal {read == data}, structured equal {whole == data}")
PY
"$work/venv/bin/python" "$work/try.py" | tee "$work/seen"

cat > "$work/expected" <<'SEEN'
cloudevents 2.2.0
{'a': 1}: body b'{"a": 1}', read {'a': 1}, equal True, structured equal True
['a', 1]: body b"['a', 1]", read "['a', 1]", equal False, structured equal True
True: body b'True', read 'True', equal False, structured equal True
'12': body b'12', read 12, equal False, structured equal True
SEEN
diff "$work/expected" "$work/seen" || { echo "changed: this is not what was seen" >&2; exit 1; }
