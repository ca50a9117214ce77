"""The processes of a cycle: each can be killed at any moment, and what it told before is kept."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from signal import SIGKILL
from threading import Event, Lock
from time import monotonic_ns
from typing import TYPE_CHECKING, TypeAlias

from evstore.cli.exits import CODES
from tests.crashes.lab.history import Followed, Invoked, Refused, Seen, Started, Stored, print_of_line, records_in
from tests.crashes.lab.load import envelope
from tests.support.command import Command

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.crashes.lab.load import Load
    from tests.crashes.lab.recorded import Tell

Victim: TypeAlias = "Worker | Commands | FollowingCommand"
"""A process that works until it is killed."""

ROOT = Path(__file__).parents[3]


class Worker:
    """A process of the `worker` module."""

    def __init__(
        self, folder: Path, tell: Tell, *words: str, code: int = -SIGKILL, env: Mapping[str, str] | None = None
    ) -> None:
        """`code`: that with which it must end. `env`: more of its environment."""
        self._tell = tell
        self._code = code
        self.acknowledged = Event()
        self._errors = folder / "errors.txt"
        with self._errors.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.crashes.lab.worker", *words],
                cwd=ROOT,
                env=Command(folder).env(**(env or {})),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
            )

    def run(self) -> bool:
        """Take what it tells until it is gone. Whether it was killed."""
        try:
            with self._process as process:
                assert process.stdout is not None
                for record in records_in(process.stdout):
                    self._tell(record)
                    if isinstance(record, Stored | Followed):
                        self.acknowledged.set()
        finally:
            self.acknowledged.set()  # whatever happened, nobody needs to wait any longer
        if process.returncode != self._code:
            raise ChildProcessError(
                f"{process.args!r} ended with {process.returncode}: {self._errors.read_text()}"
            )
        return process.returncode == -SIGKILL

    def kill(self) -> None:
        self._process.kill()


class Commands:
    """`evstore append --many -`, again and again, each given a batch on its standard input."""

    def __init__(self, folder: Path, tell: Tell, url: str, who: str, load: Load) -> None:
        self._command = Command(folder)
        self._tell = tell
        self._url = url
        self._who = who
        self._load = load
        self._lock = Lock()
        self._killed = False
        self._process: subprocess.Popen[bytes] | None = None
        self.acknowledged = Event()

    def run(self) -> bool:
        """Start one command after the other until one is killed. Whether one was, and not between two."""
        number = 0
        try:
            while True:
                number += 1
                op = f"{self._who}-{number}"
                parts = self._load.envelopes(op)
                lines = b"".join(map(envelope, parts))
                with self._lock:
                    if self._killed:
                        return False
                    self._tell(Invoked(op, monotonic_ns(), parts))
                    self._process = self._command.start(
                        "append", "--many", "-", "--db", self._url, stdin=subprocess.PIPE
                    )
                if self._answer(op, self._process, lines) == -SIGKILL:
                    return True
        finally:
            self.acknowledged.set()

    def _answer(self, op: str, process: subprocess.Popen[bytes], lines: bytes) -> int:
        with process:
            out, err = process.communicate(lines)
        if out.endswith(b"\n"):  # the receipt, which counts also when the command was killed behind it
            receipt = json.loads(out)
            self._tell(Stored(op, monotonic_ns(), receipt["firstGlobalPosition"], duplicate=receipt["duplicate"]))
            self.acknowledged.set()
        elif process.returncode == CODES["conflict"]:
            self._tell(Refused(op, monotonic_ns(), err.decode()))
        elif process.returncode != -SIGKILL:
            raise ChildProcessError(f"evstore append ended with {process.returncode}: {err.decode()}")
        return process.returncode

    def kill(self) -> None:
        with self._lock:
            self._killed = True
            if self._process is not None:
                self._process.kill()


class FollowingCommand:
    """`evstore replay --all -f`, whose lines are what it was handed."""

    def __init__(self, folder: Path, tell: Tell, url: str, who: str) -> None:
        self._tell = tell
        self._who = who
        self._process = Command(folder).start("replay", "--all", "-f", "--db", url)

    def run(self) -> bool:
        """Take what it shows until it is killed."""
        self._tell(Started(self._who, 0))
        with self._process as process:
            assert process.stdout is not None
            assert process.stderr is not None
            for line in process.stdout:
                if line.endswith(b"\n"):
                    position = json.loads(line)["globalPosition"]
                    self._tell(Followed(self._who, Seen(position, print_of_line(line[:-1]))))
            said = process.stderr.read().decode()
        if process.returncode != -SIGKILL or said:
            raise ChildProcessError(f"evstore replay --all -f ended with {process.returncode}: {said}")
        return True

    def kill(self) -> None:
        self._process.kill()
