"""Sixteen commands at once, each a process of its own: all that can succeed do, and nobody hears of a lock."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.support.command import Ended

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.command import Command

pytestmark = pytest.mark.long("sixteen processes start at once")

MANY = 16
MORE_THAN_A_PIPE_HOLDS = 80_000


def at_once(store: Command, commands: Sequence[Sequence[str]]) -> list[Ended]:
    """Run commands that read one event from standard input, and let none end before all are reading it.

    A pipe holds less than each is given, so that writing to it returns only when its reader has begun. What is
    missing then, a quotation mark, is the starting shot.
    """
    started = [store.start(*words, quick=True, stdin=-1) for words in commands]
    try:
        for process in started:
            process.stdin.write(b'"' + b"x" * MORE_THAN_A_PIPE_HOLDS)
            process.stdin.flush()
        for process in started:
            process.stdin.write(b'"')
            process.stdin.close()
            process.stdin = None
        ended = []
        for process in started:
            out, err = process.communicate(timeout=60)
            ended.append(Ended(process.returncode, out, err.decode()))
    finally:
        for process in started:
            process.kill()
            process.communicate()
    assert not any("locked" in each.err or "Traceback" in each.err for each in ended), ended
    return ended


def receipts(ended: Sequence[Ended]) -> list[dict[str, object]]:
    assert [each.code for each in ended] == [0] * len(ended), ended
    return [json.loads(each.out) for each in ended]


def positions(store: Command) -> list[int]:
    return [json.loads(line)["globalPosition"] for line in store.ok("replay", "--all").lines]


def test_sixteen_appends_to_one_stream_all_succeed_one_after_the_other(store: Command) -> None:
    ended = at_once(store, [("append", "Order-1", "-t", "Placed", "-")] * MANY)
    stored = receipts(ended)
    assert sorted(each["version"] for each in stored) == list(range(1, MANY + 1))
    assert all(each["version"] == each["globalPosition"] for each in stored)
    assert positions(store) == list(range(1, MANY + 1))


def test_sixteen_appends_to_as_many_new_streams_all_succeed(store: Command) -> None:
    names = [f"Order-{number}" for number in range(MANY)]
    ended = at_once(store, [("append", each, "-t", "Placed", "-e", "no-stream", "-") for each in names])
    stored = receipts(ended)
    assert [(each["streamId"], each["version"]) for each in stored] == [(each, 1) for each in names]
    assert sorted(each["globalPosition"] for each in stored) == list(range(1, MANY + 1))
    assert positions(store) == list(range(1, MANY + 1))


def test_of_sixteen_appends_that_expect_the_same_version_exactly_one_wins(store: Command) -> None:
    store.ok("append", "Order-1", "-t", "Placed", "-d", "{}")
    ended = at_once(store, [("append", "Order-1", "-t", "Paid", "-e", "1", "-")] * MANY)
    assert sorted(each.code for each in ended) == [0] + [4] * (MANY - 1), ended
    (winner,) = receipts([each for each in ended if each.code == 0])
    assert (winner["version"], winner["globalPosition"]) == (2, 2)
    for loser in (each for each in ended if each.code == 4):
        assert loser.out == b""
        assert re.search(r'stream "Order-1" .*version 2.* version 1\b', loser.err)
    assert positions(store) == [1, 2]
