"""The files that an append reads, stdin among them."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Final

from evstore.cli.errors import InputOutputError, UsageError
from evstore.errors import DeniedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_READ_BYTES: Final = 1 << 16


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


def chunks(file: BinaryIO) -> Iterator[bytes]:
    """The bytes of a file as they come: each chunk is the result of one read."""
    while chunk := file.read1(_READ_BYTES):  # type: ignore[attr-defined]
        yield chunk


def size_of(files: Sequence[str]) -> int | None:
    """The bytes of the files together; None if one of them is stdin or a pipe."""
    found = [os.stat(name) for name in files if name != "-"]
    if len(found) < len(files) or not all(stat.S_ISREG(each.st_mode) for each in found):
        return None
    return sum(each.st_size for each in found)


@contextmanager
def open_input(name: str) -> Iterator[BinaryIO]:
    """A file, or stdin for `-`. Raises UsageError, DeniedError, or InputOutputError while it is read."""
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
        raise InputOutputError(f"cannot read {name}: {error.strerror}") from error
