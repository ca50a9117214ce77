"""Waiting for what nobody announces."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.daemons import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable


def poll(ready: Callable[[], object]) -> None:
    """Ask until it is so: what a server knows of its sessions, it tells only who asks."""
    deadline = time.monotonic() + PATIENCE
    while not ready():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)
