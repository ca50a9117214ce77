"""Atomic batches: messages that JetStream stores all or none, with the guards that protect them.

Each guard names one subject exactly: guards with wildcards race on replicas.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import uuid4

from evstore.adapters.nats.connection import Outgoing
from evstore.adapters.nats.errors import LOST_RACE, AnsweredError, NoAnswerError, NotReachedError
from evstore.adapters.nats.lines import out_of_step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evstore.adapters.nats.client import Client

OF_SUBJECT: Final = "Nats-Expected-Last-Subject-Sequence"
OF_LOG: Final = "Nats-Expected-Last-Sequence"
COMMIT: Final = "Nats-Batch-Commit: 1\r\n"


class Message(NamedTuple):
    """A message of a log or of a bucket."""

    subject: str
    body: bytes
    guard: int | None
    """The sequence that the last message of its subject must have, 0 for none; None does not look."""


class LostRaceError(Exception):
    """A guard refused the batch, or the server has too many others; nothing was stored."""


async def publish(client: Client, messages: Sequence[Message], end: int | None, root: str) -> int:
    """Publish the messages as one batch, and return the sequence of the last.

    With `end` the batch must follow the message of that sequence. `root` begins all of the subjects. Raises
    LostRaceError, NotReachedError and AnsweredError if nothing was stored, NoAnswerError if that is not known.
    """
    batch = uuid4().hex
    sent = [_outgoing(batch, number, message) for number, message in enumerate(messages, 1)]
    if end is not None:
        sent[0] = sent[0]._replace(headers=f"{sent[0].headers}{OF_LOG}: {end}\r\n")
    *first, (subject, headers, body, _) = sent
    sequence = _sequence_in(await client.ask(subject, body, headers + COMMIT, first=first, needs=root))
    if sequence % 2:
        raise out_of_step(sequence)
    return sequence


def _outgoing(batch: str, number: int, message: Message) -> Outgoing:
    subject, body, guard = message
    guarded = "" if guard is None else f"{OF_SUBJECT}: {guard}\r\n"
    return Outgoing(subject, f"Nats-Batch-Id: {batch}\r\nNats-Batch-Sequence: {number}\r\n{guarded}", body)


async def publish_one(client: Client, message: Message) -> int:
    """Publish one message with its guard. Raises as `publish` does."""
    try:
        answer = await client.ask(message.subject, message.body, f"{OF_SUBJECT}: {message.guard}\r\n")
    except NotReachedError as error:
        raise LostRaceError(str(error)) from error
    return _sequence_in(answer)


def _sequence_in(answer: bytes) -> int:
    try:
        found: dict[str, Any] = json.loads(answer)
    except ValueError as error:
        raise NoAnswerError(f"the answer is none of JetStream: {error}") from error
    if "error" not in found:
        return int(found["seq"])
    if found["error"].get("err_code") in LOST_RACE:
        raise LostRaceError(found["error"].get("description", ""))
    raise AnsweredError(found["error"])
