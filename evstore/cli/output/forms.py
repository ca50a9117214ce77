"""Objects in the requested form: one, many, names, or an array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from evstore.cli import settings
from evstore.cli.output import writer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

T = TypeVar("T")


def one(members: Mapping[str, Any]) -> None:
    """A command's one object: as a line, or its values side by side."""
    if settings.current.format == "tsv":
        writer.line(tsv(members.values()))
    else:
        _write_json(writer.to_json(members))


def _write_json(text: str, before: str = "") -> None:
    """JSON as one line, after `before`; with `-F json` on a terminal over several lines."""
    several = settings.current.format == "json" and settings.on_terminal()
    first, *more = indented(text).split("\n") if several else [text]
    writer.line(before + first)
    for line in more:
        writer.line(line)


def indented(text: str) -> str:
    """JSON over several lines: numbers, strings and keys stay as they are."""
    import msgspec

    try:
        return msgspec.json.format(text, indent=2)
    except (msgspec.DecodeError, RecursionError):  # nested deeper than the formatter goes
        return text


def tsv(values: Iterable[Any]) -> str:
    """Values side by side, without the line break."""
    return "\t".join(map(_cell, values))


def _cell(value: Any) -> str:
    """A value in a TSV: text with its separators escaped, anything else as JSON."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return writer.to_json(value)
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def many(
    rows: Iterable[Mapping[str, Any]],
    columns: Sequence[str],
    fields: Sequence[str] | None = None,
    *,
    bar: str | None = None,
    spare: Sequence[str] = (),
    none: str = "",
) -> None:
    """A list of objects in the form asked for, or `fields` of them; a terminal's table shows `columns`.

    There, `bar` is the number that is drawn, too, `spare` are the columns that a narrow window does without, the
    first of them first, and `none` is noted where a table would be empty.
    """
    if settings.as_table():
        from evstore.cli.output.lists import listing

        drawn = list(rows)
        listing(drawn, columns, bar, spare)
        if none and not drawn:
            writer.note(none)
        return
    picked = ({each: row.get(each) for each in fields} for row in rows) if fields else rows
    if settings.current.format == "json":
        array(writer.to_json(row) for row in picked)
    else:
        for row in picked:
            one(row)


def print_names(found: Iterable[str]) -> None:
    """Print names alone, one a line."""
    if settings.current.format == "json":
        array(map(writer.to_json, found))
    else:
        for name in found:
            writer.line(name)


class AtMost(Generic[T]):
    """At most so many of the values; afterwards `cut` is true if there are more."""

    def __init__(self, values: Iterable[T], most: int) -> None:
        self._values = values
        self._most = most
        self.cut = False

    def __iter__(self) -> Iterator[T]:
        for count, value in enumerate(self._values):
            if count == self._most:
                self.cut = True
                return
            yield value


def note_cut(which: str, most: int, total: int | None, things: str) -> None:
    """Note below a list that it is not all: `which` are shown, `total` is how many there are, if that is known."""
    of = "" if total is None else f" of {total:,}"
    writer.note(f"the {which} {most}{of} {things}; --limit all shows everything")


class Counter(Generic[T]):
    """Values on their way out, counted."""

    def __init__(self, values: Iterable[T]) -> None:
        self._values = values
        self.count = 0

    def __iter__(self) -> Iterator[T]:
        for value in self._values:
            self.count += 1
            yield value


class Array:
    """One JSON array whose values come in turn, from several places.

    Each is a whole line as soon as it is written, whatever becomes of the next: the comma stands before a value.
    """

    def __init__(self) -> None:
        self._before = "["

    def add(self, value: str) -> None:
        _write_json(value, self._before)
        self._before = ","

    def close(self) -> None:
        writer.write("[]\n" if self._before == "[" else "]\n")


def array(values: Iterable[str]) -> None:
    """One JSON array, a value a line, written as the values come."""
    found = Array()
    for value in values:
        found.add(value)
    found.close()
