"""Files that an export writes and an import reads, compressed or not."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from evstore.cli.exits import OutputError, UsageError
from evstore.errors import InvalidPayloadError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_GZIP: Final = b"\x1f\x8b"


@contextmanager
def new_file(path: str, *, force: bool) -> Iterator[BinaryIO]:
    """A file to write that gets its name when all of it is on disk, and never before.

    Without `force` nothing that has the name already is replaced, also if it got it meanwhile.
    """
    folder = os.path.dirname(path) or "."  # noqa: PTH120 - pathlib loads more
    if os.path.isdir(path):  # noqa: PTH112
        raise UsageError(f"cannot write {path}: it is a folder")
    if not force and os.path.lexists(path):
        raise UsageError(f"{path} exists", "--force replaces it")
    part = f"{path}.part-{os.getpid()}"
    try:
        raw = os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), "wb")
    except FileNotFoundError:
        raise UsageError(f"cannot write {path}: no such folder") from None
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
    try:
        with raw:
            with _packed(raw, path) as file:
                yield file
            raw.flush()
            os.fsync(raw.fileno())
        _give_name(part, path, force=force)
        _sync(folder)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if os.path.lexists(part):
            os.unlink(part)  # noqa: PTH108


@contextmanager
def _packed(raw: BinaryIO, path: str) -> Iterator[Any]:
    if not path.endswith(".gz"):
        yield raw
        return
    import gzip  # noqa: PLC0415

    # Without name and time, so that the same log gives the same file.
    with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw, mtime=0) as file:
        yield file


def _give_name(part: str, path: str, *, force: bool) -> None:
    if force:
        os.replace(part, path)  # noqa: PTH105
        return
    try:
        os.link(part, path)
    except FileExistsError:
        raise UsageError(f"{path} exists by now", "--force replaces it") from None
    except OSError:  # a file system without links
        os.rename(part, path)  # noqa: PTH104


def _sync(folder: str) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)  # the name must survive a power cut, too
    finally:
        os.close(fd)


@contextmanager
def input_of(name: str) -> Iterator[tuple[Iterator[bytes], int | None, Callable[[], int]]]:
    """The lines of a file, or of stdin; its size, if it has one; and how much of that was read by now."""
    raw: Any = sys.stdin.buffer if name == "-" else open(name, "rb")  # noqa: PTH123, SIM115
    try:
        found = os.fstat(raw.fileno())
        size = found.st_size if stat.S_ISREG(found.st_mode) else None
        packed = raw.peek(2)[:2] == _GZIP
        yield _unpacked(raw, name) if packed else iter(raw), size, raw.tell if size is not None else (lambda: 0)
    finally:
        if name != "-":
            raw.close()


def _unpacked(raw: BinaryIO, name: str) -> Iterator[bytes]:
    import gzip  # noqa: PLC0415
    import zlib  # noqa: PLC0415

    try:
        with gzip.open(raw, "rb") as file:
            yield from file
    except (OSError, EOFError, zlib.error) as error:
        fault = InvalidPayloadError(f"the compressed input is damaged or ends too early: {error}")
        fault.place = name
        raise fault from error
