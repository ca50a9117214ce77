"""The report of `info` for a person: facts in aligned lines, and the events over time."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from evstore.cli import settings
from evstore.cli.output import events, moments, screen, writer
from evstore.cli.output.history import History, Point, history
from evstore.errors import DeniedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from evstore.model.events import StoredEvent
    from evstore.model.facts import StoreInfo, StreamInfo
    from evstore.store import EventStore

_LABEL: Final = 12
_MOST_PARTS: Final = 96
_LEAST_PARTS: Final = 16
_DATES: Final = ((3 * 86400, "%Y-%m-%d"), (120, "%Y-%m-%d %H:%M"))
"""The formats of the ends of a time, by its length in seconds."""
_ENOUGH: Final = 1000
"""Events for which the size of one says something: with fewer it is mostly that of an empty store."""
_NO_PROMISE: Final = "NOT SAFE: its adapter promises nothing"


def of_store(store: EventStore, info: StoreInfo) -> None:
    report = _Report()
    report.line("place", writer.visible(info.location), "bold", whole=True)
    backend = f"{store.capabilities.name} {info.backend_version}".strip()
    report.line("backend", f"{backend}, schema {info.schema_version}")
    streams = (
        f"{screen.counted(info.streams, 'stream')} of {screen.counted(info.categories, 'category', 'categories')}"
    )
    report.line("events", f"{info.events:,}" + (f" in {streams}" if info.events else ""), "bold")
    each = f", {screen.size(info.size_bytes // info.events)} an event" if info.events >= _ENOUGH else ""
    report.line("size", f"{screen.size(info.size_bytes)}{each}")
    report.line("durability", info.how_durable or _NO_PROMISE, "" if info.durable else "yellow")
    report.line("", ", ".join(f"{name} {value}" for name, value in info.durability.items()), "dim")

    if info.tamper_evident:
        report.line("digest", info.digest or "missing", whole=True)

    def at(number: int) -> Point | None:
        return _point(store.replay(after=number - 1, limit=1), by_stream=False)

    with suppress(DeniedError):  # where the store may not be read, a warning says so
        report.over_time(history(at, info.head, report.parts))
    for warning in info.warnings:
        report.line("warning", warning, "yellow")
    report.write()
    first = "append Order-1 -t OrderPlaced -d '{\"total\": 99.9}'"
    writer.note(settings.again("categories" if info.head else first), "next")


def of_stream(store: EventStore, info: StreamInfo) -> None:
    from shlex import quote

    report = _Report()
    report.line("stream", writer.visible(info.stream_id), "bold")
    report.line("category", writer.visible(info.category), "cyan")
    report.line("version", f"{info.version:,}", "bold")
    report.line("created", events.moment(info.created_us))
    report.line("updated", f"{events.moment(info.updated_us)}{_ago(info.updated_us)}")
    report.line("last type", writer.visible(info.last_type), "green")

    def at(number: int) -> Point | None:
        return _point(store.read(info.stream_id, after=number - 1, limit=1), by_stream=True)

    report.over_time(history(at, info.version, report.parts))
    report.write()
    writer.note(settings.again(f"read {quote(info.stream_id)} --last 10"), "next")


def _point(found: Iterator[StoredEvent], *, by_stream: bool) -> Point | None:
    for event in found:
        return Point(event.version if by_stream else event.global_position, event.timestamp_us)
    return None


def _ago(moment_us: int) -> str:
    import time

    seconds = time.time() - moment_us / 1_000_000
    return f", {screen.span(seconds)} ago" if seconds > 1 else ""


class _Report:
    """Labels with their facts, as wide as the window."""

    def __init__(self) -> None:
        self._paint: Callable[[str, str], str] = screen.brush()
        self._signs = screen.signs()
        self._room = screen.width() - _LABEL
        self._lines: list[str] = []
        self.parts = max(_LEAST_PARTS, min(self._room, _MOST_PARTS))

    def line(self, label: str, text: str, style: str = "", *, whole: bool = False) -> None:
        """`whole` is for what is copied out of the window: it is not broken, even if the window will break it."""
        if not text:
            return
        from textwrap import wrap

        for some in [text] if whole else wrap(text, max(self._room, 8)):
            self._add(label, self._paint(some, style) if style else some)
            label = ""

    def _add(self, label: str, painted: str) -> None:
        self._lines.append(f"{self._paint(label, 'dim')}{' ' * (_LABEL - len(label))}{painted}".rstrip())

    def over_time(self, found: History | None) -> None:
        """A line of heights with its dates below; not for a single moment."""
        if found is None or found.first_us == found.last_us:
            return
        self._add("over time", self._paint(screen.sparkline(found.counts, self._signs), "green"))
        ends = [_date(each, found) for each in (found.first_us, found.last_us)]
        between = self.parts - sum(map(len, ends))
        if between < 1:
            self._add("", self._paint(f"{ends[0]} to {ends[1]}", "dim"))
            return
        top = f"peak: {_about(max(found.counts), exact=found.exact)} in {screen.span(found.part_us / 1_000_000)}"
        middle = top.center(between) if len(top) + 4 <= between else " " * between
        self._add("", self._paint(f"{ends[0]}{middle}{ends[1]}", "dim"))

    def write(self) -> None:
        writer.write("".join(f"{each}\n" for each in self._lines))


def _about(count: float, *, exact: bool) -> str:
    if exact:
        return f"{count:,.0f}"
    digits = max(len(f"{count:.0f}") - 2, 0)
    return f"about {round(count, -digits):,.0f}"


def _date(moment_us: int, found: History) -> str:
    seconds = (found.last_us - found.first_us) / 1_000_000
    form = next((form for least, form in _DATES if seconds > least), "%Y-%m-%d %H:%M:%S")
    return moments.local(moment_us).strftime(form)
