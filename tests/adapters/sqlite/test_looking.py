"""The look at a log that leaves its times alone."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from evstore.adapters.sqlite.looking import MANY, SEEN, Looker

if TYPE_CHECKING:
    from pathlib import Path


def test_every_look_sees_the_file_that_is_there_now(tmp_path: Path) -> None:
    path = tmp_path / "ölog"
    looker = Looker(str(path))
    for number in range(2 * MANY):
        path.write_bytes(b"")
        if number % 3 == 0:
            path.chmod(0o640)
        known = os.stat(path)
        seen = looker.look()
        assert [getattr(seen, each) for each in SEEN] == [getattr(known, each) for each in SEEN]
        path.unlink()
        with pytest.raises(FileNotFoundError, match="ölog"):
            looker.look()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has statx")
def test_the_later_looks_ask_for_no_times(tmp_path: Path) -> None:
    looker = Looker(str(tmp_path))
    assert [looker.look().st_mtime > 0 for _ in range(MANY + 2)] == [True] * MANY + [False, False]
