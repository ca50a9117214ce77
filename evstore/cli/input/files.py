"""Files that an export writes and an import reads, compressed or not."""

from __future__ import annotations

import os
import signal
import stat
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple

from evstore import atomic
from evstore.cli import signals
from evstore.cli.errors import InputOutputError, UsageError
from evstore.cli.exits import hint_for
from evstore.cli.input.sources import chunks, open_input
from evstore.errors import InvalidPayloadError, InvalidTargetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_GZIP: Final = b"\x1f"
"""The first byte of compressed input, with which no other input begins."""


class _End(BaseException):
    """A signal came that ends the command."""


@contextmanager
def to_the_end() -> Iterator[None]:
    """Delay the end by a signal until an incomplete file is removed."""

    inside = True

    def end(number: int, _: object) -> None:
        if inside:
            raise _End(number)
        signals.end(number)

    ending = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM) if signals.ends(each)}
    for each in ending:
        signal.signal(each, end)
    try:
        try:
            yield
        finally:
            inside = False
    except _End as error:
        signals.end(error.args[0])
    finally:
        for each, before in ending.items():
            signal.signal(each, before)


@contextmanager
def new_file(path: str, *, force: bool, own: Sequence[str]) -> Iterator[BinaryIO]:
    """A file to write that gets its name when all of it is on disk, and never before. `own`: the store's files.

    Without `force` nothing that has the name already is replaced, also if it got it meanwhile.
    """
    try:
        atomic.check_target(path, force=force, own=own)
        with (
            atomic.new_file(path, force=force) as part,
            os.fdopen(part.fd, "wb", closefd=False) as raw,
            _packing(raw, path) as file,
        ):
            yield file
    except InvalidTargetError as error:
        raise UsageError(str(error), hint_for(error)) from error
    except OSError as error:
        raise InputOutputError(f"cannot write {path}: {error.strerror or error}") from error


@contextmanager
def _packing(raw: BinaryIO, path: str) -> Iterator[Any]:
    if not path.endswith(".gz"):
        yield raw
        return
    import gzip

    # Without name and time, so that the same log gives the same file.
    with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw, mtime=0) as file:
        yield file


class Input(NamedTuple):
    """The bytes of a file, or of stdin."""

    chunks: Iterator[bytes]
    size: int | None
    """Its bytes, if it is known how many they are."""
    position: Callable[[], int]
    """The bytes of them that were read by now."""


@contextmanager
def input_of(name: str) -> Iterator[Input]:
    """An input, compressed or not.

    What is compressed is known to be whole only at its end, where its checksum stands; so it is read to there
    first, before anybody stores what may be damaged.
    """
    with ExitStack() as ends:
        raw: Any = ends.enter_context(open_input(name))
        try:
            packed = raw.peek(1)[:1] == _GZIP  # a pipe may give a single byte at first
            size = _size(raw)
            if packed and size is None:
                raw = ends.enter_context(_keep(raw))
                size = _size(raw)
            if packed:
                _check_packed(raw, name)
            yield Input(
                _unpack(raw) if packed else chunks(raw), size, raw.tell if size is not None else (lambda: 0)
            )
        except OSError as error:
            raise InputOutputError(f"cannot read {name}: {error.strerror or error}") from error


def _size(raw: BinaryIO) -> int | None:
    found = os.fstat(raw.fileno())
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _keep(raw: BinaryIO) -> BinaryIO:
    """The bytes of a pipe, in a file without a name."""
    import tempfile
    from shutil import copyfileobj

    kept: Any = tempfile.TemporaryFile(prefix="evstore-")  # noqa: SIM115 - it lives as long as the input
    copyfileobj(raw, kept)
    kept.seek(0)
    return kept  # type: ignore[no-any-return]


def _check_packed(raw: BinaryIO, name: str) -> None:
    import gzip
    import zlib

    begin = raw.tell()
    try:
        with gzip.open(raw, "rb") as file:
            while file.read(1 << 20):
                continue
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        fault = InvalidPayloadError(f"the compressed input is damaged or ends too early: {error}")
        fault.source = name
        raise fault from error
    raw.seek(begin)


def _unpack(raw: BinaryIO) -> Iterator[bytes]:
    import gzip

    with gzip.open(raw, "rb") as file:
        yield from chunks(file)  # type: ignore[arg-type]
