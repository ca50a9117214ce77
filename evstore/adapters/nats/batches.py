"""Atomic batches: messages that JetStream stores all or none, with the guards that protect them.

Each guard names one subject exactly: guards with wildcards race on replicas.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import uuid4

from nats import errors as nats_errors

from evstore.adapters.nats.errors import LOST_RACE, AnsweredError, NoAnswerError, NotReachedError
from evstore.adapters.nats.lines import out_of_step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evstore.adapters.nats.client import Client

OF_SUBJECT: Final = "Nats-Expected-Last-Subject-Sequence"
OF_LOG: Final = "Nats-Expected-Last-Sequence"


class Message(NamedTuple):
    """A message on its way."""

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
    connection = await client.connected()
    batch = uuid4().hex
    try:
        for number, message in enumerate(messages[:-1], 1):
            headers = _headers(batch, number, message.guard, end if number == 1 else None)
            await connection.publish(message.subject, message.body, headers=headers)
    except (nats_errors.Error, OSError) as error:  # without its last message nothing of a batch is stored
        raise NotReachedError(str(error)) from error
    last = messages[-1]
    headers = _headers(batch, len(messages), last.guard, end if len(messages) == 1 else None)
    headers["Nats-Batch-Commit"] = "1"
    sequence = _sequence_in(await client.ask(last.subject, last.body, headers, needs=root))
    if sequence % 2:
        raise out_of_step(sequence)
    return sequence


def _headers(batch: str, number: int, guard: int | None, end: int | None) -> dict[str, str]:
    headers = {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(number)}
    if guard is not None:
        headers[OF_SUBJECT] = str(guard)
    if end is not None:
        headers[OF_LOG] = str(end)
    return headers


async def publish_one(client: Client, message: Message) -> int:
    """Publish one message with its guard. Raises as `publish` does."""
    try:
        answer = await client.ask(message.subject, message.body, {OF_SUBJECT: str(message.guard)})
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
