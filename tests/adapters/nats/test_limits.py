"""The limits of the servers, which they tell when they are asked."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from evstore import EventData, InvalidInputError, connect
from evstore.adapters.nats import connect as adapter_of
from evstore.adapters.nats.adapter import CAPABILITIES
from evstore.testing import REASONS
from tests.support.nats_servers import NatsServer

GUIDE = Path(__file__).parents[3] / "evstore" / "guide" / "nats.md"


@pytest.fixture(scope="module")
def usual():
    """A server whose options say nothing of sizes."""
    made = NatsServer()
    yield made
    made.close()


def test_without_options_a_unit_has_500_events_and_a_message_a_mebibyte(usual):
    with closing(adapter_of(usual.place())) as adapter:
        adapter.initialize()
        assert adapter.limits().unit_events == 500
        assert adapter.limits().data_bytes == (1024 - 128) * 1024
        assert adapter.head(0, 0) == 0


def test_the_options_of_a_server_are_the_limits(nats_server):
    with closing(adapter_of(nats_server.place())) as adapter:
        adapter.initialize()
        assert adapter.limits().unit_events == 40_000
        assert adapter.limits().data_bytes == 8 * 1024 * 1024 - 128 * 1024


def test_a_larger_unit_is_refused_and_the_option_is_named(usual):
    with connect(usual.place()) as store:
        store.initialize()
        assert len(store.append("Order-1", [EventData("T", n) for n in range(500)])) == 500
        with pytest.raises(InvalidInputError, match=r"501 events.* 500 at once, as .*batch \{ max_msgs"):
            store.append("Order-1", [EventData("T", n) for n in range(501)])
        with pytest.raises(InvalidInputError, match=r"data of .* takes 917504, as .*max_payload"):
            store.append("Order-1", [EventData("T", "x" * 917504)])
        assert store.append("Order-1", [EventData("T", "x" * 917502)])[0].version == 501


def test_an_event_with_all_that_it_may_have_fits_into_a_message(usual):
    from evstore import Metadata

    metadata = Metadata("é" * 256, "ü" * 256, "ß" * 256, "x" * 512, {str(n): "\x01" * 100 for n in range(90)})
    with connect(usual.place()) as store:
        store.initialize()
        event = EventData("T" * 255, "x" * 917502, metadata, tags=[f"{n:02}" + "é" * 126 for n in range(64)])
        (stored,) = store.append("x" * 512, [event])
        assert [*store.read("x" * 512)] == [stored]


@pytest.mark.sqlite_only("it is about NATS, whatever else the command is tried on")
def test_an_import_and_a_batch_are_cut_to_the_limit(usual, evstore):
    evstore.database = usual.place()
    evstore.ok("init")
    lines = b"".join(b'{"type":"T","data":%d}\n' % n for n in range(1200))
    evstore.ok("append", "Order-1", "-", "--batch", "1000", stdin=lines)
    exported = evstore.ok("export").out
    assert exported.count(b"\n") == 1200
    evstore.database = usual.place()
    evstore.ok("init")
    evstore.ok("import", "-", stdin=exported)
    assert evstore.ok("export").out == exported


def test_the_guide_gives_each_reason_for_which_a_clause_of_the_contract_is_skipped():
    lacks = {name for name, claimed in CAPABILITIES._asdict().items() if name in REASONS and not claimed}
    for name in (*lacks - {"born_initialized"}, "losable", "has_limits"):
        assert f"| {REASONS[name]} |" in GUIDE.read_text(), name


def test_the_adapter_claims_what_it_is_known_for_whether_or_not_a_server_answers():
    """A claim that is dropped would only make the contract's tests skip."""
    with closing(adapter_of("nats://127.0.0.1:1/evstore", timeout=2)) as adapter:
        can, limits = adapter.capabilities, adapter.limits()
    assert {field for field, value in can._asdict().items() if value is True} == {
        "durable", "multi_process", "has_audits", "has_consumers", "has_snapshots", "has_limits", "native_asyncio",
    }  # fmt: skip
    assert limits[:2] == (500, (1024 - 128) * 1024)
