"""The last positions of outside sources: derived from the lines of the log, and folded forward as it grows.

The first event of a unit has its source in its line. A note in the bucket spares a new process the log up to
there; without it, everything is read again.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

from evstore.adapters.nats.batches import LostRaceError
from evstore.adapters.nats.errors import ForbiddenError, NoAnswerError
from evstore.adapters.nats.lines import line_of, position_of
from evstore.model.facts import SourceInfo
from evstore.port import MOST_IN_PAGE

if TYPE_CHECKING:
    from evstore.adapters.nats.bucket import Bucket
    from evstore.adapters.nats.reading import Reading
    from evstore.adapters.nats.session import End, Session

KEY: Final = "sources"
NOTED_AFTER: Final = 1000
"""Events that are folded again sooner than noted."""


class Sources:
    """The sources of a store, up to a position."""

    def __init__(self, session: Session, reading: Reading, bucket: Bucket) -> None:
        self._session = session
        self._reading = reading
        self._bucket = bucket
        self._folding = asyncio.Lock()
        self._found: dict[str, SourceInfo] = {}
        self._upto = 0
        self._noted = -1
        """The position up to which the bucket has them, -1 if it was not read yet."""

    async def position_of(self, name: str, end: End) -> int | None:
        """The last position of a source, in the log up to its end."""
        found = (await self.up_to(end)).get(name)
        return found.position if found else None

    async def up_to(self, end: End) -> dict[str, SourceInfo]:
        """The last of each source in the log up to its end."""
        async with self._folding:
            if self._noted < 0:
                await self._load()
            await self._fold(end)
            if self._upto - self._noted > NOTED_AFTER:
                await self._note()
            return self._found

    async def _fold(self, end: End) -> None:
        events, first = self._session.subjects.events, 2 * self._upto + 1
        async for page in self._reading.messages(events, first, end.sequence - 1, MOST_IN_PAGE):
            for message in page:
                line = line_of(message.body, message.sequence)
                position = position_of(message.sequence)
                if line.source is not None:
                    name, taken = line.source
                    self._found[name] = SourceInfo(name, taken, position + line.size - 1)
                self._upto = position

    async def _load(self) -> None:
        entry = await self._bucket.get(KEY)
        noted: dict[str, Any] = json.loads(entry.value) if entry.value else {"upto": 0, "sources": []}
        end = await self._session.end()
        if noted["upto"] <= end.position:  # the log may have been made anew beside its bucket
            self._found = {name: SourceInfo(name, taken, at) for name, taken, at in noted["sources"]}
            self._upto = noted["upto"]
        self._noted = self._upto

    async def _note(self) -> None:
        """Note them for others. Whoever may not, or comes too late, leaves it."""
        noted = {"upto": self._upto, "sources": [[*each] for each in self._found.values()]}
        try:
            entry = await self._bucket.get(KEY)
            there = json.loads(entry.value)["upto"] if entry.value else 0
            if there < self._upto:
                await self._bucket.put(KEY, json.dumps(noted).encode(), entry.revision)
            self._noted = max(there, self._upto)
        except (LostRaceError, NoAnswerError, ForbiddenError):
            self._noted = self._upto
