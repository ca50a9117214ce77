"""`evstore` for shells and scripts: a program that lends its streams to a process which has loaded everything, and ends
as that one ends.

It is what `warm` is for those who need an executable file. Signals are passed on, and a kill -9 reaches the other as
well, a moment later. Whatever the other process cannot be given, as a stream that is closed or another language, makes
the program become the command itself. Limits of resources are those of the other process, whatever the caller set.
"""

from __future__ import annotations

import atexit
import os
import shlex
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.support import warm

_PROGRAM: Final = r"""#!{python} -IS
import _signal, _socket, marshal, posix, sys
from array import array

ENV = posix.environ
AT_START = {at_start!r}
COERCED = (b"LC_CTYPE", b"C.UTF-8")  # what Python itself puts there, where nothing says which language to speak


def cold():
    posix.execve({cold[0]!r}, [*{cold!r}, *sys.argv[1:]], ENV)


at_start = {{each for each in ENV.items() if each[0].startswith({names!r})}}
if at_start != AT_START and at_start - {{COERCED}} != AT_START:
    cold()
mask = posix.umask(0)
posix.umask(mask)
asked = marshal.dumps((sys.argv[1:], posix.getcwdb(), ENV, mask, {setting!r}))
asked = len(asked).to_bytes(8, "big") + asked
try:
    for each in range(3):
        posix.fstat(each)
    to = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    to.connect({socket!r})
    sent = to.sendmsg([asked], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array("i", [0, 1, 2]))])
except OSError:
    cold()
to.sendall(asked[sent:])
said = to.recv(64)
number = int(said.split()[0])
for each in (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP, _signal.SIGQUIT, _signal.SIGWINCH):
    if _signal.getsignal(each) != _signal.SIG_IGN:
        _signal.signal(each, lambda number_of_signal, _: posix.kill(number, number_of_signal))
while more := to.recv(64):
    said += more
code = int(said.split()[1])
if code < 0:
    if -code != _signal.SIGKILL:
        _signal.signal(-code, _signal.SIG_DFL)
    posix.kill(posix.getpid(), -code)
posix._exit(code)
"""


def evstore(env: dict[str, str], setting: str = "") -> Path:
    """The program for this environment, named `evstore`, alone in its folder.

    `setting` is Python that runs before the command. Where warm processes are not wanted, it is the command itself.
    """
    at_start = tuple((name, value) for name, value in sorted(env.items()) if name.startswith(warm.AT_START))
    return _made(at_start, setting)


@cache
def _made(at_start: tuple[tuple[str, str], ...], setting: str) -> Path:
    folder = TemporaryDirectory(prefix="evstore-at-hand-")
    atexit.register(folder.cleanup)
    path = Path(folder.name) / "evstore"
    cold = [sys.executable, "-c", f"{setting}\nfrom evstore.cli import main\nmain()"]
    if warm.COLD:
        path.write_text(f'#!/bin/sh\nexec {shlex.join(cold)} "$@"\n')
    else:
        path.write_text(
            _PROGRAM.format(
                python=sys.executable,
                at_start={(os.fsencode(name), os.fsencode(value)) for name, value in at_start},
                names=tuple(os.fsencode(name) for name in warm.AT_START),
                cold=cold,
                setting=setting,
                socket=warm.server(),
            )
        )
    path.chmod(0o755)
    return path
