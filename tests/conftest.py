"""What every test may use: the real command in a real process."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

pytest.register_assert_rewrite("evstore.testing")


def pytest_report_header() -> str:
    return f"SQLite {sqlite3.sqlite_version}, Typer {version('typer')}, msgspec {version('msgspec')}"


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

    def argv(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "evstore", *words]

    def env(self, **more: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if k in {"PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH"}}
        return {**kept, "PYTHONWARNINGS": "error", **more}

    def __call__(self, *words: str, stdin: bytes | None = None, env: dict[str, str] | None = None) -> Ended:
        done = subprocess.run(
            self.argv(*words),
            cwd=self.folder,
            env=self.env(**(env or {})),
            input=b"" if stdin is None else stdin,
            capture_output=True,
            timeout=60,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr.decode())

    def start(self, *words: str, **options: object) -> subprocess.Popen[bytes]:
        """A process that goes on; stdout and stderr are pipes unless said otherwise."""
        given = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.Popen(self.argv(*words), cwd=self.folder, env=self.env(), **given)

    def ok(self, *words: str, stdin: bytes | None = None) -> Ended:
        """Run what must succeed."""
        done = self(*words, stdin=stdin)
        assert done.code == 0, done
        return done


@pytest.fixture
def evstore(tmp_path: Path) -> Command:
    return Command(tmp_path)


@pytest.fixture
def store(evstore: Command) -> Command:
    """The command, in a folder where there is a store."""
    evstore.ok("init")
    return evstore


def files(folder: Path) -> Sequence[str]:
    return sorted(each.name for each in folder.iterdir())
