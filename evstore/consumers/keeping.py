"""The work for one build of a projection: its tables are made, filled, and shown once they have caught up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from evstore.consumers.builds import Facts, shown
from evstore.consumers.consumer import Consumer
from evstore.consumers.delivery import Failed, called
from evstore.consumers.joining import Joining
from evstore.consumers.projections import create, handler_of
from evstore.errors import ConsumerFilterError, ConsumerHeldError, IncompleteLogError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evstore.appending.appender import Appender
    from evstore.consumers.builds import Build, Builds
    from evstore.consumers.consumer import HandlerOptions
    from evstore.consumers.projections import Methods, Projection
    from evstore.consumers.transactions import Nesting
    from evstore.model.consumers import Interest
    from evstore.port import Adapter, Consumers, Hold

    class ProjectionOptions(HandlerOptions, total=False):
        """Those of `Consumer.run` that a projection takes."""

        batch_size: int


BATCH_SIZE: Final = 1000
LOOK_SECONDS: Final = 1.0
"""Another build in the views is noticed so soon."""
CLEAN_SECONDS: Final = 60.0
"""The pause after tables could not be removed, because they are read."""


class MovedError(Exception):
    """The views show another build instead of this one, of this version."""

    def __init__(self, version: int) -> None:
        super().__init__(version)
        self.version = version


class Keeping:
    """The work for one build. `is_rebuild`: it is shown whatever version the views show."""

    def __init__(
        self,
        adapter: Adapter,
        consumers: Consumers,
        builds: Builds,
        interest: Interest,
        build: Build,
        *,
        is_rebuild: bool = False,
    ) -> None:
        self._adapter = adapter
        self._consumers = consumers
        self._builds = builds
        self._joining = Joining(adapter, consumers, build.consumer, interest)
        self._build = build
        self._is_rebuild = is_rebuild
        self._is_shown = False
        self._goal: int | None = None
        """The head of the log at the last look."""
        self._looked = 0.0
        self._clean_after = 0.0

    def consumer(self, appender: Appender, nesting: Nesting) -> Consumer:
        """The consumer that works for the build."""
        self._nesting = nesting
        self._consumer = Consumer(self._adapter, appender, nesting, self._joining)
        return self._consumer

    def run(
        self, projection: Projection, methods: Methods, options: ProjectionOptions, *, once: bool = False
    ) -> int:
        """Fill the tables, and return the number of events. Raises MovedError."""
        self._on_idle = options.get("on_idle") or (lambda: None)
        given: ProjectionOptions = {"batch_size": BATCH_SIZE, **options, "on_idle": self._look}
        try:
            with self._consumer:
                self._make(projection, self._hold)
                handler = handler_of(methods, self._build)
                handled = 0
                while True:
                    head = self._adapter.head(-1, 0)
                    handled += self._consumer.run(handler, transactional=True, once=once, **given)
                    if not once or self._is_shown or self._consumer.reached < head or self._show():
                        return handled
        except ConsumerFilterError as error:
            error.add_note("a projection for other events is another one: raise its version")
            raise

    @property
    def _hold(self) -> Hold:
        assert self._joining.hold is not None
        return self._joining.hold

    def _make(self, projection: Projection, hold: Hold) -> None:
        """Make the tables unless they are there."""
        there = self._found()
        if there.facts is not None and self._is_rebuild:  # another process has begun with it meanwhile
            raise ConsumerHeldError(there.consumer)
        if there.facts is None:
            try:
                with self._consumers.step(hold) as step:
                    schema = step.tables.schema()
                    tables: list[str] = []
                    with self._nesting.entered():
                        called(create, projection, step.connection, there, schema, tables)
                    for table in tables:
                        self._builds.check_free(step, schema, table)
                    self._builds.make(step, Facts(schema, tuple(tables)))
            except Failed as failed:
                raise failed.cause  # noqa: B904 - as create raised it
            there = self._found()
        self._build = there
        self._is_shown = shown(self._builds.all()) == there

    def _found(self) -> Build:
        found = self._builds.find(self._build)
        assert found is not None
        return found

    def _look(self) -> None:
        """Between two pages: show the build if it has caught up, and see if another one is shown instead."""
        self._on_idle()
        try:
            if not self._is_shown:
                self._show_if_caught_up()
            if time.monotonic() - self._looked >= LOOK_SECONDS:
                self._looked = time.monotonic()
                self._check_shown()
        except UnavailableError as error:
            if not error.retryable:
                raise
        except IncompleteLogError:
            pass  # who follows the log waits, and reports it

    def _show_if_caught_up(self) -> None:
        goal, self._goal = self._goal, self._adapter.head(-1, 0)
        reached = self._consumer.reached
        # While others append without a pause the head is never reached; what was the head a page ago is.
        if reached >= self._goal or (goal is not None and reached >= goal):
            self._show()

    def _show(self) -> bool:
        """Let the views show the build. False if what they show now has come further."""
        self._is_shown = self._builds.show(self._hold, self._build, self._consumer.reached)
        if self._is_shown:
            self._clean()
        return self._is_shown

    def _check_shown(self) -> None:
        there = self._builds.all()
        live = shown(there)
        if live is None or live.consumer == self._build.consumer:
            self._clean(there)
        elif self._is_shown or (live.version > self._build.version and not self._is_rebuild):
            raise MovedError(live.version)

    def _clean(self, there: Sequence[Build] = ()) -> None:
        """Remove the tables that this build replaces, later if somebody reads them for long."""
        if time.monotonic() < self._clean_after:
            return
        try:
            self._builds.clean(there)
        except UnavailableError:
            self._clean_after = time.monotonic() + CLEAN_SECONDS
