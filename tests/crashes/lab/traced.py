"""System calls as strace logs them: in one order over all processes, with every byte they pass on.

A call begins at one line of the log and ends at the same or a later one. What it does is done somewhere between.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NO_STRACE: Final = "only strace sees the order of system calls, and it is not installed or may not trace here"
LONGEST: Final = 50_000_000
"""Bytes of one call that strace prints; more than any call passes on."""
QUICK: Final = "--seccomp-bpf"
"""Stop a process at the calls that are watched alone. Only for processes that strace starts."""
_GONE: Final = "No such process"
"""Said of one that has ended by itself, which is no loss."""
_LINE: Final = re.compile(r"(\d+) +(.*)")
_UNFINISHED: Final = " <unfinished ...>"
_RESUMED: Final = re.compile(r"<\.\.\. \w+ resumed>")
_CALL: Final = re.compile(r"(\w+)\((.*)\) += (-?\d+)(?:<([^>]*)>)?")
_FD: Final = re.compile(r"(\d+)<([^>]*)>(\(deleted\))?")


@dataclass
class Call:
    """A system call that did not fail."""

    thread: int
    name: str
    given: str
    result: int
    made: str
    """The path of the file that it opened."""
    begin: int
    end: int

    @cached_property
    def fd(self) -> int:
        """Its first argument, -1 if that is no open file."""
        found = _FD.match(self.given)
        return int(found[1]) if found else -1

    @cached_property
    def path(self) -> str:
        """The path of that file, nothing if it has none any more."""
        found = _FD.match(self.given)
        return _text(found[2]) if found and not found[3] else ""

    @cached_property
    def texts(self) -> list[bytes]:
        """Its arguments that are bytes: what is written, or paths."""
        return [_bytes(each) for each in self.given.split('"')[1::2]]

    @cached_property
    def numbers(self) -> list[int]:
        """Its last arguments that are numbers."""
        return [int(each) for each in re.findall(r", (\d+)\b", self.given.rpartition('"')[2])]


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _text(path: str) -> str:
    return _bytes(path).decode() if path.startswith("\\x") else path


def calls_in(log: Path) -> list[Call]:
    """The calls in the order of their ends."""
    begun: dict[int, tuple[int, str]] = {}
    found: list[Call] = []
    with log.open(errors="replace") as lines:
        for number, line in enumerate(lines):
            parts = _LINE.match(line)
            if not parts:
                continue
            thread, text = int(parts[1]), parts[2]
            begin = number
            if text.endswith(_UNFINISHED):
                begun[thread] = number, text.removesuffix(_UNFINISHED)
                continue
            if resumed := _RESUMED.match(text):
                begin, head = begun.pop(thread)
                text = head + text[resumed.end() :]
            call = _CALL.match(text)
            if call and int(call[3]) >= 0:
                name, given, result, made = call.groups()
                found.append(Call(thread, name, given, int(result), _text(made or ""), begin, number))
    return found


def argv(log: Path, names: Sequence[str], *more: str) -> list[str]:
    """The words that put a command under strace."""
    given = ["strace", "-f", "-y", "-xx", "-s", str(LONGEST), "-e", f"trace={','.join(names)}", "-o", str(log)]
    return [*given, *more]


def may_trace() -> bool:
    """True if this system lets strace watch a process."""
    if not shutil.which("strace"):
        return False
    done = subprocess.run(argv(Path(os.devnull), ["write"], QUICK, "true"), capture_output=True)
    return (done.returncode, done.stderr) == (0, b"")


@contextmanager
def watched(pids: Sequence[int], log: Path, names: Sequence[str]) -> Iterator[None]:
    """For the block, strace watches these processes and all that they start."""
    words = argv(log, names, *(word for pid in pids for word in ("-p", str(pid))))
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as strace:
        assert strace.stderr is not None
        said = [strace.stderr.readline() for _ in pids]
        try:
            if not all("attached" in line or _GONE in line for line in said):
                raise PermissionError(f"{NO_STRACE}: {' '.join(said)}")
            yield
        finally:
            strace.terminate()
            strace.communicate()
