"""Consumer: a subscription with a name, a checkpoint, and one process at a time at work."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, overload

from evstore.consumers.cursors import Cursors, HeldCursors
from evstore.consumers.delivery import Failed, Policy, Stopped
from evstore.consumers.effects import Mode, plain, reacting, transactional
from evstore.consumers.running import Run
from evstore.consumers.stopping import Stopping
from evstore.errors import ConsumerHeldError, InvalidInputError, StoreClosedError
from evstore.reading.following import Patience, follow_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from types import TracebackType
    from typing import Literal, Self, TypedDict, Unpack

    from evstore.appending.appender import Appender
    from evstore.consumers.delivery import Effect
    from evstore.consumers.effects import Reaction
    from evstore.consumers.elsewhere import SqliteCheckpoint
    from evstore.consumers.joining import Joining
    from evstore.consumers.transactions import Nesting, Transaction
    from evstore.errors import EvstoreError
    from evstore.model.consumers import Parked
    from evstore.model.events import NewWrite, StoredEvent
    from evstore.port import Adapter

    class HandlerOptions(TypedDict, total=False):
        """Those of `Consumer.run` for every kind of handler."""

        retries: int
        backoff: float
        on_failure: str
        timeout: float | None
        deadline: float | None
        on_retry: Callable[[Exception, int, float], None] | None
        on_park: Callable[[Parked], None] | None
        on_wait: Callable[[EvstoreError], None] | None
        on_idle: Callable[[], None] | None


STOP: Final = "stop"
PARK: Final = "park"


class Consumer:
    """A consumer of a store. `EventStore.consumer` makes it; a context manager holds it for its block.

    Delivery is at least once: the checkpoint moves only after the handler returned. One process at a time works
    for a name, or for each slot of it.
    """

    def __init__(self, adapter: Adapter, appender: Appender, nesting: Nesting, joining: Joining) -> None:
        self._adapter = adapter
        self._appender = appender
        self._nesting = nesting
        self._joining = joining
        self._entered = 0
        self._stopping = Stopping()
        self._run: Run | None = None

    @property
    def name(self) -> str:
        """The name under which its checkpoint is kept."""
        return self._joining.name

    @property
    def files(self) -> Sequence[int]:
        """Open files that a command must inherit so that the hold lasts as long as the command runs."""
        return self._joining.hold.files if self._joining.hold else ()

    @property
    def reached(self) -> int:
        """The position up to which the last run has handled, parked or passed over everything."""
        return self._run.cursors.lowest if self._run else 0

    @property
    def handled(self) -> int:
        """The number of events that the last run has handled so far."""
        return self._run.handled if self._run else 0

    def __enter__(self) -> Self:
        """Hold the consumer. Raises ConsumerHeldError if another process does."""
        if not self._entered:
            self._joining.join()
        self._entered += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered -= 1
        if not self._entered:
            self._joining.leave()

    def stop(self) -> None:
        """Let `run` return after the batch in hand, also from another thread or a signal handler.

        This object stays stopped; another one of the same name goes on.
        """
        self._stopping.set()

    @overload
    def run(
        self,
        handler: Callable[[list[StoredEvent]], object],
        batch_size: int = 1,
        *,
        transactional: Literal[False] = False,
        appends: Literal[False] = False,
        checkpoint: SqliteCheckpoint | None = None,
        once: bool = False,
        **options: Unpack[HandlerOptions],
    ) -> int: ...

    @overload
    def run(
        self,
        handler: Callable[[list[StoredEvent], Transaction], object],
        batch_size: int = 1,
        *,
        transactional: Literal[True],
        once: bool = False,
        **options: Unpack[HandlerOptions],
    ) -> int: ...

    @overload
    def run(
        self,
        handler: Callable[[list[StoredEvent]], Reaction | Iterable[NewWrite] | None],
        batch_size: int = 1,
        *,
        appends: bool,
        once: bool = False,
        **options: Unpack[HandlerOptions],
    ) -> int: ...

    @overload
    def run(
        self,
        handler: Callable[..., Any],
        batch_size: int = 1,
        *,
        transactional: bool,
        appends: bool,
        checkpoint: SqliteCheckpoint | None,
        once: bool = False,
        **options: Unpack[HandlerOptions],
    ) -> int: ...

    def run(
        self,
        handler: Callable[..., Any],
        batch_size: int = 1,
        *,
        transactional: bool = False,
        appends: bool = False,
        once: bool = False,
        checkpoint: SqliteCheckpoint | None = None,
        retries: int = 0,
        backoff: float = 1.0,
        on_failure: str = "stop",
        timeout: float | None = None,
        deadline: float | None = None,
        on_retry: Callable[[Exception, int, float], None] | None = None,
        on_park: Callable[[Parked], None] | None = None,
        on_wait: Callable[[EvstoreError], None] | None = None,
        on_idle: Callable[[], None] | None = None,
    ) -> int:
        """Hand each event after the checkpoint to the handler, and return the number of those that it handled.

        `handler(events)` gets a list of 1 to `batch_size` events; with `transactional`, `handler(events, tx)`:
        what it writes through the Transaction commits with the checkpoint, exactly once. With a `checkpoint`, the
        same goes for what it writes through that connection. With `appends` the handler returns the writes, or a
        Reaction, that are appended with the checkpoint.

        A handler that raises is called again, `retries` times, after `backoff` seconds and longer ones. Then its
        exception leaves `run`; or, with `on_failure="park"`, the event is parked, and holds back the later events
        of its stream alone. `on_retry` gets the exception, the tries that are left and the seconds until the next;
        `on_park` gets what is parked.

        Ends with `stop`, when the store is closed, where the log ended at the start if `once`, after `timeout`
        seconds without an event, or at the `time.monotonic()` of `deadline`. Raises ConsumerHeldError if another
        process took over, LogDivergedError if the log does not have the event of the checkpoint.
        """
        _check(batch_size, retries, backoff, on_failure)
        mode = Mode(transactional, appends, checkpoint is not None)
        mode.check(parks=on_failure == PARK)
        mode.check_claimed(self._adapter.capabilities)
        reports = (on_retry or (lambda *_: None), on_park or (lambda _: None))
        policy = Policy(retries, backoff, on_failure == PARK, *reports)
        patience = Patience(
            0 if once else timeout, deadline, on_wait or (lambda _: None), on_idle or (lambda: None)
        )
        with self:
            hold = self._joining.hold
            assert hold is not None
            run = Run(self._adapter, self._joining, hold, self._stopping, batch_size, once=once)
            take_up = partial(checkpoint.take_up, self.name, self._adapter, run.cursors) if checkpoint else None
            run.prepare(self._effect(handler, run.cursors, checkpoint, mode), policy, patience, take_up)
            self._run = run
            with _as_raised(self._adapter):
                run.all()
            return run.handled

    def peek(self, *, once: bool = False, on_idle: Callable[[], None] | None = None) -> Iterator[StoredEvent]:
        """The events that `run` would hand on, those to come as well unless `once`. Nothing is held or moved."""
        record = self._joining.compared()
        checkpoints = record.checkpoints if record else (self._joining.first_checkpoint(),)
        cursors = Cursors(checkpoints, self._joining.slots(is_divided=len(checkpoints) > 1))
        where = self._joining.interest.filter()
        held_back = {each.stream_id for each in self._joining.consumers.parked(self.name)}
        patience = Patience(0 if once else None, on_idle=on_idle or (lambda: None))
        with _as_raised(self._adapter):
            for events, _ in follow_log(self._adapter, where, cursors.lowest, patience):
                yield from (each for each in cursors.wanted(events) if each.stream_id not in held_back)

    def _effect(
        self, handler: Callable[..., Any], cursors: HeldCursors, checkpoint: SqliteCheckpoint | None, mode: Mode
    ) -> Effect:
        if checkpoint is not None:
            return checkpoint.effect(self.name, handler, cursors)
        if mode.appends:
            return reacting(handler, cursors, self._appender)
        if mode.transactional:
            return transactional(handler, cursors, self._appender, self._nesting)
        return plain(handler, cursors)


@contextmanager
def _as_raised(adapter: Adapter) -> Iterator[None]:
    """End quietly after a stop and with a closed store; let a handler's exception out as it was raised."""
    try:
        yield
    except Stopped:
        pass
    except StoreClosedError as error:
        if error.forked:
            raise
    except ConsumerHeldError:
        with suppress(StoreClosedError):  # with which the hold ends, too
            adapter.head(-1, 0)
            raise
    except Failed as failed:
        raise failed.cause  # noqa: B904 - as the handler raised it


def _check(batch_size: int, retries: int, backoff: float, on_failure: str) -> None:
    if batch_size < 1:
        raise InvalidInputError(f"the batch size is {batch_size}, at least 1 is allowed")
    if retries < 0 or backoff < 0:
        raise InvalidInputError("retries and the seconds before them are not negative")
    if on_failure not in (STOP, PARK):
        raise InvalidInputError(f'after a failure a consumer can "{STOP}" or "{PARK}", not "{on_failure}"')
