"""What the author of an adapter supplies, and what each test is given.

An adapter claims capabilities; a test that needs one which is not claimed is skipped, with the reason that
stands in `REASONS`. There is no other way to skip, so a test report explains every skip.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from evstore.port import Adapter

DURABLE: Final = "durable"
"""What was accepted is there when the store is opened again."""
MULTI_PROCESS: Final = "multi_process"
"""Several adapters, of one process or of many, may work on one store at once."""
OCCUPIABLE: Final = "occupiable"
"""`occupy` can put something else where the store would be."""
BORN_INITIALIZED: Final = "born_initialized"
"""The store needs no `initialize`, so there is no time before it."""

REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        DURABLE: "not durable, and it says so: its events end with it",
        MULTI_PROCESS: "not multi_process, and it says so: its store has one adapter at a time",
        OCCUPIABLE: "its place cannot be occupied by something else, or nobody said how",
        BORN_INITIALIZED: "born initialized: there is no time before",
    }
)


class Harness:
    """The hooks of a contract class, and the fixtures that are made of them."""

    capabilities: ClassVar[frozenset[str]] = frozenset()
    patience: ClassVar[float] = 20.0
    """Seconds to wait for what must happen soon; only a failing test, or a very slow store, needs them."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if unknown := cls.capabilities - REASONS.keys():
            wrong, known = (", ".join(sorted(words)) for words in (unknown, REASONS))
            raise TypeError(f"{cls.__name__} claims {wrong}; known are {known}")

    def open(self, tmp_path: Path) -> Adapter:
        """An adapter on a fresh place of its own for each `tmp_path`, without a store there yet."""
        raise NotImplementedError("a contract class says how to open its adapter")

    def reopen(self, tmp_path: Path) -> Adapter:
        """Another adapter on the same place, whatever is there by now. What is born initialized, and claims
        nothing else, needs none."""
        raise NotImplementedError("a contract class says how to open another adapter on the same place")

    def occupy(self, tmp_path: Path) -> Callable[[], object]:
        """Put something that is no event store at the place; what comes back tells what lies there now."""
        raise NotImplementedError("a contract class that claims to be occupiable says how")

    def needs(self, capability: str) -> None:
        """Skip the test unless the adapter claims this."""
        reason = REASONS[capability]
        if capability not in self.capabilities:
            pytest.skip(reason)

    def needs_no(self, capability: str) -> None:
        """Skip the test if the adapter claims this."""
        reason = REASONS[capability]
        if capability in self.capabilities:
            pytest.skip(reason)

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
