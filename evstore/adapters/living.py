"""The lifetime of an adapter: until it is closed, and only in the process that opened it."""

from __future__ import annotations

import os

from evstore.errors import StoreClosedError


def check_open(closed: bool, pid: int) -> None:
    """Raise StoreClosedError if the adapter is closed, or was opened by another process, whose id is `pid`."""
    if closed:
        raise StoreClosedError
    check_process(pid)


def check_process(pid: int) -> None:
    """The same of the process alone: nothing that it left, locks included, can be relied on in its child."""
    if pid != os.getpid():
        raise StoreClosedError(
            "the store was opened before this process was forked; connect again in this process", forked=True
        )
