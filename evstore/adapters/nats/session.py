"""An open store: its client, its subjects, and what its leader says about its end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from evstore.adapters.nats.errors import NoAnswerError
from evstore.adapters.nats.layout import checked
from evstore.adapters.nats.lines import out_of_step, position_of
from evstore.adapters.nats.subjects import Subjects

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from evstore.adapters.nats.client import Client
    from evstore.adapters.nats.location import Location
    from evstore.adapters.nats.messages import Found

MOST_SUBJECTS: Final = 1000
"""Subjects whose last messages are asked for at once; the server answers for 1024 at most."""
_TRIES: Final = 200
_PAUSE: Final = 0.01


class End(NamedTuple):
    """The last message of the log, by the leader."""

    sequence: int
    subject: str | None

    @property
    def position(self) -> int:
        return position_of(self.sequence)


class Session:
    """The ground of reading and writing."""

    def __init__(self, client: Client, location: Location) -> None:
        self.client = client
        self.location = location
        self.name = location.name
        self.subjects = Subjects(location.name)
        self.has_replicas = True
        self.seen = 0
        """The last sequence of the log that the leader has told, or a later one by now."""
        self.is_open = False
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begin to run a coroutine that nobody waits for, until the session ends."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def end_tasks(self) -> None:
        """End all of these."""
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def open(self) -> None:
        """Make sure that the place holds a store."""
        if not self.is_open:
            info = await checked(self.client, self.location)
            self.has_replicas = info["config"]["num_replicas"] > 1
            self.is_open = True

    async def end(self) -> End:
        """The end of the log: an id is the last message of each event."""
        found = await self.last(self.subjects.ids)
        if found is None:
            return End(0, None)
        if found.sequence % 2:
            raise out_of_step(found.sequence)
        self.seen = max(self.seen, found.sequence)
        return End(found.sequence, found.subject)

    async def last(self, subject: str) -> Found | None:
        """The last message of this subject, by the leader."""
        return await self.client.message(self.name, {"last_by_subj": subject})

    async def next(self, subject: str, sequence: int) -> Found | None:
        """The first message of this subject at or after the sequence, by the leader."""
        return await self.client.message(self.name, {"seq": sequence, "next_by_subj": subject})

    async def lasts(
        self, subjects: Sequence[str], end: End | None = None, *, up_to: int | None = None
    ) -> dict[str, Found]:
        """The last message of each subject that has one, by any replica.

        With `end` the replica has the log up to there at least: its last id is among the answers.
        With `up_to` later messages than the one at this sequence are as if they were not there.
        """
        found: dict[str, Found] = {}
        for at in range(0, len(subjects), MOST_SUBJECTS):
            some = subjects[at : at + MOST_SUBJECTS]
            found.update(await self._lasts(some, end, up_to))
        return found

    async def _lasts(self, subjects: Sequence[str], end: End | None, up_to: int | None) -> dict[str, Found]:
        wanted = [*subjects] if end is None or end.subject is None else [*subjects, end.subject]
        for _ in range(_TRIES):
            found = {each.subject: each for each in await self._all_lasts(wanted, up_to)}
            if end is None or end.subject is None or end.subject in found:
                return (
                    found
                    if end is None or end.subject in subjects
                    else {s: found[s] for s in subjects if s in found}
                )
            await asyncio.sleep(_PAUSE)
        raise NoAnswerError("a replica stays behind its leader")

    async def _all_lasts(self, subjects: Sequence[str], up_to: int | None) -> list[Found]:
        """The last messages of these subjects, however long: an answer may end early."""
        found: list[Found] = []
        rest = [*dict.fromkeys(subjects)]
        while rest:
            given = {"multi_last": rest, "batch": len(rest)} | ({"up_to_seq": up_to} if up_to else {})
            page = await self.client.direct(self.name, given)
            found += page.found
            if not page.are_more:
                break
            came = {each.subject for each in page.found}
            rest = [each for each in rest if each not in came]
        return found
