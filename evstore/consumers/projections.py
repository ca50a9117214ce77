"""Projections: read models whose tables lie in the store's database, and change with a checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from evstore.application.codec import JSON, decoder_of
from evstore.application.handlers import caller_of
from evstore.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from evstore.application.handlers import Handler
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


def handler_of(
    projection: Projection, handlers: Mapping[str, Handler], build: Build
) -> Callable[[Sequence[StoredEvent], Transaction], None]:
    """A transactional handler of a consumer that hands each event to its method, decoded once."""
    assert build.facts is not None
    schema, tables = build.facts.schema, [*build.facts.tables]
    calls: dict[str, Callable[..., object]] = {}
    of_redacted: dict[str, Callable[..., object]] = {}
    for event_type, handler in handlers.items():
        cls = handler.event_class
        decode: Callable[[StoredEvent], Any] | None = decoder_of(JSON, cls) if cls else None
        calls[event_type] = caller_of(getattr(projection, handler.method), handler.parameters, decode)
        if decode is None:
            of_redacted[event_type] = calls[event_type]

    def handle(events: Sequence[StoredEvent], tx: Transaction) -> None:
        its = ProjectionTransaction(tx.connection, build, schema, tables)
        for stored in events:
            call = (of_redacted if stored.redacted else calls).get(stored.type)
            if call is not None:
                try:
                    call(stored, its)
                except Exception as error:
                    error.add_note(f"{_named(build)}: {handlers[stored.type].method} failed on {_about(stored)}")
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


def _about(stored: StoredEvent) -> str:
    return (
        f"the event at position {stored.global_position}: {stored.type} {stored.id}, "
        f'version {stored.version} of stream "{stored.stream_id}"'
    )
