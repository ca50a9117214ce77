"""`consumers`: the list, one of them, and what an operator does with it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from evstore import EventData, connect
from tests.support.sentences import names
from tests.support.terminal import screen
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from evstore import EventStore, StoredEvent
    from tests.support.command import Command

PARKED_AT = 3
REASON = "no address"
ABSENT = "0198e5c4-7a2b-7c3d-8e4f-0123456789ab"


def handle(store: EventStore, name: str, categories: list[str] | None = None) -> None:
    def handled(events: Sequence[StoredEvent]) -> None:
        if any(event.global_position == PARKED_AT for event in events):
            raise ValueError(REASON)

    store.consumer(name, categories=categories).run(handled, once=True, on_failure="park")


@pytest.fixture
def store(store: Command) -> Command:
    """Four events. `all` has handled each, but for Order-2, which is parked; `mailer` lacks the last of its three."""
    with connect(store.url) as made:
        for stream in ("Order-1", "Invoice-1", "Order-2"):
            made.append(stream, [EventData("Placed", 1)])
        handle(made, "mailer", ["Order"])
        made.append("Order-3", [EventData("Placed", 1)])
        handle(made, "all")
    return store


def shown(store: Command, name: str) -> dict[str, Any]:
    return dict(json.loads(store.ok("consumers", "show", name).out))


# --- looking ---


def test_consumers_are_listed_by_name_with_their_lag(store: Command) -> None:
    listed = [json.loads(line) for line in store.ok("consumers").lines]
    assert [(each["name"], each["categories"], each["globalPosition"], each["lag"]) for each in listed] == [
        ("all", None, 4, 0),
        ("mailer", ["Order"], 3, 1),
    ]
    assert [each["parked"] for each in listed] == [1, 1]
    assert listed[0]["lagSeconds"] == 0 < listed[1]["lagSeconds"] < 3600
    assert [each["holder"] for each in listed] == [None, None]
    array = json.loads(store.ok("consumers", "-F", "json").out)
    assert [each.keys() for each in array] == [each.keys() for each in listed]
    assert store.ok("consumers", "-F", "tsv").lines[0].startswith("all\t\t\t4\t0\t")


def test_names_and_a_prefix_pick_from_the_list(store: Command) -> None:
    assert store.ok("consumers", "--names").lines == ["all", "mailer"]
    assert json.loads(store.ok("consumers", "--names", "-F", "json").out) == ["all", "mailer"]
    assert store.ok("consumers", "--names", "--prefix", "ma").lines == ["mailer"]
    assert store.ok("consumers", "--prefix", "x").out == b""
    assert store.ok("consumers", "--prefix", "x", "-F", "json").out == b"[]\n"


def test_a_window_shows_a_table_whose_lag_is_in_words(store: Command) -> None:
    head, all_, mailer = screen(store, "consumers")
    assert head.split() == ["name", "position", "lag", "behind", "parked", "holder", "updated"]
    assert all_.split()[:4] == ["all", "4", "0", "1"]
    name, position, lag, behind, unit, parked, *_ = mailer.split()
    assert (name, position, lag, parked) == ("mailer", "3", "1", "1")
    assert float(behind) > 0
    assert unit in ("ms", "s")


def test_a_narrow_window_keeps_names_positions_and_lags(store: Command) -> None:
    lines = screen(store, "consumers", columns=30)
    assert lines[0].split()[:3] == ["name", "position", "lag"]
    assert all(len(line) <= 30 for line in lines[:3])
    assert names(lines[3], "no room for", "updated")


def test_a_store_without_consumers_says_so_in_a_window(evstore: Command) -> None:
    evstore.ok("init")
    assert evstore.ok("consumers").out == b""
    assert screen(evstore, "consumers") == ["note: no consumers"]


def test_one_is_shown_with_what_it_parked(store: Command) -> None:
    found = shown(store, "mailer")
    (parked,) = found["parkedEvents"]
    event = json.loads(store.ok("read", "Order-2").out)
    assert (parked["id"], parked["streamId"], parked["globalPosition"]) == (event["id"], "Order-2", PARKED_AT)
    assert (parked["reason"], parked["state"]) == (f"ValueError: {REASON}", "parked")
    lines = screen(store, "consumers", "show", "mailer")
    facts = {line.split()[0]: line for line in lines}
    assert names(facts["lag"], "1 event", "ago")
    assert names(facts["categories"], "Order")
    assert names(facts["types"], "all")
    assert names(facts["holder"], "nobody")
    assert names(lines[-1], event["id"], "Order-2", "ValueError")  # the id whole, to be copied


def test_a_window_says_of_members_how_many_slots_are_held(store: Command) -> None:
    process = store.start("subscribe", "parts", "Order", "--member", "1/2", "--", "true")
    try:
        wait_for(lambda: "parts" in store.ok("consumers", "--names").lines and shown(store, "parts")["members"])
        facts = {line.split()[0]: line for line in screen(store, "consumers", "show", "parts")}
        assert names(facts["members"], "64 slots", "32 of them held")
        assert names(facts["lag"], "may be handled") or names(facts["lag"], "none")
        assert "nobody" not in facts["holder"]
    finally:
        process.terminate()
        process.communicate(timeout=30)


@pytest.mark.parametrize(
    "words",
    [("show",), ("reset", "--to", "start"), ("remove",), ("wait", "--position", "1"), ("retry",), ("drop",)],
    ids=lambda words: words[0],
)
def test_a_name_that_is_missing_leads_to_the_list(store: Command, words: tuple[str, ...]) -> None:
    action, *rest = words
    event = [ABSENT] if action in ("retry", "drop") else []
    done = store("consumers", action, "nobody", *event, *rest)
    assert (done.code, done.out) == (3, b"")
    assert names(done.err, "nobody", "hint: evstore", "consumers")


# --- changing ---


@pytest.mark.parametrize(("to", "position"), [("start", 0), ("end", 4), ("2", 2)])
def test_a_consumer_begins_where_it_was_reset_to_and_forgets_what_it_parked(
    store: Command, to: str, position: int
) -> None:
    found = json.loads(store.ok("consumers", "reset", "mailer", "--to", to).out)
    assert (found["name"], found["globalPosition"], found["parked"]) == ("mailer", position, 0)
    done = store.ok("subscribe", "mailer", "Order", "--once", "--", "cat")
    wanted = [json.loads(line)["globalPosition"] for line in store.ok("replay", "Order").lines]
    handled = [json.loads(line)["globalPosition"] for line in done.lines]
    assert handled == [each for each in wanted if each > position]


def test_a_position_beyond_the_log_is_no_place_to_begin(store: Command) -> None:
    before = shown(store, "mailer")
    done = store("consumers", "reset", "mailer", "--to", "5")
    assert (done.code, done.out) == (2, b"")
    assert names(done.err, "mailer", "5", "ends at 4")
    assert shown(store, "mailer")["globalPosition"] == before["globalPosition"]


def test_a_removed_consumer_is_gone_and_its_name_begins_anew(store: Command) -> None:
    assert json.loads(store.ok("consumers", "remove", "mailer").out) == {"name": "mailer", "removed": True}
    assert store.ok("consumers", "--names").lines == ["all"]
    assert store("consumers", "show", "mailer").code == 3
    assert len(store.ok("subscribe", "mailer", "Order", "--once", "--", "cat").lines) == 3


@pytest.mark.parametrize(("action", "then"), [("retry", [3, 4]), ("drop", [4])])
def test_a_parked_event_is_handled_again_or_left_out(store: Command, action: str, then: list[int]) -> None:
    (parked,) = shown(store, "mailer")["parkedEvents"]
    receipt = json.loads(store.ok("consumers", action, "mailer", parked["id"].upper()).out)
    assert receipt == {"name": "mailer", "id": parked["id"], "state": action}
    assert [each["state"] for each in shown(store, "mailer")["parkedEvents"]] == [action]
    done = store.ok("subscribe", "mailer", "Order", "--once", "--", "cat")
    assert [json.loads(line)["globalPosition"] for line in done.lines] == then
    assert shown(store, "mailer")["parkedEvents"] == []
    assert [each["state"] for each in shown(store, "all")["parkedEvents"]] == ["parked"]  # each has its own


@pytest.mark.parametrize("action", ["retry", "drop"])
def test_an_event_that_is_not_parked_leads_to_those_that_are(store: Command, action: str) -> None:
    done = store("consumers", action, "mailer", ABSENT)
    assert (done.code, done.out) == (3, b"")
    message, hint = done.err.splitlines()
    assert message == f'evstore: consumer "mailer" has not parked event {ABSENT}'
    assert hint == "hint: evstore consumers show mailer"
    assert store("consumers", action, "mailer", "3").code == 5


def test_a_window_gets_a_sentence_for_each_change(store: Command) -> None:
    (parked,) = shown(store, "mailer")["parkedEvents"]
    assert screen(store, "consumers", "retry", "mailer", parked["id"]) == [
        f"{parked['id']} is handled again when mailer runs"
    ]
    assert screen(store, "consumers", "drop", "mailer", parked["id"]) == [
        f"{parked['id']} is left out when mailer runs"
    ]
    assert screen(store, "consumers", "reset", "mailer", "--to", "1") == [
        "consumer mailer begins after position 1"
    ]
    assert screen(store, "consumers", "remove", "mailer") == ["consumer mailer is removed"]


# --- waiting ---


def test_one_waits_until_a_consumer_has_come_so_far(store: Command) -> None:
    assert store.ok("consumers", "wait", "mailer", "--position", "3").out == b""
    process = store.start("consumers", "wait", "mailer", "--position", "4", "--within", "60s")
    with connect(store.url) as opened:
        handle(opened, "mailer", ["Order"])
    assert process.communicate(timeout=30) == (b"", b"")
    assert process.returncode == 0


def test_a_wait_that_takes_too_long_has_an_exit_code_of_its_own(store: Command) -> None:
    begin = time.monotonic()
    done = store("consumers", "wait", "mailer", "--position", "4", "--within", "100ms")
    assert (done.code, done.out) == (124, b"")
    assert time.monotonic() - begin >= 0.1
    assert names(done.err, "mailer", "position 3 of 4")


# --- usage ---


@pytest.mark.sqlite_first("which words go together seldom depends on where events are stored")
@pytest.mark.parametrize(
    ("words", "facts"),
    [
        (("forget", "mailer"), ["forget", "show", "retry"]),
        (("mailer",), ["mailer", "show"]),
        (("show",), ["consumers show NAME"]),
        (("show", "mailer", "all"), ["consumers show NAME"]),
        (("remove",), ["consumers remove NAME"]),
        (("retry", "mailer"), ["consumers retry NAME ID"]),
        (("drop", "mailer", ABSENT, ABSENT), ["consumers drop NAME ID"]),
        (("reset", "mailer"), ["--to P", "--to start", "--to end"]),
        (("reset", "mailer", "--to", "now"), ["--to", "now"]),
        (("reset", "mailer", "--to", "-1"), ["--to", "-1"]),
        (("show", "mailer", "--to", "end"), ["--to", "reset"]),
        (("--to", "end"), ["--to", "reset"]),
        (("wait", "mailer"), ["--position"]),
        (("wait", "mailer", "--position", "-1"), ["--position"]),
        (("wait", "mailer", "--position", "x"), ["--position"]),
        (("wait", "mailer", "--position", "1", "--within", "soon"), ["--within", "soon"]),
        (("reset", "mailer", "--to", "end", "--within", "1s"), ["--within", "wait"]),
        (("--position", "1"), ["--position", "wait"]),
        (("show", "mailer", "--names"), ["--names", "list"]),
        (("remove", "mailer", "--prefix", "m"), ["--prefix", "list"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_does_not_go_together_is_refused_and_changes_nothing(
    store: Command, words: tuple[str, ...], facts: list[str]
) -> None:
    before = {name: shown(store, name)["updatedAt"] for name in ("all", "mailer")}
    done = store("consumers", *words)
    assert (done.code, done.out) == (2, b""), done
    assert names(done.err, *facts)
    assert {name: shown(store, name)["updatedAt"] for name in ("all", "mailer")} == before
