"""The command of the tests: `evstore` as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support import at_hand, warm

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

IMPATIENT = """
from evstore.cli.output import progress
progress.PATIENCE, progress.REDRAW = 0.0, 0.01
"""
"""The setting of a command for which all work takes long, and which draws each step of it."""


@dataclass
class Ended:
    """A process that has ended."""

    code: int
    out: bytes
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.decode().splitlines()


@dataclass
class Command:
    """`evstore` as a process of its own, in a folder of its own, with an environment of its own."""

    folder: Path
    database: str = ""
    """The URL in EVSTORE_DB; without one the store is the default file in the folder."""

    @property
    def url(self) -> str:
        """What the library connects to."""
        return self.database or f"sqlite:{self.folder}/evstore.db"

    @property
    def place(self) -> str:
        """What messages call the store."""
        return self.database or f"{self.folder}/evstore.db"

    def argv(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "evstore", *words]

    def quick(self, *words: str, setting: str = "") -> list[str]:
        """What `argv` is, but of a process that loads nothing; see `at_hand`."""
        return [str(at_hand.evstore(self.env(), setting)), *words]

    def env(self, **more: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if k in {"PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH"}}
        database = {"EVSTORE_DB": self.database} if self.database else {}
        return {**kept, "PYTHONWARNINGS": "error", **database, **more}

    def __call__(self, *words: str, stdin: bytes | None = None, env: dict[str, str] | None = None) -> Ended:
        given = self.env(**(env or {}))
        if warm.hears(given):
            code, out, err = warm.run([*words], self.folder, given, stdin or b"", timeout=60)
            return Ended(code, out, err.decode())
        done = subprocess.run(
            self.argv(*words),
            cwd=self.folder,
            env=given,
            input=stdin or b"",
            capture_output=True,
            timeout=60,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr.decode())

    def killed_after(self, seconds: float, *words: str) -> Ended:
        """Run, and kill -9 it after so long, if it has not ended before."""
        if warm.hears(self.env()):
            code, out, err = warm.run([*words], self.folder, self.env(), b"", timeout=60, kill_after=seconds)
            return Ended(code, out, err.decode())
        with self.start(*words) as process:
            with suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
            process.kill()
            out, err = process.communicate()
        return Ended(process.returncode, out, err.decode())

    def start(self, *words: str, quick: bool = False, **options: object) -> subprocess.Popen[bytes]:
        """A process that goes on; stdout and stderr are pipes unless said otherwise.

        With `quick` it is that of `at_hand`, for whoever need not know when a kill -9 has come.
        """
        given = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        argv = self.quick(*words) if quick else self.argv(*words)
        return subprocess.Popen(argv, cwd=self.folder, env=self.env(), **given)

    def ok(self, *words: str, stdin: bytes | None = None) -> Ended:
        """Run what must succeed."""
        done = self(*words, stdin=stdin)
        assert done.code == 0, done
        return done


def files(folder: Path) -> Sequence[str]:
    return sorted(each.name for each in folder.iterdir())
