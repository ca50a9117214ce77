"""A look at a file that is written again and again, which leaves no trace on it.

Linux (6.13 and later) writes a file's times down with its next change if they were asked for since the last. A
commit then waits for that too, about a fifth longer. `os.stat` asks for the times, `statx` for what is wanted.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MANY: Final = 100
"""The looks after which loading what it takes has paid."""
_WANTED: Final = 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x100  # type, mode, links, user, group, inode
_AT_WORKING_FOLDER: Final = -100
_SIZE: Final = 256
_FIELDS: Final = "=16x 3I H 2x Q 96x 2I"
"""Of the kernel's `struct statx`: links, user, group, mode, inode, and the two numbers of the device."""
SEEN: Final = ("st_mode", "st_ino", "st_dev", "st_nlink", "st_uid", "st_gid")
"""The facts of every look; later looks see no size and no times."""


class Looker:
    """Looks at one file, and learns to leave no trace once there are many of them."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._looks = 0

    def look(self) -> os.stat_result:
        """The file as it is now, as far as SEEN goes. Raises OSError."""
        self._looks += 1
        look = _traceless() if self._looks > MANY else None
        return look(self._path) if look else os.stat(self._path)


@cache
def _traceless() -> Callable[[str], os.stat_result] | None:
    """A look by `statx`, None where the system has none."""
    try:
        import ctypes
        from struct import Struct

        statx = ctypes.CDLL(None, use_errno=True).statx
    except (ImportError, OSError, AttributeError):
        return None
    new_room, fields_in = ctypes.c_char * _SIZE, Struct(_FIELDS).unpack_from
    statx.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint, ctypes.c_char_p)

    def look(path: str) -> os.stat_result:
        room = new_room()
        if statx(_AT_WORKING_FOLDER, os.fsencode(path), 0, _WANTED, room):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
        links, user, group, mode, inode, major, minor = fields_in(room)
        return os.stat_result((mode, inode, os.makedev(major, minor), links, user, group, 0, 0, 0, 0))

    return look if _agrees(look) else None


def _agrees(look: Callable[[str], os.stat_result]) -> bool:
    """True if it sees what `os.stat` sees."""
    try:
        return look(__file__)[: len(SEEN)] == os.stat(__file__)[: len(SEEN)]
    except OSError:
        return False
