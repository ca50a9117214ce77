"""The disk of PostgreSQL's log is full, for which the server ends at once, and nothing that anybody was told is lost.

    python -m tests.crashes.lab.full_log --cycles 20 --seed 7

The server has its log on a small file system, which only root can make. What was under way when it ended is unknown,
and is tried again with its ids once there is room, by writers of `tests.crashes.lab.stops`.
"""

from __future__ import annotations

import logging
import shutil
import sys
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Final

import psycopg

from tests.crashes.lab.full_disks import NO_MOUNT, ROOM, leave, may_mount, mounted, resize
from tests.crashes.lab.stops import Profile, Run
from tests.support import long_runs
from tests.support.servers import another
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.crashes.lab.figures import Figures
    from tests.support.servers import OwnServer, Server

SEGMENTS: Final = {"min_wal_size": "32MB", "max_wal_size": "32MB", "wal_recycle": "off", "wal_init_zero": "on"}
"""A log of few files, each of which takes its room when it is made."""
PROFILE: Final = Profile(0, 0, writers=4, readers=2, followers=2, slow=0.0)


class Fuller(Run):
    """One store whose server stops because its log has no room."""

    disk: Path

    def _stop(self) -> None:
        self.done["full log"] += 1
        self.common.is_up.clear()
        leave(self.disk, 0)
        try:
            wait_for(self._has_ended)
        finally:
            resize(self.disk, ROOM)
        self._server.restart("immediate")
        self.common.is_up.set()

    def _has_ended(self) -> bool:
        """Begin another file of the log, for which there is no room."""
        with suppress(psycopg.Error):
            self._server.execute("SELECT pg_switch_wal()")
            return False
        return True


@contextmanager
def on_a_small_disk(server: Server) -> Iterator[tuple[OwnServer, Path]]:
    """A server whose log lies on a disk of its own, and that disk."""
    with ExitStack() as ends:
        own = ends.enter_context(another(server, **SEGMENTS))
        own.stop()
        disk = own.folder / "disk"
        disk.mkdir()
        found = own.folder.stat()
        ends.enter_context(mounted(disk, f"size={ROOM},uid={found.st_uid},gid={found.st_gid},mode=700"))
        log = own.folder / "data" / "pg_wal"
        shutil.copytree(log, disk, dirs_exist_ok=True)
        for each in disk.rglob("*"):
            shutil.chown(each, found.st_uid, found.st_gid)
        shutil.rmtree(log)
        log.symlink_to(disk)
        ends.callback(own.stop, "immediate")  # before its disk goes
        own.start()
        yield own, disk


def fills_the_log(server: Server, cycles: int, seed: int) -> Figures:
    """Judge what is left after each cycle; end at the first finding."""
    with on_a_small_disk(server) as (own, disk), ExitStack() as ends:
        run = Fuller(own, PROFILE._replace(seed=seed), ends)
        run.disk = disk
        for _ in range(cycles):
            run.cycle()
            figures = run.judged()
            if not figures.ok:
                break
    return figures


def main() -> int:
    asked = long_runs.arguments(__doc__, cycles=20)
    if not may_mount():
        print(NO_MOUNT)
        return 1
    logging.getLogger("psycopg.pool").disabled = True  # it tells of each connection that a stop has broken
    with long_runs.server_of(asked.on) as server:
        figures = fills_the_log(server, asked.cycles, asked.seed)
    print(figures)
    return 0 if figures.ok else 1


if __name__ == "__main__":
    sys.exit(main())
