"""An empty SQLite store, made once: making one waits for the disk several times, copying one does not."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from evstore import connect

if TYPE_CHECKING:
    from pathlib import Path


class EmptyStore:
    """The files of an empty store, which are there as `initialize` left them."""

    NAME = "made.db"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with connect(f"sqlite:{folder}/{self.NAME}") as store:
            store.initialize()

    def copy_to(self, path: Path) -> None:
        for each in self._folder.iterdir():
            shutil.copyfile(each, path.with_name(each.name.replace(self.NAME, path.name)))
