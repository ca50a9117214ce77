"""How the events came over time, found by looking at few of them."""

from __future__ import annotations

import time
from bisect import bisect_left
from typing import TYPE_CHECKING

import pytest

from evstore.cli.output import history as module
from evstore.cli.output.history import MOST_READ, Point, history

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DAY = 86_400_000_000


class Log:
    """Events with these times, from number 1 on; counts who looks."""

    def __init__(self, times: Sequence[int] | range) -> None:
        self.times = times
        self.looks = 0

    def __call__(self, number: int) -> Point | None:
        self.looks += 1
        return Point(number, self.times[number - 1]) if number <= len(self.times) else None


def counted(times: Sequence[int], parts: int) -> list[int]:
    low, high = min(times), max(times)
    counts = [0] * parts
    for each in times:
        counts[min((each - low) * parts // max(high - low, 1), parts - 1)] += 1
    return counts


@pytest.mark.parametrize("count", [1, 2, 3, 50, MOST_READ])
def test_few_events_are_counted_one_by_one(count: int) -> None:
    times = [n * n * DAY for n in range(count)]
    found = history(Log(times), count, 20)
    assert found is not None
    assert found.exact
    assert found.counts == counted(times, 20)


@pytest.mark.parametrize(
    "shape", [lambda n: n, lambda n: n * n, lambda n: DAY * 1000 - DAY * 10**9 // (n + 10**6)]
)
def test_of_many_events_few_are_looked_at_and_the_shape_is_right(shape: Callable[[int], int]) -> None:
    times = [shape(n) for n in range(200_000)]
    log = Log(times)
    found = history(log, len(times), 60)
    assert found is not None
    assert not found.exact
    assert log.looks <= MOST_READ + 40
    assert sum(found.counts) == pytest.approx(len(times))
    true = counted(times, 60)
    assert sum(abs(each - other) for each, other in zip(found.counts, true, strict=True)) < 0.02 * len(times)


def test_a_time_without_events_is_found_empty() -> None:
    times = [*range(300_000), *range(10**9, 10**9 + 100_000)]
    found = history(Log(times), len(times), 50)
    assert found is not None
    assert found.counts[0] == pytest.approx(300_000)
    assert found.counts[1:-1] == [0] * 48
    assert found.counts[-1] == pytest.approx(100_000)


def test_times_out_of_order_lie_between_the_ends_that_are_told() -> None:
    times = [*range(5000, 10000), *range(5000), *range(10000, 12000)]
    found = history(Log(times), len(times), 12)
    assert found is not None
    assert (found.first_us, found.last_us) == (pytest.approx(0, abs=200), 11999)
    assert sum(found.counts) == pytest.approx(len(times))
    assert min(found.counts) >= 0


def test_events_of_one_moment_stand_together() -> None:
    found = history(Log([DAY] * 10**5), 10**5, 10)
    assert found is not None
    assert found.first_us == found.last_us == DAY
    assert found.counts[0] == 10**5


def test_a_part_of_a_log_has_gaps_and_is_told_all_the_same() -> None:
    numbers = [1, 5, 6, 40, 1000]

    def at(number: int) -> Point | None:
        place = bisect_left(numbers, number)
        return Point(numbers[place], numbers[place]) if place < len(numbers) else None

    found = history(at, 1000, 10)
    assert found is not None
    assert not found.exact


def test_nothing_has_no_history() -> None:
    assert history(Log([]), 0, 10) is None
    assert history(Log([]), 7, 10) is None


def test_where_each_look_takes_long_fewer_must_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    times = range(100_000)

    def slow(number: int) -> Point:
        time.sleep(0.01)
        return Point(number, times[number - 1])

    started = time.monotonic()
    found = history(slow, len(times), 10)
    assert time.monotonic() - started < 1
    assert found is not None
    assert found.counts == pytest.approx([10_000] * 10, rel=0.01)
