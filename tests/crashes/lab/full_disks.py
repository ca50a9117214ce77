"""Disks that get full: what each of them is, and the place for a store on it."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from tests.support.command import Command
from tests.support.servers import another

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from random import Random

    from evstore import EventStore
    from tests.support.servers import Server

NO_MOUNT: Final = "a small file system can be made only by who may mount one"
ROOM: Final = "64m"
PAGE: Final = 4096
_MOUNT: Final = ("mount", "-t", "tmpfs", "-o")

Fill: TypeAlias = "Callable[[EventStore, Random], AbstractContextManager[None]]"
"""Leave a store a little room, for a block."""


class Place(NamedTuple):
    """A place for a store on a disk that can get full."""

    url: str
    reader: str
    """The URL of the database for who is not evstore."""
    fill: Fill
    command: Command | None
    """The command, where the disk is full for it as well."""


def may_mount() -> bool:
    """True if this process may mount a file system."""
    if os.geteuid() != 0 or not shutil.which("mount"):
        return False
    with TemporaryDirectory() as folder:
        try:
            with mounted(Path(folder), "size=64k"):
                return True
        except subprocess.CalledProcessError:
            return False


@contextmanager
def mounted(path: Path, options: str) -> Iterator[None]:
    """A file system in memory of its own at this path, which is there for the block."""
    made = not path.exists()
    path.mkdir(exist_ok=True)
    try:
        subprocess.run([*_MOUNT, options, "tmpfs", path], check=True, capture_output=True)
        try:
            yield
        finally:
            subprocess.run(["umount", path], check=True, capture_output=True)
    finally:
        if made:
            path.rmdir()


def _small(path: Path) -> Fill:
    @contextmanager
    def fill(_: EventStore, random: Random) -> Iterator[None]:
        leave(path, random.randrange(50))
        try:
            yield
        finally:
            resize(path, ROOM)

    return fill


def leave(path: Path, pages: int) -> None:
    """Let a small disk have room for so many pages more."""
    found = os.statvfs(path)
    resize(path, str((found.f_blocks - found.f_bfree) * found.f_frsize + pages * PAGE))


def resize(path: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", path], check=True, capture_output=True)


@contextmanager
def _limited(store: EventStore, random: Random) -> Iterator[None]:
    """The largest size of a file, for this process and the commands that it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    largest = max(os.path.getsize(each) for each in store._adapter.files if os.path.exists(each))
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest + random.randrange(200_000), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def _paged(store: EventStore, random: Random) -> Iterator[None]:
    """The most pages of a database, which SQLite keeps for a connection."""
    connection = store._adapter._writer
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + random.randrange(50)}")
    try:
        yield
    finally:
        connection.execute("PRAGMA max_page_count = 4294967294")


@contextmanager
def _in_a_file(folder: Path, fill: Fill, *, command: bool = True) -> Iterator[Place]:
    url = f"sqlite:{folder}/events.db"
    yield Place(url, url, fill, Command(folder) if command else None)


@contextmanager
def on_a_small_disk(folder: Path) -> Iterator[Place]:
    disk = folder / "disk"
    with mounted(disk, f"size={ROOM}"), _in_a_file(disk, _small(disk)) as place:
        yield place


@contextmanager
def on_a_small_tablespace(server: Server, folder: Path) -> Iterator[Place]:
    """PostgreSQL, whose tables lie on a disk of their own, beside another one for its log."""
    with ExitStack() as ends:
        disk = server.account.new_folder()
        found = disk.stat()
        ends.enter_context(mounted(disk, f"size={ROOM},uid={found.st_uid},gid={found.st_gid},mode=700"))
        own = ends.enter_context(another(server))
        own.execute(f"CREATE TABLESPACE small LOCATION '{disk}'")
        own.execute("ALTER SYSTEM SET default_tablespace = 'small'")
        own.execute("SELECT pg_reload_conf()")
        url = own.place()
        yield Place(url, own.url(), _small(disk), Command(folder, url))


Disk: TypeAlias = "Callable[[Path], AbstractContextManager[Place]]"

SQLITE: Final[dict[str, Disk]] = {
    "SQLite, largest file": lambda folder: _in_a_file(folder, _limited),
    "SQLite, most pages": lambda folder: _in_a_file(folder, _paged, command=False),
    "SQLite, small disk": on_a_small_disk,
}
MOUNTED: Final = ("SQLite, small disk",)
