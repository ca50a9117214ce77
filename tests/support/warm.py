"""The command in a process of its own that need not load Python first: forked from one that has loaded all of it.

An interpreter that starts and imports takes most of the time of a command, and the tests run thousands. What is
different here is only that: descriptors, folder, environment and end of the process are real. What starting loads
has its own tests, and EVSTORE_TEST_COLD=1 starts an interpreter for every command.
"""

from __future__ import annotations

import atexit
import gc
import marshal
import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from contextlib import closing, contextmanager, suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from select import select
from tempfile import TemporaryDirectory, TemporaryFile
from threading import Thread
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

COLD: Final = os.environ.get("EVSTORE_TEST_COLD") == "1"
AT_START: Final = ("PYTHON", "LC_", "LANG")
"""Variables that an interpreter hears when it starts, and never again."""
_LENGTH: Final = 8
"""Bytes that say how long the rest of a request is."""
_NOT_OF_A_COMMAND: Final = ("evstore.testing", "evstore.__main__")


def hears(env: dict[str, str]) -> bool:
    """Whether a process that runs already can be given this environment."""
    started_with = os.environ | {"PYTHONWARNINGS": "error"}
    return not COLD and all(
        value == started_with.get(name) for name, value in env.items() if name.startswith(AT_START)
    )


def run(
    argv: list[str],
    cwd: Path,
    env: dict[str, str],
    stdin: bytes,
    timeout: float,
    kill_after: float | None = None,
    setting: str = "",
) -> tuple[int, bytes, bytes]:
    """Exit code (negative: the signal that ended it), what it wrote to stdout, and to stderr."""
    with TemporaryFile() as out, TemporaryFile() as err, _pipe(stdin) as given:
        code = run_on([given, out, err], argv, cwd, env, timeout, kill_after, setting)
        out.seek(0)
        err.seek(0)
        return code, out.read(), err.read()


def run_on(
    files: Sequence[BinaryIO],
    argv: list[str],
    cwd: Path,
    env: dict[str, str],
    timeout: float,
    kill_after: float | None = None,
    setting: str = "",
) -> int:
    """The exit code, run on these files as stdin, stdout and stderr. The first is closed: the command alone has it.

    After `kill_after` seconds of work it gets kill -9, which is no fault, as a timeout is. `setting` is Python that
    runs before the command.
    """
    with closing(socket.socket(socket.AF_UNIX)) as to:
        to.settimeout(timeout)
        to.connect(server())
        variables = {os.fsencode(name): os.fsencode(value) for name, value in env.items()}
        asked = marshal.dumps((argv, os.fsencode(cwd), variables, None, setting))
        asked = len(asked).to_bytes(_LENGTH, "big") + asked
        sent = socket.send_fds(to, [asked], [each.fileno() for each in files])
        to.sendall(asked[sent:])
        files[0].close()
        said = to.recv(64)  # the number of the process, and its exit code when it has ended
        to.settimeout(timeout if kill_after is None else kill_after)
        try:
            said += _rest(to)
        except TimeoutError:
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(int(said.split()[0]), signal.SIGKILL)
            if kill_after is None:
                raise subprocess.TimeoutExpired(argv, timeout) from None
            to.settimeout(timeout)
            said += _rest(to)
    return int(said.split()[1])


def _rest(to: socket.socket) -> bytes:
    said = b""
    while more := to.recv(64):
        said += more
    return said


@contextmanager
def _pipe(text: bytes) -> Iterator[BinaryIO]:
    """A pipe that is fed with the text by a thread, for as long as somebody reads."""
    reading, writing = (os.fdopen(each, mode) for each, mode in zip(os.pipe(), ("rb", "wb"), strict=True))

    def feed() -> None:
        with suppress(BrokenPipeError), writing:
            writing.write(text)

    thread = Thread(target=feed)
    thread.start()
    try:
        yield reading
    finally:
        reading.close()
        thread.join()


@cache
def server() -> str:
    """Where the process listens that all others are forked from; it ends with this one."""
    folder = TemporaryDirectory(prefix="evstore-warm-")
    path = f"{folder.name}/socket"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.warm", path],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTHONWARNINGS": "error"},
        stdin=subprocess.PIPE,
    )

    def end() -> None:
        process.communicate()  # closes what it reads
        folder.cleanup()

    atexit.register(end)
    while not os.path.exists(path):
        assert process.poll() is None
        time.sleep(0.01)
    return path


def _serve(path: str) -> None:
    """Fork for each that connects, until whoever started this is gone."""
    _load()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{path}.new")
        listener.listen(64)
        os.rename(f"{path}.new", path)
        running: dict[int | socket.socket, Running] = {}
        while sys.stdin not in (ready := select([listener, sys.stdin, *running], [], [])[0]):
            for each in ready:
                if each is listener:
                    _fork(listener, running)
                elif each in running:
                    _go_on(running, each)


def _load() -> None:
    """Load everything that a command may load."""
    import sqlite3  # noqa: F401

    import psycopg
    import rich.progress
    import rich.table  # noqa: F401
    import sqlite_utils  # noqa: F401
    import typer
    import typer._click._textwrap
    import typer._click.decorators

    import evstore
    from evstore.cli.app import app
    from evstore.model import ids

    for module in walk_packages(evstore.__path__, "evstore."):
        if not module.name.startswith(_NOT_OF_A_COMMAND):
            import_module(module.name)
    ids._uuid7()  # makes none: all that are forked would make the same
    assert psycopg.pq.__impl__
    made = typer.main.get_command(app)
    assert [*made.commands.values()]  # type: ignore[attr-defined]
    typer.main.get_command = lambda _: made  # no command makes another one
    gc.collect()
    gc.freeze()  # what is shared with the forked stays shared


class Running(NamedTuple):
    """A command, and who waits for it."""

    child: int
    pidfd: int
    connection: socket.socket


def _fork(listener: socket.socket, running: dict[int | socket.socket, Running]) -> None:
    """Start the command that the next connection asks for."""
    connection, _ = listener.accept()
    said, files, _, _ = socket.recv_fds(connection, 1 << 16, 3)
    while len(said) < _LENGTH or len(said) < _LENGTH + int.from_bytes(said[:_LENGTH], "big"):
        if not (more := connection.recv(1 << 16)):  # whoever asked is gone
            for file in files:
                os.close(file)
            return
        said += more
    child = os.fork()
    if child == 0:
        try:
            # What this process keeps open of others, their callers would wait for.
            for each in {*running.values()}:
                os.close(each.pidfd)
                each.connection.close()
            listener.close()
            connection.close()
            _become(files, *marshal.loads(said[_LENGTH:]))
        finally:
            os._exit(1)
    for file in files:
        os.close(file)
    with suppress(BrokenPipeError):
        connection.sendall(b"%d " % child)
    started = Running(child, os.pidfd_open(child), connection)
    running[started.pidfd] = running[connection] = started


def _go_on(running: dict[int | socket.socket, Running], what: int | socket.socket) -> None:
    """Tell how a command ended, or end it where nobody waits any more."""
    child, pidfd, connection = running[what]
    if what is connection:
        os.kill(child, signal.SIGKILL)
        del running[connection]
        return
    running.pop(connection, None)
    del running[pidfd]
    os.close(pidfd)
    _, status = os.waitpid(child, 0)
    with connection, suppress(BrokenPipeError):  # whoever asked may have lost patience
        connection.sendall(b"%d" % os.waitstatus_to_exitcode(status))


def _become(
    files: list[int], argv: list[str], cwd: bytes, env: dict[bytes, bytes], mask: int | None, setting: str
) -> None:
    """Be the command, as `python -m evstore` is."""
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(cwd)
    if mask is not None:
        os.umask(mask)
    os.environ.clear()
    os.environb.update(env)
    time.tzset()
    sys.argv = ["evstore", *argv]
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", closefd=False)  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = open(1, "w", encoding="utf-8", closefd=False)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = open(  # type: ignore[misc]
        2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False
    )
    exec(setting, {})
    from evstore.cli import main

    code: object = 0
    try:
        main()
    except SystemExit as end:
        code = end.code or 0
    except BaseException:  # noqa: BLE001 - as an interpreter does
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)  # taking apart all that was loaded takes longer than a command


if __name__ == "__main__":
    _serve(sys.argv[1])
