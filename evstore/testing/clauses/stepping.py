"""Chapter "Consumers", C3, C5 and C6: what a step changes."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

import pytest

from evstore.errors import LogDivergedError, UnsupportedError
from evstore.model.consumers import WHOLE
from evstore.port import AlreadyStored, Receipt
from evstore.testing.asking import ALL_NAMES, accepted, everything, history, together
from evstore.testing.builders import an_append, an_event, an_id
from evstore.testing.clauses.consuming import NAME, Consuming, a_parked, checkpoint, consumers_of, found, move
from evstore.testing.harness import DURABLE, MULTI_PROCESS, STEPS_APPEND, TRANSACTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from evstore.model.events import StoredEvent
    from evstore.port import Adapter, Consumers


class StepClauses(Consuming):
    """C3, C5 and C6: what a step changes."""

    def test_C3_a_step_stores_all_that_belongs_to_it(
        self, adapter: Adapter, events: list[StoredEvent], consumers: Consumers
    ) -> None:
        self.needs(adapter, STEPS_APPEND)
        hold = consumers.hold(NAME, [WHOLE])
        unit = an_append("Mail-1", 2)
        with consumers.step(hold) as step:
            receipt = step.append(unit)
            seen = [event.global_position for event in step.get([events[0].id, *unit.ids()])]
            again = step.append(unit)
            step.park(a_parked(events[1]))
            step.move({WHOLE: 4})
        hold.release()
        assert isinstance(receipt, Receipt)
        assert isinstance(again, AlreadyStored)
        assert sorted(again.ids) == sorted(unit.ids())
        assert (receipt.first_position, receipt.size) == (5, 2)
        assert sorted(seen) == [1, 5, 6]
        assert [event.id for event in history(adapter, "Mail-1")] == [*unit.ids()]
        assert checkpoint(consumers) == (4, events[3].id)
        assert consumers.parked(NAME) == [a_parked(events[1])]
        accepted(adapter, an_append("Mail-1", 1, 2))

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_C3_a_step_whose_block_raises_leaves_nothing(
        self, adapter: Adapter, events: list[StoredEvent], consumers: Consumers, error: type[BaseException]
    ) -> None:
        self.needs(adapter, STEPS_APPEND)
        before, record = everything(adapter), found(consumers)
        hold = consumers.hold(NAME, [WHOLE])
        unit = an_append("Mail-1", 2)

        def write() -> None:
            with consumers.step(hold) as step:
                step.append(unit)
                step.append(an_append("Order-1", 1))
                step.park(a_parked(events[1]))
                step.move({WHOLE: 4})
                step.refilter("{}")
                raise error

        with pytest.raises(error):
            write()
        assert (everything(adapter), found(consumers), consumers.parked(NAME)) == (before, record, [])
        assert (adapter.get([*unit.ids()]), found(consumers_of(adapter))) == ([], record)
        with consumers.step(hold) as step:
            assert isinstance(step.append(unit), Receipt)
            step.move({WHOLE: 1})
        hold.release()
        assert (adapter.head(0, 0), checkpoint(consumers)[0]) == (6, 1)

    def test_C3_without_units_in_steps_one_is_refused_with_all_of_its_step(
        self, adapter: Adapter, events: list[StoredEvent], consumers: Consumers
    ) -> None:
        self.needs_no(adapter, STEPS_APPEND)
        before, record = everything(adapter), found(consumers)
        hold = consumers.hold(NAME, [WHOLE])

        def write() -> None:
            with consumers.step(hold) as step:
                step.park(a_parked(events[1]))
                step.move({WHOLE: 4})
                step.append(an_append("Mail-1"))

        with pytest.raises(UnsupportedError):
            write()
        hold.release()
        assert (everything(adapter), found(consumers), consumers.parked(NAME)) == (before, record, [])

    def test_C3_a_refused_unit_leaves_the_rest_of_its_step(self, adapter: Adapter, consumers: Consumers) -> None:
        self.needs(adapter, STEPS_APPEND)
        hold = consumers.hold(NAME, [WHOLE])
        with consumers.step(hold) as step:
            refused = step.append(an_append("Order-1", 1, 7))
            step.append(an_append("Mail-1"))
            step.move({WHOLE: 1})
        hold.release()
        assert isinstance(refused, Exception)
        assert len(history(adapter, "Order-1")) == 3
        assert len(history(adapter, "Mail-1")) == 1
        assert checkpoint(consumers)[0] == 1

    def test_C3_a_step_is_there_when_the_store_is_opened_again(
        self, adapter: Adapter, events: list[StoredEvent], consumers: Consumers, another: Callable[[], Adapter]
    ) -> None:
        self.needs(adapter, DURABLE)
        hold = consumers.hold(NAME, [WHOLE])
        with consumers.step(hold) as step:
            step.park(a_parked(events[0]))
            step.move({WHOLE: 3})
        hold.release()
        record = found(consumers)
        adapter.close()
        again = consumers_of(another())
        assert again.find(NAME) == record
        assert again.parked(NAME) == [a_parked(events[0])]

    def test_C3_tables_of_the_application_change_with_the_step(
        self, adapter: Adapter, consumers: Consumers
    ) -> None:
        self.needs(adapter, TRANSACTIONS)
        hold = consumers.hold(NAME, [WHOLE])
        with consumers.step(hold) as step:
            step.connection.execute("CREATE TABLE evstore_contract_sums (total integer)")
            step.connection.execute("INSERT INTO evstore_contract_sums VALUES (1)")
            step.move({WHOLE: 1})

        def write() -> None:
            with consumers.step(hold) as step:
                step.connection.execute("UPDATE evstore_contract_sums SET total = 2")
                step.move({WHOLE: 2})
                raise KeyError

        with pytest.raises(KeyError):
            write()
        with consumers.step(hold) as step:
            rows = step.connection.execute("SELECT total FROM evstore_contract_sums").fetchall()
            step.connection.execute("DROP TABLE evstore_contract_sums")
        hold.release()
        assert [*map(tuple, rows)] == [(1,)]
        assert checkpoint(consumers)[0] == 1

    def test_C3_without_transactions_a_step_has_no_connection(
        self, adapter: Adapter, consumers: Consumers
    ) -> None:
        self.needs_no(adapter, TRANSACTIONS)
        hold = consumers.hold(NAME, [WHOLE])
        with pytest.raises(UnsupportedError), consumers.step(hold) as step:
            step.connection  # noqa: B018 - asking is what is refused
        hold.release()

    def test_C5_a_checkpoint_has_the_id_of_its_event(
        self, events: list[StoredEvent], consumers: Consumers
    ) -> None:
        assert checkpoint(consumers) == (0, None)
        for position in (1, 3, 4):
            before = found(consumers).updated_us
            move(consumers, position)
            assert checkpoint(consumers) == (position, events[position - 1].id)
            assert found(consumers).updated_us >= before

    def test_C5_a_checkpoint_does_not_move_back(self, events: list[StoredEvent], consumers: Consumers) -> None:
        move(consumers, 3)
        moved = found(consumers).updated_us
        for position in (3, 2, 0):
            move(consumers, position)
            assert (checkpoint(consumers), found(consumers).updated_us) == ((3, events[2].id), moved)

    @pytest.mark.parametrize("position", [0, 2, 4])
    def test_C5_a_reset_moves_it_anywhere_and_forgets_what_is_parked(
        self, events: list[StoredEvent], consumers: Consumers, position: int
    ) -> None:
        hold = consumers.hold(NAME, [WHOLE])
        with consumers.step(hold) as step:
            step.park(a_parked(events[0]))
            step.move({WHOLE: 3})
        with consumers.step(hold) as step:
            step.reset(position)
        hold.release()
        assert checkpoint(consumers) == (position, events[position - 1].id if position else None)
        assert (consumers.parked(NAME), found(consumers).parked) == ([], 0)

    def test_C5_a_checkpoint_cannot_move_beyond_the_log(self, adapter: Adapter, consumers: Consumers) -> None:
        before, record = everything(adapter), found(consumers)
        hold = consumers.hold(NAME, [WHOLE])
        with pytest.raises(LogDivergedError) as raised, consumers.step(hold) as step:
            step.move({WHOLE: 6})
        with pytest.raises(LogDivergedError) as again, consumers.step(hold) as step:
            step.reset(5)
        hold.release()
        assert (raised.value.name, raised.value.position, raised.value.head) == (NAME, 6, 4)
        assert (again.value.name, again.value.position, again.value.head) == (NAME, 5, 4)
        assert (everything(adapter), found(consumers)) == (before, record)

    def test_C6_a_parked_event_is_listed_until_its_stream_has_none(
        self, events: list[StoredEvent], consumers: Consumers
    ) -> None:
        hold = consumers.hold(NAME, [WHOLE])
        first, other = a_parked(events[1]), a_parked(events[3], "it's a \N{SNOWMAN}")
        with consumers.step(hold) as step:
            step.park(other)
            step.park(first)
            step.move({WHOLE: 4})
        assert consumers.parked(NAME) == [first, other]
        assert found(consumers).parked == 2
        later = a_parked(events[2], "again")
        with consumers.step(hold) as step:
            step.park(later)
            step.unpark(other.stream_id)
            step.unpark("Order-absent")
        hold.release()
        assert consumers.parked(NAME) == [later]
        assert found(consumers).parked == 1

    def test_C6_a_parked_event_is_of_one_consumer(self, events: list[StoredEvent], consumers: Consumers) -> None:
        consumers.add("other", "{}", 0)
        hold = consumers.hold(NAME, [WHOLE])
        with consumers.step(hold) as step:
            step.park(a_parked(events[1]))
        hold.release()
        assert consumers.parked("other") == []
        assert not consumers.mark("other", events[1].id, "retry")
        assert [each.parked for each in consumers.page(ALL_NAMES)] == [1, 0]

    def test_C6_a_mark_changes_the_state_of_a_parked_event_whoever_holds_the_consumer(
        self, events: list[StoredEvent], consumers: Consumers
    ) -> None:
        hold = consumers.hold(NAME, [WHOLE])
        parked = a_parked(events[1])
        with consumers.step(hold) as step:
            step.park(parked)
            step.park(a_parked(events[3]))
        assert consumers.mark(NAME, parked.event_id, "retry")
        assert consumers.parked(NAME) == [parked._replace(state="retry"), a_parked(events[3])]
        assert consumers.mark(NAME, parked.event_id, "drop")
        assert consumers.parked(NAME)[0].state == "drop"
        assert not consumers.mark(NAME, events[0].id, "retry")
        assert not consumers.mark(NAME, an_id(), "retry")
        assert not consumers.mark("absent", parked.event_id, "retry")
        assert consumers.parked(NAME) == [parked._replace(state="drop"), a_parked(events[3])]
        hold.release()

    def test_C3_an_unheld_look_sees_nothing_of_an_open_step(self, adapter: Adapter, consumers: Consumers) -> None:
        self.needs(adapter, MULTI_PROCESS)
        self.needs(adapter, STEPS_APPEND)
        hold = consumers.hold(NAME, [WHOLE])
        with consumers.step(hold) as step:
            step.move({WHOLE: 2})
            step.append(an_append("Mail-1", [an_event()]))
            assert (checkpoint(consumers)[0], adapter.head(0, 0)) == (0, 4)
        hold.release()
        assert (checkpoint(consumers)[0], adapter.head(0, 0)) == (2, 5)

    def test_R3_head_wakes_when_a_step_stores_events(self, adapter: Adapter, consumers: Consumers) -> None:
        self.needs(adapter, STEPS_APPEND)
        hold = consumers.hold(NAME, [WHOLE])

        def write() -> int:
            adapter.head(99, 0.05)  # so long that the other is surely waiting
            with consumers.step(hold) as step:
                step.append(an_append("Mail-1", [an_event()]))
            return 5

        start = monotonic()
        assert together([lambda: adapter.head(4, self.patience), write], self.patience) == [5, 5]
        hold.release()
        assert monotonic() - start < self.patience / 2
