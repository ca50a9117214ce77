"""Chapter "Snapshots": a cache beside the log."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

import pytest

from evstore.port import Snapshot
from evstore.testing.asking import accepted, everything, log, together
from evstore.testing.builders import an_append, an_event, an_id
from evstore.testing.harness import CAN_REDACT, SNAPSHOTS, Harness, claims

if TYPE_CHECKING:
    from collections.abc import Callable

    from evstore.port import Adapter, Snapshots
    from evstore.port.snapshots import HasSnapshots

STATE = '{"name":"Zoë\\n","total":"1.10","\U0001f4e6":[1,null]}'


def snapshots_of(adapter: Adapter) -> Snapshots:
    return cast("HasSnapshots", adapter).snapshots()


def a_snapshot(
    stream_id: str = "Order-1", version: int = 1, kind: str = "shop.Order", code: str = "a code"
) -> Snapshot:
    return Snapshot(stream_id, kind, version, an_id(), code, STATE)


class SnapshotClauses(Harness):
    """S1 and S2."""

    @pytest.fixture
    def keeping(self, adapter: Adapter) -> Snapshots:
        """The snapshots of a store with two streams of three events."""
        self.needs(adapter, SNAPSHOTS)
        for stream_id in ("Order-1", "Order-2"):
            accepted(adapter, an_append(stream_id, [an_event(), an_event(), an_event()]))
        return snapshots_of(adapter)

    def test_S1_a_snapshot_is_found_as_it_was_kept(
        self, keeping: Snapshots, adapter: Adapter, another: Callable[[], Adapter]
    ) -> None:
        assert keeping.find("Order-1", "shop.Order") is None
        kept = a_snapshot()
        before = everything(adapter)
        assert keeping.keep(kept, 0)
        assert keeping.find("Order-1", "shop.Order") == kept
        assert everything(adapter) == before
        if claims(adapter, "multi_process"):
            assert snapshots_of(another()).find("Order-1", "shop.Order") == kept

    def test_S1_a_later_snapshot_takes_the_place_of_an_earlier_one(self, keeping: Snapshots) -> None:
        for version in (1, 3, 3):
            kept = a_snapshot(version=version)
            assert keeping.keep(kept, 0)
            assert keeping.find("Order-1", "shop.Order") == kept

    def test_S1_an_earlier_snapshot_of_the_same_code_changes_nothing(self, keeping: Snapshots) -> None:
        kept = a_snapshot(version=3)
        assert keeping.keep(kept, 0)
        assert keeping.keep(a_snapshot(version=2), 0)
        assert keeping.find("Order-1", "shop.Order") == kept

    def test_S1_a_snapshot_of_other_code_takes_the_place_of_a_later_one(self, keeping: Snapshots) -> None:
        assert keeping.keep(a_snapshot(version=3), 0)
        kept = a_snapshot(version=2, code="other code")
        assert keeping.keep(kept, 0)
        assert keeping.find("Order-1", "shop.Order") == kept

    def test_S1_each_stream_and_each_kind_has_its_own(self, keeping: Snapshots) -> None:
        kept = [a_snapshot(), a_snapshot("Order-2"), a_snapshot(kind="shop.order"), a_snapshot(kind="Order")]
        for each in kept:
            assert keeping.keep(each, 0)
        for each in kept:
            assert keeping.find(each.stream_id, each.kind) == each

    def test_S1_a_stream_that_is_missing_keeps_none(self, keeping: Snapshots, adapter: Adapter) -> None:
        before = everything(adapter)
        assert keeping.keep(a_snapshot("Order-3"), 0)
        assert keeping.find("Order-3", "shop.Order") is None
        assert everything(adapter) == before

    def test_S2_a_redaction_removes_the_snapshots_of_its_streams(
        self, keeping: Snapshots, adapter: Adapter
    ) -> None:
        self.needs(adapter, CAN_REDACT)
        gone, stays = [a_snapshot(), a_snapshot(kind="Other")], a_snapshot("Order-2")
        for each in (*gone, stays):
            assert keeping.keep(each, 0)
        adapter.redact([log(adapter)[0].id], an_append("$redactions"), metadata=False)
        assert [keeping.find(each.stream_id, each.kind) for each in gone] == [None, None]
        assert keeping.find("Order-2", "shop.Order") == stays

    def test_S2_a_redaction_that_is_refused_removes_none(self, keeping: Snapshots, adapter: Adapter) -> None:
        self.needs(adapter, CAN_REDACT)
        kept = a_snapshot()
        assert keeping.keep(kept, 0)
        first = log(adapter)[0]
        again = an_append("$redactions", [an_event(id=log(adapter)[1].id)])
        adapter.redact([first.id], again, metadata=False)  # its event is stored already
        assert keeping.find("Order-1", "shop.Order") == kept

    def test_S2_a_snapshot_that_was_made_before_a_redaction_is_not_kept_after_it(
        self, keeping: Snapshots, adapter: Adapter
    ) -> None:
        self.needs(adapter, CAN_REDACT)
        stays = a_snapshot("Order-2")
        assert keeping.keep(stays, 0)
        adapter.redact([log(adapter)[0].id], an_append("$redactions"), metadata=False)
        for made in (a_snapshot(), a_snapshot("Order-2", 2), a_snapshot("Order-3")):
            assert not keeping.keep(made, 0)
        assert keeping.find("Order-1", "shop.Order") is None
        assert keeping.find("Order-2", "shop.Order") == stays
        kept = a_snapshot("Order-2", 2)
        assert keeping.keep(kept, 1)
        assert keeping.find("Order-2", "shop.Order") == kept

    def test_S2_a_snapshot_and_a_redaction_at_once_leave_none_that_was_made_before(
        self, keeping: Snapshots, adapter: Adapter, another: Callable[[], Adapter]
    ) -> None:
        self.needs(adapter, CAN_REDACT)
        second = another() if claims(adapter, "multi_process") else adapter
        theirs = snapshots_of(second)
        for number, event in enumerate(log(adapter)):
            jobs: list[Callable[[], object]] = [
                partial(theirs.keep, a_snapshot(event.stream_id), number),
                partial(adapter.redact, [event.id], an_append("$redactions"), metadata=False),
            ]
            together(jobs, self.patience)
            assert keeping.find(event.stream_id, "shop.Order") is None
