"""Adapters broken on purpose: the reference adapter with one planted bug each, mostly those of real stores.

Each names the clause that it breaks. Run as a test module, this one asks each saboteur the contract's tests
of that clause, and the reference adapter all of them; `test_saboteurs` demands that all saboteurs fail.
"""

from __future__ import annotations

import json
import os
import re
import time
import unicodedata
from contextlib import contextmanager, suppress
from copy import deepcopy
from functools import partial
from itertools import count
from threading import Barrier, BrokenBarrierError, get_ident
from types import SimpleNamespace
from typing import ClassVar

from evstore.adapters.memory import MemoryAdapter
from evstore.adapters.memory_consumers import MemoryConsumers, MemoryStep
from evstore.adapters.memory_snapshots import MemorySnapshots
from evstore.adapters.memory_sources import MemorySources
from evstore.errors import (
    EventIdConflictError,
    EvstoreError,
    IncompleteLogError,
    InvalidInputError,
    PositionConflictError,
    StreamNotFoundError,
)
from evstore.model.consumers import Checkpoint
from evstore.model.digests import EMPTY, chained, content_hash, digest_of_part, shown
from evstore.model.events import EventData
from evstore.model.facts import Backup, Migration
from evstore.model.filters import Filter
from evstore.model.versions import ANY_VERSION, NO_STREAM, STREAM_EXISTS, check_version
from evstore.port import PLAIN, AlreadyStored, Limits, Page, Receipt, SourceTaken
from evstore.testing import AdapterContract
from evstore.testing.asking import ALL_NAMES, ANYTHING, WHOLE, expected_page
from evstore.testing.builders import an_append


class Saboteur(MemoryAdapter):
    clause: ClassVar[str]
    """The clause whose tests have to find the bug."""

    def _version(self, stream_id):
        return len(self._streams.get(stream_id, ()))

    def _standing(self, unit):
        """Each write, and the version of its stream where it stands."""
        versions = {}
        for write in unit.writes:
            version = versions.get(write.stream_id, self._version(write.stream_id))
            yield write, version
            versions[write.stream_id] = version + len(write.events)

    def _expecting(self, unit, change):
        """The unit with other expectations: `change` gets each write and the version where it stands."""
        pairs = self._standing(unit)
        writes = [write._replace(expected_version=change(write, version)) for write, version in pairs]
        return unit._replace(writes=writes)

    def _refusal(self, unit):
        for write, version in self._standing(unit):
            try:
                check_version(write.stream_id, write.expected_version, version)
            except EvstoreError as refused:
                return refused
        return None

    def _rewrite(self, receipt, change):
        """Change a unit's events after they were stored; `change` gets each and its number in the unit."""
        start = receipt.first_position - 1
        for number, event in enumerate(self._log[start : start + receipt.size]):
            changed = change(event, number)
            self._log[start + number] = self._ids[event.id] = changed
            self._streams[event.stream_id][event.version - 1] = changed


# --- Writing ------------------------------------------------------------------------------------------


class KeepsTheWritesBeforeARefusedOne(Saboteur):
    clause = "W1"

    def _append(self, unit):
        receipts = []
        for write in unit.writes:
            outcome = super()._append(unit._replace(writes=[write]))
            if not isinstance(outcome, Receipt):
                return outcome
            receipts.append(outcome)
        size = sum(receipt.size for receipt in receipts)
        return receipts[0]._replace(size=size, first_versions=[r.first_versions[0] for r in receipts])


class LosesTheUnitsAfterARefusedOne(Saboteur):
    clause = "W1"

    def append(self, units, *, until_refused=False):
        outcomes = []
        for unit in units:
            refused = outcomes and not isinstance(outcomes[-1], Receipt)
            outcomes += outcomes[-1:] if refused else super().append([unit])
        return outcomes


class GoesOnBehindARefusedOne(Saboteur):
    clause = "W1"

    def append(self, units, *, until_refused=False):
        outcomes = super().append(units)
        refused = [at for at, outcome in enumerate(outcomes, 1) if not isinstance(outcome, Receipt)]
        return outcomes[: refused[0]] if until_refused and refused else outcomes


class SortsTheWritesOfAUnit(Saboteur):
    clause = "W2"

    def _append(self, unit):
        return super()._append(unit._replace(writes=sorted(unit.writes, key=lambda write: write.stream_id)))


class IgnoresNoStream(Saboteur):
    clause = "W3"

    def _append(self, unit):
        return super()._append(self._expecting(unit, self._relaxed))

    def _relaxed(self, write, actual):
        return ANY_VERSION if write.expected_version == NO_STREAM else write.expected_version


class IgnoresStreamExists(IgnoresNoStream):
    clause = "W3"

    def _relaxed(self, write, actual):
        return ANY_VERSION if write.expected_version == STREAM_EXISTS else write.expected_version


class TakesAVersionBelowTheActualOne(IgnoresNoStream):
    clause = "W3"

    def _relaxed(self, write, actual):
        return ANY_VERSION if 0 < write.expected_version < actual else write.expected_version


class _LooksBeforeItLocks(Saboteur):
    """What it saw before the lock may be out of date under it; to be sure, it waits for another writer."""

    def __init__(self):
        super().__init__()
        self._others = Barrier(2)

    def _meet(self):
        with suppress(BrokenBarrierError):
            self._others.wait(0.02)
        if self._others.broken:
            self._others.reset()


class ChecksVersionsBeforeItLocks(_LooksBeforeItLocks):
    clause = "W3"

    def append(self, units, *, until_refused=False):
        return [self._append_unlocked(unit) for unit in units]

    def _append_unlocked(self, unit):
        refused = self._refusal(unit)
        self._meet()
        return refused or super().append([self._expecting(unit, lambda *_: ANY_VERSION)])[0]


class LosesTheRaceForANewStream(_LooksBeforeItLocks):
    clause = "W4"

    def append(self, units, *, until_refused=False):
        seen = [self._expecting(unit, self._as_seen) for unit in units]
        self._meet()
        return super().append(seen, until_refused=until_refused)

    def _as_seen(self, write, actual):
        first = actual == 0 and write.expected_version == ANY_VERSION
        return NO_STREAM if first else write.expected_version


class JudgesVersionsBeforeIds(Saboteur):
    clause = "W5"

    def _append(self, unit):
        return self._refusal(unit) or super()._append(unit)


class CallsAUnitHeldInPartAConflict(Saboteur):
    clause = "W5"

    def _append(self, unit):
        outcome = super()._append(unit)
        if isinstance(outcome, AlreadyStored) and len(outcome.ids) < len([*unit.ids()]):
            return EventIdConflictError(outcome.ids[0], "is stored already")
        return outcome


class OverlooksTheIdsOfItsOwnCall(Saboteur):
    clause = "W5"

    def append(self, units, *, until_refused=False):
        with self._changed:
            before = dict(self._ids)
            outcomes = []
            for unit in units:
                self._ids, stored = dict(before), self._ids
                outcomes += super().append([unit])
                self._ids = {**stored, **self._ids}
            return outcomes


class LosesThePositionsOfRefusedUnits(Saboteur):
    clause = "W6"

    def __init__(self):
        super().__init__()
        self._lost = 0

    def _append(self, unit):
        outcome = super()._append(unit)
        if not isinstance(outcome, Receipt):
            self._lost += len([*unit.ids()])
            return outcome
        lost = self._lost
        self._rewrite(outcome, lambda e, _: e._replace(global_position=e.global_position + lost))
        return outcome._replace(first_position=outcome.first_position + lost)


class TellsVersionsAsBeforeTheUnit(Saboteur):
    clause = "W7"

    def _append(self, unit):
        firsts = [self._version(write.stream_id) + 1 for write in unit.writes]
        outcome = super()._append(unit)
        return outcome._replace(first_versions=firsts) if isinstance(outcome, Receipt) else outcome


# --- Reading ------------------------------------------------------------------------------------------


class IncludesTheCursor(Saboteur):
    clause = "R1"

    def read_all(self, page, where):
        if page.after is not None:
            page = page._replace(after=page.after + (1 if page.backward else -1))
        return super().read_all(page, where)


class IgnoresBoundsBackward(Saboteur):
    clause = "R1"

    def read_stream(self, stream_id, page, where):
        if page.backward:
            page = Page(page.limit, page.after, backward=True)
        return super().read_stream(stream_id, page, where)


class ReturnsPagesOneShort(Saboteur):
    clause = "R2"

    def read_all(self, page, where):
        return super().read_all(page._replace(limit=max(1, page.limit - 1)), where)


class LimitsBeforeItFilters(Saboteur):
    clause = "R2"

    def read_all(self, page, where):
        return [event for event in super().read_all(page, ANYTHING) if where.matches(event)]


class ShowsLatePositionsFirst(Saboteur):
    """Every other append is slow to commit, and later ones do not wait for it."""

    clause = "R3"

    def __init__(self):
        super().__init__()
        self._numbers = count()
        self._uncommitted = set()

    def append(self, units, *, until_refused=False):
        with self._changed:
            outcomes = super().append(units, until_refused=until_refused)
            mine = {e.id for unit in units for e in self.get([*unit.ids()])}
            self._uncommitted |= mine
        if next(self._numbers) % 2:
            time.sleep(0.005)
        self._uncommitted -= mine
        return outcomes

    def read_all(self, page, where):
        with self._changed:
            found = super().read_all(WHOLE, where)
        committed = [event for event in found if event.id not in self._uncommitted]
        return expected_page(committed, page, where, lambda event: event.global_position)


class SleepsThroughAppends(Saboteur):
    clause = "R3"

    def head(self, beyond, timeout):
        found = super().head(beyond, 0)
        if found <= beyond:
            time.sleep(timeout)
        return super().head(beyond, 0)


class MissesMissingStreams(Saboteur):
    clause = "R4"

    def read_stream(self, stream_id, page, where):
        if stream_id not in self._streams:
            raise StreamNotFoundError(stream_id)
        return super().read_stream(stream_id, page, where)


class _Reads(Saboteur):
    """Reads the log by another meaning of the filter."""

    Meaning: ClassVar[type[Filter]]

    def read_all(self, page, where):
        return super().read_all(page, self.Meaning(*where))


class TakesCategoriesForPrefixes(_Reads):
    clause = "R5"

    class Meaning(Filter):
        def matches(self, event):
            rest = Filter(*self)._replace(categories=None).matches(event)
            return rest and (self.categories is None or event.stream_id.startswith(self.categories))


class IgnoresTheCaseOfCategories(_Reads):
    clause = "R5"

    class Meaning(Filter):
        def matches(self, event):
            rest = Filter(*self)._replace(categories=None).matches(event)
            wanted = None if self.categories is None else {name.lower() for name in self.categories}
            return rest and (wanted is None or event.category.lower() in wanted)


class TrimsCorrelationIds(_Reads):
    clause = "R5"

    class Meaning(Filter):
        def matches(self, event):
            rest = Filter(*self)._replace(correlation_id=None).matches(event)
            found, wanted = event.metadata.correlation_id, self.correlation_id
            return rest and (wanted is None or (found or "").strip() == wanted)


class TakesAnyPairOfCustomMetadata(_Reads):
    clause = "R5"

    class Meaning(Filter):
        def matches(self, event):
            rest = Filter(*self)._replace(custom=None).matches(event)
            return rest and (self.custom is None or any(p in event.metadata.custom.items() for p in self.custom))


class CountsWithoutTheFilter(Saboteur):
    clause = "R5"

    def count(self, low, high, _where):
        return super().count(low, high, ANYTHING)


class IncludesUntil(_Reads):
    clause = "R5"

    class Meaning(Filter):
        def matches(self, event):
            until_us = None if self.until_us is None else self.until_us + 1
            return Filter(*self)._replace(until_us=until_us).matches(event)


class SpansOneTooFew(Saboteur):
    clause = "R5"

    def span(self, since_us, until_us):
        found = super().span(since_us, until_us)
        return found and (found[0], max(found[0], found[1] - 1))


class SpansByTime(Saboteur):
    """Takes the first and last by time for the first and last by position."""

    clause = "R5"

    def span(self, since_us, until_us):
        found = super().read_all(WHOLE, Filter(since_us=since_us, until_us=until_us))
        found.sort(key=lambda event: event.timestamp_us)
        return (found[0].global_position, found[-1].global_position) if found else None


class PrintsDataAgain(Saboteur):
    clause = "R6"

    def _append(self, unit):
        writes = [w._replace(events=[self._printed(e) for e in w.events]) for w in unit.writes]
        return super()._append(unit._replace(writes=writes))

    def _printed(self, event):
        text = json.dumps(json.loads(event.data_json), ensure_ascii=False)
        return EventData.from_json(event.type, text, event.metadata, event.id)


class TakesTheTimeOfEachEvent(Saboteur):
    clause = "R6"

    def _append(self, unit):
        outcome = super()._append(unit)
        if isinstance(outcome, Receipt) and unit.times_us is None:
            self._rewrite(outcome, lambda e, number: e._replace(timestamp_us=e.timestamp_us + number // 100))
        return outcome


class TakesZeroForNoTime(Saboteur):
    clause = "R6"

    def _append(self, unit):
        return super()._append(unit._replace(times_us=unit.times_us if any(unit.times_us or ()) else None))


class TakesOneTimeForAll(Saboteur):
    clause = "R6"

    def _append(self, unit):
        times = unit.times_us and [unit.times_us[0]] * len(unit.times_us)
        return super()._append(unit._replace(times_us=times))


class TakesAnyFirstPosition(Saboteur):
    clause = "W8"

    def _append(self, unit):
        return super()._append(unit._replace(first_position=None))


class TakesAFirstPositionThatIsPast(Saboteur):
    clause = "W8"

    def _append(self, unit):
        past = unit.first_position is not None and unit.first_position <= len(self._log)
        return super()._append(unit._replace(first_position=None) if past else unit)


class LooksAtThePositionBeforeTheIds(Saboteur):
    clause = "W8"

    def _append(self, unit):
        if unit.first_position not in (None, len(self._log) + 1):
            return PositionConflictError(unit.first_position, len(self._log) + 1)
        return super()._append(unit)


class LooksAtTheVersionsBeforeThePosition(Saboteur):
    clause = "W8"

    def _append(self, unit):
        outcome = super()._append(unit._replace(first_position=len(self._log) + 1))
        wrong = unit.first_position not in (None, len(self._log) + 1)
        return super()._append(unit) if wrong and isinstance(outcome, Receipt) else outcome


class _Judges(Saboteur):
    """Judges conditions by another meaning."""

    def _first_match(self, query, after):
        found = (e.global_position for e in self._log if e.global_position > after and self._matches(query, e))
        return next(found, None)

    def _matches(self, query, event):
        return not query.items or any(self._item(item, event) for item in query.items)

    def _item(self, item, event):
        return item.matches(event)


class IncludesThePositionAfterWhichAConditionBegins(_Judges):
    clause = "W9"

    def _first_match(self, query, after):
        return super()._first_match(query, after - 1)


class TakesAnyTagOfACondition(_Judges):
    clause = "W9"

    def _item(self, item, event):
        return item._replace(tags=()).matches(event) and (not item.tags or bool({*item.tags} & {*event.tags}))


class FindsTagsWithinTags(_Judges):
    clause = "W9"

    def _item(self, item, event):
        return item._replace(tags=()).matches(event) and all(tag in (event.joined_tags or "") for tag in item.tags)


class IgnoresTheTypesOfACondition(_Judges):
    clause = "W9"

    def _item(self, item, event):
        return item._replace(types=() if item.tags else item.types).matches(event)


class TakesEveryItemOfACondition(_Judges):
    clause = "W9"

    def _matches(self, query, event):
        return all(self._item(item, event) for item in query.items)


class JudgesTheFirstConditionAlone(Saboteur):
    clause = "W9"

    def _append(self, unit):
        return super()._append(unit._replace(conditions=unit.conditions[:1]))


class CountsTheEventsOfTheUnitItself(Saboteur):
    clause = "W9"

    def _append(self, unit):
        outcome = super()._append(unit._replace(conditions=()))
        refused = isinstance(outcome, Receipt) and self._unmet(unit._replace(requirements=()))
        return refused or outcome


class JudgesConditionsBeforeIds(Saboteur):
    clause = "W9"

    def _append(self, unit):
        return self._unmet(unit._replace(requirements=())) or super()._append(unit)


class JudgesConditionsBeforeItLocks(_LooksBeforeItLocks):
    clause = "W9"

    def append(self, units, *, until_refused=False):
        return [self._append_unlocked(unit) for unit in units]

    def _append_unlocked(self, unit):
        refused = self._unmet(unit)
        self._meet()
        return refused or super().append([unit._replace(conditions=(), requirements=())])[0]


class IgnoresRequirements(Saboteur):
    clause = "W9"

    def _append(self, unit):
        return super()._append(unit._replace(requirements=()))


class JudgesRequirementsAfterTheUnit(Saboteur):
    clause = "W9"

    def _append(self, unit):
        before = [*self._log], dict(self._ids), {name: [*its] for name, its in self._streams.items()}
        outcome = super()._append(unit._replace(requirements=()))
        refused = isinstance(outcome, Receipt) and self._unmet(unit._replace(conditions=()))
        if refused:
            self._log, self._ids, self._streams = before
        return refused or outcome


class SortsTagsWithoutRegardToCase(Saboteur):
    clause = "R6"

    def _append(self, unit):
        outcome = super()._append(unit)
        if isinstance(outcome, Receipt):
            self._rewrite(outcome, self._sorted)
        return outcome

    def _sorted(self, event, _):
        return event._replace(joined_tags=" ".join(sorted(event.tags, key=str.lower)) or None)


class CountsATagOnceAStream(Saboteur):
    clause = "L1"

    def tags(self, page):
        return [each._replace(events=1) for each in super().tags(page)]


class ReadsAQueryWithoutItsTypes(_Reads):
    clause = "R5"

    class Meaning(Filter):
        def matches(self, event):
            rest = Filter(*self)._replace(query=None).matches(event)
            items = self.query.items if self.query else ()
            return rest and (not items or any(item._replace(types=()).matches(event) for item in items))


class RedactsTheTypeToo(Saboteur):
    clause = "W10"

    def _redacted(self, event, *, metadata):
        return super()._redacted(event, metadata=metadata)._replace(type="Redacted")


class RedactsWhatItFinds(Saboteur):
    clause = "W10"

    def redact(self, ids, unit, *, metadata):
        return super().redact([each for each in ids if each in self._ids], unit, metadata=metadata)


class RedactsAlwaysTheMetadata(Saboteur):
    clause = "W10"

    def _redacted(self, event, *, metadata):
        return super()._redacted(event, metadata=True)


class TellsOfARedactionNow(Saboteur):
    clause = "W10"

    def redact(self, ids, unit, *, metadata):
        return super().redact(ids, unit._replace(times_us=None, first_position=None), metadata=metadata)


class RedactsThoughRefused(Saboteur):
    clause = "W10"

    def redact(self, ids, unit, *, metadata):
        outcome = super().redact(ids, unit, metadata=metadata)
        for each in ids:
            self._replace(self._redacted(self._ids[each], metadata=metadata))
        return outcome


class RedactsInSilence(Saboteur):
    clause = "W10"

    def redact(self, ids, unit, *, metadata):
        outcome = super().redact(ids, unit, metadata=metadata)
        del self._log[-1]
        return outcome


class _Chains(Saboteur):
    """Keeps a digest, of another content."""

    capabilities = MemoryAdapter.capabilities._replace(tamper_evident=True)
    _chained = False
    _head = EMPTY

    def initialize(self, wanted=PLAIN):
        self._chained = self._chained or wanted.tamper_evident
        super().initialize()

    def _append(self, unit):
        outcome = super()._append(unit)
        if isinstance(outcome, Receipt):
            for event in self._log[outcome.first_position - 1 :]:
                self._head = chained(self._head, self._content(event))
        return outcome

    def info(self):
        digest = shown(len(self._log), self._head) if self._chained else None
        return super().info()._replace(tamper_evident=self._chained, digest=digest)


class ChainsWithoutTheTags(_Chains):
    clause = "W11"

    def _content(self, e):
        its = (e.id, e.stream_id, e.type, e.version, e.timestamp_us)
        return content_hash(*its, None, e.metadata_json, e.data_json)


class ChainsAnewForEachCall(_Chains):
    clause = "W11"

    def append(self, units, *, until_refused=False):
        self._head = EMPTY
        return super().append(units, until_refused=until_refused)

    def _content(self, e):
        its = (e.id, e.stream_id, e.type, e.version, e.timestamp_us)
        return content_hash(*its, e.joined_tags, e.metadata_json, e.data_json)


class TakesThePositionOfASourceAgain(Saboteur):
    """Takes "not greater" for "less"."""

    clause = "W12"

    def _append(self, unit):
        last = self._sources.last(unit.source.name) if unit.source else None
        if last and last.position == unit.source.position:
            outcome = super()._append(unit._replace(source=None))
            if isinstance(outcome, Receipt):
                self._sources.record(unit.source, len(self._log))
            return outcome
        return super()._append(unit)


class RecordsASourceAlthoughTheUnitIsRefused(Saboteur):
    clause = "W12"

    def _append(self, unit):
        outcome = super()._append(unit)
        if unit.source and isinstance(outcome, EvstoreError):
            self._sources.record(unit.source, len(self._log))
        return outcome


class RecordsASourceOfStoredIds(Saboteur):
    clause = "W12"

    def _append(self, unit):
        outcome = super()._append(unit)
        if unit.source and isinstance(outcome, AlreadyStored):
            self._sources.record(unit.source, len(self._log))
        return outcome


class _RecordsSourcesApart(_LooksBeforeItLocks):
    """Keeps its sources beside the step that stores."""

    def _taken(self, unit):
        return self._sources.taken(unit.source)

    def _record(self, unit, outcome):
        if isinstance(outcome, Receipt):
            self._sources.record(unit.source, outcome.first_position + outcome.size - 1)


class RecordsSourcesAfterTheStep(_RecordsSourcesApart):
    clause = "W12"

    def append(self, units, *, until_refused=False):
        return [self._append_and_record(unit) for unit in units]

    def _append_and_record(self, unit):
        taken = None if any(each in self._ids for each in unit.ids()) else self._taken(unit)
        self._meet()
        if taken:
            return taken
        (outcome,) = super().append([unit._replace(source=None)])
        self._record(unit, outcome)
        return outcome


class RecordsTheSourcesOfACallAtItsEnd(_RecordsSourcesApart):
    clause = "W12"

    def append(self, units, *, until_refused=False):
        with self._changed:
            outcomes = []
            for unit in units:
                outcome = self._taken(unit) or super().append([unit._replace(source=None)])[0]
                outcomes.append(outcome)
            for unit, outcome in zip(units, outcomes, strict=True):
                self._record(unit, outcome)
            return outcomes


class JudgesSourcesBeforeIds(_RecordsSourcesApart):
    clause = "W12"

    def _append(self, unit):
        return self._taken(unit) or super()._append(unit)


class JudgesVersionsBeforeSources(_RecordsSourcesApart):
    clause = "W12"

    def _append(self, unit):
        outcome = super()._append(unit)
        return (self._refusal(unit) or outcome) if isinstance(outcome, SourceTaken) else outcome


class KeepsTheSourceOfAStepThatFailed(Saboteur):
    clause = "W12"

    def _unappend(self, head):
        kept = self._sources
        self._sources = MemorySources()
        super()._unappend(head)
        self._sources = kept


class MixesSourcesUpByCase(Saboteur):
    clause = "W12"

    def _append(self, unit):
        if unit.source:
            unit = unit._replace(source=unit.source._replace(name=unit.source.name.casefold()))
        return super()._append(unit)


class ListsSourcesAsTheyCame(Saboteur):
    clause = "L1"

    def sources(self, page):
        names = [each for each in self._sources._taken if each.startswith(page.prefix)]
        return [self._sources.last(n) for n in names if page.after is None or n > page.after][: page.limit]


class ComposesNames(Saboteur):
    clause = "R6"

    def _append(self, unit):
        composed = [w._replace(stream_id=unicodedata.normalize("NFC", w.stream_id)) for w in unit.writes]
        return super()._append(unit._replace(writes=composed))

    def read_stream(self, stream_id, page, where):
        return super().read_stream(unicodedata.normalize("NFC", stream_id), page, where)


class _Digests(Saboteur):
    """Digests another content."""

    def _shown(self, event):
        raise NotImplementedError

    def digest(self, low, high):
        return digest_of_part(map(self._shown, self.read_all(Page(2000, low=low, high=high), ANYTHING)))


class DigestsWithoutTags(_Digests):
    clause = "R8"

    def _shown(self, event):
        return event._replace(joined_tags=None)


class DigestsNoRedaction(_Digests):
    clause = "R8"

    def _shown(self, event):
        return event._replace(redacted=False)


class DigestsWithoutPositions(_Digests):
    clause = "R8"

    def _shown(self, event):
        return event._replace(global_position=1)


class DigestsOnePage(Saboteur):
    clause = "R8"

    def digest(self, low, high):
        return digest_of_part(self.read_all(Page(1000, low=low, high=high), ANYTHING))


class DigestsToTheHead(Saboteur):
    clause = "R8"

    def digest(self, low, _high):
        return super().digest(low, self._head())


class DigestsWhatJsonMeans(_Digests):
    clause = "R8"

    def _shown(self, event):
        return event._replace(data_json=json.dumps(event.data))


class Transaction:
    """A connection to a store in memory, as DB-API has it."""

    def __init__(self, adapter):
        self.adapter = adapter
        self.state = None  # of the store with what was appended, within a transaction
        self.is_closed = False

    def commit(self):
        self.adapter.end(self, self.state)

    def rollback(self):
        self.adapter.end(self, None)

    def close(self):
        self.rollback()
        self.is_closed = True


class Joining(Saboteur):
    """It can join: a transaction appends to a copy of the store, and other writers wait for its end."""

    capabilities = Saboteur.capabilities._replace(can_join=True)

    def __init__(self, *given):
        super().__init__(*given)
        self._writes = None  # the connection whose transaction it is

    def connect(self):
        return Transaction(self)

    def _state(self):
        streams = {name: [*its] for name, its in self._streams.items()}
        return {
            "_log": [*self._log],
            "_ids": {**self._ids},
            "_streams": streams,
            "_sources": deepcopy(self._sources),
        }

    @contextmanager
    def _in_state(self, connection):
        """The adapter with the state of the connection's transaction."""
        committed = self._state()
        vars(self).update(connection.state)
        vars(self).update(self._state())  # what an earlier block has appended stays as it is
        try:
            yield
        finally:
            connection.state = self._state()
            vars(self).update(committed)

    def _wait(self, connection=None):
        assert self._changed.wait_for(lambda: self._writes in (None, connection), 60)

    def end(self, connection, state):
        with self._changed:
            if self._writes is connection:
                vars(self).update(state or {})
                self._writes = connection.state = None
                self._changed.notify_all()

    def append(self, units, *, until_refused=False):
        with self._opened():
            self._wait()
            return super().append(units, until_refused=until_refused)

    @contextmanager
    def joined(self, connection):
        if not isinstance(connection, Transaction) or connection.is_closed:
            raise InvalidInputError("not a connection")
        with self._opened():
            self._wait(connection)
            self._writes = connection
            connection.state = connection.state or self._state()
        before = connection.state
        try:
            yield SimpleNamespace(append=partial(self._joined, connection), get=partial(self._shown, connection))
        except BaseException:
            self._undo(connection, before)
            raise

    def _undo(self, connection, before):
        connection.state = before

    def _joined(self, connection, unit):
        with self._opened(), self._in_state(connection):
            return self._append(unit)

    def _shown(self, connection, ids):
        with self._opened(), self._in_state(connection):
            return self.get(ids)


class StoresBeforeTheCommit(Joining):
    clause = "W13"

    def _joined(self, connection, unit):
        with self._opened():
            outcome = self._append(unit)
            connection.state = self._state()
            return outcome


class KeepsWhatWasRolledBack(Joining):
    clause = "W13"

    def end(self, connection, _state):
        super().end(connection, connection.state)


class KeepsWhatARefusedBlockAppended(Joining):
    clause = "W13"

    def _undo(self, connection, before):
        pass


class RollsBackWithABlockThatRaises(Joining):
    clause = "W13"

    def _undo(self, connection, before):
        self.end(connection, None)


class LetsOthersInBeforeTheCommit(Joining):
    clause = "W13"

    def _wait(self, connection=None):
        if connection:
            super()._wait(connection)


class GetsOnlyWhatIsCommitted(Joining):
    clause = "W13"

    def _shown(self, connection, ids):
        return self.get(ids)


class JudgesByWhatIsCommitted(Joining):
    clause = "W13"

    def _joined(self, connection, unit):
        for write in unit.writes:
            try:
                check_version(write.stream_id, write.expected_version, self._version(write.stream_id))
            except EvstoreError as refused:
                return refused
        return super()._joined(connection, unit)


class JoinsAClosedConnection(Joining):
    clause = "W13"

    @contextmanager
    def joined(self, connection):
        connection.is_closed = False
        with super().joined(connection) as joined:
            yield joined


class PassesOverEventsWithoutATypeOrStream(Saboteur):
    clause = "R7"

    def lose(self, what, name):
        lost = [e.id for e in self._log if (e.type if what == "type" else e.stream_id) == name]
        self._log = [e for e in self._log if e.id not in lost]
        self._streams = {of: [e for e in its if e.id not in lost] for of, its in self._streams.items()}
        self._ids = {e.id: e for e in self._log}


class ReadsAStreamWithoutItsNameAsAbsent(Saboteur):
    """Reports a lost name wherever it meets an event, and nowhere else."""

    clause = "R7"
    _lost = ""

    def lose(self, _what, name):
        self._lost = name

    def _whole(self, events):
        for event in events:
            if self._lost in (event.type, event.stream_id):
                raise IncompleteLogError(self.location, event.global_position, "name")
        return events

    def read_all(self, page, where):
        return self._whole(super().read_all(page, where))

    def get(self, ids):
        return self._whole(super().get(ids))

    def head(self, beyond, timeout):
        self._whole(self._log)
        return super().head(beyond, timeout)

    def append(self, units, *, until_refused=False):
        self._whole(self._log)
        return super().append(units, until_refused=until_refused)

    def read_stream(self, stream_id, page, where):
        return [] if stream_id == self._lost else self._whole(super().read_stream(stream_id, page, where))

    def stream(self, stream_id):
        return None if stream_id == self._lost else super().stream(stream_id)


class _Lists(Saboteur):
    """Lists streams in another order."""

    def streams(self, page, category):
        after = None if page.after is None else self._key(page.after)
        found = super().streams(ALL_NAMES._replace(prefix=page.prefix), category)
        found.sort(key=lambda info: self._key(info.stream_id))
        return [info for info in found if after is None or self._key(info.stream_id) > after][: page.limit]


class ListsWithoutRegardToCase(_Lists):
    clause = "L1"

    def _key(self, name):
        return name.casefold()


class ListsInTheOrderOfUtf16(_Lists):
    clause = "L1"

    def _key(self, name):
        return name.encode("utf-16-be")


class TakesPrefixesForPatterns(Saboteur):
    clause = "L1"

    def types(self, page, category):
        pattern = re.compile(re.escape(page.prefix).replace("%", ".*").replace("_", "."))
        found = super().types(ALL_NAMES._replace(after=page.after), category)
        return [info for info in found if pattern.match(info.type)][: page.limit]


class DatesStreamsByTheirTimes(Saboteur):
    """An imported event may be older than the one before it."""

    clause = "L1"

    def streams(self, page, category):
        return [self._dated(info) for info in super().streams(page, category)]

    def _dated(self, info):
        times = [event.timestamp_us for event in self._streams[info.stream_id]]
        return info._replace(created_us=min(times), updated_us=max(times))


# --- Living ------------------------------------------------------------------------------------------


class InitializesAnew(Saboteur):
    clause = "E1"

    def initialize(self):
        self._check_open()
        self._log, self._ids, self._streams = [], {}, {}


class ReadsAfterItIsClosed(Saboteur):
    clause = "E2"

    def read_all(self, page, where):
        self._closed, closed = False, self._closed
        try:
            return super().read_all(page, where)
        finally:
            self._closed = closed


class ForgetsThoseWhoWait(Saboteur):
    clause = "E2"

    def close(self):
        self._closed = True


class BelongsToTheThreadThatMadeIt(Saboteur):
    clause = "E3"

    def __init__(self):
        super().__init__()
        self._owner = get_ident()

    def _check_open(self):
        super()._check_open()
        if get_ident() != self._owner:
            raise EvstoreError("objects created in a thread can only be used in that same thread")


class HoldsItsLockWhileItWaits(Saboteur):
    clause = "E3"

    def head(self, beyond, timeout):
        end = time.monotonic() + timeout
        with self._changed:
            while len(self._log) <= beyond and time.monotonic() < end:
                time.sleep(0.001)
            return super().head(beyond, 0)


class LeaksTheErrorsOfItsDriver(Saboteur):
    clause = "E4"

    def _check_open(self):
        if self._closed:
            raise RuntimeError("cannot operate on a closed database")


class RaisesRefusals(Saboteur):
    clause = "E4"

    def append(self, units, *, until_refused=False):
        outcomes = super().append(units, until_refused=until_refused)
        for outcome in outcomes:
            if isinstance(outcome, EvstoreError):
                raise outcome
        return outcomes


class CallsItsStoreDurable(Saboteur):
    clause = "E5"

    def info(self):
        return super().info()._replace(durable=True)


class ChangesItsLimits(Saboteur):
    """A server tells its limits after a reconnect, when units were made for the usual ones."""

    clause = "E5"
    capabilities = Saboteur.capabilities._replace(has_limits=True)

    def limits(self):
        return Limits(500 if self._log else 1000)


class ClaimsTooLittle(Saboteur):
    """Makes a backup, and does not claim it."""

    clause = "E5"

    def backup(self, path, force):
        with open(path, "w") as file:
            file.writelines(f"{event.to_json()}\n" for event in self._log)
        return Backup(path, len(self._log), os.path.getsize(path))


# --- Consumers ----------------------------------------------------------------------------------------


class Consuming(Saboteur):
    """Its consumers have the bug: `planted` changes one of their parts."""

    Step = MemoryStep

    def consumers(self):
        found = super().consumers()
        self.plant(found)
        return found

    def plant(self, consumers):
        saboteur = self

        @contextmanager
        def step(hold):
            with MemoryConsumers.step(consumers, hold) as honest:
                honest.__class__ = saboteur.Step
                yield honest

        consumers.step = step


class MakesAConsumerAnew(Consuming):
    clause = "C1"

    def plant(self, consumers):
        def add(name, filter_json, position):
            consumers._consumers.pop(name, None)
            return MemoryConsumers.add(consumers, name, filter_json, position)

        consumers.add = add


class BeginsBeyondTheLog(Consuming):
    clause = "C1"

    def plant(self, consumers):
        consumers.add = lambda name, filter_json, position: MemoryConsumers.add(
            consumers, name, filter_json, min(position, len(self._log))
        )


class HoldsForEverybody(Consuming):
    clause = "C2"

    def plant(self, consumers):
        def take(hold, slots):
            consumers._held.update({(hold.name, slot): hold for slot in slots})
            return [*slots]

        consumers.take = take


class HoldsOneSlotForAll(Consuming):
    clause = "C2"

    def plant(self, consumers):
        consumers.take = lambda hold, slots: (
            []
            if any(name == hold.name for name, _ in consumers._held)
            else MemoryConsumers.take(consumers, hold, slots)
        )


class NeverGivesBack(Consuming):
    clause = "C2"

    def plant(self, consumers):
        consumers.give_back = lambda hold: None


class HalfAStep(Consuming):
    clause = "C3"

    def plant(self, consumers):
        consumers._unappend = lambda head: None


class MovesBeforeTheStepIsDone(Consuming):
    clause = "C3"

    def plant(self, consumers):
        @contextmanager
        def step(hold):
            with consumers._opened():
                yield MemoryStep(consumers, hold.name, consumers._consumers[hold.name], consumers._append)

        consumers.step = step


class TrustsAStaleHolder(Consuming):
    clause = "C4"

    def plant(self, consumers):
        @contextmanager
        def step(hold):
            hold.slots = hold.slots or {0}
            with MemoryConsumers.step(consumers, hold) as honest:
                yield honest

        consumers.step = step


class MovesBack(Consuming):
    clause = "C5"

    class Step(MemoryStep):
        def move(self, positions):
            for slot, position in positions.items():
                self._consumer.checkpoints[slot] = self._consumers.checkpoint(slot, position, self._name)


class MovesBeyondTheLog(Consuming):
    clause = "C5"

    class Step(MemoryStep):
        def move(self, positions):
            head = len(self._consumers._log())
            super().move({slot: min(position, head) for slot, position in positions.items()})


class ForgetsTheIdAtACheckpoint(Consuming):
    clause = "C5"

    class Step(MemoryStep):
        def move(self, positions):
            super().move(positions)
            for slot, each in self._consumer.checkpoints.items():
                self._consumer.checkpoints[slot] = each._replace(event_id=each.event_id and "0" * 36)


class KeepsWhatIsParkedAtAReset(Consuming):
    clause = "C5"

    class Step(MemoryStep):
        def reset(self, position):
            parked = {**self._consumer.parked}
            super().reset(position)
            self._consumer.parked.update(parked)


class ParksOneEventInAll(Consuming):
    clause = "C6"

    class Step(MemoryStep):
        def park(self, event):
            self._consumer.parked.clear()
            super().park(event)


class MarksTheWholeStream(Consuming):
    clause = "C6"

    def plant(self, consumers):
        def mark(name, event_id, state):
            event = self._ids.get(event_id)
            parked = consumers._consumers[name].parked if name in consumers._consumers else {}
            if event is None or event.stream_id not in parked:
                return False
            parked[event.stream_id] = parked[event.stream_id]._replace(state=state)
            return True

        consumers.mark = mark


class DividesFromTheBeginning(Consuming):
    clause = "C7"

    class Step(MemoryStep):
        def divide(self):
            first = Checkpoint(0, 0, None, 0)
            self._consumer.checkpoints = {slot: first._replace(slot=slot) for slot in range(64)}


class MovesAllSlotsTogether(Consuming):
    clause = "C7"

    class Step(MemoryStep):
        def move(self, positions):
            super().move(dict.fromkeys(self._consumer.checkpoints, max(positions.values())))


class RemembersTheRemoved(Consuming):
    clause = "C8"

    class Step(MemoryStep):
        def remove(self):
            for slot in self._consumer.checkpoints:
                self._consumer.checkpoints[slot] = Checkpoint(slot, 0, None, 0)


class PretendsToHaveTables(Consuming):
    clause = "C9"

    class Step(MemoryStep):
        tables = None


class Caching(Saboteur):
    """Its snapshots are made by the class `Kept`."""

    Kept = MemorySnapshots

    def __init__(self, *given):
        super().__init__(*given)
        self._snapshots = self.Kept(self._opened, lambda: self._streams)


class MixesKindsUp(Caching):
    clause = "S1"

    class Kept(MemorySnapshots):
        def find(self, stream_id, kind):
            found = next((each for (stream, _), each in self._kept.items() if stream == stream_id), None)
            return found and found._replace(kind=kind)


class KeepsTheEarlierSnapshot(Caching):
    clause = "S1"

    class Kept(MemorySnapshots):
        def keep(self, snapshot, redactions):
            self._kept.setdefault((snapshot.stream_id, snapshot.kind), snapshot)
            return True


class KeepsSnapshotsOfNothing(Caching):
    clause = "S1"

    class Kept(MemorySnapshots):
        def keep(self, snapshot, redactions):
            self._kept[snapshot.stream_id, snapshot.kind] = snapshot
            return True


class KeepsWhatWasRedacted(Caching):
    clause = "S2"

    class Kept(MemorySnapshots):
        def forget(self, stream_id):
            return


class KeepsWhatWasMadeBeforeARedaction(Caching):
    clause = "S2"

    class Kept(MemorySnapshots):
        def keep(self, snapshot, redactions):
            return super().keep(snapshot, len(self._streams().get("$redactions", ())))


class ForgetsAllSnapshots(Caching):
    clause = "S2"

    class Kept(MemorySnapshots):
        def forget(self, stream_id):
            self._kept.clear()


class Migrating(Saboteur):
    """It claims migrations, and `steps` are those of a new store."""

    capabilities = MemoryAdapter.capabilities._replace(has_migrations=True)

    def migrations(self):
        return SimpleNamespace(steps=self.steps)


class SendsNewStoresThroughOldSteps(Migrating):
    clause = "M1"

    def steps(self):
        return [Migration("0002_readings", 2, finishes=False, applied_us=None)]


class TellsOfMigrationsInTheLog(Migrating):
    clause = "M1"

    def steps(self):
        self.append([an_append("$migrations")])
        return []


def _leaves(of):
    below = [leaf for each in of.__subclasses__() for leaf in _leaves(each)]
    return below + [of] * ("clause" in vars(of))


SABOTEURS = sorted(_leaves(Saboteur), key=lambda each: each.__name__)


class _Opened(AdapterContract):
    """The contract of a saboteur, which is also asked to lose a name where it can."""

    def open(self, tmp_path):
        self.opened = self.saboteur()
        return self.opened

    def connect(self, tmp_path):
        return self.opened.connect()


class _Losing(_Opened):
    def lose(self, tmp_path, what, name):
        self.opened.lose(what, name)


class TestNothingPlanted(_Opened):
    saboteur = Joining


def _contract_of(saboteur):
    """The contract's tests of one clause, asked of one saboteur."""
    tests = [name for name in dir(AdapterContract) if name.startswith("test_")]
    others = {name: None for name in tests if not name.startswith(f"test_{saboteur.clause}_")}
    own = {
        "__module__": __name__,
        "patience": 0.5,  # what is broken keeps a test waiting
        "saboteur": saboteur,
    }
    contract = _Losing if hasattr(saboteur, "lose") else _Opened
    return type(f"Test{saboteur.__name__}", (contract,), {**others, **own})


globals().update({f"Test{each.__name__}": _contract_of(each) for each in SABOTEURS})
