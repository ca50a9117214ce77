"""Bytes out of the process: data on stdout, everything else on stderr."""

from __future__ import annotations

import os
import re
import signal
import sys
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TextIO

from evstore.cli import settings
from evstore.cli.errors import InputOutputError

if TYPE_CHECKING:
    import json
    from collections.abc import Callable, Iterable, Iterator, Mapping

# C0, DEL, C1 and the bidirectional controls: what could move, colour or reorder a terminal.
_CONTROL: Final = "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"

_PIPE_BYTES: Final = 1 << 20
"""The most that Linux gives a user who asks, unless it is set otherwise (`fs.pipe-max-size`)."""

make_room: Callable[[], None] | None = None
"""Removes what is drawn on stderr, where something is, before a line stands there."""


def visible(text: str) -> str:
    """The text with every character that could drive a terminal shown as an escape, as in a JSON string."""
    return re.sub(_CONTROL, lambda found: f"\\u{ord(found[0]):04x}", text)


def note(text: str, kind: str = "note") -> None:
    """A line for the person at the terminal; scripts may drop it."""
    if settings.current.quiet and kind != "hint":
        return
    flush()  # where both streams are one terminal, the order of lines is right
    if settings.current.errors == "json":
        err_line(to_json({"note": text}))
    else:
        err_line(f"{kind}: {text}")


def err_line(line: str) -> None:
    """One line on stderr."""
    err_text(f"{visible(line)}\n")


def err_text(text: str) -> None:
    """Text on stderr, unchanged. If stderr cannot be written, the work goes on."""
    if sys.stderr is None:
        return
    if make_room is not None:
        make_room()
    try:
        if settings.current.errors == "json":  # JSON is UTF-8 in every locale
            sys.stderr.flush()
            sys.stderr.buffer.write(text.encode("utf-8", "backslashreplace"))
        else:
            sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):
        silence(sys.stderr)


def silence(stream: TextIO) -> None:
    """Let go of what cannot be written: at exit it would fail again, with Python's own message and exit code."""
    if stream in (sys.__stdout__, sys.__stderr__):
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, stream.fileno())
        os.close(devnull)


def write(text: str) -> None:
    """Text on stdout, as UTF-8 in every locale."""
    _write(text.encode("utf-8", "backslashreplace"))  # a path may be any bytes


def _write(encoded: bytes) -> None:
    if sys.stdout is None:
        raise InputOutputError("cannot write to stdout: it is closed")
    if make_room is not None and settings.on_terminal():
        make_room()
    try:
        sys.stdout.buffer.write(encoded)
    except (OSError, ValueError) as error:
        silence(sys.stdout)
        raise InputOutputError(f"cannot write to stdout: {error}") from error


def line(text: str) -> None:
    """A line of data. On a terminal, whatever could drive it is escaped; in a pipe the bytes stay."""
    write((terminal(text) if settings.on_terminal() else text) + "\n")


def lines(texts: Iterable[str]) -> None:
    """The lines of data of a page, written at once."""
    _write(as_bytes(map(terminal, texts) if settings.on_terminal() else texts))


def ready(encoded: bytes) -> None:
    """Lines of data that are ready in UTF-8, each with its line break, written at once."""
    if settings.on_terminal():
        lines(encoded.decode().split("\n")[:-1])
    else:
        _widen()
        _write(encoded)


@cache
def _widen() -> None:
    """Let the pipe to the reader hold as much as any user may ask for. Linux gives it 64 KiB, after each of which
    writer and reader wait for each other: with more, a log goes through it a tenth faster."""
    try:
        from fcntl import F_SETPIPE_SZ, fcntl

        fcntl(sys.stdout.fileno(), F_SETPIPE_SZ, _PIPE_BYTES)
    except (ImportError, OSError, ValueError, AttributeError):  # no pipe, no Linux, or too many wide pipes
        return


def as_bytes(texts: Iterable[str]) -> bytes:
    """Lines as UTF-8, with their line breaks. No text gives no line.

    Each is encoded alone: most are ASCII, which takes a tenth of the time, and together they are not.
    """
    encoded = [text.encode("utf-8", "backslashreplace") for text in texts]
    return b"\n".join([*encoded, b""])


def terminal(text: str) -> str:
    """A line as a terminal may get it; the tabs of a TSV do no harm there."""
    return "\t".join(map(visible, text.split("\t")))


def flush() -> None:
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except (OSError, ValueError) as error:
        silence(sys.stdout)
        raise InputOutputError(f"cannot write to stdout: {error}") from error


def check_reader() -> None:
    """End as a write would if nobody can read stdout any more. A follower asks, which may not write for hours."""
    if sys.stdout is None or not hasattr(sys.stdout, "fileno"):
        return
    import select

    asked = select.poll()
    asked.register(sys.stdout.fileno(), 0)
    if not any(state & (select.POLLERR | select.POLLHUP) for _, state in asked.poll(0)):
        return
    os.kill(os.getpid(), signal.SIGPIPE)  # unless the parent had it ignored
    silence(sys.stdout)
    raise InputOutputError("cannot write to stdout: nobody reads it any more")


@contextmanager
def after_the_fact(done: str, facts: Mapping[str, Any]) -> Iterator[None]:
    """The output of a command that has done its work: should it fail, the error reports the work all the same."""
    try:
        yield
        flush()
    except InputOutputError as error:
        raise InputOutputError(f"{error}; {done}", facts=facts) from error


def to_json(value: Any) -> str:
    return _encoder().encode(value)


@cache  # made anew, it takes as long as a receipt
def _encoder() -> json.JSONEncoder:
    import json

    return json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
