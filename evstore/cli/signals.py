"""The end of the process by a signal."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import FrameType

_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGHUP)


def end_the_first() -> None:
    """Give each signal that ends a process a handler: without one the system spares the first process from it."""
    for each in _ENDING:
        if signal.getsignal(each) is signal.SIG_DFL:
            signal.signal(each, end)


def ends(number: signal.Signals) -> bool:
    """True if the signal ends this process, and is not ignored."""
    return signal.getsignal(number) in (signal.SIG_DFL, end)


def end(number: int, _: FrameType | None = None) -> None:
    """End by the signal, or, where the system spares the process, with the code that a shell gives to that."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)
