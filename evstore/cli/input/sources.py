"""The files that are read, stdin among them, compressed or not."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import ExitStack, contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from evstore.cli.errors import InputOutputError, UsageError
from evstore.errors import DeniedError, InvalidPayloadError
from evstore.jsontext.packed import check_whole, chunks, is_packed, unpacked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence


def check_files(files: Iterable[str]) -> None:
    """Find a missing file before anything of the others is stored, without opening what may be a pipe."""
    for name in files:
        if name == "-":
            continue
        try:
            found = os.stat(name)
        except (OSError, ValueError) as error:
            raise UsageError(f"cannot read {name}: {getattr(error, 'strerror', error)}") from error
        if stat.S_ISDIR(found.st_mode):
            raise UsageError(f"cannot read {name}: Is a directory")
        if not os.access(name, os.R_OK):
            raise DeniedError(f"cannot read {name}: permission denied")


class Input(NamedTuple):
    """The bytes of a file, or of stdin."""

    chunks: Iterator[bytes]
    size: int | None
    """Its bytes, if it is known how many they are."""
    position: Callable[[], int]
    """The bytes of them that were read by now."""


def size_of(files: Sequence[str]) -> int | None:
    """The bytes of the files together; None if one of them is stdin or a pipe."""
    found = [os.stat(name) for name in files if name != "-"]
    if len(found) < len(files) or not all(stat.S_ISREG(each.st_mode) for each in found):
        return None
    return sum(each.st_size for each in found)


@contextmanager
def input_of(name: str) -> Iterator[Input]:
    """An input, compressed or not: a file, or stdin for `-`.

    What is compressed is known to be whole only at its end, where its checksum stands; so it is read to there
    first, before anybody stores what may be damaged. Raises UsageError, DeniedError, or InputOutputError while it
    is read.
    """
    with ExitStack() as ends:
        raw = ends.enter_context(_opened(name))
        size = _size(raw)
        begin = 0 if size is None else raw.tell()
        first = next(chunks(raw), b"")  # not looked at in advance, which would make it smaller
        if not is_packed(first):
            yield Input(chain([first], chunks(raw)), size, _position(raw, size))
            return
        if size is None:
            raw = ends.enter_context(_kept(first, raw))
            size = _size(raw)
        raw.seek(begin)
        _check_whole(raw, name)
        yield Input(unpacked(raw), size, raw.tell)


def _position(raw: BinaryIO, size: int | None) -> Callable[[], int]:
    return (lambda: 0) if size is None else raw.tell


def _check_whole(raw: BinaryIO, name: str) -> None:
    try:
        check_whole(raw)
    except InvalidPayloadError as error:
        error.source = name
        raise


def _size(raw: BinaryIO) -> int | None:
    found = os.fstat(raw.fileno())
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _kept(first: bytes, raw: BinaryIO) -> BinaryIO:
    """The bytes of a pipe, in a file without a name."""
    import tempfile
    from shutil import copyfileobj

    kept: Any = tempfile.TemporaryFile(prefix="evstore-")  # noqa: SIM115 - it lives as long as the input
    kept.write(first)
    copyfileobj(raw, kept)
    return kept  # type: ignore[no-any-return]


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    if name == "-":
        if sys.stdin is None:
            raise UsageError("stdin is closed")
        with _readable(name):
            yield sys.stdin.buffer
        return
    try:
        file = open(name, "rb")  # noqa: SIM115 - pathlib loads more
    except PermissionError as error:
        raise DeniedError(f"cannot read {name}: permission denied") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {name}: {getattr(error, 'strerror', error)}") from error
    with file, _readable(name):
        yield file


@contextmanager
def _readable(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputOutputError(f"cannot read {name}: {error.strerror or error}") from error
