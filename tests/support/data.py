"""What tests append, and what they find stored and printed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from evstore import connect

if TYPE_CHECKING:
    from tests.support.command import Command

DAY = 86_400_000_000
FIRST = 1_700_000_000_000_000
DATA = ("append", "S-1", "-t", "T")


def id_of(number: int) -> str:
    return f"01890000-0000-7000-8000-{number:012d}"


def envelopes(*numbers: int, stream: str | None = None, **more: object) -> bytes:
    """A line for each number, which is its data and makes its id."""
    named = {} if stream is None else {"streamId": stream}
    lines = [json.dumps({**named, "type": "T", "data": n, "id": id_of(n), **more}) for n in numbers]
    return "".join(f"{line}\n" for line in lines).encode()


def objects(out: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def stored(command: Command, stream: str = "S-1") -> list[object]:
    """The data of a stream, as the library sees it."""
    with connect(command.url) as store:
        return [event.data for event in store.read(stream)]
