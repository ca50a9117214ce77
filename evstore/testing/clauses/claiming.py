"""Chapter "Living", E5: an adapter does what it claims, and refuses what it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from evstore.errors import TargetExistsError, UnsupportedError
from evstore.port import limits_of
from evstore.testing.asking import accepted, log
from evstore.testing.builders import an_append
from evstore.testing.harness import AUDITS, BACKUP, Harness

if TYPE_CHECKING:
    from pathlib import Path

    from evstore.port import Adapter, Audited


class ClaimClauses(Harness):
    """E5."""

    def test_E5_info_calls_no_store_durable_whose_adapter_does_not_claim_it(self, adapter: Adapter) -> None:
        can, info = adapter.capabilities, adapter.info()
        assert can.durable or not info.durable
        assert info.how_durable
        assert (info.how_durable == can.how_durable) == (info.durable == can.durable)

    def test_E5_info_names_the_location_that_the_adapter_names(self, fresh: Adapter) -> None:
        before = fresh.location
        fresh.initialize()
        assert before == fresh.location == fresh.info().location

    def test_E5_a_store_that_is_read_as_usual_has_no_notes(self, adapter: Adapter) -> None:
        accepted(adapter, an_append())
        log(adapter)
        assert list(adapter.notes) == []

    def test_E5_capabilities_stay_the_same(self, fresh: Adapter) -> None:
        before = fresh.capabilities
        fresh.initialize()
        accepted(fresh, an_append())
        assert fresh.capabilities == before

    def test_E5_limits_stay_the_same(self, fresh: Adapter) -> None:
        fresh.initialize()
        before = limits_of(fresh)
        assert before.unit_events is None or before.unit_events > 0
        assert before.data_bytes is None or before.data_bytes > 0
        accepted(fresh, an_append())
        assert limits_of(fresh) == before

    def test_E5_audits_show_every_event_as_it_is_read(self, adapter: Adapter) -> None:
        self.needs(adapter, AUDITS)
        accepted(adapter, an_append(events=3))
        found = cast("Audited", adapter).audits().events(1, 2, 100)
        read = log(adapter)[:2]
        assert [(each.id, each.global_position, each.data_json) for each in found] == [
            (each.id, each.global_position, each.data_json) for each in read
        ]

    def test_E5_a_backup_goes_to_the_head_and_replaces_nothing(self, adapter: Adapter, tmp_path: Path) -> None:
        self.needs(adapter, BACKUP)
        accepted(adapter, an_append(events=3))
        target = tmp_path / "a copy"
        made = adapter.backup(str(target), False)
        assert (made.head, made.size_bytes) == (3, target.stat().st_size)
        before = target.read_bytes()
        with pytest.raises(TargetExistsError):
            adapter.backup(str(target), False)
        assert target.read_bytes() == before
        last = accepted(adapter, an_append()).first_position
        assert adapter.backup(str(target), True).head == last

    @pytest.mark.parametrize("force", [False, True])
    def test_E5_a_backup_that_is_not_claimed_is_refused(
        self, adapter: Adapter, tmp_path: Path, force: bool
    ) -> None:
        self.needs_no(adapter, BACKUP)
        target = tmp_path / "a copy"
        with pytest.raises(UnsupportedError):
            adapter.backup(str(target), force)
        assert not target.exists()
