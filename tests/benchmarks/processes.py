"""Processes whose seconds, output and memory are measured."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryFile
from threading import Timer
from typing import TYPE_CHECKING, Final

from tests.benchmarks.comparing import AbsentError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT: Final = Path(__file__).parents[2]
BLOCK: Final = 1 << 20
PATIENCE: Final = 1800.0
"""The seconds after which a process hangs, and fails: the works after it are measured still."""
# A process begins with the peak of whoever started it, which therefore must be small.
_WAITING: Final = """
import os, sys
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, used = os.wait4(pid, 0)
print(used.ru_maxrss, file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))
"""
_KEPT: Final = ("PATH", "HOME", "LANG", "TMPDIR")


def environment(**more: str) -> dict[str, str]:
    """The environment of every measured process, so that no setting of the shell reaches one side alone."""
    return {**{name: os.environ[name] for name in _KEPT if name in os.environ}, **more}


def evstore(*words: str) -> list[str]:
    """The command as users start it: the script that the installation made."""
    script = Path(sys.executable).with_name("evstore")
    return [str(script), *words] if script.exists() else [sys.executable, "-m", "evstore", *words]


def tool(name: str) -> str:
    """The path of a program. Raises AbsentError."""
    found = shutil.which(name)
    if found is None:
        raise AbsentError(f"{name} is not installed here")
    return found


def seconds(argv: Sequence[str], *, stdin: Path | None = None, env: Mapping[str, str] | None = None) -> float:
    """The seconds of a whole process, whose output goes to a pipe that is read to its end.

    Raises CalledProcessError.
    """
    with open(stdin or os.devnull, "rb") as given, TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            argv, stdin=given, stdout=subprocess.PIPE, stderr=errors, env=dict(env or environment()), cwd=ROOT
        )
        assert process.stdout is not None
        guard = Timer(PATIENCE, process.kill)
        guard.daemon = True
        guard.start()
        with process.stdout as out:
            while os.read(out.fileno(), BLOCK):
                pass
        code = process.wait()
        took = time.perf_counter() - start
        guard.cancel()
        if code:
            errors.seek(0)
            raise subprocess.CalledProcessError(code, argv, stderr=errors.read())
    return took


def peak(argv: Sequence[str], *, stdin: Path | None = None) -> float:
    """The bytes of memory that a process had at its peak. Raises CalledProcessError."""
    with open(stdin or os.devnull, "rb") as given:
        small = [sys.executable, "-I", "-S", "-c", _WAITING, *argv]
        done = subprocess.run(
            small, stdin=given, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment(), cwd=ROOT
        )
    *told, last = done.stderr.splitlines() or [b""]
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, argv, stderr=b"\n".join([*told, last]))
    return float(last) * (1 if sys.platform == "darwin" else 1024)


def told(argv: Sequence[str]) -> float:
    """The number that a process prints on its last line: it measures itself, without start-up and setup."""
    done = subprocess.run(argv, capture_output=True, env=environment(), cwd=ROOT, check=True, timeout=PATIENCE)
    return float(done.stdout.split()[-1])


def child(function: str, *words: object) -> float:
    """The number of a function of `children`, as in "sqlite.ready_rows", called in an interpreter of its own."""
    return told([sys.executable, "-m", "tests.benchmarks.children", function, *map(str, words)])
