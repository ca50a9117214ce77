"""A splitter of byte streams into JSON values, for every layout.

NDJSON, pretty-printed, concatenated, arrays (flattened one level), JSON text sequences (RFC 7464), byte order mark
and CRLF are recognised without a flag. This module finds the ends of values; their reader judges them.

Most input is NDJSON. A reader of lines may take a block of them at once; where the block holds anything but a
sound value on each line, the splitter goes through it line by line, and finds the same values and the exact place
of a fault.
"""

from __future__ import annotations

import re
from itertools import count
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from evstore.errors import InvalidInputError
from evstore.jsontext.judging import MAX_DATA_BYTES
from evstore.jsontext.quoting import STRING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TypeAlias

    ReadLines: TypeAlias = Callable[[bytes], Sequence["T"] | None]
    """From lines, each with its line break, to their values; None if they are not as simple as it takes them."""

T = TypeVar("T")

MOST_BYTES: Final = MAX_DATA_BYTES + 256 * 1024
"""The longest value: data at its limit, with metadata and names around it."""

MOST_AT_ONCE: Final = 1 << 20
"""The most bytes of lines that are read at once."""
_PIECE: Final = 1 << 16
"""Bytes of an incomplete line that are worth a look for whole values."""
_COMMAS: Final = "not valid JSON: an array's values stand between single commas"
_BOM = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n"
_RECORD = b"\x1e"
"""The character before each value of a JSON text sequence; within a value it is no JSON."""
_AROUND = _SPACE + _RECORD
_BETWEEN_OBJECTS = re.compile(rb"}[ \t\r]*{")
# The tokens that decide where an array or an object ends; strings are skipped whole.
_TOKEN = re.compile(STRING.encode() + rb'|[\[\]{}"]', re.DOTALL)
_STRING = re.compile(STRING.encode(), re.DOTALL)
_SCALAR_END = re.compile(rb"[ \t\r\n,\[\]{}\"\x1e]")


def read_values(
    chunks: Iterable[bytes], name: str, read: Callable[[bytes], T], most_bytes: int = MOST_BYTES
) -> Iterator[tuple[int, T]]:
    """Yield each value's line number (from 1) and the result of `read`.

    `chunks` are the file's bytes, cut anywhere; `name` stands in messages. An InvalidInputError of `read` gets its
    source, so that it reads `events.ndjson:3: missing "type"`. A value over `most_bytes` is refused.
    """
    values = Values(name, read, most_bytes)
    yield from values.feed(chunks)
    yield from values.end()


def only_text(text: bytes) -> bytes:
    """The text of a single value, without what may stand before it in a file."""
    return text.removeprefix(_BOM).removeprefix(_RECORD)


class Values(Generic[T]):
    """A splitter for input that arrives in pieces. It holds the incomplete value and no more."""

    def __init__(
        self,
        name: str,
        read: Callable[[bytes], T],
        most_bytes: int = MOST_BYTES,
        read_lines: ReadLines[T] | None = None,
    ) -> None:
        self._name = name
        self._read = read
        self._read_lines = read_lines
        self.line = 1
        """The line on which the value begins that `read` is given, or the lines that `read_lines` is given."""
        self._number = 1
        self._rest = bytearray()  # the beginning of a line, or the part of it that the scanner left
        self._look_at = _PIECE  # the length at which the rest is worth another look
        self._scanner = _Scanner(most_bytes)

    def feed(self, chunks: Iterable[bytes]) -> Iterator[tuple[int, T]]:
        """The values found whole: at their line's end, or in a line beyond 64 KiB at their last bracket."""
        for chunk in chunks:
            end = chunk.rfind(b"\n") + 1
            if end:
                lines = bytes(self._rest) + chunk[:end]
                self._rest.clear()
                self._look_at = _PIECE
                yield from self._lines(lines)
            self._rest += chunk[end:]
            if len(self._rest) >= self._look_at:
                yield from self._part()

    def end(self) -> Iterator[tuple[int, T]]:
        """The values that the end of the input completes. Raises InvalidInputError for an incomplete value."""
        if self._rest:
            yield from self._line(bytes(self._rest))
        self._scanner.end()
        yield from self._found()

    def _lines(self, lines: bytes) -> Iterator[tuple[int, T]]:
        """Whole lines; the first may be the last part of one."""
        if self._read_lines is not None and self._scanner.idle and len(lines) <= MOST_AT_ONCE:
            self.line = self._number
            breaks = lines.count(b"\n")
            values = self._read_lines(lines) if _are_objects(lines, breaks) else None
            if values is not None and len(values) == breaks:
                self._scanner.begun = True
                first = self._number
                self._number += breaks
                yield from zip(count(first), values, strict=False)
                return
        for line in lines.split(b"\n")[:-1]:
            yield from self._line(line + b"\n")
            self._number += 1

    def _line(self, line: bytes) -> Iterator[tuple[int, T]]:
        """A line, or its last part."""
        text = line.removeprefix(_BOM) if self._number == 1 and not self._scanner.begun else line
        scanner = self._scanner
        stripped = text.rstrip(_SPACE).lstrip(_AROUND)
        if scanner.idle and len(stripped) <= scanner.most_bytes and _looks_whole(stripped):
            self.line = self._number
            try:
                value = self._read(stripped)
            except InvalidInputError as error:
                # An odd layout can look whole. The fault is real if the scanner finds the same single value.
                scanner.feed(text, self._number)
                if scanner.found == [(self._number, stripped)]:
                    error.source = f"{self._name}:{self._number}"
                    raise
            else:
                scanner.begun = True
                yield self._number, value
                return
        else:
            scanner.feed(text, self._number)
        yield from self._found()

    def _part(self) -> Iterator[tuple[int, T]]:
        """The beginning of a long line. The scanner leaves a string or scalar that may go on."""
        scanner, rest = self._scanner, self._rest
        if self._number == 1 and not scanner.begun and rest.startswith(_BOM):
            del rest[: len(_BOM)]
        del rest[: scanner.feed(rest, self._number, whole_line=False)]
        # A string is looked at again when it has doubled, or is too long.
        self._look_at = max(_PIECE, min(2 * len(rest), scanner.most_bytes + 1))
        if len(rest) > scanner.most_bytes:
            scanner.refuse(self._number)
        yield from self._found()

    def _found(self) -> Iterator[tuple[int, T]]:
        found, self._scanner.found = self._scanner.found, []
        for number, text in found:
            self.line = number
            try:
                if isinstance(text, str):
                    raise InvalidInputError(text)
                value = self._read(text)
            except InvalidInputError as error:
                error.source = f"{self._name}:{number}"
                raise
            yield number, value


def _are_objects(lines: bytes, breaks: int) -> bool:
    """True only if each line is one object, in case there are as many values as line breaks: no value holds a
    brace, a break and a brace in succession, so each break ends a value."""
    return lines.startswith(b"{") and lines.endswith(b"}\n") and lines.count(b"}\n{") == breaks - 1


def _looks_whole(text: bytes) -> bool:
    return (
        text.startswith(b"{")
        and text.endswith(b"}")
        and text.count(b"{") == text.count(b"}")
        and not _BETWEEN_OBJECTS.search(text)
    )


class _Scanner:
    """A scanner that collects lines until they hold whole values, and flattens arrays at the top."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.begun = False
        """True once a part of the input was seen."""
        self.found: list[tuple[int, bytes | str]] = []
        """Line and text of each whole value; a str is the message of a fault at that place."""
        self._pieces: list[bytes | bytearray] = []  # the incomplete value, from its first byte
        self._start = 0  # the line it began on
        self._size = 0  # of that value, without the indentation of its lines
        self._depth = 0  # brackets open in it
        self._expected = ""  # in an array at the top: "value", "value or ]", ", or ]"; empty outside

    @property
    def idle(self) -> bool:
        """True if no value is incomplete, so that the next line may be a value of its own."""
        return not (self._pieces or self._expected)

    def feed(self, line: bytes | bytearray, number: int, *, whole_line: bool = True) -> int:
        """Take a line, or with `whole_line=False` its beginning; the length taken. The rest may go on."""
        self.begun = True
        at = 0
        while at < len(line):
            after = (
                self._inside(line, at, whole_line) if self._pieces else self._between(line, at, number, whole_line)
            )
            if after == at and not whole_line:
                break
            at = after
            if self._size > self.most_bytes:
                self.refuse(self._start)
                return len(line)
        return at

    def refuse(self, number: int) -> None:
        """Report a value that is too long, at this line."""
        self.found.append((number, f"a value is longer than {self.most_bytes} bytes"))

    def end(self) -> None:
        """End the input. An incomplete value goes to its reader, which refuses it."""
        if self._pieces:
            self._finish()
        elif self._expected:
            self.found.append((self._start, b"["))

    def _inside(self, line: bytes | bytearray, at: int, whole_line: bool) -> int:
        for token in _TOKEN.finditer(line, at):
            mark = token[0]
            if mark in b"[{":
                self._depth += 1
            elif mark in b"]}":
                self._depth -= 1
            elif mark == b'"' and not whole_line:  # the string may go on
                self._add(line[at : token.start()])
                return token.start()
            if self._depth == 0 or mark == b'"':  # a quote alone: a string never spans lines
                end = token.end() if self._depth == 0 else len(line)
                self._add(line[at:end])
                self._finish()
                return end
        self._add(line[at:])
        return len(line)

    def _add(self, piece: bytes | bytearray) -> None:
        self._pieces.append(piece)
        self._size += len(piece.strip(_SPACE))

    def _between(self, line: bytes | bytearray, at: int, number: int, whole_line: bool) -> int:
        mark = line[at : at + 1]
        if mark in _SPACE or (mark == _RECORD and not self._expected):
            return at + 1
        if self._expected and mark in b"],":
            if (mark == b"," and self._expected != ", or ]") or (mark == b"]" and self._expected == "value"):
                self.found.append((number, _COMMAS))
            self._expected = "value" if mark == b"," else ""
            return at + 1
        if self._expected == ", or ]":
            self.found.append((number, _COMMAS))
        self._start = number
        if mark == b"[" and not self._expected:
            self._expected = "value or ]"
            return at + 1
        if mark in b"[{":
            self._add(mark)
            self._depth = 1
            return at + 1
        end = _end_of_scalar(line, at)
        if end == len(line) and not whole_line:
            return at
        self._add(line[at:end])
        self._finish()
        return end

    def _finish(self) -> None:
        if self._size > self.most_bytes:
            self.refuse(self._start)
        else:
            self.found.append((self._start, b"".join(self._pieces)))
        self._pieces, self._size, self._depth = [], 0, 0
        if self._expected:
            self._expected = ", or ]"


def _end_of_scalar(line: bytes | bytearray, at: int) -> int:
    if line[at : at + 1] == b'"':
        string = _STRING.match(line, at)
        return string.end() if string else len(line)
    end = _SCALAR_END.search(line, at + 1)
    return end.start() if end else len(line)
