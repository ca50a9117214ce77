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
from evstore.adapters.nats.errors import (
    FAILURES,
    AnsweredError,
    NoAnswerError,
    NotReachedError,
    is_unsure,
    meant,
)
from evstore.adapters.nats.judging import Judged, Known, Tip, judge, needs_end
from evstore.adapters.nats.lines import line_of
from evstore.adapters.nats.sharing import MOST_CHARACTERS, MOST_EVENTS, Sharing
from evstore.adapters.nats.tips import Tips
from evstore.errors import EvstoreError, StoreBusyError, UnavailableError
from evstore.model.filters import Filter
from evstore.port import Append, Outcome, Page, Receipt, error_of, outcome_unknown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evstore.adapters.nats.messages import Found
    from evstore.adapters.nats.reading import Reading
    from evstore.adapters.nats.session import End, Session
    from evstore.adapters.nats.sources import Sources

MOST_BYTES: Final = 8 * 1024 * 1024
"""Units of one call share a batch up to about so many characters of data."""
FEW_STREAMS: Final = 4
"""So many last events are asked for one by one."""
FIRST_PAUSE: Final = 0.002
LONGEST_PAUSE: Final = 0.2


def shareable(units: Sequence[Append], most: int) -> tuple[int, int] | None:
    """The size of a single unit that may share a batch of so many events, None if it may not."""
    if len(units) != 1 or needs_end(units[0]):
        return None
    return units[0].size_within(min(MOST_EVENTS, most), MOST_CHARACTERS)


class Writing:
    """The appends of an adapter."""

    def __init__(self, session: Session, reading: Reading, sources: Sources, timeout: float) -> None:
        self._session = session
        self._reading = reading
        self._sources = sources
        self._timeout = timeout
        self._ends = Tips()
        self.sharing = Sharing(self._once, self._apart, session.start)

    async def append(self, units: Sequence[Append], until_refused: bool, most: int) -> list[Outcome]:
        """The outcome of each unit; a batch has `most` events. Raises only if the first batch fails: stored units
        must be reported."""
        size = shareable(units, most)
        if size is not None:
            return [await self.sharing.outcome_for_task(units[0], size)]
        outcomes: list[Outcome] = []
        for group in _groups(units, most):
            try:
                outcomes += await self._in_turn(group, until_refused)
            except FAILURES as error:
                failed = self._meant(error)
                if not outcomes:
                    raise failed from failed.__cause__
                rest = 1 if until_refused else len(units) - len(outcomes)
                return [*outcomes, *([failed] * rest)]
            if until_refused and not isinstance(outcomes[-1], Receipt):
                break
        return outcomes

    async def _once(self, units: Sequence[Append]) -> list[Outcome]:
        """The outcomes of a first try. An error that is none of evstore's is about what was published."""
        async with self._ends.turn(_streams_of(units), self._timeout):
            try:
                judged = await self._judged(units, False, guesses=True, lost=False)
            except FAILURES as error:
                failed = self._meant(error)
                raise failed from failed.__cause__
            return await self._stored(judged)

    async def _apart(self, unit: Append, failed: Exception) -> Outcome:
        """The outcome of a unit after its first try failed."""
        if isinstance(failed, UnavailableError):  # which was found out by a long wait
            raise error_of(unit, failed)
        if isinstance(failed, TimeoutError):
            raise self._busy() from failed
        lost = failed if self._is_unsure(failed) else None
        (outcome,) = await self._in_turn([unit], False, 1, lost)
        return outcome

    async def _in_turn(
        self, units: Sequence[Append], until_refused: bool, tries: int = 0, lost: Exception | None = None
    ) -> list[Outcome]:
        """Try until the outcome is known, or the time has passed. There were `tries`, which may have `lost` an
        answer."""
        deadline = time.monotonic() + self._timeout
        try:
            async with self._ends.turn(_streams_of(units), self._timeout):
                return await self._settled(units, until_refused, deadline, tries, lost)
        except TimeoutError as error:
            raise self._busy() from error

    async def _settled(
        self, units: Sequence[Append], until_refused: bool, deadline: float, tries: int, lost: Exception | None
    ) -> list[Outcome]:
        while True:
            try:
                judged = await self._judged(units, until_refused, guesses=not tries, lost=lost is not None)
            except FAILURES as error:
                if lost is None:
                    raise
                raise self._unknown(units, lost) from error
            try:
                return await self._stored(judged)
            except (LostRaceError, NotReachedError) as error:
                failed: Exception = error
            except (AnsweredError, NoAnswerError) as error:
                if not self._is_unsure(error):
                    raise
                lost = failed = error
            tries += 1
            left = deadline - time.monotonic()
            if left <= 0:
                raise self._given_up(units, failed, lost) from failed
            if tries > 1 or lost:  # the first try was a guess
                pause = min(FIRST_PAUSE * 2 ** min(tries, 10), LONGEST_PAUSE)
                await asyncio.sleep(min(left, random.uniform(pause / 4, pause)))  # noqa: S311 - no secret

    def _is_unsure(self, error: Exception) -> bool:
        return is_unsure(error, self._session.has_replicas)

    def _meant(self, error: Exception) -> EvstoreError:
        return error if isinstance(error, EvstoreError) else meant(error, self._session.location.shown)

    def _busy(self) -> EvstoreError:
        return StoreBusyError(self._session.location.shown, self._timeout)

    def _given_up(self, units: Sequence[Append], failed: Exception, lost: Exception | None) -> EvstoreError:
        if lost is not None:
            return self._unknown(units, lost)
        return self._busy() if isinstance(failed, LostRaceError) else self._meant(failed)

    def _unknown(self, units: Sequence[Append], lost: Exception) -> EvstoreError:
        what = "an error" if isinstance(lost, AnsweredError) else "no answer"
        unknown = outcome_unknown(units, f"{what} from {self._session.location.shown}: {lost}")
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
            held, tips = await asyncio.gather(self._held(units, end), self._tips(units, {}, end))
        else:
            tips = await self._tips(units, guessed, end)
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

    async def _tips(self, units: Sequence[Append], guessed: dict[str, Tip], end: End | None) -> dict[str, Tip]:
        streams = _streams_of(units)
        streams.update(each.stream_id for unit in units for each in unit.requirements)
        asked = [stream_id for stream_id in streams if stream_id not in guessed]
        if not asked:
            return guessed
        tips = await self._looked_up(asked, end)
        self._ends.compare(tips)
        return {**guessed, **{stream_id: tip for stream_id, tip in tips.items() if tip is not None}}

    async def _looked_up(self, streams: Sequence[str], end: End | None) -> dict[str, Tip | None]:
        """The tips of streams: of few by the leader, of many by a replica that has the log up to its end."""
        subjects = {self._session.subjects.of_stream(each): each for each in streams}
        if len(streams) <= FEW_STREAMS:
            found = [*await asyncio.gather(*map(self._session.last, subjects))]
            return {each: _tip(last) for each, last in zip(streams, found, strict=True)}
        lasts = await self._session.lasts([*subjects], end or await self._session.end())
        return {each: _tip(lasts.get(subject)) for subject, each in subjects.items()}


def _tip(last: Found | None) -> Tip | None:
    """The tip of the stream with this last message."""
    if last is None:
        return None
    line = line_of(last.body, last.sequence)
    return Tip(last.sequence, line.version, line.created_us)


def _streams_of(units: Sequence[Append]) -> set[str]:
    return {write.stream_id for unit in units for write in unit.writes}


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
