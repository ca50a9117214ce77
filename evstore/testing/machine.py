"""Random histories: an adapter and the reference adapter get the same calls, and must answer the same.

    class TestMine(AdapterContract, ModelContract):
        ...

Hypothesis makes the histories, and shrinks one that goes wrong to the shortest that does.
"""

from __future__ import annotations

from itertools import count
from operator import attrgetter
from typing import TYPE_CHECKING, ClassVar, Final
from uuid import UUID

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from evstore.adapters.memory import MemoryAdapter
from evstore.model.conditions import AppendCondition, Query, Requirement
from evstore.model.events import Write
from evstore.model.filters import Filter
from evstore.model.metadata import Metadata
from evstore.model.names import category_of
from evstore.model.sources import Source
from evstore.model.versions import ANY_VERSION, MAX_VERSION, NO_STREAM, STREAM_EXISTS
from evstore.port import AlreadyStored, Append, NamePage, Page, Receipt
from evstore.testing.asking import everything, facts
from evstore.testing.builders import an_event
from evstore.testing.harness import DURABLE, Harness, claims

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from evstore.model.events import StoredEvent
    from evstore.port import Adapter, Outcome

# Few of each, so that a short history meets the same one again, and alike, so that a mistake mixes them up.
STREAMS: Final = ("a-1", "a-2", "A-1", "a", "a_b-1", "aXb-1", "ab-", "é-1", "e\u0301-1", "\uffff-1", "😀-1")
CATEGORIES: Final = (*dict.fromkeys(map(category_of, STREAMS)), "a-1", "b")
TYPES: Final = ("t", "T", "t2", "t_", "t%", "\uffff", "😀")
TAGS: Final = ("g", "G", "g2", "g:1", "é", "😀")
TEXTS: Final = ("null", "1.10", "1e400", '{"a":1,"a":2}', r'"\u0000"', '"\u2028"', "-0")
CORRELATIONS: Final = ("c", "C", "c ", "cc")
USERS: Final = ("u", "U", "u'")
CUSTOM: Final = ((("a", "a"),), (("a", "a"), ("a", "")), (("a", ""),), (("a", ""), ("é", "a")), (("'", '"'),))
PREFIXES: Final = ("", "a", "a_", "a-", "a-1", "\uffff", "t", "t%")
# Mostly what is taken, or a history would hold nothing to be read.
EXPECTED: Final = (*[ANY_VERSION] * 12, NO_STREAM, NO_STREAM, STREAM_EXISTS, STREAM_EXISTS, 1, 2, 3)
LAST_US: Final = 5
NUMBERS: Final = range(1, 13)

ids = st.one_of(st.uuids(), st.uuids(), st.integers(0, 20).map(lambda n: UUID(int=n))).map(str)
metadata = st.builds(
    Metadata,
    st.sampled_from((None, *CORRELATIONS)),
    user_id=st.sampled_from((None, *USERS)),
    tenant_id=st.sampled_from((None, *USERS)),
    custom=st.dictionaries(st.text("aé'", min_size=1, max_size=2), st.text('aé"\\\n', max_size=2), max_size=2),
)
events = st.builds(
    an_event,
    st.sampled_from(TYPES),
    st.sampled_from(TEXTS),
    id=ids,
    correlation_id=st.none(),
    metadata=metadata,
    tags=st.one_of(st.just([]), st.lists(st.sampled_from(TAGS), max_size=3, unique=True)),
)
moments = st.sampled_from((*[None] * 7, *range(LAST_US + 2)))
some_types = st.one_of(st.none(), st.none(), st.lists(st.sampled_from(TYPES), min_size=1, max_size=4).map(tuple))
pages = st.builds(
    Page,
    st.integers(1, 6),
    st.sampled_from((None, None, None, 0, *NUMBERS, MAX_VERSION)),
    st.sampled_from((*[1] * 8, *NUMBERS)),
    st.sampled_from((*[MAX_VERSION] * 8, *NUMBERS)),
    st.booleans(),
)
name_pages = st.builds(
    NamePage,
    st.integers(1, 4),
    st.one_of(st.none(), st.sampled_from(STREAMS + CATEGORIES + TYPES + TAGS)),
    st.sampled_from(PREFIXES),
)
queries = st.lists(
    st.builds(
        Query,
        st.lists(st.sampled_from(TYPES), max_size=2),
        st.lists(st.sampled_from(TAGS), max_size=2),
    ),
    min_size=1,
    max_size=2,
).map(Query.any_of)
conditions = st.lists(
    st.builds(AppendCondition, queries, st.sampled_from((*NUMBERS, *[MAX_VERSION] * 9))), max_size=2
)
requirements = st.lists(
    st.builds(Requirement, st.sampled_from(STREAMS), st.sampled_from((*[ANY_VERSION] * 9, NO_STREAM, 1, 2))),
    max_size=2,
)
sources = st.one_of(
    *[st.none()] * 3, st.builds(Source, st.sampled_from(TAGS), st.sampled_from((0, *NUMBERS, MAX_VERSION)))
)
filters = st.builds(
    Filter,
    st.one_of(st.none(), st.lists(st.sampled_from(CATEGORIES), min_size=1, max_size=3).map(tuple)),
    some_types,
    st.sampled_from((*[None] * 8, *CORRELATIONS)),
    moments,
    moments,
    st.sampled_from((*[None] * 12, *USERS)),
    st.sampled_from((*[None] * 12, *USERS)),
    st.sampled_from((*[None] * 12, *CUSTOM)),
    st.one_of(st.none(), st.none(), st.none(), queries),
)


@st.composite
def units(draw: st.DrawFn) -> Append:
    """A unit as the core lets it pass: no id twice, and no write without events."""
    left = draw(st.lists(events, min_size=1, max_size=5, unique_by=attrgetter("id")))
    count = len(left)
    writes = []
    while left:
        taken = draw(st.integers(1, len(left)))
        writes.append(Write(draw(st.sampled_from(STREAMS)), left[:taken], draw(st.sampled_from(EXPECTED))))
        left = left[taken:]
    # With a clock of its own each, the two adapters would differ.
    times_us = draw(st.lists(st.integers(0, LAST_US), min_size=count, max_size=count))
    first_position = draw(st.sampled_from((None, None, None, 1, 2, 5)))
    return Append(writes, times_us, first_position, draw(conditions), draw(requirements), source=draw(sources))


class History(RuleBasedStateMachine):
    """The same calls to an adapter on a new store, and to the model."""

    def __init__(self, open: Callable[[], Adapter], reopen: Callable[[], Adapter] | None) -> None:
        super().__init__()
        self._reopen = reopen
        self.model = MemoryAdapter()
        self.adapter = open()
        self.adapter.initialize()

    # A history without events proves nothing.
    @initialize(call=st.lists(units(), min_size=4, max_size=8))
    def begin(self, call: list[Append]) -> None:
        self.append(call)

    @rule(call=st.lists(units(), min_size=1, max_size=3))
    def append(self, call: list[Append]) -> None:
        assert list(map(_told, self.adapter.append(call))) == list(map(_told, self.model.append(call)))

    @rule(reads=st.lists(st.tuples(pages, filters), min_size=4, max_size=12))
    def read_all(self, reads: list[tuple[Page, Filter]]) -> None:
        for page, where in reads:
            found, expected = (each.read_all(page, where) for each in (self.adapter, self.model))
            assert _values(found) == _values(expected), (page, where)

    @rule(stream_id=st.sampled_from(STREAMS), reads=st.lists(st.tuples(pages, filters), min_size=4, max_size=12))
    def read_stream(self, stream_id: str, reads: list[tuple[Page, Filter]]) -> None:
        for page, asked in reads:
            where = Filter(types=asked.types, since_us=asked.since_us, until_us=asked.until_us, query=asked.query)
            found, expected = (e.read_stream(stream_id, page, where) for e in (self.adapter, self.model))
            assert _values(found) == _values(expected), (page, where)

    @rule(wanted=st.lists(ids, max_size=4, unique=True))
    def get(self, wanted: list[str]) -> None:
        found, expected = (each.get(wanted) for each in (self.adapter, self.model))
        assert sorted(_values(found)) == sorted(_values(expected))

    @rule(page=name_pages, category=st.one_of(st.none(), st.sampled_from(CATEGORIES)))
    def list_names(self, page: NamePage, category: str | None) -> None:
        assert self.adapter.streams(page, category) == self.model.streams(page, category)
        assert self.adapter.types(page, category) == self.model.types(page, category)
        assert self.adapter.tags(page) == self.model.tags(page)
        assert self.adapter.sources(page) == self.model.sources(page)
        assert self.adapter.categories(page) == self.model.categories(page)

    @rule(stream_id=st.sampled_from(STREAMS))
    def stream(self, stream_id: str) -> None:
        assert self.adapter.stream(stream_id) == self.model.stream(stream_id)

    @rule(since_us=moments, until_us=moments)
    def span(self, since_us: int | None, until_us: int | None) -> None:
        assert self.adapter.span(since_us, until_us) == self.model.span(since_us, until_us)

    @rule(beyond=st.integers(0, NUMBERS.stop))
    def head(self, beyond: int) -> None:
        assert self.adapter.head(beyond, 0) == self.model.head(beyond, 0)

    @rule()
    def initialize_again(self) -> None:
        self.adapter.initialize()

    @precondition(lambda self: self._reopen is not None)
    @rule()
    def reopen(self) -> None:
        assert self._reopen is not None
        self.adapter.close()
        self.adapter = self._reopen()

    def teardown(self) -> None:
        found, expected = everything(self.adapter), everything(self.model)
        self.adapter.close()
        assert _values(found.events) == _values(expected.events)
        assert found[1:] == expected[1:]


class ModelContract(Harness):
    """The adapter answers every history as the reference adapter does."""

    histories: ClassVar[settings] = settings(
        max_examples=30,
        stateful_step_count=15,
        deadline=None,
        print_blob=True,
        phases=set(Phase) - {Phase.explain},  # which takes as long as all the rest
        # A new store for each history takes its time, and that is no fault of the strategies.
        suppress_health_check=[HealthCheck.too_slow],
    )

    def test_a_random_history_is_answered_as_by_the_reference(self, tmp_path: Path, fresh: Adapter) -> None:
        places = count(1)

        def history() -> History:
            place = tmp_path / f"history-{next(places)}"
            place.mkdir()
            reopen = (lambda: self.reopen(place)) if claims(fresh, DURABLE) else None
            return History(lambda: self.open(place), reopen)

        # Hypothesis wants a factory; this one knows its places.
        run_state_machine_as_test(history, settings=self.histories)  # type: ignore[arg-type]


def _told(outcome: Outcome) -> object:
    """An outcome without what adapters are free in: the order of held ids, and which sequences they use."""
    if isinstance(outcome, AlreadyStored):
        return sorted(outcome.ids)
    if isinstance(outcome, Exception):
        return facts(outcome)
    return (
        outcome._replace(first_versions=list(outcome.first_versions)) if isinstance(outcome, Receipt) else outcome
    )


def _values(found: Sequence[StoredEvent]) -> list[tuple[object, ...]]:
    """Events without the spelling of their metadata, in which adapters are free."""
    return [(*event._replace(metadata_json=""), event.metadata) for event in found]
