"""A sequence of JSON values out of a stream of bytes, whatever its layout.

NDJSON, pretty-printed, concatenated, arrays (flattened one level), byte order mark and CRLF: found out
without a flag. This module finds where values begin and end; whether a value is JSON is for its reader.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Generic, TypeVar

from evstore.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")

_BOM = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n"
_BETWEEN_OBJECTS = re.compile(rb"}[ \t\r]*{")
# Everything that matters for finding the end of an array or an object; strings are passed over whole.
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}"]', re.DOTALL)
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_SCALAR_END = re.compile(rb"[ \t\r\n,\[\]{}\"]")


def read_values(lines: Iterable[bytes], name: str, read: Callable[[bytes], T]) -> Iterator[tuple[int, T]]:
    """Yield each value's line number (from 1) and what `read` makes of it.

    `lines` are a file's lines with their breaks, `name` stands in messages. An InvalidInputError of `read`
    is raised again with its source before it: `events.ndjson:3: missing "type"`.
    """
    values = Values(name, read)
    yield from values.feed(lines)
    yield from values.end()


class Values(Generic[T]):
    """The same for input that comes in pieces."""

    def __init__(self, name: str, read: Callable[[bytes], T]) -> None:
        self._name = name
        self._read = read
        self._number = 0
        self._scanner = _Scanner()

    def feed(self, lines: Iterable[bytes]) -> Iterator[tuple[int, T]]:
        """The values that are whole after these lines."""
        scanner = self._scanner
        for line in lines:
            self._number += 1
            text = line.removeprefix(_BOM) if self._number == 1 else line
            if scanner.idle and _looks_whole(stripped := text.strip(_SPACE)):
                try:
                    value = self._read(stripped)
                except InvalidInputError as error:
                    # Odd layouts can look whole; the fault is real if the scanner takes this for one value, too.
                    scanner.feed(text, self._number)
                    if scanner.found == [(self._number, stripped)]:
                        error.source = f"{self._name}:{self._number}"
                        raise
                else:
                    yield self._number, value
                    continue
            else:
                scanner.feed(text, self._number)
            yield from self._found()

    def end(self) -> Iterator[tuple[int, T]]:
        """What the end of the input completes, or leaves incomplete."""
        self._scanner.end()
        yield from self._found()

    def _found(self) -> Iterator[tuple[int, T]]:
        found, self._scanner.found = self._scanner.found, []
        for number, text in found:
            try:
                if text is None:
                    raise InvalidInputError("not valid JSON: an array's values stand between single commas")
                value = self._read(text)
            except InvalidInputError as error:
                error.source = f"{self._name}:{number}"
                raise
            yield number, value


def _looks_whole(text: bytes) -> bool:
    return (
        text.startswith(b"{")
        and text.endswith(b"}")
        and text.count(b"{") == text.count(b"}")
        and not _BETWEEN_OBJECTS.search(text)
    )


class _Scanner:
    """Collects lines until they hold whole values; flattens arrays at the top."""

    def __init__(self) -> None:
        self.found: list[tuple[int, bytes | None]] = []
        """Line and text of each whole value; None is a misplaced comma of an array at the top."""
        self._pieces: list[bytes] = []  # the value under way, from its first byte
        self._start = 0  # the line it began on
        self._depth = 0  # brackets open in it
        self._due = ""  # in an array at the top: "value", "value or ]", ", or ]"; empty outside

    @property
    def idle(self) -> bool:
        """Nothing is under way, so that the next line may be a value of its own."""
        return not (self._pieces or self._due)

    def feed(self, line: bytes, number: int) -> None:
        at = 0
        while at < len(line):
            at = self._inside(line, at) if self._pieces else self._between(line, at, number)

    def end(self) -> None:
        """The input ends: what is under way ends too early, as its reader will say."""
        if self._pieces:
            self._finish()
        elif self._due:
            self.found.append((self._start, b"["))

    def _inside(self, line: bytes, at: int) -> int:
        for token in _TOKEN.finditer(line, at):
            mark = token[0]
            if mark in b"[{":
                self._depth += 1
            elif mark in b"]}":
                self._depth -= 1
            if self._depth == 0 or mark == b'"':  # a quote alone: no string goes over a line's end
                end = token.end() if self._depth == 0 else len(line)
                self._pieces.append(line[at:end])
                self._finish()
                return end
        self._pieces.append(line[at:])
        return len(line)

    def _between(self, line: bytes, at: int, number: int) -> int:
        mark = line[at : at + 1]
        if mark in _SPACE:
            return at + 1
        if self._due and mark in b"],":
            if (mark == b"," and self._due != ", or ]") or (mark == b"]" and self._due == "value"):
                self.found.append((number, None))
            self._due = "value" if mark == b"," else ""
            return at + 1
        if self._due == ", or ]":
            self.found.append((number, None))
        self._start = number
        if mark == b"[" and not self._due:
            self._due = "value or ]"
            return at + 1
        if mark in b"[{":
            self._pieces.append(b"")
            return at
        end = _end_of_scalar(line, at)
        self._pieces.append(line[at:end])
        self._finish()
        return end

    def _finish(self) -> None:
        self.found.append((self._start, b"".join(self._pieces)))
        self._pieces, self._depth = [], 0
        if self._due:
            self._due = ", or ]"


def _end_of_scalar(line: bytes, at: int) -> int:
    if line[at : at + 1] == b'"':
        string = _STRING.match(line, at)
        return string.end() if string else len(line)
    end = _SCALAR_END.search(line, at + 1)
    return end.start() if end else len(line)
