"""The hooks that the author of an adapter supplies, and the fixtures of each test.

An adapter claims capabilities; a test that needs a capability which is not claimed is skipped, with the reason
that stands in `REASONS`. There is no other way to skip, so a test report explains every skip.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pytest

from evstore.port import limits_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from evstore.port import Adapter

# Fields of the adapter's `Capabilities`, and what its author alone knows.
DURABLE: Final = "durable"
MULTI_PROCESS: Final = "multi_process"
BORN_INITIALIZED: Final = "born_initialized"
AUDITS: Final = "has_audits"
BACKUP: Final = "can_backup"
CONSUMERS: Final = "has_consumers"
TRANSACTIONS: Final = "has_transactions"
STEPS_APPEND: Final = "steps_append"
SNAPSHOTS: Final = "has_snapshots"
MIGRATIONS: Final = "has_migrations"
CAN_REDACT: Final = "can_redact"
TAMPER_EVIDENT: Final = "tamper_evident"
LIMITS: Final = "has_limits"
JOIN: Final = "can_join"
RAW: Final = "reads_raw"
OCCUPIABLE: Final = "occupiable"
"""`occupy` can put something else where the store would be."""
LOSABLE: Final = "losable"
"""`lose` can take a name out of the store."""

REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        DURABLE: "not durable, and it says so: its events end with it",
        MULTI_PROCESS: "not multi_process, and it says so: its store has one adapter at a time",
        OCCUPIABLE: "its place cannot be occupied by something else, or its contract class does not define how",
        LOSABLE: "its names cannot be lost, or its contract class does not define how",
        BORN_INITIALIZED: "born initialized: there is no time before",
        AUDITS: "no audits, and it says so: it is verified by its reads",
        CONSUMERS: "keeps no consumers, and it says so: an application keeps its checkpoints itself",
        TRANSACTIONS: "has no tables of an application, and it says so",
        STEPS_APPEND: "stores no units in the step of a consumer, and it says so: a handler appends them before",
        SNAPSHOTS: "keeps no snapshots, and it says so: an object is loaded from all events of its stream",
        MIGRATIONS: "its stores are never migrated, and it says so",
        JOIN: "appends in no transaction of an application, and it says so",
        RAW: "gives no lines of the log, and it says so: they are made of its events",
        CAN_REDACT: "redacts no events, and it says so",
        TAMPER_EVIDENT: "keeps no digests, and it says so: only a digest noted elsewhere shows a change",
        LIMITS: "takes units up to a size, and it says so: the core refuses a larger one",
        BACKUP: "no backup, and it says so: something else copies its store",
    }
)


def claims(adapter: Adapter, capability: str) -> bool:
    """The value of this field of the adapter's capabilities."""
    return bool(adapter.capabilities._asdict()[capability])


class Harness:
    """The hooks of a contract class, and the fixtures that are made of them."""

    patience: ClassVar[float] = 20.0
    """Seconds to wait for what must happen soon; only a failing test, or a very slow store, needs them."""

    def open(self, tmp_path: Path) -> Adapter:
        """An adapter on a fresh place of its own for each `tmp_path`, without a store there yet."""
        raise NotImplementedError("a contract class says how to open its adapter")

    def reopen(self, tmp_path: Path) -> Adapter:
        """Another adapter on the same place, whatever is there by now. An adapter that claims neither `durable`
        nor `multi_process`, and whose place cannot be occupied, needs none."""
        raise NotImplementedError("a contract class says how to open another adapter on the same place")

    def connect(self, tmp_path: Path) -> Any:
        """A connection of the driver to the store at this place, in no transaction and not in autocommit mode, as
        DB-API has it. Not overridden where the adapter does not claim `can_join`."""
        raise NotImplementedError("a contract class of an adapter that can join says how an application connects")

    def occupy(self, tmp_path: Path) -> Callable[[], object]:
        """Put something that is no event store at the place; return a function that describes the content of the
        place. Not overridden where that is impossible."""
        raise NotImplementedError("a contract class of an adapter whose place can be occupied says how")

    def lose(self, tmp_path: Path, what: str, name: str) -> None:
        """Take the name of a "type" or a "stream" out of the store, past all that defends it; the events stay.
        Not overridden where that cannot be."""
        raise NotImplementedError("a contract class of an adapter whose names can be lost says how")

    def needs(self, adapter: Adapter, capability: str) -> None:
        """Skip the test unless the adapter claims this."""
        if not claims(adapter, capability):
            pytest.skip(REASONS[capability])

    def needs_no(self, adapter: Adapter, capability: str) -> None:
        """Skip the test if the adapter claims this."""
        if claims(adapter, capability):
            pytest.skip(REASONS[capability])

    def needs_room(self, adapter: Adapter, events: int) -> None:
        """Skip the test unless the adapter takes a unit of so many events."""
        most = limits_of(adapter).unit_events
        if most is not None and events > most:
            pytest.skip(REASONS[LIMITS])

    def needs_occupy(self) -> None:
        """Skip the test unless the contract class defines how its place is occupied."""
        if type(self).occupy is Harness.occupy:
            pytest.skip(REASONS[OCCUPIABLE])

    def needs_lose(self) -> None:
        """Skip the test unless the contract class defines how a name is lost."""
        if type(self).lose is Harness.lose:
            pytest.skip(REASONS[LOSABLE])

    @pytest.fixture
    def fresh(self, tmp_path: Path) -> Iterator[Adapter]:
        """An adapter on a place without a store (unless stores are born initialized)."""
        with closing(self.open(tmp_path)) as adapter:
            yield adapter

    @pytest.fixture
    def adapter(self, fresh: Adapter) -> Adapter:
        """An adapter on an empty store."""
        fresh.initialize()
        return fresh

    @pytest.fixture
    def another(self, tmp_path: Path) -> Iterator[Callable[[], Adapter]]:
        """Makes further adapters on the same place."""
        with ExitStack() as opened:

            def reopen() -> Adapter:
                return opened.enter_context(closing(self.reopen(tmp_path)))

            yield reopen
