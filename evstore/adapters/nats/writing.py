"""Appends: look at the store, judge, publish one atomic batch; look again where a guard refused it.

The first try may be a guess: what this adapter wrote last, and streams that must not be there, need no look. Then
the ids are looked at first. A refusal is given only after they were looked at once more, by a replica that has the
whole log: an earlier try, or another process, may have stored the unit meanwhile.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Final

from evstore.adapters.nats.batches import LostRaceError, publish
from evstore.adapters.nats.errors import AnsweredError, ForbiddenError, NoAnswerError, NotReachedError, meant
from evstore.adapters.nats.judging import Judged, Known, Tip, judge, needs_end
from evstore.adapters.nats.lines import line_of
from evstore.adapters.nats.tips import Tips
from evstore.errors import EvstoreError, StoreBusyError
from evstore.model.filters import Filter
from evstore.port import Append, Outcome, Page, Receipt, outcome_unknown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evstore.adapters.nats.limits import Limits
    from evstore.adapters.nats.reading import Reading
    from evstore.adapters.nats.session import End, Session
    from evstore.adapters.nats.sources import Sources

MOST_BYTES: Final = 8 * 1024 * 1024
"""Units of one call share a batch up to about so many characters of data."""
FIRST_PAUSE: Final = 0.002
LONGEST_PAUSE: Final = 0.2
FAILURES: Final = (EvstoreError, AnsweredError, ForbiddenError, NoAnswerError, NotReachedError)


class Writing:
    """The appends of an adapter."""

    def __init__(self, session: Session, reading: Reading, sources: Sources, timeout: float) -> None:
        self._session = session
        self._reading = reading
        self._sources = sources
        self._timeout = timeout
        self._ends = Tips()

    async def append(self, units: Sequence[Append], until_refused: bool, limits: Limits) -> list[Outcome]:
        """The outcome of each unit. Raises only if the first batch fails: stored units must be reported."""
        outcomes: list[Outcome] = []
        for group in _groups(units, limits.events):
            try:
                outcomes += await self._in_turn(group, until_refused)
            except FAILURES as error:
                failed = error if isinstance(error, EvstoreError) else meant(error, self._session.location.shown)
                if not outcomes:
                    raise failed from failed.__cause__
                rest = 1 if until_refused else len(units) - len(outcomes)
                return [*outcomes, *([failed] * rest)]
            if until_refused and not isinstance(outcomes[-1], Receipt):
                break
        return outcomes

    async def _in_turn(self, units: Sequence[Append], until_refused: bool) -> list[Outcome]:
        deadline = time.monotonic() + self._timeout
        streams = {write.stream_id for unit in units for write in unit.writes}
        try:
            async with self._ends.turn(streams, self._timeout):
                return await self._settled(units, until_refused, deadline)
        except TimeoutError as error:
            raise self._busy() from error

    async def _settled(self, units: Sequence[Append], until_refused: bool, deadline: float) -> list[Outcome]:
        """Try until the outcome is known, or the deadline has passed."""
        lost: Exception | None = None
        tries = 0
        while True:
            try:
                judged = await self._judged(units, until_refused, guesses=not tries, lost=lost is not None)
            except FAILURES as error:
                if lost is None:
                    raise
                raise self._unknown(units, lost) from error
            try:
                return await self._stored(judged)
            except LostRaceError as error:
                failed: Exception = error
                self._ends.forget(judged.tips)
            except NotReachedError as error:
                failed = error
            except NoAnswerError as error:
                lost = failed = error
            tries += 1
            left = deadline - time.monotonic()
            if left <= 0:
                raise self._given_up(units, failed, lost) from failed
            if tries > 1 or lost:  # the first try was a guess
                pause = min(FIRST_PAUSE * 2**tries, LONGEST_PAUSE)
                await asyncio.sleep(min(left, random.uniform(pause / 4, pause)))  # noqa: S311 - no secret

    def _busy(self) -> EvstoreError:
        return StoreBusyError(self._session.location.shown, self._timeout)

    def _given_up(self, units: Sequence[Append], failed: Exception, lost: Exception | None) -> EvstoreError:
        if lost is not None:
            return self._unknown(units, lost)
        return self._busy() if isinstance(failed, LostRaceError) else meant(failed, self._session.location.shown)

    def _unknown(self, units: Sequence[Append], lost: Exception) -> EvstoreError:
        unknown = outcome_unknown(units, f"no answer from {self._session.location.shown}: {lost}")
        unknown.__cause__ = lost
        return unknown

    async def _stored(self, judged: Judged) -> list[Outcome]:
        if not judged.messages:
            return judged.outcomes
        root = f"{self._session.name}."
        last = await publish(self._session.client, judged.messages, judged.end, root)
        self._ends.note(judged.tips_after(last))
        return judged.placed(last)

    async def _judged(self, units: Sequence[Append], until_refused: bool, *, guesses: bool, lost: bool) -> Judged:
        """The answers to the units. A guess must accept all of them, for its guards alone make it sure."""
        connection = await self._session.client.connected()
        most_bytes = connection.max_payload - 1024

        def judged_by(known: Known) -> Judged:
            return judge(units, known, self._session.subjects, until_refused, lost=lost, most_bytes=most_bytes)

        if guesses:
            judged = judged_by(await self._known(units, self._ends.guessed(units)))
            if judged.is_accepted:
                return judged
        known = await self._known(units, None)
        judged = judged_by(known)
        if judged.is_accepted:
            return judged
        held = await self._held(units, await self._session.end())
        return judged if held == known.held else judged_by(known._replace(held=held))

    # --- looking ---

    async def _known(self, units: Sequence[Append], guessed: dict[str, Tip] | None) -> Known:
        """The facts to judge the units by. The end of the log comes first: its guard covers what is read after.

        With guesses nobody looks for ids, of which each has a guard, nor for the streams that are among them.
        """
        end = await self._session.end() if needs_end(units[0]) else None
        held: frozenset[str] = frozenset()
        if guessed is None:
            held, tips = await asyncio.gather(self._held(units, end), self._tips(units, {}))
        else:
            tips = await self._tips(units, guessed)
        if end is None:
            return Known(held, tips)
        (unit,) = units
        source = await self._sources.position_of(unit.source.name, end) if unit.source else None
        matches = {}
        for query, after in unit.conditions:
            page = Page(1, after=after, high=end.position)
            found = await self._reading.read_all(page, Filter(query=query)) if after < end.position else []
            matches[query, after] = found[0].global_position if found else None
        return Known(held, tips, end.position, matches, source)

    async def _held(self, units: Sequence[Append], end: End | None) -> frozenset[str]:
        of_id = self._session.subjects.of_id
        by_subject = {of_id(each): each for unit in units for each in unit.ids()}
        return frozenset(by_subject[each] for each in await self._session.lasts([*by_subject], end))

    async def _tips(self, units: Sequence[Append], guessed: dict[str, Tip]) -> dict[str, Tip]:
        streams = {write.stream_id for unit in units for write in unit.writes}
        streams.update(each.stream_id for unit in units for each in unit.requirements)
        asked = [stream_id for stream_id in streams if stream_id not in guessed]
        if not asked:
            return guessed
        found = await asyncio.gather(*map(self._tip, asked))
        there = {stream_id: tip for stream_id, tip in zip(asked, found, strict=True) if tip is not None}
        return {**guessed, **there}

    async def _tip(self, stream_id: str) -> Tip | None:
        found = await self._session.last(self._session.subjects.of_stream(stream_id))
        if found is None:
            return None
        line = line_of(found.body, found.sequence)
        return Tip(found.sequence, line.version, line.created_us)


def _groups(units: Sequence[Append], most: int) -> Iterator[list[Append]]:
    """Units that may share a batch. One that is judged by the whole log stands alone."""
    group: list[Append] = []
    events = characters = 0
    for unit in units:
        size = sum(len(write.events) for write in unit.writes)
        if group and (needs_end(unit) or needs_end(group[0]) or events + size > most or characters > MOST_BYTES):
            yield group
            group, events, characters = [], 0, 0
        group.append(unit)
        events += size
        characters += sum(len(event.data_json) for write in unit.writes for event in write.events)
    if group:
        yield group
