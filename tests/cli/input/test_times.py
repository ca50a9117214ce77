"""`read` and `replay` by time: since, until, the last ones, and no longer than was said."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from evstore import EventData, connect
from tests.support.terminal import STYLE, seen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.command import Command

pytestmark = pytest.mark.sqlite_first("how a time is typed seldom depends on where events are stored")


@pytest.fixture(scope="module")
def shared(module_store: Command) -> Command:
    """A-1 B-1 A-1 A-1 B-1, each stored later than the one before."""
    with connect(module_store.url) as store:
        for n, stream in enumerate(["A-1", "B-1", "A-1", "A-1", "B-1"], 1):
            store.append(stream, [EventData("TU"[n % 2], n)])
            time.sleep(0.002)
    return module_store


@pytest.fixture(scope="module")
def stamps(shared: Command) -> list[str]:
    """The times of the five, as they are printed."""
    return [json.loads(line)["timestamp"] for line in shared.ok("replay", "--all").lines]


def numbers(command: Command, *words: str) -> list[int]:
    return [json.loads(line)["data"] for line in command.ok(*words).lines]


# --- since and until ---


def test_since_is_inclusive_and_until_exclusive(shared: Command, stamps: list[str]) -> None:
    assert numbers(shared, "replay", "--all", "--since", stamps[2]) == [3, 4, 5]
    assert numbers(shared, "replay", "--all", "--until", stamps[2]) == [1, 2]
    assert numbers(shared, "read", "A-1", "--since", stamps[0], "--until", stamps[3]) == [1, 3]
    assert numbers(shared, "replay", "--all", "--since", stamps[1], "--until", stamps[1]) == []


def test_times_are_anded_with_bounds_types_and_limits(shared: Command, stamps: list[str]) -> None:
    since = ("--since", stamps[1])
    assert numbers(shared, "replay", "--all", *since, "-t", "U") == [3, 5]
    assert numbers(shared, "replay", "--all", *since, "--to", "4", "-r", "-n", "2") == [4, 3]
    assert numbers(shared, "replay", "A", *since, "--from", "4") == [4]
    assert numbers(shared, "read", "A-1", *since, "-n", "1") == [3]
    assert numbers(shared, "replay", "--all", *since, "--last", "1") == [5]


def _spelled(stamp: str) -> dict[str, str]:
    moment = datetime.fromisoformat(stamp)
    return {
        "with an offset": moment.astimezone(timezone(timedelta(hours=-5))).isoformat(),
        "in small letters": stamp.lower(),
        "with nine decimals": stamp.replace("Z", "000Z"),
        "with a space": stamp.replace("T", " "),
    }


@pytest.mark.parametrize("spelling", _spelled("2026-11-23T14:30:00.123456Z"))
def test_a_time_is_the_same_in_every_spelling_of_rfc_3339(
    shared: Command, stamps: list[str], spelling: str
) -> None:
    assert numbers(shared, "replay", "--all", "--since", _spelled(stamps[3])[spelling]) == [4, 5]


EAST = timezone(timedelta(hours=14))
ZONES = {"UTC0": UTC, "EAST-14": EAST, "WEST11": timezone(timedelta(hours=-11))}


def among(command: Command, zone: str, *words: str) -> list[int]:
    done = command("replay", "--all", *words, env={"TZ": zone})
    assert done.code == 0, done
    return [json.loads(line)["data"] for line in done.lines]


@pytest.mark.parametrize("zone", ZONES)
def test_a_time_without_a_zone_is_local_as_tables_print_it(shared: Command, stamps: list[str], zone: str) -> None:
    third = datetime.fromisoformat(stamps[2]).astimezone(ZONES[zone])
    exact, day = f"{third:%Y-%m-%d %H:%M:%S.%f}", third.date()
    assert among(shared, zone, "--since", exact) == [3, 4, 5]
    assert among(shared, zone, "--until", exact) == [1, 2]
    assert among(shared, zone, "--since", f"{third - timedelta(minutes=2):%Y-%m-%d %H:%M:%S}") == [1, 2, 3, 4, 5]
    assert among(shared, zone, "--since", f"{third + timedelta(minutes=2):%Y-%m-%d %H:%M}") == []
    assert among(shared, zone, "--since", str(day - timedelta(days=1))) == [1, 2, 3, 4, 5]
    assert among(shared, zone, "--until", str(day - timedelta(days=1))) == []
    assert among(shared, zone, "--since", str(day + timedelta(days=2))) == []


@pytest.mark.parametrize("zone", ZONES)
def test_days_by_their_name_and_times_of_today_are_local(shared: Command, stamps: list[str], zone: str) -> None:
    days = {datetime.fromisoformat(each).astimezone(ZONES[zone]).date() for each in stamps}
    if days != {datetime.now(ZONES[zone]).date()}:
        pytest.skip("midnight passed while the test ran")
    assert among(shared, zone, "--since", "today") == [1, 2, 3, 4, 5]
    assert among(shared, zone, "--until", "today") == []
    assert among(shared, zone, "--until", "yesterday") == []
    assert among(shared, zone, "--since", "yesterday") == [1, 2, 3, 4, 5]
    assert among(shared, zone, "--since", "00:00") == [1, 2, 3, 4, 5]
    assert among(shared, zone, "--until", "00:00:00") == []
    third = datetime.fromisoformat(stamps[2]).astimezone(ZONES[zone])
    assert among(shared, zone, "--since", f"{third:%H:%M:%S.%f}") == [3, 4, 5]


def test_with_utc_a_time_without_a_zone_is_utc_as_tables_then_print_it(shared: Command, stamps: list[str]) -> None:
    exact = stamps[2].replace("T", " ").removesuffix("Z")
    for words in (("replay", "--all"), ("read", "A-1", "--missing-ok"), ("export",)):
        done = shared(*words, "--utc", "--since", exact, env={"TZ": "EAST-14"})
        assert (done.code, [json.loads(line)["data"] for line in done.lines][:1]) == (0, [3])


@pytest.mark.parametrize("zone", ZONES)
def test_a_time_copied_from_a_table_finds_its_event(store: Command, zone: str) -> None:
    for n in (1, 2):
        store.ok("append", "A-1", "-t", "T", "-d", str(n))
        time.sleep(1.1 if n == 1 else 0)  # a table shows seconds
    table = STYLE.sub("", seen(store, "read", "A-1", TZ=zone)).splitlines()
    copied = " ".join(table[2].split()[1:3])
    assert among(store, zone, "--since", copied) == [2]
    assert among(store, zone, "--until", copied) == [1]


@pytest.mark.parametrize("age", ["900000ms", "15.5m", "1h"])
def test_an_age_counts_back_from_now(shared: Command, age: str) -> None:
    assert numbers(shared, "replay", "--all", "--since", age) == [1, 2, 3, 4, 5]
    assert numbers(shared, "replay", "--all", "--until", age) == []


def test_an_age_of_nothing_is_now(shared: Command) -> None:
    assert numbers(shared, "replay", "--all", "--until", "0s") == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("flag", "moment", "expected"),
    [
        ("--until", "9999-12-31T23:59:59.999999-14:00", [1, 3, 4]),
        ("--since", "0001-01-01T00:00:00+14:00", [1, 3, 4]),
        ("--since", "9999-12-31", []),
    ],
)
def test_the_ends_of_the_calendar_are_times(
    shared: Command, flag: str, moment: str, expected: Sequence[int]
) -> None:
    assert numbers(shared, "read", "A-1", flag, moment) == expected


NO_STORE = pytest.mark.sqlite_only("no store is asked")
WRONG = [
    "", "5", "2026-11-23T14:30:00", "2026-02-30", "2026-11-23T25:00:00Z", "20261123", "2026-W48-1", "-2h", "2w",
    "99999999999d", "9" * 400 + "d", "\udcff", "\u0661h",
]  # fmt: skip


@pytest.mark.parametrize("moment", WRONG)
@NO_STORE
def test_what_is_no_time_is_a_usage_error(shared: Command, moment: str) -> None:
    done = shared("read", "A-1", "--since", moment)
    assert (done.code, done.out) == (2, b""), done
    assert done.err.startswith("evstore: --since ")


@NO_STORE
def test_what_is_no_time_is_one_at_neither_flag(shared: Command) -> None:
    for words in (("read", "A-1", "--until", "soon"), ("replay", "--all", "--until", "")):
        assert shared(*words).code == 2


# --- the last ones ---


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["read", "A-1", "--last", "2"], [3, 4]),
        (["read", "A-1", "--last", "9"], [1, 3, 4]),
        (["read", "A-1", "--last", "0"], []),
        (["read", "A-1", "--last", "1", "--to", "2"], [3]),
        (["replay", "--all", "--last", "2"], [4, 5]),
        (["replay", "B", "--last", "1"], [5]),
        (["replay", "--all", "-t", "T", "--last", "1"], [4]),
        (["replay", "--all", "--last", "3", "-n", "2"], [3, 4]),
        (["replay", "--all", "--last", "99999999999999999999", "-n", "99999999999999999999"], [1, 2, 3, 4, 5]),
        (["replay", "--all", "--last", "2", "-f", "-n", "2"], [4, 5]),
        (["replay", "--all", "--last", "1", "-f", "-n", "0"], []),
    ],
)
def test_the_last_ones_come_oldest_first(shared: Command, words: Sequence[str], expected: Sequence[int]) -> None:
    assert numbers(shared, *words) == expected


def test_the_last_ones_of_nothing_are_none(shared: Command) -> None:
    assert shared("read", "No-1", "--last", "1").code == 3
    assert shared("read", "No-1", "--last", "1", "--missing-ok").code == 0
    assert numbers(shared, "replay", "No", "--last", "1") == []


@pytest.mark.parametrize("source", [("read", "A-1"), ("replay", "--all")])
def test_follow_goes_on_after_the_last_ones(store: Command, source: tuple[str, ...]) -> None:
    with connect(store.url) as opened:
        opened.append("A-1", [EventData("T", n) for n in (1, 2, 3)])
        follower = store.start(*source, "--last", "1", "-f", "-n", "2", "--within", "20s", quick=True)
        assert follower.stdout is not None
        assert json.loads(follower.stdout.readline())["data"] == 3
        opened.append("A-1", [EventData("T", 4), EventData("T", 5)])
    out, err = follower.communicate(timeout=20)
    assert ([json.loads(line)["data"] for line in out.splitlines()], err, follower.returncode) == ([4], b"", 0)


@pytest.mark.parametrize("source", [("read", "A-1"), ("replay", "A")])
def test_what_comes_next_can_be_waited_for(store: Command, source: tuple[str, ...]) -> None:
    with connect(store.url) as opened:
        opened.append("A-1", [EventData("T", "old")])
        follower = store.start(*source, "--last", "0", "-f", "-n", "1", "--within", "5s", quick=True)
        began = time.monotonic()
        # Nothing tells when it has begun to wait, so that more than one event comes.
        while follower.poll() is None and time.monotonic() < began + 10:
            opened.append("A-1", [EventData("T", "new")])
            time.sleep(0.05)
    out, err = follower.communicate(timeout=20)
    (line,) = out.splitlines()
    assert (json.loads(line)["data"], err, follower.returncode) == ("new", b"", 0)


# --- within ---


def test_what_came_in_time_is_printed_and_the_rest_is_timed_out(shared: Command) -> None:
    done = shared("replay", "--all", "-f", "-n", "9", "--within", "400ms")
    assert (done.code, len(done.lines)) == (124, 5)
    assert re.fullmatch(r"evstore: .*\b5\b.*\b9\b.*\n", done.err)


@pytest.mark.parametrize("words", [("read", "No-1"), ("read", "A-1", "--last", "0"), ("replay", "No")])
def test_nothing_in_time_prints_nothing(shared: Command, words: tuple[str, ...]) -> None:
    done = shared(*words, "-f", "-n", "1", "--within", "200ms")
    assert (done.code, done.out) == (124, b"")
    assert done.err


def test_enough_in_time_is_a_success(shared: Command) -> None:
    began = time.monotonic()
    assert numbers(shared, "replay", "--all", "-f", "-n", "5", "--within", "30s") == [1, 2, 3, 4, 5]
    assert time.monotonic() - began < 10


def test_no_time_at_all_is_enough_for_what_is_there(shared: Command) -> None:
    assert shared("read", "A-1", "-f", "-n", "3", "--within", "0s").code == 0


# --- what excludes what ---

EXCLUDED = [
    ("-f", "--until", "1h"), ("-f", "-F", "json"),
    ("--within", "1s"), ("-f", "--within", "1s"), ("-n", "1", "--within", "1s"), ("-f", "-n", "all", "--within", "1s"),
    ("-f", "-n", "1", "--within", ""), ("-f", "-n", "1", "--within", "-1s"),
    ("--last", "-1"), ("--last", "all"), ("--last", "1", "-r"),
]  # fmt: skip


@pytest.mark.parametrize("words", EXCLUDED, ids=lambda words: " ".join(words)[:40])
@NO_STORE
def test_these_do_not_go_together(shared: Command, words: tuple[str, ...]) -> None:
    done = shared("replay", "--all", *words)
    assert (done.code, done.out) == (2, b""), done


@NO_STORE
def test_json_by_the_environment_excludes_following_too(shared: Command) -> None:
    assert shared("read", "A-1", "-f", "-n", "1", env={"EVSTORE_FORMAT": "json"}).code == 2


def test_a_limit_may_be_larger_than_any_log(shared: Command) -> None:
    assert numbers(shared, "replay", "--all", "-n", "99999999999999999999") == [1, 2, 3, 4, 5]
    assert shared("replay", "--all", "-n", "9" * 5000).code in (0, 2)
