"""The parts of asynchronous objects that synchronous ones have in another form; the rest is written from those."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evstore.aio.running import Wrapper
from evstore.errors import MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType
    from typing import Self, TypeVar

    from evstore.aio.ways import Runner
    from evstore.port import Adapter
    from evstore.store import EventStore

    T = TypeVar("T")


def runner_for(adapter: Adapter) -> Runner:
    """The way in which this adapter works for asyncio. Raises MissingDependencyError."""
    if not adapter.capabilities.native_asyncio:
        from evstore.aio.threads import ThreadRunner

        return ThreadRunner()
    try:
        from evstore.aio.tasks import LoopRunner
    except ImportError as error:
        raise MissingDependencyError(
            f"evstore.aio on {adapter.capabilities.name} needs greenlet; pip install 'evstore[aio]' installs it"
        ) from error
    return LoopRunner()


class EventStoreBase(Wrapper):
    """The life of a store."""

    def __init__(self, store: EventStore) -> None:
        self._sync = store
        self._runner = runner_for(store._adapter)  # noqa: SLF001 - the public store shows no adapter

    @classmethod
    def around(cls, store: EventStore) -> Self:
        """The asynchronous store of a synchronous one, which nothing else uses."""
        made = cls.__new__(cls)
        EventStoreBase.__init__(made, store)
        return made

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Free all resources and end subscriptions. Closing twice is fine."""
        await self._runner.close(self._sync.close)


class Rows:
    """The rows of a statement, all of them in memory."""

    def __init__(self, cursor: Any) -> None:
        self.description: Any = cursor.description
        """The columns, as the driver describes them; None for a statement without rows."""
        self.rowcount: int = cursor.rowcount
        """The number of rows that the statement found or changed, as the driver counts."""
        self._rows: Sequence[Any] = cursor.fetchall() if cursor.description else ()
        self._left = iter(self._rows)

    def __iter__(self) -> Iterator[Any]:
        return self._left

    def fetchone(self) -> Any:
        """The next row, None after the last one."""
        return next(self._left, None)

    def fetchall(self) -> list[Any]:
        """The rows that are left."""
        return [*self._left]


class TransactionBase(Wrapper):
    """The tables of an application in the transaction of a handler."""

    async def execute(self, statement: str, parameters: Any = ()) -> Rows:
        """Run a statement of the database, with the driver's placeholders, and return its rows."""
        return await self._runner.run(lambda: Rows(self._sync.execute(statement, parameters)))

    async def connection(self, function: Callable[[Any], T]) -> T:
        """The result of a plain function that gets the driver's connection, in a transaction that evstore ends."""
        return await self._runner.run(lambda: function(self._sync.connection))
