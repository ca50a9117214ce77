"""Files that an export writes, compressed or not."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

from evstore import atomic
from evstore.cli import signals
from evstore.cli.errors import InputOutputError, UsageError
from evstore.cli.exits import hint_for
from evstore.errors import InvalidTargetError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


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
