"""The number of events over time, estimated from few of them."""

from __future__ import annotations

import time
from heapq import heappop, heappush
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_READ: Final = 144
"""Events looked at; up to so many are counted one by one."""
EVENLY: Final = 32
"""Of these, so many at even distances, to meet times that are out of order; the rest where it is least clear."""
PATIENCE: Final = 0.3
"""Seconds, where each look is a way to a server and back. What was seen by then must do."""


class Point(NamedTuple):
    """An event: its place in the order, and when it was stored."""

    number: int
    moment_us: int


class History(NamedTuple):
    first_us: int
    last_us: int
    counts: list[float]
    """Events in each of the equal parts of the time."""
    exact: bool

    @property
    def part_us(self) -> float:
        return (self.last_us - self.first_us) / len(self.counts)


def history(at: Callable[[int], Point | None], last: int, parts: int) -> History | None:
    """The events 1 to `last` over time; `at` finds the first event with this number or a higher one."""
    if last < 1:
        return None
    looks = _Looks(at, last)
    looks.evenly(last)
    looks.closer(parts)
    points = looks.points()
    if not points:
        return None
    low, high = looks.ends_us()
    counts = [0.0] * parts
    scale = parts / max(high - low, 1)
    for point in points:
        counts[min(int((point.moment_us - low) * scale), parts - 1)] += 1
    for before, after in pairwise(points):
        ends = sorted((before.moment_us, after.moment_us))
        _spread(counts, after.number - before.number - 1, (ends[0] - low) * scale, (ends[1] - low) * scale)
    return History(low, high, counts, len(points) == points[-1].number - points[0].number + 1)


def _spread(counts: list[float], count: int, start: float, end: float) -> None:
    """Events that were not looked at, evenly over the time between those that were."""
    parts = len(counts)
    first, last = min(int(start), parts - 1), min(int(end), parts - 1)
    if first == last:
        counts[first] += count
        return
    for part in range(first, last + 1):
        counts[part] += count * (min(part + 1, end) - max(part, start)) / (end - start)


class _Looks:
    """The events read so far, by their numbers."""

    def __init__(self, at: Callable[[int], Point | None], last: int) -> None:
        self._at = at
        self._deadline = time.monotonic() + PATIENCE
        self._found: dict[int, Point] = {}
        for number in (1, last):
            point = at(number)
            if point is not None:
                self._found[point.number] = point

    def points(self) -> list[Point]:
        return [self._found[number] for number in sorted(self._found)]

    def ends_us(self) -> tuple[int, int]:
        moments = [point.moment_us for point in self._found.values()]
        return min(moments), max(moments)

    def evenly(self, last: int) -> None:
        """Each time between those before, so that wherever time runs out they are even."""
        step = EVENLY // 2
        while step:
            for place in range(step, EVENLY, 2 * step):
                self._look(1 + (last - 1) * place // EVENLY)
            step //= 2

    def closer(self, parts: int) -> None:
        """Then in the middle between two where most may be elsewhere."""
        points = self.points()
        if not points:
            return
        low, high = self.ends_us()
        part_us = max(high - low, 1) / parts
        unclear: list[tuple[float, Point, Point]] = []

        def doubt(before: Point, after: Point) -> None:
            unseen = after.number - before.number - 1
            if unseen > 0:
                # A little also where the times are the same, so that few events are counted to the last.
                distance = abs(after.moment_us - before.moment_us) / part_us + 0.01
                heappush(unclear, (-unseen * distance, before, after))

        for before, after in pairwise(points):
            doubt(before, after)
        while unclear:
            _, before, after = heappop(unclear)
            middle = self._look((before.number + after.number) // 2)
            if middle is not None and middle.number < after.number:
                doubt(before, middle)
                doubt(middle, after)

    def _look(self, number: int) -> Point | None:
        if number in self._found or len(self._found) >= MOST_READ or time.monotonic() > self._deadline:
            return None
        point = self._at(number)
        if point is None or point.number in self._found:  # a part of a log has gaps
            return None
        self._found[point.number] = point
        return point
