"""The ways of the asynchronous store to the synchronous one: calls, iterations, and calls back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from evstore import blocking
from evstore.reading.pages import Paged

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
    from typing import Self, TypeVar

    from evstore.aio.ways import Runner

    T = TypeVar("T")
    D = TypeVar("D", bound=Mapping[str, Any])


class Wrapper:
    """An asynchronous object around a synchronous one."""

    _sync: Any
    _runner: Runner

    @classmethod
    def of(cls, sync: Any, runner: Runner) -> Self:
        """The object around this one; for use inside evstore."""
        made = cls.__new__(cls)
        made._sync, made._runner = sync, runner  # noqa: SLF001 - its own
        return made


async def iterate(
    run: Callable[[Callable[[], Any]], Awaitable[Any]], begin: Callable[[], Iterator[T]]
) -> AsyncGenerator[T, None]:
    """The values of a synchronous iterator, page by page if it has pages. Between two, nothing is held."""
    values = await run(begin)
    pages = values.pages if isinstance(values, Paged) else ([each] for each in values)
    while (page := await run(lambda: next(pages, None))) is not None:
        for each in page:
            yield each


def callback(function: Callable[..., object] | None, transaction: type[Wrapper] | None = None) -> Any:
    """An application's function as synchronous code calls it: on the loop, and awaited if it is awaitable.

    It gets a `transaction`, if it is called with one, as an object of this class.
    """
    if function is None:
        return None
    wanted = function

    def call(*given: Any) -> Any:
        runner: Any = blocking.current()
        if runner is None:
            return wanted(*given)
        if transaction is None or len(given) == 1:
            return runner.called(lambda _: wanted(*given))
        events, tx = given
        return runner.called(lambda inside: wanted(events, transaction.of(tx, cast("Runner", inside))))

    return call


def with_callbacks(options: D) -> D:
    """The options, with the functions among them as `callback` gives them."""
    return cast("D", {name: callback(each) if name.startswith("on_") else each for name, each in options.items()})
