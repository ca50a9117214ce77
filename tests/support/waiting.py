"""How long a test waits for what must happen, and how for what nobody announces."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE: Final = 60.0
"""Seconds for what must happen soon; only a failing test needs them."""


def wait_for(what: Callable[[], Any], *, patience: float = PATIENCE) -> Any:
    """What it returns, once that is true; for what a server tells only when asked."""
    deadline = time.monotonic() + patience
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.005)
    return found
