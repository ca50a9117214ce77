"""Signals end the process themselves, so that a shell sees why and stops its loop."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import FrameType

_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGHUP)
_FIRST: Final = 1
"""The number of the first process of a container, which the system spares from signals without a handler."""


def end_by_signals() -> None:
    """An append is not harmed: the database keeps it whole or not at all, however the process ends. What the
    caller chose to ignore (as `nohup` and `&` do for SIGINT) stays ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if os.getpid() == _FIRST:
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
