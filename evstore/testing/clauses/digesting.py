"""Chapter "Reading", R8: the digest of a part of the log."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from evstore.errors import IncompleteLogError
from evstore.model.metadata import Metadata
from evstore.model.versions import MAX_VERSION
from evstore.port import PAGE_CHARACTERS, Append, Page
from evstore.testing.asking import ANYTHING, accepted, log
from evstore.testing.builders import a_write, an_append, an_event
from evstore.testing.clauses.wholeness import LOST, store_events
from evstore.testing.harness import CAN_REDACT, Harness
from evstore.testing.variety import fill

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from evstore.model.events import StoredEvent
    from evstore.port import Adapter


def digest_of(events: Sequence[StoredEvent]) -> bytes:
    """The digest of events by its definition, written out."""
    parts = []
    for e in events:
        tags = e.joined_tags or ""
        lines = (e.id, e.stream_id, e.type, e.version, e.timestamp_us, tags, e.metadata_json, e.data_json)
        content = "".join(f"{line}\n" for line in lines)
        parts += [e.global_position.to_bytes(8, "big"), sha256(content.encode()).digest(), bytes([e.redacted])]
    return sha256(b"".join(parts)).digest()


class DigestClauses(Harness):
    """R8: equal parts of logs have equal digests, and others have others."""

    def test_R8_the_digest_is_that_of_the_events_in_the_range(self, adapter: Adapter) -> None:
        fill(adapter)
        events = log(adapter)
        last = len(events)
        for low, high in ((1, last), (1, MAX_VERSION), (2, last - 1), (3, 3), (last, last + 5), (-5, 2), (4, 3)):
            wanted = [event for event in events if low <= event.global_position <= high]
            assert adapter.digest(low, high) == digest_of(wanted), (low, high)

    def test_R8_no_event_has_the_digest_of_nothing(self, adapter: Adapter) -> None:
        assert adapter.digest(1, MAX_VERSION) == sha256().digest()
        accepted(adapter, an_append("A-1"))
        assert adapter.digest(2, 9) == sha256().digest()

    def test_R8_more_events_than_a_page_has_and_long_ones_are_digested(self, adapter: Adapter) -> None:
        long = an_event("T", f'"{"é" * (PAGE_CHARACTERS // 3)}"')
        accepted(adapter, an_append("A-1", [an_event() for _ in range(1001)]))
        accepted(adapter, an_append("A-2", [long, *(an_event("T", long.data_json) for _ in range(3))]))
        events: list[StoredEvent] = []
        while page := adapter.read_all(Page(2000, after=len(events)), ANYTHING):
            events += page
        assert adapter.digest(1, MAX_VERSION) == digest_of(events)

    @pytest.mark.parametrize(
        "other",
        [
            {"id": "00000000-0000-7000-8000-000000000002"},
            {"stream_id": "A-2"},
            {"type": "U"},
            {"data_json": '{"a": 1.1}'},
            {"metadata_json": "{}"},
            {"version": 2},
            {"global_position": 2},
            {"timestamp_us": 2},
            {"joined_tags": None},
            {"redacted": True},
        ],
        ids=lambda other: next(iter(other)),
    )
    def test_R8_every_field_of_an_event_is_in_the_digest(self, adapter: Adapter, other: dict[str, Any]) -> None:
        event = an_event("T", '{"a": 1.10}', metadata=Metadata("c"), tags=["b", "a"])
        accepted(adapter, Append([a_write("A-1", [event])], [1]))
        (stored,) = log(adapter)
        assert adapter.digest(1, 1) == digest_of([stored])
        assert adapter.digest(1, 1) != digest_of([stored._replace(**other)])

    def test_R8_a_redaction_gives_another_digest(self, adapter: Adapter) -> None:
        self.needs(adapter, CAN_REDACT)
        event = an_event("T", "null")
        accepted(adapter, an_append("A-1", [event]))
        before = adapter.digest(1, 1)
        adapter.redact([event.id], an_append("$redactions"), metadata=False)
        assert adapter.digest(1, 1) != before
        assert adapter.digest(1, MAX_VERSION) == digest_of(log(adapter))

    @pytest.mark.parametrize("what", LOST)
    def test_R8_an_event_without_its_name_has_no_digest(self, adapter: Adapter, tmp_path: Path, what: str) -> None:
        self.needs_lose()
        store_events(adapter)
        before = adapter.digest(1, 2)
        self.lose(tmp_path, what, LOST[what])
        with pytest.raises(IncompleteLogError):
            adapter.digest(1, 4)
        assert adapter.digest(1, 2) == before
