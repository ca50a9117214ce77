"""What the settings of a server mean for an acknowledged append."""

from __future__ import annotations

import pytest

from evstore.adapters.postgres.info import NOT_SAFE, info
from evstore.adapters.sql import ON_DISK

INFO = (1, 2, 3, 4096, False, None, "on", "on", "on", 0, 180001, [], False, None, 5)
FSYNC, COMMIT = 6, 8


@pytest.mark.parametrize(
    ("fsync", "commit", "durable"),
    [
        ("on", "on", True),
        ("on", "local", True),
        ("on", "remote_write", True),
        ("on", "remote_apply", True),
        ("on", "off", True),  # which an append does not take over
        ("on", "another", False),
        ("off", "on", False),
    ],
)
def test_settings_that_lose_what_was_acknowledged_are_called_not_safe(
    fsync: str, commit: str, durable: bool
) -> None:
    facts = [*INFO]
    facts[FSYNC], facts[COMMIT] = fsync, commit
    found = info("postgresql://h/db", tuple(facts))
    assert found.durable == durable
    assert found.how_durable == (ON_DISK if durable else NOT_SAFE)
    assert found.durability == {
        "fsync": fsync,
        "fullPageWrites": "on",
        "synchronousCommit": "on" if commit == "off" else commit,
    }
