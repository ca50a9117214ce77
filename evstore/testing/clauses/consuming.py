"""Chapter "Consumers", C1 to C8: checkpoints, holds and parked events."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, cast

import pytest

from evstore.errors import ConsumerHeldError, LogDivergedError
from evstore.model.consumers import SLOTS, WHOLE, ConsumerRecord, Parked
from evstore.port import NamePage
from evstore.testing.asking import ALL_NAMES, accepted, everything, log, paged, together
from evstore.testing.builders import an_append
from evstore.testing.harness import CONSUMERS, MULTI_PROCESS, Harness

if TYPE_CHECKING:
    from collections.abc import Callable

    from evstore.model.events import StoredEvent
    from evstore.port import Adapter, Consumers, HasConsumers

NAME: Final = "mailer"
FILTER: Final = '{"categories":["Order"]}'


def consumers_of(adapter: Adapter) -> Consumers:
    return cast("HasConsumers", adapter).consumers()


def checkpoint(consumers: Consumers, slot: int = WHOLE, name: str = NAME) -> tuple[int, str | None]:
    """Position and event id of a slot."""
    return found(consumers, name).checkpoints[slot][1:3]


def found(consumers: Consumers, name: str = NAME) -> ConsumerRecord:
    record = consumers.find(name)
    assert record is not None
    return record


def move(consumers: Consumers, position: int, slot: int = WHOLE) -> None:
    """Move a checkpoint in a step of its own."""
    hold = consumers.hold(NAME, [slot])
    try:
        with consumers.step(hold) as step:
            step.move({slot: position})
    finally:
        hold.release()


def a_parked(event: StoredEvent, reason: str = "no route") -> Parked:
    return Parked(event.stream_id, event.global_position, event.id, reason, 1_700_000_000_000_000)


class Consuming(Harness):
    @pytest.fixture
    def events(self, adapter: Adapter) -> list[StoredEvent]:
        """Four events of two streams."""
        self.needs(adapter, CONSUMERS)
        accepted(adapter, an_append("Order-1", 3))
        accepted(adapter, an_append("Order-2", 1))
        return log(adapter)

    @pytest.fixture
    def consumers(self, adapter: Adapter, events: list[StoredEvent]) -> Consumers:
        """The consumers of a store with these events, of which one is there."""
        assert events
        made = consumers_of(adapter)
        made.add(NAME, FILTER, 0)
        return made


class RecordClauses(Consuming):
    """C1, C7 and C8: consumers and their slots."""

    def test_C1_a_consumer_is_found_as_it_was_made(self, events: list[StoredEvent], consumers: Consumers) -> None:
        made = consumers.add("late", "{}", 3)
        assert consumers.find("late") == made
        assert (made.name, made.filter_json, made.parked, made.is_divided) == ("late", "{}", 0, False)
        assert [each[:3] for each in made.checkpoints] == [(WHOLE, 3, events[2].id)]
        assert abs(made.created_us - events[0].timestamp_us) < 3600 * 10**6
        assert found(consumers).checkpoints[0][:3] == (WHOLE, 0, None)
        assert consumers.find("absent") is None
        assert consumers.find("") is None

    def test_C1_a_consumer_that_is_there_stays_as_it_is(self, consumers: Consumers) -> None:
        before = found(consumers)
        assert consumers.add(NAME, "{}", 4) == before
        assert found(consumers) == before

    def test_C1_racing_calls_make_one_consumer(
        self, adapter: Adapter, consumers: Consumers, another: Callable[[], Adapter]
    ) -> None:
        others = [consumers_of(another()) for _ in range(3)] if adapter.capabilities.multi_process else [consumers]
        callers = [consumers, *others]
        positions = range(len(callers))
        jobs = [partial(c.add, "raced", "{}", p) for c, p in zip(callers, positions, strict=True)]
        answers = together(jobs, self.patience)
        assert len({*answers}) == 1
        assert consumers.find("raced") == answers[0]

    def test_C1_consumers_are_listed_by_name(self, consumers: Consumers) -> None:
        names = ["a", "b%", "b_", "B", "é", "🜚", "mail"]
        for name in names:
            consumers.add(name, "{}", 0)
        in_order = sorted([*names, NAME])
        assert [each.name for each in consumers.page(ALL_NAMES)] == in_order
        by_pages = paged(lambda after, limit: consumers.page(NamePage(limit, after)), lambda each: each.name, 3)
        assert [each.name for each in by_pages] == in_order
        assert [each.name for each in consumers.page(NamePage(9, prefix="b_"))] == ["b_"]
        assert [each.name for each in consumers.page(NamePage(9, prefix="mail"))] == ["mail", NAME]
        assert consumers.page(NamePage(0)) == []
        assert consumers.page(NamePage(9, prefix="mailer")) == [found(consumers)]

    def test_C1_a_consumer_cannot_begin_beyond_the_log(self, consumers: Consumers) -> None:
        with pytest.raises(LogDivergedError) as raised:
            consumers.add("ahead", "{}", 5)
        assert (raised.value.name, raised.value.position, raised.value.head) == ("ahead", 5, 4)
        assert consumers.find("ahead") is None

    def test_C7_a_divided_consumer_has_the_checkpoint_of_the_whole_in_all_slots(
        self, events: list[StoredEvent], consumers: Consumers
    ) -> None:
        move(consumers, 2)
        hold = consumers.hold(NAME, [WHOLE])
        for _ in range(2):  # the second time changes nothing
            with consumers.step(hold) as step:
                step.divide()
            record = found(consumers)
            assert record.is_divided
            assert [each[:3] for each in record.checkpoints] == [(s, 2, events[1].id) for s in range(SLOTS)]
        hold.release()

    def test_C7_each_slot_moves_alone(self, consumers: Consumers) -> None:
        hold = consumers.hold(NAME, [WHOLE])
        with consumers.step(hold) as step:
            step.divide()
            step.move({WHOLE: 1})
        hold.release()
        move(consumers, 3, slot=5)
        move(consumers, 4, slot=63)
        moved = {0: 1, 5: 3, 63: 4}
        assert [each.global_position for each in found(consumers).checkpoints] == [
            moved.get(slot, 0) for slot in range(SLOTS)
        ]

    def test_C8_a_consumer_that_was_removed_begins_anew(
        self, events: list[StoredEvent], consumers: Consumers
    ) -> None:
        hold = consumers.hold(NAME, [WHOLE])
        with consumers.step(hold) as step:
            step.park(a_parked(events[0]))
            step.move({WHOLE: 3})
        with consumers.step(hold) as step:
            step.remove()
        hold.release()
        assert consumers.find(NAME) is None
        assert consumers.parked(NAME) == []
        assert not consumers.mark(NAME, events[0].id, "retry")
        assert consumers.page(ALL_NAMES) == []
        again = consumers.add(NAME, "{}", 0)
        assert (again.filter_json, again.global_position, again.parked) == ("{}", 0, 0)
        assert consumers.parked(NAME) == []
        move(consumers, 1)
        assert checkpoint(consumers)[0] == 1

    def test_C8_another_filter_takes_the_place_of_the_first(self, consumers: Consumers) -> None:
        before = found(consumers)
        hold = consumers.hold(NAME, [WHOLE])
        with consumers.step(hold) as step:
            step.refilter('{"types":["Paid"]}')
        hold.release()
        assert found(consumers) == before._replace(filter_json='{"types":["Paid"]}')


class HoldClauses(Consuming):
    """C2 and C4: one holder at a time."""

    def test_C2_a_slot_that_is_held_is_held_by_nobody_else(self, consumers: Consumers) -> None:
        hold = consumers.hold(NAME, [WHOLE])
        assert hold.slots == {WHOLE}
        with pytest.raises(ConsumerHeldError) as raised:
            consumers.hold(NAME, [WHOLE])
        assert raised.value.name == NAME
        assert {*consumers.holders(NAME)} == {WHOLE}
        hold.check()
        hold.release()
        hold.release()
        assert hold.slots == frozenset()
        assert consumers.holders(NAME) == {}
        consumers.hold(NAME, [WHOLE]).release()

    def test_C2_consumers_are_held_apart(self, consumers: Consumers) -> None:
        consumers.add("other", "{}", 0)
        hold = consumers.hold(NAME, [WHOLE])
        other = consumers.hold("other", [WHOLE])
        hold.release()
        with pytest.raises(ConsumerHeldError):
            consumers.hold("other", [WHOLE])
        other.release()

    def test_C2_a_hold_takes_the_slots_that_are_free(self, consumers: Consumers) -> None:
        whole = consumers.hold(NAME, [WHOLE])
        with consumers.step(whole) as step:
            step.divide()
        whole.release()
        first = consumers.hold(NAME, [0, 1, 2])
        second = consumers.hold(NAME, [2, 3, 63])
        assert (sorted(first.slots), sorted(second.slots)) == ([0, 1, 2], [3, 63])
        assert second.extend([1, 2, 4]) == [4]
        first.release()
        assert second.extend([1, 2, 4]) == [1, 2]
        assert second.slots == {1, 2, 3, 4, 63}
        assert {*consumers.holders(NAME)} == {1, 2, 3, 4, 63}
        second.release()

    def test_C2_of_racing_holders_one_gets_each_slot(
        self, adapter: Adapter, consumers: Consumers, another: Callable[[], Adapter]
    ) -> None:
        whole = consumers.hold(NAME, [WHOLE])
        with consumers.step(whole) as step:
            step.divide()
        whole.release()
        others = [consumers_of(another()) for _ in range(3)] if adapter.capabilities.multi_process else [consumers]

        def take(of: Consumers) -> frozenset[int]:
            try:
                return of.hold(NAME, range(6)).slots
            except ConsumerHeldError:
                return frozenset()

        taken = together([partial(take, each) for each in (consumers, *others)], self.patience)
        assert sorted(slot for slots in taken for slot in slots) == [*range(6)]

    def test_C2_a_hold_ends_with_its_adapter(
        self, adapter: Adapter, consumers: Consumers, another: Callable[[], Adapter]
    ) -> None:
        self.needs(adapter, MULTI_PROCESS)
        other = another()
        held = consumers_of(other).hold(NAME, [WHOLE])
        with pytest.raises(ConsumerHeldError):
            consumers.hold(NAME, [WHOLE])
        other.close()
        consumers.hold(NAME, [WHOLE]).release()
        held.release()

    def test_C4_a_step_of_a_hold_that_was_released_changes_nothing(
        self, adapter: Adapter, consumers: Consumers
    ) -> None:
        before, record = everything(adapter), found(consumers)
        stale = consumers.hold(NAME, [WHOLE])
        stale.release()
        successor = consumers.hold(NAME, [WHOLE])

        def write() -> None:
            with consumers.step(stale) as step:
                step.append(an_append("Order-9"))
                step.move({WHOLE: 2})

        with pytest.raises(ConsumerHeldError):
            write()
        assert (everything(adapter), found(consumers)) == (before, record)
        with consumers.step(successor) as step:
            step.move({WHOLE: 1})
        successor.release()
        assert checkpoint(consumers)[0] == 1
