#!/usr/bin/env bash
# umadb 0.7.8: an append under a condition is answered as stored if its ids are, whatever its events are.
#
# Expected: who appends again with the ids of an append that is stored, because its answer was lost, gets the old
#   position. Who appends another event under such an id gets an error, because that event is not stored.
# Happens: only the ids are compared, and in order from the first. An event of another type, with other data and other
#   tags, is acknowledged with the position of the event that has its id, and is stored nowhere. Two events whose first
#   alone is stored are refused; of two that are stored, the first alone is acknowledged, the second alone refused.
#   Without a condition ids are not compared at all: the same event is stored twice.
# Matters: a program that makes ids from what it handles (a key of an order, say) and then appends a second, other event
#   for it under the same condition, is told that it succeeded. Nothing shows that the event is lost.
# Instead: make an id from all that the event says, or read the answered position back and compare.
set -euo pipefail
work=$(mktemp -d)
server=
stop() {
  if [ -n "$server" ]; then kill "$server" 2> /dev/null || true; wait "$server" 2> /dev/null || true; fi
  rm -rf "$work"
}
trap stop EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check umadb==0.7.8
port=$(python3 -c '
import random, socket
for port in random.sample(range(20000, 32768), 50):
    with socket.socket() as tried:
        if tried.connect_ex(("127.0.0.1", port)):
            print(port)
            break
')
"$work/venv/bin/umadb" --listen "127.0.0.1:$port" --db-path "$work/uma.db" > "$work/log" 2>&1 &
server=$!

cat > "$work/try.py" <<'PY'
import sys
import time
from importlib.metadata import version
from uuid import UUID

from umadb import AppendCondition, Client, Event, IntegrityError, Query, QueryItem, TransportError

FIRST, SECOND, THIRD = (UUID(int=number) for number in (1, 2, 3))
for _ in range(100):
    try:
        client = Client(f"http://127.0.0.1:{sys.argv[1]}")
        client.head()
        break
    except TransportError:
        time.sleep(0.1)


def append(*events, kind="Paid"):
    """The answer to an append that demands that there is no event of this type yet; "" demands nothing."""
    condition = AppendCondition(Query([QueryItem(types=[kind])])) if kind else None
    try:
        return client.append(list(events), condition)
    except IntegrityError:
        return "refused"


print("umadb", version("umadb"))
print("stored:", append(Event("Paid", b"10 EUR", ["order:1"], FIRST)))
print("the same again:", append(Event("Paid", b"10 EUR", ["order:1"], FIRST)))
print("another event under that id:", append(Event("Refunded", b"99 EUR", ["order:2"], FIRST)))
print("under an id of its own:", append(Event("Paid", b"10 EUR", ["order:1"], SECOND)))
sent = Event("Sent", b"1", [], SECOND), Event("Sent", b"2", [], THIRD)
print("two stored:", append(*sent, kind="Sent"))
print("the first of the two:", append(sent[0], kind="Sent"))
print("the second of the two:", append(sent[1], kind="Sent"))
print("without a condition:", append(Event("Paid", b"10 EUR", ["order:1"], FIRST), kind=""))
for each in client.read():
    print(each.position, each.event.event_type, each.event.data.decode(), "id", each.event.uuid.int)
PY
"$work/venv/bin/python" "$work/try.py" "$port" | tee "$work/seen"

cat > "$work/expected" <<'SEEN'
umadb 0.7.8
stored: 1
the same again: 1
another event under that id: 1
under an id of its own: refused
two stored: 3
the first of the two: 2
the second of the two: refused
without a condition: 4
1 Paid 10 EUR id 1
2 Sent 1 id 2
3 Sent 2 id 3
4 Paid 10 EUR id 1
SEEN
diff "$work/expected" "$work/seen" || { echo "changed: this is not what was seen" >&2; exit 1; }
