"""The modes of an append: whole, in batches, or each event for itself. Results are yielded when durable."""

from __future__ import annotations

from contextlib import ExitStack, closing
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from evstore.appending.outcomes import Duplicate
from evstore.appending.spool import Spool
from evstore.cli.output import events, writer
from evstore.cli.output.progress import Watched, progress
from evstore.cli.output.receipts import ReceiptFacts, Result, taken_so_far
from evstore.errors import EvstoreError, InvalidInputError
from evstore.port import SourceTaken

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from evstore.cli.commands.append_plan import Plan
    from evstore.cli.input.intake import InputEvent, Intake
    from evstore.model.events import StoredEvent
    from evstore.port import Append
    from evstore.store import EventStore


def whole(store: EventStore, plan: Plan, intake: Intake, *, skip_stored: bool) -> Iterator[Result]:
    """Append all the events or none. `skip_stored`: yield stored ones as a duplicate, append the rest."""
    yield from _whole(store, plan, _read_all(intake), skip_stored=skip_stored)


def _whole(store: EventStore, plan: Plan, spooled: Spool, *, skip_stored: bool) -> Iterator[Result]:
    with closing(spooled) as spool:
        if not skip_stored:
            yield _submit(store, plan, spool)
            return
        with closing(_split(store, spool)) as parts:
            if parts.duplicate is not None:
                unit = plan.unit(parts.known)
                settled = 0 if len(parts.rest) else len(spool)
                stored = partial(_stored_again, store, unit)
                facts = ReceiptFacts.of(parts.duplicate)
                yield Result(unit, parts.duplicate, facts, stored, settled, parts.known.count_streams)
            if len(parts.rest):
                yield _submit(store, parts.plan_of_rest(plan), parts.rest)._replace(settled=len(spool))


def batches(
    store: EventStore, plan: Plan, groups: Iterable[list[InputEvent]], *, skip_stored: bool
) -> Iterator[Result]:
    """An append for each group; a fault leaves the groups before it."""
    for group in groups:
        for result in _whole(store, plan, _spool(group), skip_stored=skip_stored):
            yield result
            plan = plan.after(result.facts.version)


def each(store: EventStore, plan: Plan, groups: Iterable[list[InputEvent]]) -> Iterator[Result]:
    """One append for each event; the events of a group share a commit.

    A duplicate takes no new version: later events expect another version than was foreseen. None of them
    was tried, because a unit that is not accepted ends the call.
    """
    for group in groups:
        waiting = group
        while waiting:
            units, done = plan.units(waiting), 0
            for unit, outcome in zip(units, store.appender.submit_in_order(units), strict=True):
                done += 1
                stored = partial(store.appender.stored_of, unit, outcome)
                result = Result(unit, outcome, ReceiptFacts.of(outcome), stored, settled=1)
                yield result
                foreseen, plan = plan.expected.after_one_new(), plan.after(result.facts.version)
                if plan.expected != foreseen:
                    break
            waiting = waiting[done:]


def dry_run(store: EventStore, plan: Plan, intake: Intake, *, skip_stored: bool) -> None:
    """Judge as `whole` would, and print what it would store."""
    with closing(_read_all(intake)) as spool:
        if not skip_stored:
            _show_unstored(store, plan, spool)
            return
        with closing(_split(store, spool)) as parts:
            _show_unstored(store, parts.plan_of_rest(plan), parts.rest)


def _show_unstored(store: EventStore, plan: Plan, spool: Spool) -> None:
    found = store.appender.found_stored(plan.unit(spool)) if len(spool) else None
    if found is not None:
        known = taken_so_far(found) if isinstance(found, SourceTaken) else "it is stored already"
        writer.note(f"{known}; nothing would be stored")
        events.show_unstored([])
    else:
        events.show_unstored(spool)


def _read_all(intake: Intake) -> Spool:
    with progress("checking", intake.size()) as shown:
        return _spool(shown.over(intake.events(), intake.position))


def batched(intake: Intake, most: int) -> Iterator[list[InputEvent]]:
    """The events in groups of `most`; progress is reported while a group fills."""
    with progress("storing", intake.size()) as shown:
        yield from intake.batches(most, lambda events: shown.over(events, intake.position))


def watched(results: Iterable[Result], intake: Intake) -> Iterator[Result]:
    """The results of single events, and how far they are."""
    events = 0
    with progress("storing", intake.size()) as shown:
        for result in results:
            yield result
            events += result.settled
            shown.at(intake.position(), events)


def _spool(found: Iterable[InputEvent]) -> Spool:
    """All the events, checked together: an id does not come twice."""
    spool = Spool()
    try:
        for event in found:
            try:
                spool.add(event.write, given_id=event.given_id, new_id=event.new_id, conditions=event.conditions)
            except InvalidInputError as error:
                error.source = event.source and f"{event.source[0]}:{event.source[1]}"
                raise
    except BaseException:
        spool.close()
        raise
    return spool


def _submit(store: EventStore, plan: Plan, spool: Spool) -> Result:
    unit = plan.unit(spool)
    with progress("storing", len(spool)) as shown:
        (outcome,) = store.appender.submit([plan.unit(spool, Watched(spool, shown))])
    if isinstance(outcome, EvstoreError):
        raise outcome
    stored = partial(store.appender.stored_of, unit, outcome)
    return Result(unit, outcome, ReceiptFacts.of(outcome), stored, len(spool), spool.count_streams)


class _Parts(NamedTuple):
    """A spool in two: the events that are stored already, and the rest."""

    known: Spool
    rest: Spool
    duplicate: Duplicate | None
    """The known events as an outcome, if there are any."""

    def plan_of_rest(self, plan: Plan) -> Plan:
        """The rest of a load expects the last known version, because its own expectation was met at its begin."""
        return plan if self.duplicate is None else plan.after(self.duplicate.last.version)

    def close(self) -> None:
        self.known.close()
        self.rest.close()


def _split(store: EventStore, spool: Spool) -> _Parts:
    with ExitStack() as unless_split:
        known, rest = (unless_split.enter_context(closing(Spool())) for _ in range(2))
        first = last = None
        for number, (write, stored) in enumerate(store.appender.split_stored(spool)):
            (rest if stored is None else known).add(
                write, given_id=False, new_id=spool.has_new_ids, conditions=spool.conditions_of(number)
            )
            if stored is not None:
                first, last = first or stored, stored
        unless_split.pop_all()
    found = None if first is None or last is None else Duplicate(first, last, len(known), by_earlier_append=True)
    return _Parts(known, rest, found)


def _stored_again(store: EventStore, unit: Append) -> Iterator[StoredEvent]:
    yield from store.get_many(unit.ids()).values()
