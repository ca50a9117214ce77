"""A small disk that a test can fill."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

NO_DISK: Final = "this user may mount no file system, and nothing else makes the disk of one server full"
_BLOCK: Final = bytes(1 << 20)


class SmallDisk:
    """A file system in memory, mounted in a folder. Raises PermissionError where that is not allowed."""

    def __init__(self, folder: Path, mebibytes: int) -> None:
        self._folder = folder
        self._ballast = folder / "ballast"
        folder.mkdir(parents=True, exist_ok=True)
        options = ["-t", "tmpfs", "-o", f"size={mebibytes}m", "none", str(folder)]
        try:
            done = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            raise PermissionError(NO_DISK) from error
        if done.returncode:
            raise PermissionError(f"{NO_DISK}: {done.stderr.strip()}")

    def fill(self) -> None:
        """Take all of the room that is left."""
        with suppress(OSError), self._ballast.open("ab", buffering=0) as file:
            while True:
                file.write(_BLOCK)

    def free(self) -> None:
        """Give the room back."""
        self._ballast.unlink(missing_ok=True)

    def close(self) -> None:
        subprocess.run(["umount", "--lazy", str(self._folder)], capture_output=True, check=False)
