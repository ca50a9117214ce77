"""Chapter "Living": the life of a store and of its adapters."""

from __future__ import annotations

from threading import Semaphore
from time import monotonic
from typing import TYPE_CHECKING, Final

import pytest

from evstore.errors import ConcurrencyError, EvstoreError, NotInitializedError, SchemaError, StoreClosedError
from evstore.port import NamePage, Page, Receipt
from evstore.testing.asking import (
    ANYTHING,
    WHOLE,
    accepted,
    answer,
    everything,
    history,
    log,
    together,
)
from evstore.testing.builders import a_stream_id, a_write, an_append, an_id
from evstore.testing.harness import BORN_INITIALIZED, DURABLE, MULTI_PROCESS, Harness
from evstore.testing.refusals import REFUSALS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from evstore.port import Adapter

CALLS: Final[Mapping[str, Callable[[Adapter], object]]] = {
    "append": lambda adapter: adapter.append([an_append()]),
    "read_stream": lambda adapter: adapter.read_stream("Order-1", Page(1), ANYTHING),
    "read_all": lambda adapter: adapter.read_all(Page(1), ANYTHING),
    "get": lambda adapter: adapter.get([an_id()]),
    "stream": lambda adapter: adapter.stream("Order-1"),
    "streams": lambda adapter: adapter.streams(NamePage(1), None),
    "categories": lambda adapter: adapter.categories(NamePage(1)),
    "types": lambda adapter: adapter.types(NamePage(1), None),
    "span": lambda adapter: adapter.span(None, None),
    "head": lambda adapter: adapter.head(0, 0),
    "info": lambda adapter: adapter.info(),
}
CALLS_AND_INITIALIZE: Final[Mapping[str, Callable[[Adapter], object]]] = {
    "initialize": lambda adapter: adapter.initialize(),
    **CALLS,
}

each_call = pytest.mark.parametrize("call", CALLS)


class InitializeClauses(Harness):
    """E1: making a store."""

    def test_E1_initialize_makes_an_empty_store(self, fresh: Adapter) -> None:
        fresh.initialize()
        assert log(fresh) == []
        assert accepted(fresh, an_append()).first_position == 1

    def test_E1_initialize_again_changes_nothing(self, adapter: Adapter) -> None:
        accepted(adapter, an_append(events=2))
        before = everything(adapter)
        adapter.initialize()
        assert everything(adapter) == before
        assert accepted(adapter, an_append()).first_position == len(before.events) + 1

    def test_E1_initialize_by_another_adapter_changes_nothing(
        self, adapter: Adapter, another: Callable[[], Adapter]
    ) -> None:
        self.needs(adapter, MULTI_PROCESS)
        accepted(adapter, an_append(events=2))
        before = everything(adapter)
        second = another()
        second.initialize()
        assert everything(adapter) == everything(second) == before

    @pytest.mark.parametrize("attempt", range(3))
    def test_E1_many_may_initialize_at_once(
        self, fresh: Adapter, another: Callable[[], Adapter], attempt: int
    ) -> None:
        self.needs(fresh, MULTI_PROCESS)
        adapters = [fresh, *(another() for _ in range(3))]
        together([adapter.initialize for adapter in adapters], self.patience)
        for position, adapter in enumerate(adapters, 1):
            assert accepted(adapter, an_append()).first_position == position, f"attempt {attempt}"

    @pytest.mark.parametrize("call", CALLS_AND_INITIALIZE)
    def test_E1_a_place_that_holds_something_else_is_refused_and_left_as_it_was(
        self, tmp_path: Path, another: Callable[[], Adapter], call: str
    ) -> None:
        self.needs_occupy()
        what_lies_there = self.occupy(tmp_path)
        before = what_lies_there()
        adapter = another()
        with pytest.raises(SchemaError):
            CALLS_AND_INITIALIZE[call](adapter)
        adapter.close()
        assert what_lies_there() == before


class OpenAndCloseClauses(Harness):
    """E2: before the beginning and after the end."""

    @each_call
    def test_E2_before_initialize_every_call_says_that_there_is_no_store(self, fresh: Adapter, call: str) -> None:
        self.needs_no(fresh, BORN_INITIALIZED)
        for _ in range(2):
            with pytest.raises(NotInitializedError):
                CALLS[call](fresh)

    @each_call
    def test_E2_before_initialize_a_call_makes_nothing(
        self, tmp_path: Path, fresh: Adapter, another: Callable[[], Adapter], call: str
    ) -> None:
        self.needs_no(fresh, BORN_INITIALIZED)
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(NotInitializedError):
            CALLS[call](fresh)
        fresh.close()
        assert sorted(tmp_path.rglob("*")) == before
        with pytest.raises(NotInitializedError):
            another().info()

    def test_E2_a_store_made_by_another_adapter_is_there(
        self, fresh: Adapter, another: Callable[[], Adapter]
    ) -> None:
        self.needs_no(fresh, BORN_INITIALIZED)
        self.needs(fresh, MULTI_PROCESS)
        with pytest.raises(NotInitializedError):
            fresh.head(0, 0)
        another().initialize()
        assert fresh.head(0, 0) == 0

    @pytest.mark.parametrize("call", CALLS_AND_INITIALIZE)
    def test_E2_after_close_every_call_says_that_it_is_closed(self, adapter: Adapter, call: str) -> None:
        accepted(adapter, an_append("Order-1"))
        adapter.close()
        with pytest.raises(StoreClosedError):
            CALLS_AND_INITIALIZE[call](adapter)

    def test_E2_closing_twice_is_fine(self, adapter: Adapter) -> None:
        adapter.close()
        adapter.close()
        with pytest.raises(StoreClosedError):
            adapter.head(0, 0)

    def test_E2_an_adapter_that_never_worked_is_closed_like_another(self, fresh: Adapter) -> None:
        fresh.close()
        fresh.close()
        with pytest.raises(StoreClosedError):
            fresh.initialize()

    def test_E2_close_ends_a_wait_under_way(self, adapter: Adapter) -> None:
        def wait() -> str:
            try:
                return f"head {adapter.head(0, self.patience)}"
            except StoreClosedError:
                return "closed"

        def close() -> str:
            adapter.head(0, 0.05)  # so long that the other is surely waiting
            adapter.close()
            return "closed"

        assert together([wait, close], self.patience / 2) == ["closed", "closed"]

    def test_E2_closing_one_adapter_leaves_the_others_open(
        self, adapter: Adapter, another: Callable[[], Adapter]
    ) -> None:
        self.needs(adapter, MULTI_PROCESS)
        other = another()
        accepted(other, an_append())
        adapter.close()
        assert accepted(other, an_append()).first_position == len(log(other))

    def test_E2_a_store_that_was_closed_is_opened_without_initialize(
        self, adapter: Adapter, another: Callable[[], Adapter]
    ) -> None:
        self.needs(adapter, DURABLE)
        accepted(adapter, an_append())
        adapter.close()
        assert another().head(0, 0) == 1


class SharingClauses(Harness):
    """E3: one adapter for many threads, one store for many adapters."""

    def test_E3_an_adapter_works_in_another_thread(self, adapter: Adapter) -> None:
        def work() -> int:
            accepted(adapter, an_append("Order-1"))
            return len(history(adapter, "Order-1"))

        assert [together([work], self.patience) for _ in range(3)] == [[1], [2], [3]]
        assert len(everything(adapter).events) == len("123")

    def test_E3_threads_share_an_adapter_and_each_reads_what_it_wrote(self, adapter: Adapter) -> None:
        def work() -> list[bool]:
            stream_id, right = a_stream_id(), []
            for version in range(1, 9):
                unit = an_append(stream_id, 1, version - 1)
                accepted(adapter, unit)
                found = adapter.get([*unit.ids()])
                right.append([(e.stream_id, e.version) for e in found] == [(stream_id, version)])
                right.append(len(history(adapter, stream_id)) == version)
            return right

        assert all(all(right) for right in together([work] * 4, self.patience))
        positions = [event.global_position for event in log(adapter)]
        assert positions == list(range(1, 4 * 8 + 1))

    def test_E3_a_thread_that_waits_does_not_hold_up_the_others(self, adapter: Adapter) -> None:
        rounds, waiting = range(1, 9), Semaphore(0)

        def wait() -> list[int]:
            heads = [0]
            for _ in rounds:
                waiting.release()
                heads.append(adapter.head(heads[-1], self.patience))
            return heads[1:]

        def work() -> list[int]:
            heads = []
            for _ in rounds:
                waiting.acquire(timeout=self.patience)
                heads.append(len(log(adapter)) + 1)
                accepted(adapter, an_append())
            return heads

        assert together([wait, work], self.patience) == [list(rounds), list(rounds)]

    def test_E3_adapters_share_a_store(self, adapter: Adapter, another: Callable[[], Adapter]) -> None:
        self.needs(adapter, MULTI_PROCESS)
        adapters = [adapter, another(), another()]
        for reader in adapters:
            for writer in adapters:
                accepted(writer, an_append("Order-1", 1, len(history(reader, "Order-1"))))
        assert everything(adapters[0]) == everything(adapters[1]) == everything(adapters[2])


class ErrorClauses(Harness):
    """E4: the errors that come out."""

    @pytest.mark.parametrize("refusal", REFUSALS)
    def test_E4_a_refusal_is_answered_and_not_raised(self, adapter: Adapter, refusal: str) -> None:
        stored = a_write()
        accepted(adapter, an_append(stored.stream_id, stored.events))
        outcome = answer(adapter, REFUSALS[refusal](stored))
        assert not isinstance(outcome, Receipt)
        # Only after a conflict it helps to read again and to try with what was read.
        retryable = isinstance(outcome, EvstoreError) and outcome.retryable
        assert retryable is isinstance(outcome, ConcurrencyError)

    def test_E4_a_call_on_a_closed_adapter_need_not_be_tried_again(self, adapter: Adapter) -> None:
        adapter.close()
        with pytest.raises(StoreClosedError) as raised:
            adapter.head(0, 0)
        assert not raised.value.retryable

    def test_E4_closing_under_work_raises_only_that_it_is_closed(self, adapter: Adapter) -> None:
        deadline = monotonic() + self.patience / 2

        def work() -> str:
            try:
                while monotonic() < deadline:
                    accepted(adapter, an_append("Order-1"))
                    adapter.read_all(Page(5), ANYTHING)
                    adapter.head(WHOLE.limit, 0)
            except StoreClosedError:
                return "closed"
            return "open"

        def close() -> str:
            adapter.head(2, self.patience / 4)
            adapter.close()
            return "closed"

        assert together([work, work, work, close], self.patience) == ["closed"] * 4


class LifeClauses(InitializeClauses, OpenAndCloseClauses, SharingClauses, ErrorClauses):
    """Chapter "Living"."""
