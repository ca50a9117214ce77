"""Projections: read models whose tables lie in the store's database, and change with a checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from evstore.application.converting import about
from evstore.application.handlers import handling_of
from evstore.application.types import type_of
from evstore.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from evstore.application.converting import Converter
    from evstore.application.handlers import Handler, Handling
    from evstore.consumers.builds import Build
    from evstore.consumers.transactions import Transaction
    from evstore.model.events import StoredEvent


class Projection:
    """A read model that keeps itself: a name, tables, and a method marked with `when` for each event type.

    A method is `(self, event, stored, tx)`, or `(self, event, tx)`; with `@when("OrderPlaced")` the event comes as
    StoredEvent. What it writes through `tx` commits with the checkpoint. A redacted event reaches only methods
    that take it as it is stored.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    """Raise it whenever the tables, the event types, or what a method makes of an event change."""
    categories: ClassVar[Iterable[str] | None] = None
    """The categories of its events; None: all."""

    def create(self, tx: ProjectionTransaction) -> None:
        """Make the tables, by the names that `tx.table` gives."""


class ProjectionTransaction:
    """The transaction of a projection's tables, which evstore commits together with the checkpoint.

    It appends nothing: a projection that is built again would append again.
    """

    def __init__(
        self, connection: Any, build: Build, schema: str, tables: list[str], *, creates: bool = False
    ) -> None:
        self.connection = connection
        """The driver's connection."""
        self.execute: Callable[..., Any] = connection.execute
        """Run a statement of the database, with the driver's placeholders, and return the driver's cursor."""
        self._build = build
        self._schema = f'"{schema.replace(chr(34), chr(34) * 2)}".' if schema else ""
        self._tables = tables
        self._creates = creates
        self._names: dict[str, str] = {}

    def table(self, name: str) -> str:
        """The quoted name of a table in this version. Readers use the view with the plain name.

        Raises InvalidInputError if `create` has not asked for it.
        """
        found = self._names.get(name)
        return found if found is not None else self._named(name)

    def _named(self, name: str) -> str:
        quoted = f'"{self._build.named(name)}"'
        if name not in self._tables:
            if not self._creates:
                known = ", ".join(self._tables) or "none"
                raise InvalidInputError(f'create() made no table "{name}"; it asked for {known}')
            self._tables.append(name)
        self._names[name] = self._schema + quoted
        return self._names[name]

    def index(self, name: str) -> str:
        """The quoted name of an index in this version."""
        return f'"{self._build.named(name)}"'


class Methods:
    """The methods of a projection by the events that they take."""

    def __init__(self, projection: Projection, handlers: Mapping[str, Handler], converter: Converter) -> None:
        self.names = {event_type: handler.method for event_type, handler in handlers.items()}
        """The names of the methods by event type."""
        self._as_stored: dict[str, tuple[str, Handling]] = {}
        self._of_class: dict[type, tuple[str, Handling]] = {}
        for event_type, handler in handlers.items():
            method = handler.method, handling_of(getattr(projection, handler.method), handler.parameters)
            if handler.event_class is None:
                self._as_stored[event_type] = method
            else:
                self._of_class[handler.event_class] = method
        self._decode = converter.decoding({type_of(cls).name: cls for cls in self._of_class})

    def taking(self, stored: StoredEvent) -> Iterator[tuple[str, Handling, Any]]:
        """The name of each method for a stored event, the method, and what it takes."""
        if stored.type in self._as_stored:
            yield *self._as_stored[stored.type], stored
        elif not stored.redacted:
            for event in self._decode(stored):
                if type(event) in self._of_class:
                    yield *self._of_class[type(event)], event


def handler_of(methods: Methods, build: Build) -> Callable[[Sequence[StoredEvent], Transaction], None]:
    """A transactional handler of a consumer that hands each event to its methods, decoded once."""
    assert build.facts is not None
    schema, tables = build.facts.schema, [*build.facts.tables]

    def handle(events: Sequence[StoredEvent], tx: Transaction) -> None:
        its = ProjectionTransaction(tx.connection, build, schema, tables)
        for stored in events:
            name = methods.names.get(stored.type, "decoding")
            try:
                for name, method, event in methods.taking(stored):  # noqa: B007 - the note tells it
                    method(event, stored, its)
            except Exception as error:
                error.add_note(f"{_named(build)}: {name} failed on {about(stored)}")
                raise

    return handle


def create(projection: Projection, connection: Any, build: Build, schema: str, tables: list[str]) -> None:
    """Let a projection make its tables, and note the names of their views."""
    try:
        projection.create(ProjectionTransaction(connection, build, schema, tables, creates=True))
    except Exception as error:
        error.add_note(f"{_named(build)}: create failed; tx.table(NAME) names a table of this version")
        raise


def _named(build: Build) -> str:
    return f'projection "{build.projection}" version {build.version}'
