"""A process dies in the middle of a checkpoint, when the file holds some pages of the log and not yet others."""

from __future__ import annotations

import subprocess
import sys
from itertools import islice
from signal import SIGKILL
from struct import iter_unpack, unpack_from
from typing import TYPE_CHECKING

import pytest

from evstore import EventData, connect

if TYPE_CHECKING:
    from pathlib import Path

EVENTS = 500
APPEND_AND_DIE = f"""
import os, signal, sys
from evstore import EventData, connect
store = connect(sys.argv[1])
store.initialize()
store.append("Order-1", [EventData("Placed", "x" * 1000) for _ in range({EVENTS})])
os.kill(os.getpid(), signal.SIGKILL)
"""
WAL_HEADER, FRAME_HEADER = 32, 24  # https://sqlite.org/fileformat2.html#the_write_ahead_log


def pages_in(log: bytes) -> tuple[int, dict[int, bytes]]:
    """The size of a page, and the last content of each page that the log holds."""
    (size,) = unpack_from(">I", log, 8)
    frames = iter_unpack(f">I{FRAME_HEADER - 4}x{size}s", log[WAL_HEADER:])
    return size, dict(frames)


@pytest.mark.parametrize("written", [1, 2, 50, None])
def test_a_store_whose_checkpoint_was_cut_short_is_read_and_appended_to(
    tmp_path: Path, written: int | None
) -> None:
    path = tmp_path / "events.db"
    url = f"sqlite:{path}"
    assert subprocess.run([sys.executable, "-c", APPEND_AND_DIE, url], check=False).returncode == -SIGKILL
    size, pages = pages_in((tmp_path / "events.db-wal").read_bytes())
    with path.open("r+b") as file:  # as a checkpoint does it, in the order of the pages
        for number, content in islice(sorted(pages.items()), written):
            file.seek((number - 1) * size)
            file.write(content)
    with connect(url) as store:
        assert len(list(store.read("Order-1"))) == EVENTS
        assert store.append("Order-1", [EventData("Placed", {})])[0].global_position == EVENTS + 1
