"""Messages of a stream, as the answers to direct requests bring them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from evstore.adapters.nats.connection import Incoming

_SEQUENCE: Final = b"\r\nNats-Sequence: "
_SUBJECT: Final = b"\r\nNats-Subject: "
_STREAM: Final = b"\r\nNats-Stream: "
_ADDED: Final = re.compile(rb"\r\nNats-Stream: [^\r]*\r\nNats-Subject: ([^\r]*)\r\nNats-Sequence: ([0-9]+)\r\n")
"""The headers that a server adds behind those that it stores."""
PENDING: Final = b"\r\nNats-Num-Pending: "


class Found(NamedTuple):
    """A message of a stream."""

    sequence: int
    subject: str
    body: bytes


class Messages(NamedTuple):
    """The answers to one direct request."""

    found: list[Found]
    are_more: bool
    """The replica has more messages that were asked for, after these."""


def found_in(message: Incoming) -> Found:
    """The message of a stream that an answer brings."""
    added = _ADDED.match(message.headers, message.headers.rfind(_STREAM))
    if added is None:  # a server with another order
        sequence, subject = message.header(_SEQUENCE) or b"0", message.header(_SUBJECT) or b""
    else:
        subject, sequence = added.groups()
    return Found(int(sequence), subject.decode(), message.body)
