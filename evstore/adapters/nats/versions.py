"""The sequence of a version of a stream: JetStream numbers no messages of a subject, so it is searched for."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from evstore.adapters.nats.errors import NoAnswerError
from evstore.adapters.nats.lines import line_of, sequence_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evstore.adapters.nats.session import Session
    from evstore.model.events import StoredEvent

_MOST_NOTED: Final = 1000


class Versions:
    """Searches, and the ends of pages that were read last: the next page mostly begins there."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._noted: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def note(self, subject: str, page: Sequence[StoredEvent]) -> None:
        """Keep the end of a page."""
        if page:
            self._noted[subject] = (page[-1].version, sequence_of(page[-1].global_position))
            self._noted.move_to_end(subject)
            if len(self._noted) > _MOST_NOTED:
                self._noted.popitem(last=False)

    async def sequence_of(self, subject: str, version: int, last: StoredEvent) -> int:
        """The sequence of a version up to the last, or one from which on it is the first of its stream."""
        if version == 1:
            return 1
        noted = self._noted.get(subject)
        if noted is not None and version == noted[0] + 1:
            return noted[1] + 1
        return await self.exact(subject, version, last)

    async def exact(self, subject: str, version: int, last: StoredEvent) -> int:
        """The sequence of a version up to the last."""
        # Two messages for each event: so much lies at least before it, and so much after it.
        low = 2 * version - 1
        high = sequence_of(last.global_position) - 2 * (last.version - version)
        while low < high:
            middle = (low + high) // 2
            sequence, there = await self._first(subject, middle)
            if there == version:
                return sequence
            if there < version:
                low = sequence + 2 * (version - there)
            else:
                high = min(middle - 1, sequence - 2 * (there - version))
        return low

    async def _first(self, subject: str, sequence: int) -> tuple[int, int]:
        """Sequence and version of the first event of the subject at or after the sequence."""
        client = self._session.client
        given = {"seq": sequence, "next_by_subj": subject, "batch": 1}

        async def ask() -> tuple[int, int]:
            page = await client.direct(self._session.name, given)
            if not page.found:
                raise NoAnswerError("a replica stays behind its leader")
            (found,) = page.found
            return found.sequence, line_of(found.body, found.sequence).version

        return await client.patiently(ask)
