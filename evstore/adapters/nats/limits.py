"""The limits of a server: how long a message may be, and how many a batch may have."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from evstore.adapters.nats.errors import TOO_LARGE, NoAnswerError, NotReachedError
from evstore.port import Limits

if TYPE_CHECKING:
    from evstore.adapters.nats.client import Client

BATCH_MESSAGES: Final = 1000
"""The most messages of a batch, unless the server's option `batch { max_msgs }` says otherwise."""
PAYLOAD_BYTES: Final = 1024 * 1024
"""The most bytes of a message, unless the server's option `max_payload` says otherwise."""
_LINE_BYTES: Final = 128 * 1024
"""Enough for the line of an event and its headers: metadata have 64 KiB at most, tags 16 KiB."""
_ASKED: Final = 1_000_000_000
"""The number of a message that no batch has."""


_SET_BY: Final = "the option jetstream { limits { batch { max_msgs } } } or max_payload of its servers"
USUAL: Final = Limits(BATCH_MESSAGES // 2, PAYLOAD_BYTES - _LINE_BYTES, _SET_BY)
"""The limits of a server whose options say nothing of sizes."""


async def asked(client: Client, name: str) -> Limits:
    """The limits of the servers of a store, of which nothing is stored; the usual ones if there is no store.

    JetStream tells the size of a batch to whoever exceeds it, and to nobody else: this message comes too late in a
    batch that was never begun, and no server keeps it.
    """
    headers = f"Nats-Batch-Id: {uuid4().hex}\r\nNats-Batch-Sequence: {_ASKED}\r\n"
    deadline = time.monotonic() + client.timeout
    while True:
        try:
            answer = json.loads(await client.ask(f"{name}.i.limits", b"", headers))
            break
        except NotReachedError:
            return USUAL
        except NoAnswerError:  # there is no leader for the moment
            if time.monotonic() > deadline:
                raise
    error = answer.get("error", {})
    found = re.search(r"[0-9]+$", error.get("description", "")) if error.get("err_code") == TOO_LARGE else None
    messages = int(found[0]) if found else BATCH_MESSAGES
    connection = await client.connected()
    return Limits(messages // 2, max(connection.max_payload - _LINE_BYTES, 1), _SET_BY)
