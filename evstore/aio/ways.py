"""The shapes of what runs synchronous code for tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol, TypeVar

    T = TypeVar("T")

    class Inside(Protocol):
        """The place where a handler's transaction is."""

        async def run(self, function: Callable[[], T]) -> T:
            """The result of synchronous code there."""

    class Runner(Inside, Protocol):
        """Runs the calls of a store."""

        @property
        def threads(self) -> Runner:
            """The runner for what takes long, and would keep the loop from other tasks."""

        async def run_long(self, function: Callable[[], T]) -> T:
            """The result of synchronous code that waits for long."""

        async def close(self, close: Callable[[], None]) -> None:
            """Close the store by this function, and free what runs its calls."""
