"""Servers as child processes: who runs them, how it is known that they are ready, and how they end."""

from __future__ import annotations

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from collections import deque
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Final

from tests.support.waiting import PATIENCE, wait_for

if TYPE_CHECKING:
    from collections.abc import Sequence


# Reads until its pipe closes, which also the death of the test run does, and ends what was left behind.
_REAPER: Final = """
cat > /dev/null
for file in "$1"/*/data/postmaster.pid "$1"/*/pgbouncer.pid; do
    [ ! -f "$file" ] || kill -INT "$(head -n 1 "$file")"
done
tries=0
while ls "$1"/*/data/postmaster.pid > /dev/null 2>&1 && [ "$tries" -lt 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
rm -rf "$1"
"""


def freeze(pid: int) -> None:
    """Stop a process until SIGCONT, and return when none of its threads runs any more: until then it may answer."""
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: {*map(_state, Path(f"/proc/{pid}/task").glob("*/stat"))} <= {"T"})


def _state(stat: Path) -> str:
    with suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended
        return stat.read_text().rpartition(")")[2].split()[0]
    return "T"


def free_port() -> int:
    """A port nobody listens on, below those that systems give to outgoing connections: those come and go, and
    one of them could take the port of a server that restarts."""
    while True:
        port = random.randint(20000, 30000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Account:
    """Whoever runs the servers, for PostgreSQL and pgbouncer refuse root; and one folder for them all."""

    def __init__(self) -> None:
        # Not in a folder of pytest's: those are too long for the path of a socket, and closed to other users.
        self.folder = Path(tempfile.mkdtemp(prefix="evs-"))
        self.name = pwd.getpwuid(os.geteuid()).pw_name
        self._options: dict[str, Any] = {"cwd": self.folder, "env": {"PATH": os.environ["PATH"], "LC_ALL": "C"}}
        if os.geteuid() == 0:
            entry = max(
                (each for each in pwd.getpwall() if each.pw_name in {"postgres", "nobody"}), key=_preferred
            )
            self.name = entry.pw_name
            self._options |= {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        self._give(self.folder)
        reaper = ["sh", "-c", _REAPER, "sh", str(self.folder)]
        self._reaper = subprocess.Popen(reaper, stdin=subprocess.PIPE, start_new_session=True)

    def close(self) -> None:
        assert self._reaper.stdin is not None
        self._reaper.stdin.close()
        self._reaper.wait(PATIENCE)

    def popen(self, argv: Sequence[object]) -> subprocess.Popen[str]:
        """A process of this account whose stderr can be read."""
        return subprocess.Popen(
            [str(each) for each in argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for the tests, which then end their servers
            **self._options,
        )

    def run(self, *argv: object) -> None:
        """Run a tool that must succeed."""
        process = self.popen(argv)
        said = process.communicate(timeout=PATIENCE)[1]
        assert process.returncode == 0, (argv, said)

    def new_folder(self) -> Path:
        made = Path(tempfile.mkdtemp(prefix="", dir=self.folder))
        self._give(made)
        return made

    def _give(self, folder: Path) -> None:
        if "user" in self._options:
            os.chown(folder, self._options["user"], self._options["group"])
        folder.chmod(0o755)

    def reachable(self, binaries: Path) -> Path:
        """The binaries, or their copy where this account does not get to them: a virtual environment may stand in
        a home that is closed to others."""
        try:
            self.run(binaries / "postgres", "--version")
        except PermissionError:
            install = binaries.parent
            copy = self.folder / "copies" / install.parent.name / install.name
            if not copy.exists():
                shutil.copytree(install, copy, symlinks=True)
                libraries = install.parent.with_name(f"{install.parent.name}.libs")  # found by their relative path
                if libraries.exists():
                    shutil.copytree(libraries, copy.parent.with_name(libraries.name), symlinks=True)
            return copy / binaries.name
        return binaries


def _preferred(entry: pwd.struct_passwd) -> bool:
    return entry.pw_name == "postgres"


class Daemon:
    """A server that says in its log when it is ready, and that has ended when its log has."""

    def __init__(self, account: Account, argv: Sequence[object], ready: str) -> None:
        self._account, self.argv, self._ready = account, [*argv], ready
        self._process: subprocess.Popen[str] | None = None
        self.log: deque[str] = deque(maxlen=1000)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start, and wait until it is ready."""
        said = Event()
        self._process = self._account.popen(self.argv)
        self._reader = Thread(target=self._read, args=(self._process, said), daemon=True)
        self._reader.start()
        if not said.wait(PATIENCE) or not self._is_up:
            raise AssertionError(f"{self.argv[0]} did not start:\n{''.join(self.log)}")

    def _read(self, process: subprocess.Popen[str], said: Event) -> None:
        self._is_up = False
        assert process.stderr is not None
        with process.stderr:
            for line in process.stderr:
                self.log.append(line)
                if self._ready in line:
                    self._is_up = True
                    said.set()
        said.set()

    def end(self, signal: int) -> None:
        """Send the signal, and wait until every process that writes to the log is gone."""
        assert self._process is not None
        self._process.send_signal(signal)
        self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        assert not self._reader.is_alive(), f"children of {self.argv[0]} have survived it"
