"""Facts about a store: what counts as an event of it, and what holds where nobody says otherwise."""

from __future__ import annotations

from evstore.model.facts import StoreInfo, StreamInfo


def test_the_events_of_a_stream_are_those_up_to_its_version_but_what_is_missing() -> None:
    whole = StreamInfo("Order-1", "Order", 5, 1, 2, "Placed")
    assert (whole.missing, whole.events) == (0, 5)
    assert whole._replace(missing=2).events == 3


def test_a_store_of_which_nothing_more_is_known_is_whole_and_promises_nothing() -> None:
    info = StoreInfo("sqlite", "3", "a.db", 1, 2, 1, 7, 4096, {}, ())
    assert (info.missing, info.events, info._replace(missing=3).events) == (0, 7, 4)
    assert (info.durable, info.how_durable, info.tamper_evident, info.digest, info.protection) == (
        False, "", False, None, (),
    )  # fmt: skip
