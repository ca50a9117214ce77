"""Clauses that need several writers: W2 to W5 under a race, R3, and waiting for the head.

Nothing here sleeps. Threads leave one start line together, and each race is run several times.
"""

from __future__ import annotations

import sys
from functools import partial
from threading import Semaphore
from time import monotonic
from typing import TYPE_CHECKING, Final

import pytest

from evstore.errors import ConcurrencyError
from evstore.model.filters import Filter
from evstore.model.versions import ANY_VERSION, NO_STREAM
from evstore.port import AlreadyStored, Append, Page, Receipt
from evstore.testing.asking import ANYTHING, accepted, answer, facts, history, log, together
from evstore.testing.builders import a_stream_id, a_write, an_append
from evstore.testing.harness import MULTI_PROCESS, Harness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from evstore.port import Adapter, Outcome

RACERS: Final = 4
ROUNDS: Final = 8


class Racing(Harness):
    @pytest.fixture(params=["one adapter", "several adapters"])
    def racers(
        self, request: pytest.FixtureRequest, adapter: Adapter, another: Callable[[], Adapter]
    ) -> Iterator[list[Adapter]]:
        """An adapter for each thread: all the same one, or each its own."""
        if request.param == "several adapters":
            self.needs(adapter, MULTI_PROCESS)
        shared = request.param == "one adapter"
        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)  # threads take turns so often that a missing lock shows
        yield [adapter if shared else another() for _ in range(RACERS)]
        sys.setswitchinterval(before)

    def race(self, racers: Sequence[Adapter], units: Sequence[Append]) -> list[Outcome]:
        """Each racer appends its unit, all at once."""
        jobs = [partial(answer, racer, unit) for racer, unit in zip(racers, units, strict=True)]
        return together(jobs, self.patience)


class WriterRaceClauses(Racing):
    """W2 to W5 of writers that race."""

    def test_W2_units_of_racing_writers_do_not_interleave(self, racers: list[Adapter]) -> None:
        streams = [a_stream_id() for _ in range(3)]
        for _ in range(ROUNDS):
            units = [Append([a_write(stream_id, 3) for stream_id in streams]) for _ in racers]
            self.race(racers, units)
            ids = [event.id for event in log(racers[0])][-9 * len(units) :]
            blocks = [ids[at : at + 9] for at in range(0, len(ids), 9)]
            assert sorted(blocks) == sorted([*unit.ids()] for unit in units)
        for stream_id in streams:
            versions = [event.version for event in history(racers[0], stream_id)]
            assert versions == list(range(1, len(versions) + 1))

    def test_W2_a_race_with_losers_leaves_no_gap(self, racers: list[Adapter]) -> None:
        stream_id = a_stream_id()
        for version in range(ROUNDS):
            self.race(racers, [Append([a_write(), a_write(stream_id, 1, version)]) for _ in racers])
        assert [event.global_position for event in log(racers[0])] == list(range(1, 2 * ROUNDS + 1))

    def test_W3_of_racing_writers_with_one_expectation_exactly_one_wins(self, racers: list[Adapter]) -> None:
        stream_id = a_stream_id()
        for version in range(ROUNDS):  # the first is NO_STREAM
            outcomes = self.race(racers, [an_append(stream_id, 1, version) for _ in racers])
            losers = [outcome for outcome in outcomes if not isinstance(outcome, Receipt)]
            conflict = facts(ConcurrencyError(stream_id, version, version + 1))
            assert [facts(outcome) for outcome in losers] == [conflict] * (len(racers) - 1)
        assert [event.version for event in history(racers[0], stream_id)] == list(range(1, ROUNDS + 1))

    def test_W3_one_wins_over_several_streams_in_whatever_order(self, racers: list[Adapter]) -> None:
        one, other = a_stream_id("One"), a_stream_id("Other")
        for version in range(ROUNDS):
            writes = [a_write(one, 1, version), a_write(other, 1, version)]
            units = [
                Append([a_write(w.stream_id, 1, version) for w in writes[:: -1 if n % 2 else 1]])
                for n in range(len(racers))
            ]
            outcomes = self.race(racers, units)
            assert sum(isinstance(outcome, Receipt) for outcome in outcomes) == 1
        assert len(history(racers[0], one)) == len(history(racers[0], other)) == ROUNDS

    def test_W4_racing_writers_of_any_version_all_win(self, racers: list[Adapter]) -> None:
        for _ in range(ROUNDS):  # each on a stream without events
            stream_id = a_stream_id()
            outcomes = self.race(racers, [an_append(stream_id, 1, ANY_VERSION) for _ in racers])
            versions = [v for o in outcomes if isinstance(o, Receipt) for v in o.first_versions]
            assert sorted(versions) == list(range(1, len(racers) + 1)), outcomes

    def test_W4_any_version_wins_beside_writers_that_expect_one(self, racers: list[Adapter]) -> None:
        for _ in range(ROUNDS):
            stream_id = a_stream_id()
            expectations = [ANY_VERSION if n % 2 else NO_STREAM for n in range(len(racers))]
            outcomes = self.race(racers, [an_append(stream_id, 1, expected) for expected in expectations])
            assert all(isinstance(outcome, Receipt) for outcome in outcomes[1::2]), outcomes

    def test_W5_a_unit_sent_several_times_at_once_is_stored_once(self, racers: list[Adapter]) -> None:
        for _ in range(ROUNDS):
            unit = Append([a_write(events=2), a_write()])
            outcomes = self.race(racers, [unit] * len(racers))
            held = [set(outcome.ids) for outcome in outcomes if isinstance(outcome, AlreadyStored)]
            assert held == [set(unit.ids())] * (len(racers) - 1), outcomes
            assert [event.id for event in log(racers[0])][-3:] == [*unit.ids()]


class ReaderRaceClauses(Racing):
    """R3: a reader beside writers skips nothing."""

    UNITS: Final = 12

    def test_R3_a_reader_beside_writers_sees_every_position_in_order(self, racers: list[Adapter]) -> None:
        reader, *writers = racers
        total = 2 * self.UNITS * len(writers)

        def read() -> list[int]:
            seen: list[int] = []
            end = monotonic() + self.patience
            while len(seen) < total and monotonic() < end:
                after = seen[-1] if seen else 0
                seen += [e.global_position for e in reader.read_all(Page(3, after=after), ANYTHING)]
                reader.head(seen[-1] if seen else 0, 0.05)
            return seen

        assert self._beside_writers(writers, read) == list(range(1, total + 1))

    def test_R3_a_reader_of_a_category_beside_writers_skips_none(self, racers: list[Adapter]) -> None:
        reader, *writers = racers
        total, where = self.UNITS * len(writers), Filter(categories=("Wanted",))

        def read() -> list[int]:
            seen: list[int] = []
            end = monotonic() + self.patience
            while len(seen) < total and monotonic() < end:
                after = seen[-1] if seen else 0
                seen += [e.global_position for e in reader.read_all(Page(3, after=after), where)]
            return seen

        seen = self._beside_writers(writers, read)
        assert seen == [event.global_position for event in log(reader, where)]

    def test_R3_below_a_position_that_was_shown_nothing_is_missing(self, racers: list[Adapter]) -> None:
        reader, *writers = racers
        total = 2 * self.UNITS * len(writers)

        def read() -> list[int]:
            incomplete: list[int] = []
            last, end = 0, monotonic() + self.patience
            while last < total and monotonic() < end:
                for event in reader.read_all(Page(1, backward=True), ANYTHING):
                    last = event.global_position
                    below = reader.read_all(Page(total, high=last), ANYTHING)
                    incomplete += [last] if len(below) != last else []
            return incomplete

        assert self._beside_writers(writers, read) == []

    def _beside_writers(self, writers: Sequence[Adapter], read: Callable[[], list[int]]) -> list[int]:
        def write(writer: Adapter) -> list[int]:
            for _ in range(self.UNITS):
                accepted(writer, Append([a_write(a_stream_id("Other")), a_write(a_stream_id("Wanted"))]))
            return []

        jobs: list[Callable[[], list[int]]] = [*(partial(write, writer) for writer in writers), read]
        return together(jobs, self.patience)[-1]


class HeadClauses(Racing):
    """R3 of `head`: a reported position can be read, and is reported as soon as it exists."""

    def test_R3_head_is_the_last_position_of_the_log(self, adapter: Adapter) -> None:
        for last in (3, 6, 9):
            accepted(adapter, an_append(events=3))
            assert adapter.head(0, 0) == last
            assert adapter.read_all(Page(1, backward=True), ANYTHING)[0].global_position == last

    def test_R3_head_answers_at_once_when_the_log_is_beyond(self, adapter: Adapter) -> None:
        accepted(adapter, an_append(events=3))
        start = monotonic()
        assert [adapter.head(beyond, self.patience) for beyond in (0, 1, 2)] == [3, 3, 3]
        assert monotonic() - start < self.patience / 2

    @pytest.mark.parametrize("beyond", [2, 3, 99])
    def test_R3_head_answers_when_the_time_has_passed_and_not_before(self, adapter: Adapter, beyond: int) -> None:
        last, timeout = 2, 0.1
        accepted(adapter, an_append(events=last))
        start = monotonic()
        assert adapter.head(beyond, timeout) == last
        # Clocks differ a little in what a tenth of a second is.
        assert timeout * 0.9 < monotonic() - start < self.patience

    def test_R3_head_wakes_when_another_appends(self, racers: list[Adapter]) -> None:
        reader, writer = racers[:2]
        told = Semaphore(0)

        def read() -> list[int]:
            seen = [0]
            end = monotonic() + self.patience / 2
            while seen[-1] < ROUNDS and monotonic() < end:
                seen.append(reader.head(seen[-1], self.patience))
                told.release()
            return seen

        def write() -> list[int]:
            # One after another, so that the reader waits again each time.
            for _ in range(ROUNDS):
                accepted(writer, an_append())
                told.acquire(timeout=self.patience / 2)
            return []

        start = monotonic()
        seen, _ = together([read, write], self.patience)
        assert seen == list(range(ROUNDS + 1))
        assert monotonic() - start < self.patience / 2

    def test_R3_head_waits_for_the_position_it_was_asked_for(self, racers: list[Adapter]) -> None:
        reader, writer = racers[:2]

        def write() -> int:
            return [accepted(writer, an_append()).first_position for _ in range(ROUNDS)][-1]

        jobs: list[Callable[[], int]] = [partial(reader.head, ROUNDS - 1, self.patience), write]
        assert together(jobs, self.patience) == [ROUNDS, ROUNDS]


class RaceClauses(WriterRaceClauses, ReaderRaceClauses, HeadClauses):
    """The clauses of the contract that take several writers, or a reader beside them."""
