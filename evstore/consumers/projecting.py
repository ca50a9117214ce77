"""ProjectionRunner: a projection is kept, built anew, and looked at."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from evstore.application.handlers import handlers_of
from evstore.consumers.builds import Build, Builds, check_identity, shown
from evstore.consumers.keeping import Keeping, MovedError
from evstore.consumers.kept import consumers_of
from evstore.consumers.overview import ConsumerList
from evstore.consumers.projections import Methods, Projection
from evstore.consumers.stopping import Stopping
from evstore.errors import ConsumerHeldError, InvalidInputError, UnsupportedError
from evstore.model.consumers import Interest
from evstore.model.names import check_name

if TYPE_CHECKING:
    from typing import Unpack

    from evstore.appending.appender import Appender
    from evstore.application.converting import Converter
    from evstore.consumers.consumer import Consumer
    from evstore.consumers.keeping import ProjectionOptions
    from evstore.consumers.transactions import Nesting
    from evstore.port import Adapter

State: TypeAlias = Literal["absent", "building", "live", "outdated"]

HAND_OVER_SECONDS: Final = 10.0
"""The longest wait for a build that another process has made to be free."""
PAUSE: Final = 0.05


class ProjectionStatus(NamedTuple):
    """A projection as this version of its class sees it."""

    name: str
    version: int
    state: State
    """`building`: the views do not show it yet. `outdated`: they show another version since."""
    position: int
    """The global position up to which its tables are made."""
    lag: int
    """Events after it that are for the projection."""
    lag_seconds: float
    """The age of the first of them."""
    parked: int
    holder: str | None
    """The process that works for it."""
    live_version: int | None
    """The version that the views show."""
    consumer: str | None
    """The name under which its checkpoint is kept."""


class ProjectionRunner:
    """Keeps a projection. `EventStore.projection` makes it."""

    name: str
    """The name of the projection."""
    version: int
    """The version of its class."""

    def __init__(
        self,
        adapter: Adapter,
        appender: Appender,
        nesting: Nesting,
        projection: type[Projection],
        converter: Converter,
    ) -> None:
        if not (isinstance(projection, type) and issubclass(projection, Projection)):
            raise InvalidInputError(f"a projection is a subclass of evstore.Projection, not {projection!r}")
        if not adapter.capabilities.has_transactions:
            raise UnsupportedError(f"a store of {adapter.capabilities.name} has no tables for a projection")
        check_identity(getattr(projection, "name", None), projection.version)
        self.name, self.version = projection.name, projection.version
        self._adapter = adapter
        self._appender = appender
        self._nesting = nesting
        self._class = projection
        self._handlers = handlers_of(projection)
        if not self._handlers:
            raise InvalidInputError(f"{projection.__qualname__} handles no event: @evstore.when marks its methods")
        self._converter = converter
        self._interest = Interest.of(_categories(projection), sorted(converter.sources_of(self._handlers)))
        self._consumers = consumers_of(adapter)
        self._builds = Builds(self._consumers, self.name, self._interest)
        self._stopping = Stopping()
        self._consumer: Consumer | None = None

    def stop(self) -> None:
        """Let `run` return after the batch in hand, also from another thread or a signal handler."""
        self._stopping.set()
        if self._consumer is not None:
            self._consumer.stop()

    def run(self, *, once: bool = False, **options: Unpack[ProjectionOptions]) -> int:
        """Handle the events after the checkpoint, then those to come, and return their number.

        A version that is new here is built beside the one that the views show, and shown once it has caught up;
        then the tables of the earlier one are removed. With `once` it ends where the log ended. `batch_size` is
        the most events of a transaction, 1000 if it is not given; `retries`, `backoff`, `on_failure`, `timeout`,
        `deadline`, `on_retry`, `on_wait` and `on_idle` are as in `Consumer.run`.

        What a method raises leaves `run`, with a note that names the event. Raises ConsumerHeldError if another
        process works for this version, InvalidInputError if the views show a later one.
        """
        handled, patient_until = 0, 0.0
        while not self._stopping.is_set():
            keeping = self._keeping(self._builds.to_keep(self.version))
            try:
                return handled + self._run(keeping, options, once=once)
            except MovedError as moved:
                handled += self._consumer.handled if self._consumer else 0
                patient_until = time.monotonic() + HAND_OVER_SECONDS
                self._builds.clean()
                if moved.version < self.version:
                    raise InvalidInputError(
                        f'projection "{self.name}" went back from version {self.version} to {moved.version}'
                    ) from None
            except ConsumerHeldError:
                if time.monotonic() >= patient_until:
                    raise
                self._stopping.wait(PAUSE)
        return handled

    def rebuild(self, **options: Unpack[ProjectionOptions]) -> int:
        """Build the projection anew beside the present one, show it, and return the number of events.

        It goes back to an older version, too. Options are as in `run`. Raises ConsumerHeldError if another process
        builds this version.
        """
        build = self._builds.new(self.version)
        return self._run(self._keeping(build, is_rebuild=True), options, once=True)

    def status(self) -> ProjectionStatus:
        """The position that it has come to, and the version that the views show."""
        there = self._builds.all()
        live = shown(there)
        own = [each for each in there if each.version == self.version]
        build = live if live in own else max(own, key=lambda each: each.number, default=None)
        version = live.version if live else None
        if build is None:
            lag = self._adapter.count(1, self._adapter.head(-1, 0), self._interest.filter())
            return ProjectionStatus(self.name, self.version, "absent", 0, lag, 0.0, 0, None, version, None)
        state: State = "live" if build == live else "outdated" if build.turn else "building"
        info = ConsumerList(self._adapter).get(build.consumer)
        holder = next(iter(info.holders.values()), None)
        how_far = (info.global_position, info.lag, info.lag_seconds, info.parked)
        return ProjectionStatus(self.name, self.version, state, *how_far, holder, version, build.consumer)

    def _keeping(self, build: Build, *, is_rebuild: bool = False) -> Keeping:
        parts = (self._adapter, self._consumers, self._builds, self._interest, build)
        keeping = Keeping(*parts, is_rebuild=is_rebuild)
        self._consumer = keeping.consumer(self._appender, self._nesting)
        if self._stopping.is_set():
            self._consumer.stop()
        return keeping

    def _run(self, keeping: Keeping, options: ProjectionOptions, *, once: bool) -> int:
        projection = self._class()
        methods = Methods(projection, self._handlers, self._converter)
        return keeping.run(projection, methods, options, once=once)


def _categories(projection: type[Projection]) -> list[str] | None:
    if projection.categories is None:
        return None
    if isinstance(projection.categories, str):
        raise InvalidInputError(
            f'categories come in a list, also when there is only one: ["{projection.categories}"]'
        )
    found = [*projection.categories]
    for each in found:
        check_name("category", each)
    return found
