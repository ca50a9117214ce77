"""A folder and what of it has reached the disk, by the calls that changed it: what a power cut may leave.

What was not synced is on the disk or not, in any part and any order: a file's bytes until the file is synced, and
a name until its folder is. Nobody relies on more, though most file systems give more.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from random import Random

    from tests.crashes.lab.traced import Call

_UNKNOWN: Final = (
    "creat", "truncate", "symlink", "symlinkat", "writev", "pwritev", "pwritev2", "sendfile", "copy_file_range",
    "fallocate",
)  # fmt: skip
"""Calls that may change a file in ways that are not imitated here."""
WATCHED: Final = (
    "open", "openat", "write", "pwrite64", "ftruncate", "fsync", "fdatasync", "rename", "renameat", "renameat2",
    "link", "linkat", "unlink", "unlinkat", *_UNKNOWN,
)  # fmt: skip
SECTORS: Final = {"torn 512": 512, "torn 4096": 4096}
WAYS: Final = ("lost", "grown", "kept", "in order", "any order", *SECTORS)
"""Of what was not synced is kept: nothing; names and sizes alone; all; all up to a moment; some changes; some sectors
of the changes."""
_NOT_KEPT: Final = ("-shm", "-lock")

Image: TypeAlias = dict[str, bytes]
"""The files of a folder, by name."""


class Change(NamedTuple):
    """A change of a file's content: bytes from a place on, or None for the place where it ends."""

    begin: int
    end: int
    at: int
    data: bytes | None


class Renaming(NamedTuple):
    """A change of a folder: a file gets a name or loses one, or both at once."""

    begin: int
    end: int
    file: File
    gained: str = ""
    lost: str = ""


class File:
    """A file, by whatever name."""

    def __init__(self) -> None:
        self.now = bytearray()
        self._synced = bytearray()
        self.pending: list[Change] = []

    def change(self, change: Change) -> None:
        _apply(self.now, change.at, change.data)
        self.pending.append(change)

    def sync(self, begin: int) -> None:
        """Put on the disk what had ended before the sync began."""
        for each in self.pending:
            if each.end < begin:
                _apply(self._synced, each.at, each.data)
        self.pending = [each for each in self.pending if each.end >= begin]

    def grown(self) -> bytes:
        """What was synced, in the size that it has now."""
        found = bytearray(self._synced)
        _apply(found, len(self.now), None)
        return bytes(found)

    def content(self, keep: Callable[[int], bool], sector: int) -> bytes:
        """What was synced, and the pending changes that are kept, by their beginnings: each sector of one, if
        sectors have a size, else all of it."""
        found = bytearray(self._synced)
        for begin, _, at, data in self.pending:
            for place, piece in _sectors(at, data, sector) if data and sector else [(at, data)]:
                if keep(begin):
                    _apply(found, place, piece)
        return bytes(found)


class Folder:
    """One folder, as the calls have left it so far."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.now: dict[str, File] = {}
        self._synced: dict[str, File] = {}
        self._pending: list[Renaming] = []

    def begin(self, call: Call) -> bool:
        """True if the beginning of the call may change the folder."""
        if call.name in _UNKNOWN:
            if self._name(call.path) or any(self._names(call)):
                raise NotImplementedError(f"{call.name}({call.given[:200]}) is not imitated")
            return False
        if call.name in {"write", "pwrite64", "ftruncate"}:
            return self._written(call)
        if call.name.startswith(("rename", "link", "unlink")):
            return self._renamed(call)
        return False

    def end(self, call: Call) -> bool:
        """True if the end of the call changed the folder, or what of it is on the disk."""
        if call.name in {"open", "openat"}:
            return self._opened(call)
        return call.name in {"fsync", "fdatasync"} and self._sync(call)

    def _name(self, path: str) -> str:
        folder, name = os.path.split(path)
        kept = folder == self._path and not name.endswith(_NOT_KEPT) and "-consumer-" not in name
        return name if kept else ""

    def _names(self, call: Call) -> list[str]:
        return [self._name(os.fsdecode(each)) for each in call.texts]

    def _opened(self, call: Call) -> bool:
        name = self._name(call.made)
        if not name or name in self.now or "O_CREAT" not in call.given:
            return False
        self._rename(Renaming(call.begin, call.end, File(), gained=name))
        return True

    def _written(self, call: Call) -> bool:
        name = self._name(call.path)
        if name not in self.now:
            return False
        if call.name == "write":
            raise NotImplementedError(f"a write to {name} at a place that is not known")
        data = call.texts[0][: call.result] if call.name == "pwrite64" else None
        self.now[name].change(Change(call.begin, call.end, call.numbers[-1], data))
        return True

    def _renamed(self, call: Call) -> bool:
        source, *target = self._names(call)
        if source not in self.now:
            return False
        gained = target[0] if target else ""
        lost = "" if call.name.startswith("link") else source
        self._rename(Renaming(call.begin, call.end, self.now[source], gained, lost))
        return True

    def _rename(self, renaming: Renaming) -> None:
        _rename(self.now, renaming)
        self._pending.append(renaming)

    def _sync(self, call: Call) -> bool:
        if call.path != self._path:
            name = self._name(call.path)
            if name in self.now:
                self.now[name].sync(call.begin)
            return name in self.now
        for each in self._pending:
            if each.end < call.begin:
                _rename(self._synced, each)
        self._pending = [each for each in self._pending if each.end >= call.begin]
        return True

    def image(self, way: str, random: Random) -> Image:
        """The folder as a power cut may leave it now."""
        keep = self._choice(way, random)
        names = self._synced.copy()
        for each in self._pending:
            if keep(each.begin):
                _rename(names, each)
        sector = SECTORS.get(way, 0)
        contents = {
            each: each.grown() if way == "grown" else each.content(keep, sector) for each in names.values()
        }
        return {name: contents[file] for name, file in names.items()}

    def _choice(self, way: str, random: Random) -> Callable[[int], bool]:
        """Which pending changes are kept, by their beginnings."""
        if way == "in order":
            changes = [each.begin for each in self._pending]
            changes += [each.begin for file in {*self.now.values()} for each in file.pending]
            moment = random.choice(changes or [0])
            return lambda begin: begin <= moment
        if way in {"lost", "grown", "kept"}:
            return lambda _: way != "lost"
        return lambda _: random.random() < 0.5


def _apply(content: bytearray, at: int, data: bytes | None) -> None:
    if len(content) < at:
        content += bytes(at - len(content))
    if data is None:
        del content[at:]
    else:
        content[at : at + len(data)] = data


def _rename(names: dict[str, File], renaming: Renaming) -> None:
    """Another file may have the lost name, if the change that would have freed it is not on the disk."""
    if names.get(renaming.lost) is renaming.file:
        del names[renaming.lost]
    if renaming.gained:
        names[renaming.gained] = renaming.file


def _sectors(at: int, data: bytes, size: int) -> Iterator[tuple[int, bytes]]:
    """The pieces of a change, each within one sector."""
    begin = 0
    while begin < len(data):
        length = size - (at + begin) % size
        yield at + begin, data[begin : begin + length]
        begin += length


def moments(calls: Sequence[Call]) -> Iterator[tuple[int, Call, bool]]:
    """The beginnings and ends of the calls in their order: its line, the call, and True for an end."""
    ends = [(call.end, call, True) for call in calls]
    begins = [(call.begin, call, False) for call in calls]
    return iter(sorted(begins + ends, key=lambda moment: (moment[0], moment[2])))
