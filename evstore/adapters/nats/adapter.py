"""The NATS JetStream adapter: a stream of a cluster, with many clients.

An append is one atomic batch of two messages for each event: the event at sequence 2p - 1, on the subject of its
stream, and its id at 2p. Guards on these exact subjects make the leader refuse what an older state judged.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

from evstore.adapters.living import check_open
from evstore.adapters.nats import info as facts
from evstore.adapters.nats import layout
from evstore.adapters.nats.errors import (
    NO_STREAM,
    AnsweredError,
    EndedError,
    ForbiddenError,
    NoAnswerError,
    NotReachedError,
    meant,
)
from evstore.adapters.nats.limits import USUAL, asked
from evstore.adapters.nats.loops import Loops
from evstore.adapters.nats.parts import Parts
from evstore.adapters.nats.writing import shareable
from evstore.errors import EvstoreError, NotInitializedError, StoreClosedError, UnsupportedError
from evstore.port import PLAIN, Capabilities

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from evstore.adapters.nats.consumers import NatsConsumers
    from evstore.adapters.nats.location import Location
    from evstore.model.events import StoredEvent
    from evstore.model.facts import CategoryInfo, LockWait, SourceInfo, StoreInfo, StreamInfo, TagInfo, TypeInfo
    from evstore.model.filters import Filter
    from evstore.port import Append, Audits, Consumers, Initialization, Limits, NamePage, Outcome, Page, Snapshots

T = TypeVar("T")

CAPABILITIES: Final = Capabilities(
    name="NATS JetStream",
    durable=True,
    how_durable=facts.HOW_DURABLE,
    multi_process=True,
    has_consumers=True,
    has_audits=True,
    has_snapshots=True,
    native_asyncio=True,
    has_limits=True,
)


class NatsAdapter:
    files: Sequence[str] = ()
    notes: Sequence[str] = ()
    on_wait: Callable[[LockWait], None] | None = None
    capabilities = CAPABILITIES

    def __init__(self, location: Location, timeout: float) -> None:
        self.location = location.shown
        self._location = location
        self._loops = Loops(lambda: Parts.made(location, timeout))
        self._limits: Limits | None = None
        self._consumers: NatsConsumers | None = None
        self._closed = False
        self._pid = os.getpid()

    def __repr__(self) -> str:
        return f"NatsAdapter({self.location})"

    def limits(self) -> Limits:
        """The servers are asked once; without a store, or an answer, the limits are the usual ones."""
        if self._limits is None:
            try:
                self._limits = self._tried(lambda parts: asked(parts.session.client, self._location.name))
            except EvstoreError:
                self._limits = USUAL
        return self._limits

    # --- living ---

    def initialize(self, _wanted: Initialization = PLAIN) -> None:
        self._tried(lambda parts: layout.initialize(parts.session.client, self._location))

    def close(self) -> None:
        was_open, self._closed = not self._closed, True  # first: whoever loses a hold sees why
        if was_open and self._pid == os.getpid():
            if self._consumers is not None:
                self._consumers.end(self._answered)
            self._loops.end()

    def _tried(self, work: Callable[[Parts], Awaitable[T]]) -> T:
        """The answer of a coroutine, whether or not there is a store."""
        check_open(self._closed, self._pid)
        return self._answered(work)

    def _answered(self, work: Callable[[Parts], Awaitable[T]]) -> T:
        return self._meant(lambda: self._loops.call(work))

    def _meant(self, call: Callable[[], T]) -> T:
        """The result of a call, or an error of evstore."""
        try:
            return call()
        except EndedError:
            raise StoreClosedError from None
        except AnsweredError as error:
            if error.code == NO_STREAM:
                raise NotInitializedError(self.location) from error
            raise meant(error, self.location) from error
        except (NoAnswerError, NotReachedError, ForbiddenError) as error:
            raise meant(error, self.location) from error

    def _call(self, work: Callable[[Parts], Awaitable[T]]) -> T:
        """The answer of a coroutine, of a store that is there."""

        async def opened(parts: Parts) -> T:
            await parts.session.open()
            return await work(parts)

        return self._tried(opened)

    # --- writing ---

    def append(self, units: Sequence[Append], *, until_refused: bool = False) -> list[Outcome]:
        check_open(self._closed, self._pid)
        most = self.limits().unit_events or 1
        size = shareable(units, most)
        if size is not None:
            parts = self._loops.of_threads
            if parts is not None and parts.session.is_open:
                return [self._meant(lambda: parts.writing.sharing.outcome(units[0], size))]
        return self._call(lambda parts: parts.writing.append(units, until_refused, most))

    def redact(self, _ids: Sequence[str], _unit: Append, *, metadata: bool) -> NoReturn:  # noqa: ARG002 - the port's
        raise UnsupportedError("a store on NATS JetStream cannot redact: a stream changes none of its messages")

    # --- reading ---

    def read_stream(self, stream_id: str, page: Page, where: Filter) -> list[StoredEvent]:
        return self._call(lambda parts: parts.reading.read_stream(stream_id, page, where))

    def read_all(self, page: Page, where: Filter) -> list[StoredEvent]:
        return self._call(lambda parts: parts.reading.read_all(page, where))

    def count(self, low: int, high: int, where: Filter) -> int:
        return self._call(lambda parts: parts.reading.count(low, high, where))

    def digest(self, low: int, high: int) -> bytes:
        from evstore.port.digesting import digest_by_reading

        return digest_by_reading(self.read_all, low, high)

    def get(self, ids: Sequence[str]) -> list[StoredEvent]:
        return self._call(lambda parts: parts.reading.get(ids))

    def span(self, since_us: int | None, until_us: int | None) -> tuple[int, int] | None:
        return self._call(lambda parts: parts.reading.span(since_us, until_us))

    def head(self, beyond: int, timeout: float) -> int:
        return self._call(lambda parts: parts.watch.head(beyond, timeout))

    # --- lists and facts ---

    def stream(self, stream_id: str) -> StreamInfo | None:
        return self._call(lambda parts: parts.lists.stream(stream_id))

    def streams(self, page: NamePage, category: str | None) -> list[StreamInfo]:
        return self._call(lambda parts: parts.lists.streams(page, category))

    def categories(self, page: NamePage) -> list[CategoryInfo]:
        return self._call(lambda parts: parts.lists.categories(page))

    def types(self, page: NamePage, category: str | None) -> list[TypeInfo]:
        return self._call(lambda parts: parts.lists.types(page, category))

    def tags(self, page: NamePage) -> list[TagInfo]:
        return self._call(lambda parts: parts.lists.tags(page))

    def sources(self, page: NamePage) -> list[SourceInfo]:
        from evstore.adapters.memory_lists import names_of

        async def listed(parts: Parts) -> list[SourceInfo]:
            found = await parts.sources.up_to(await parts.session.end())
            return [found[name] for name in names_of(found, page)]

        return self._call(listed)

    def consumers(self) -> Consumers:
        from evstore.adapters.nats.consumers import NatsConsumers

        self._call(_nothing)
        if self._consumers is None:
            self._consumers = NatsConsumers(self._call)
        return self._consumers

    def snapshots(self) -> Snapshots:
        from evstore.adapters.nats.snapshots import NatsSnapshots

        self._call(_nothing)
        return NatsSnapshots(self._call)

    def info(self) -> StoreInfo:
        found = self.limits()
        limits = {"maxUnitEvents": str(found.unit_events), "maxDataBytes": str(found.data_bytes)}
        return self._call(lambda parts: facts.info(parts.session, parts.lists, limits))

    def audits(self) -> Audits:
        from evstore.adapters.nats.audit import NatsAudits

        self._call(_nothing)
        return NatsAudits(self._location.name, self._call)

    def backup(self, path: str, _force: bool) -> NoReturn:
        raise UnsupportedError(
            f"the servers back up a store on NATS JetStream: nats stream backup {self._location.name} {path}; "
            "evstore export writes its events to a file"
        )


async def _nothing(_parts: Parts) -> None:
    """Make sure that there is a store."""
