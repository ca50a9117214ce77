"""The short profile of `tests.crashes.lab.flushed`; that module watches as many acknowledgements as one likes. And what
it finds where answers come too early."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.crashes.lab.flushed import Profile, of_postgres, of_sqlite
from tests.crashes.lab.traced import NO_STRACE, may_trace
from tests.support.servers import NOT_OWNED, needs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.servers import Server

pytestmark = [
    pytest.mark.long("processes are watched by strace"),
    pytest.mark.skipif(not may_trace(), reason=NO_STRACE),
]

APPENDS = 20


@pytest.mark.parametrize("without", ["", "flushes"])
def test_an_append_to_sqlite_is_acknowledged_after_it_was_flushed(tmp_path: Path, seed: int, without: str) -> None:
    audit = of_sqlite(tmp_path, Profile(APPENDS, seed, without=without))
    print(audit)
    assert len(audit.acknowledged) == audit.wanted
    assert bool(audit.early) == bool(without), audit


@pytest.mark.parametrize("without", ["", "flushes"])
def test_an_append_to_postgresql_is_answered_after_it_was_flushed(
    newest: Server, tmp_path: Path, seed: int, without: str
) -> None:
    needs(NOT_OWNED, newest.owned)
    audit = of_postgres(newest, tmp_path, Profile(APPENDS, seed, without=without))
    print(audit)
    assert len(audit.acknowledged) == audit.wanted
    assert bool(audit.early) == bool(without), audit
