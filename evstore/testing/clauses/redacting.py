"""Chapter "Writing", W10 and W11: redactions, and the digests that a tamper-evident store keeps."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Final

import pytest

from evstore.errors import (
    AppendConditionError,
    ConcurrencyError,
    EventNotFoundError,
    PositionConflictError,
    UnsupportedError,
)
from evstore.model.conditions import AppendCondition, Query
from evstore.model.digests import EMPTY, chained, content_hash, shown
from evstore.model.filters import Filter
from evstore.model.metadata import Metadata
from evstore.port import AlreadyStored, Append, Initialization, Receipt
from evstore.testing.asking import accepted, answer, everything, history, log
from evstore.testing.builders import a_write, an_append, an_event, an_id
from evstore.testing.harness import CAN_REDACT, TAMPER_EVIDENT, Harness

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evstore.model.events import StoredEvent
    from evstore.port import Adapter

CARD: Final = '{"card":"4111"}'


def told() -> Append:
    """The unit that tells of a redaction."""
    return an_append("$redactions", [an_event("EventsRedacted")])


def fill(adapter: Adapter) -> list[StoredEvent]:
    """Three events, the second of which is worth a redaction."""
    metadata = Metadata("c", user_id="alice")
    secret = an_event("Paid", CARD, metadata=metadata, tags=["order:1", "card"])
    accepted(adapter, an_append("Order-1", [an_event(), secret, an_event("Paid", metadata=metadata)]))
    return log(adapter)


class RedactionClauses(Harness):
    """W10: data goes, the event stays."""

    @pytest.fixture
    def redactable(self, adapter: Adapter) -> Adapter:
        self.needs(adapter, CAN_REDACT)
        return adapter

    @pytest.mark.parametrize("metadata", [False, True])
    def test_W10_a_redaction_changes_data_and_nothing_else(self, redactable: Adapter, metadata: bool) -> None:
        first, second, third = fill(redactable)
        unit = told()
        receipt = redactable.redact([second.id], unit, metadata=metadata)
        assert isinstance(receipt, Receipt)
        kept = "{}" if metadata else second.metadata_json
        redacted = second._replace(data_json="null", metadata_json=kept, redacted=True)
        (told_of,) = history(redactable, "$redactions")
        assert log(redactable) == [first, redacted, third, told_of]
        assert (told_of.id, told_of.global_position) == (next(unit.ids()), receipt.first_position)
        assert history(redactable, "Order-1") == [first, redacted, third]
        assert redactable.get([second.id]) == [redacted]
        correlated = [third] if metadata else [redacted, third]
        assert log(redactable, Filter(correlation_id="c")) == correlated

    def test_W10_several_events_are_redacted_at_once(self, redactable: Adapter) -> None:
        events = fill(redactable)
        redactable.redact([event.id for event in events[::-1]], told(), metadata=False)
        assert [event.data_json for event in history(redactable, "Order-1")] == ["null"] * len(events)

    @pytest.mark.parametrize("known", [0, 1])
    def test_W10_an_absent_event_is_an_error_that_changes_nothing(self, redactable: Adapter, known: int) -> None:
        events = fill(redactable)
        before = everything(redactable)
        absent = an_id()
        with pytest.raises(EventNotFoundError) as raised:
            redactable.redact([*[event.id for event in events[:known]], absent], told(), metadata=True)
        assert raised.value.event_id == absent
        assert everything(redactable) == before

    def test_W10_a_redacted_event_stays_redacted(self, redactable: Adapter) -> None:
        _, second, _ = fill(redactable)
        for metadata in (True, False):
            redactable.redact([second.id], told(), metadata=metadata)
            (found,) = redactable.get([second.id])
            assert (found.data_json, found.metadata_json, found.redacted) == ("null", "{}", True)

    def test_W10_a_unit_that_is_stored_already_is_held_and_nothing_redacted(self, redactable: Adapter) -> None:
        first, second, _ = fill(redactable)
        unit = told()
        redactable.redact([first.id], unit, metadata=False)
        before = everything(redactable)
        assert isinstance(redactable.redact([second.id], unit, metadata=False), AlreadyStored)
        assert everything(redactable) == before

    def test_W10_the_unit_of_a_redaction_gets_the_time_position_and_tags_that_it_names(
        self, redactable: Adapter
    ) -> None:
        first, _, _ = fill(redactable)
        event = an_event("EventsRedacted", tags=["told"])
        unit = Append([a_write("$redactions", [event], 0)], [7], 4)
        assert isinstance(redactable.redact([first.id], unit, metadata=False), Receipt)
        (told_of,) = history(redactable, "$redactions")
        assert (told_of.timestamp_us, told_of.global_position, told_of.tags) == (7, 4, ("told",))

    @pytest.mark.parametrize(
        ("expected", "position", "refusal"), [(-1, 3, PositionConflictError), (1, None, ConcurrencyError)]
    )
    def test_W10_a_unit_that_is_refused_redacts_nothing(
        self, redactable: Adapter, expected: int, position: int | None, refusal: type[Exception]
    ) -> None:
        first, _, _ = fill(redactable)
        before = everything(redactable)
        unit = Append([a_write("$redactions", [an_event()], expected)], None, position)
        assert isinstance(redactable.redact([first.id], unit, metadata=False), refusal)
        assert everything(redactable) == before

    def test_W10_type_and_tags_of_a_redacted_event_still_match(self, redactable: Adapter) -> None:
        _, second, _ = fill(redactable)
        redactable.redact([second.id], told(), metadata=True)
        unit = Append([a_write()], conditions=[AppendCondition(Query(["Paid"], ["card"]))])
        outcome = answer(redactable, unit)
        assert isinstance(outcome, AppendConditionError)
        assert outcome.position == second.global_position

    def test_W10_an_event_that_was_redacted_elsewhere_is_stored_so(self, redactable: Adapter) -> None:
        event = an_event("Paid", "null", tags=["card"])._replace(redacted=True)
        accepted(redactable, an_append("Order-1", [an_event(), event]))
        for found in (
            log(redactable),
            history(redactable, "Order-1"),
            log(redactable, Filter(types=("Paid", "ItemAdded"))),
        ):
            assert [repr(each.redacted) for each in found] == ["False", "True"]


class TamperEvidenceClauses(Harness):
    """W11: the digest of the log."""

    @pytest.fixture
    def chained(self, fresh: Adapter) -> Adapter:
        self.needs(fresh, TAMPER_EVIDENT)
        fresh.initialize(Initialization(tamper_evident=True))
        return fresh

    def test_W11_the_digest_chains_the_contents_of_all_events(self, chained: Adapter) -> None:
        assert chained.info().tamper_evident
        assert chained.info().digest == shown(0, EMPTY)
        for unit in (
            an_append("Order-1", [an_event("é", '{"a": 1.10}', metadata=Metadata("c"), tags=["b", "a"])]),
            an_append("Order-1"),
            an_append("Order-2", [an_event("Paid", "null")._replace(redacted=True), an_event()]),
            Append([a_write("Stock-1", 2), a_write("Order-1", 3)], [7, 5, 6, 3, 9]),
            an_append("Large-1", 300),
        ):
            accepted(chained, unit)
            assert chained.info().digest == digest_of(log(chained))

    def test_W11_units_of_one_call_are_chained_in_order(self, chained: Adapter) -> None:
        chained.append([an_append("Order-1", 1, version) for version in (0, 7, 1, 2)])
        assert chained.info().digest == digest_of(log(chained))

    def test_W11_a_refused_unit_leaves_the_digest(self, chained: Adapter) -> None:
        accepted(chained, an_append("Order-1", 2))
        before = chained.info().digest
        for size in (1, 3, 300):
            answer(chained, an_append("Order-1", size, 7))
            assert chained.info().digest == before
        accepted(chained, an_append("Order-1", 1, 2))
        assert chained.info().digest == digest_of(log(chained))

    def test_W11_a_redaction_leaves_the_digest_of_what_was_there(self, chained: Adapter) -> None:
        self.needs(chained, CAN_REDACT)
        events = fill(chained)
        chained.redact([events[1].id], told(), metadata=True)
        assert chained.info().digest == digest_of([*events, *history(chained, "$redactions")])

    def test_W11_several_adapters_share_one_chain(self, chained: Adapter, another: Callable[[], Adapter]) -> None:
        self.needs(chained, "multi_process")
        other = another()
        for _ in range(3):
            accepted(chained, an_append("Order-1"))
            accepted(other, an_append("Order-1"))
        assert other.info().digest == digest_of(log(chained))

    def test_W11_a_store_that_is_there_without_digests_is_not_made_anew(self, fresh: Adapter) -> None:
        self.needs(fresh, TAMPER_EVIDENT)
        fresh.initialize()
        accepted(fresh, an_append("Order-1"))
        with pytest.raises(UnsupportedError):
            fresh.initialize(Initialization(tamper_evident=True))
        assert not fresh.info().tamper_evident
        assert len(log(fresh)) == 1

    def test_W11_initializing_a_tamper_evident_store_again_leaves_it_so(self, chained: Adapter) -> None:
        accepted(chained, an_append("Order-1"))
        for again in (False, True):
            chained.initialize(Initialization(tamper_evident=again))
            assert chained.info().digest == digest_of(log(chained))


def digest_of(events: Sequence[StoredEvent]) -> str:
    """The digest of a log, by the definition of `model.digests`."""
    contents = [
        content_hash(
            e.id, e.stream_id, e.type, e.version, e.timestamp_us, e.joined_tags, e.metadata_json, e.data_json
        )
        for e in events
    ]
    return shown(len(events), reduce(chained, contents, EMPTY))
