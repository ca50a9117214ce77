"""The tree of causes."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

from evstore.cli.output import moments, screen, writer
from evstore.cli.output.tables import note_left_out
from evstore.cli.output.writer import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from evstore.cli.output.screen import Signs
    from evstore.model.events import StoredEvent
    from evstore.store import EventStore

_GIST: Final = 500
"""Characters kept of a payload; no window shows more."""
_LOOKED_UP: Final = 1000
_LEAST_TYPE: Final = 8
_LEAST_TREE: Final = 12
_LEAST_DATA: Final = 6
_WIDE: Final = 80
_GAP: Final = 2
_FRONT: Final = ("position", "time")
_HEADS: Final = ("event", "stream", "data")


class Node(NamedTuple):
    """The parts of an event that a tree shows."""

    id: str
    cause: str | None
    position: int
    moment_us: int
    type: str
    stream: str
    gist: str


def show(store: EventStore, found: Iterable[StoredEvent]) -> int:
    """Draw the events of a correlation, and return their number."""
    nodes = _nodes(found)
    if nodes:
        _Drawing(nodes, _outside(store, nodes)).write()
    return len(nodes)


def _nodes(found: Iterable[StoredEvent]) -> list[Node]:
    """All events, reduced to the shown parts. Events of one append share their metadata's text."""
    return [
        Node(
            event.id,
            cause,
            event.global_position,
            event.timestamp_us,
            visible(event.type),
            visible(event.stream_id),
            visible(event.data_json[:_GIST]),
        )
        for text, some in groupby(found, key=lambda event: event.metadata_json)
        for cause in [_cause(text)]
        for event in some
    ]


def _cause(metadata: str) -> str | None:
    if '"causationId"' not in metadata:
        return None
    from evstore.model.metadata import Metadata

    return Metadata.from_json(metadata).causation_id


def _outside(store: EventStore, nodes: Sequence[Node]) -> dict[str, StoredEvent]:
    """Causes that are events, but of another correlation."""
    from evstore.errors import InvalidInputError
    from evstore.model.ids import normalize_id

    known = {node.id for node in nodes}
    wanted: dict[str, str] = {}
    for node in nodes:
        if node.cause is not None and node.cause.lower() not in known and len(wanted) < _LOOKED_UP:
            try:
                wanted[node.cause] = normalize_id(node.cause)
            except InvalidInputError:
                continue
    held = store.get_many(wanted.values()) if wanted else {}
    return {cause: held[named] for cause, named in wanted.items() if named in held}


def causes_of(nodes: Sequence[Node]) -> tuple[list[int | None], dict[int, int]]:
    """The cause of each node, if it is among the nodes; and the cause cut off where a circle was opened.

    A circle has no beginning, so its oldest node serves as the beginning.
    """
    places = {node.id: at for at, node in enumerate(nodes)}
    causes = [None if node.cause is None else places.get(node.cause.lower()) for node in nodes]
    opened: dict[int, int] = {}
    walked = [0] * len(nodes)  # in which walk, from 1
    for start in range(len(nodes)):
        at: int | None = start
        while at is not None and not walked[at]:
            walked[at] = start + 1
            at = causes[at]
        if at is not None and walked[at] == start + 1:
            circle = [at]
            while (cause := causes[circle[-1]]) is not None and cause != at:
                circle.append(cause)
            oldest = min(circle)
            opened[oldest] = circle[circle.index(oldest) + 1 - len(circle)]
            causes[oldest] = None
    return causes, opened


def branches(causes: Sequence[int | None], signs: Signs, most: int) -> Iterator[tuple[int, str]]:
    """The nodes from top to bottom, each with its lines: at most `most` steps to the right, beyond which the
    depth is a number."""
    children: dict[int | None, list[int]] = {}
    for at, cause in enumerate(causes):
        children.setdefault(cause, []).append(at)
    waiting = [(root, "", "", 0) for root in reversed(children.get(None, ()))]
    while waiting:
        at, lines, turn, depth = waiting.pop()
        yield at, f"{lines}{turn}" if depth <= most else f"{signs.more}{depth:,} {turn}"
        below = children.get(at, [])
        inner = ""
        if depth < most:
            inner = lines + ("" if not turn else signs.gap if turn == signs.last else signs.down)
        waiting += [
            (each, inner, signs.last if each == below[-1] else signs.branch, depth + 1) for each in reversed(below)
        ]


class _Drawing:
    """A tree as wide as the window."""

    def __init__(self, nodes: Sequence[Node], outside: Mapping[str, StoredEvent]) -> None:
        self._nodes = nodes
        self._outside = outside
        self._signs = screen.signs()
        self._paint: Callable[[str, str], str] = screen.brush()
        self._whole = screen.width()
        self._causes, self._opened = causes_of(nodes)
        self._time = _time_format(nodes, self._whole)

    def write(self) -> None:
        streams = max(screen.cells(each) for each in ("stream", *(node.stream for node in self._nodes)))
        front = self._front(streams)
        whole = self._whole - sum(map(len, front.values())) - _GAP * len(front)
        most = max(_LEAST_TREE, (whole - 2 * _GAP) * 9 // 20)  # the rest share what it leaves
        drawn = list(branches(self._causes, self._signs, (most - _LEAST_TYPE) // 2))
        tree = max(screen.cells(lines + self._nodes[at].type) for at, lines in drawn)
        data = max(screen.cells(node.gist) for node in self._nodes)
        wanted = [max(len(head), each) for head, each in zip(_HEADS, (tree, streams, data), strict=True)]
        widths = _shared(wanted, most, whole)
        out = [self._summary(), self._heads(front, widths)]
        for at, lines in drawn:
            out += self._rows(at, lines, front, widths)
        writer.write("".join(f"{each.rstrip()}\n" for each in out))
        shown = {**front, **{head: columns for head, columns in zip(_HEADS, widths, strict=True) if columns}}
        note_left_out([head for head in (*_FRONT, *_HEADS) if head not in shown])

    def _front(self, streams: int) -> dict[str, str]:
        """The columns before the tree, as blanks of their width: a name of a stream is whole as long as they can
        give way."""
        position = " " * max(8, len(str(self._nodes[-1].position)))
        form = self._time
        short = form if "%d" in form else "%H:%M:%S"
        choices: list[tuple[str, dict[str, str]]] = [
            (form, {"position": position, "time": " " * max(4, len(_time_text(0, form)))}),
            (short, {"position": position, "time": " " * len(_time_text(0, short))}),
            (short, {"position": position}),
            (short, {}),
        ]
        least = _LEAST_TREE + _GAP + streams
        fits = (
            each for each in choices if sum(len(blank) + _GAP for blank in each[1].values()) + least <= self._whole
        )
        self._time, front = next(fits, choices[0])
        return front

    def _heads(self, front: Mapping[str, str], widths: Sequence[int]) -> str:
        texts = [
            head.rjust(len(blank)) if head == "position" else head.ljust(len(blank))
            for head, blank in front.items()
        ]
        texts += [screen.pad(head, columns) for head, columns in zip(_HEADS, widths, strict=True) if columns]
        return (" " * _GAP).join(self._paint(each, "bold") for each in texts)

    def _rows(self, at: int, lines: str, front: Mapping[str, str], widths: Sequence[int]) -> Iterator[str]:
        node, paint, more = self._nodes[at], self._paint, self._signs.more
        if self._causes[at] is None and node.cause is not None:
            indent = sum(map(len, front.values())) + _GAP * len(front)
            yield " " * indent + paint(screen.cut(self._why(at), self._whole - indent, more), "dim")
        lines = screen.cut(lines, widths[0], more)
        type_ = screen.pad(node.type, widths[0] - screen.cells(lines), more)
        texts = {
            "position": lambda blank: paint(str(node.position).rjust(len(blank)), "cyan"),
            "time": lambda blank: paint(self._moment(node.moment_us).ljust(len(blank)), "dim"),
        }
        cells = [texts[head](blank) for head, blank in front.items()]
        cells += [paint(lines, "dim") + paint(type_, "green"), screen.pad(node.stream, widths[1], more)]
        if widths[2]:
            cells.append(screen.cut(node.gist, widths[2], more))
        yield (" " * _GAP).join(cells)

    def _why(self, at: int) -> str:
        """The cause of a node without a parent in the tree."""
        node = self._nodes[at]
        assert node.cause is not None
        if at in self._opened:
            by = self._nodes[self._opened[at]]
            return "caused by itself:" if by is node else f"caused by {by.position} below, in a circle:"
        event = self._outside.get(node.cause)
        if event is None:
            return f"caused by {visible(node.cause)}:"
        where = visible(f"{event.type} in {event.stream_id}")
        return f"caused by {where}, position {event.global_position}:"

    def _moment(self, moment_us: int) -> str:
        return _time_text(moment_us, self._time)

    def _summary(self) -> str:
        """Number, time and length; a narrow window drops the last parts."""
        first, last = (pick(node.moment_us for node in self._nodes) for pick in (min, max))
        streams = len({node.stream for node in self._nodes})
        parts = [f"{screen.counted(len(self._nodes), 'event')} in {screen.counted(streams, 'stream')}"]
        parts.append(f", {_time_text(first, '%Y-%m-%d %H:%M:%S')}")
        if first != last:
            parts.append(
                f" to {_time_text(last, '%H:%M:%S' if _day(first) == _day(last) else '%Y-%m-%d %H:%M:%S')}"
            )
            parts.append(f", {screen.span((last - first) / 1_000_000)}")
        while len("".join(parts)) > self._whole and len(parts) > 1:
            parts.pop()
        return screen.cut("".join(parts), self._whole, self._signs.more)


def _shared(wanted: Sequence[int], most: int, whole: int) -> list[int]:
    """The widths of tree, stream and data, with their gaps. Streams are copied, so they get what they want first,
    if they can."""
    if wanted[1] + _LEAST_TREE + _GAP > whole:  # it is cut in any case
        whole -= 2 * _GAP
        tree = min(wanted[0], most)
        return [tree, *screen.share(wanted[1:], whole - tree)]
    tree = min(wanted[0], most, max(whole - wanted[1] - _GAP, _LEAST_TREE))
    data = min(wanted[2], whole - tree - wanted[1] - 2 * _GAP)
    return [tree, wanted[1], data if data >= min(wanted[2], _LEAST_DATA) else 0]


def _day(moment_us: int) -> str:
    return _time_text(moment_us, "%Y-%m-%d")


def _time_text(moment_us: int, form: str) -> str:
    text = moments.local(moment_us).strftime(form)
    return text[:-3] if form.endswith("%f") else text  # thousandths are enough


def _time_format(nodes: Sequence[Node], whole: int) -> str:
    """The part of the time that distinguishes the events; the summary has the date."""
    days = {_day(pick(node.moment_us for node in nodes)) for pick in (min, max)}
    if len(days) == 1:
        return "%H:%M:%S.%f" if whole >= _WIDE else "%H:%M:%S"
    return "%Y-%m-%d %H:%M:%S" if whole >= _WIDE else "%m-%d %H:%M"
