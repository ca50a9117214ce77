"""A look at a file that is written again and again, which leaves no trace on it.

Linux (6.13 and later) writes a file's times down with its next change if they were asked for since the last. A
commit then waits for that too, about a fifth longer. `os.stat` asks for the times, `statx` for what is wanted.
"""

from __future__ import annotations

import os
from functools import cache
from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

MANY: Final = 100
"""The looks after which loading what it takes has paid."""
_WANTED: Final = 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x100  # type, mode, links, user, group, inode
_AT_WORKING_FOLDER: Final = -100
_SIZE: Final = 256
_FIELDS: Final = Struct("=16x 3I H 2x Q 96x 2I")
"""Of the kernel's `struct statx`: the fields of Seen, and the two numbers of the device."""


class Seen(NamedTuple):
    """The part of a stat_result that is no time and no size."""

    st_nlink: int
    st_uid: int
    st_gid: int
    st_mode: int
    st_ino: int
    st_dev: int


class Looker:
    """Looks at one file, and learns to leave no trace once there are many of them."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._looks = 0

    def look(self) -> os.stat_result | Seen:
        """The file as it is now. Raises OSError."""
        self._looks += 1
        look = _traceless() if self._looks > MANY else None
        return look(self._path) if look else os.stat(self._path)


@cache
def _traceless() -> Callable[[str], Seen] | None:
    """A look by `statx`, None where the system has none."""
    try:
        import ctypes

        statx = ctypes.CDLL(None, use_errno=True).statx
    except (ImportError, OSError, AttributeError):
        return None
    statx.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint, ctypes.c_char_p)

    def look(path: str) -> Seen:
        room = ctypes.create_string_buffer(_SIZE)
        if statx(_AT_WORKING_FOLDER, os.fsencode(path), 0, _WANTED, room):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
        *fields, major, minor = _FIELDS.unpack_from(room)
        return Seen._make((*fields, os.makedev(major, minor)))

    return look if _agrees(look) else None


def _agrees(look: Callable[[str], Seen]) -> bool:
    """True if it sees what `os.stat` sees."""
    known = os.stat(__file__)
    try:
        return look(__file__) == tuple(getattr(known, each) for each in Seen._fields)
    except OSError:
        return False
