"""The maker of prepared events: every event is checked, and what many events share is checked once."""

from __future__ import annotations

import pytest

from evstore.appending import preparing
from evstore.appending.preparing import Preparing
from evstore.appending.redaction import Redaction
from evstore.errors import InvalidInputError
from evstore.jsontext.judging import check_json
from evstore.model.events import EventData
from evstore.model.metadata import MAX_METADATA_BYTES, Metadata
from tests.support.sentences import names

DATA = check_json('{"n":1}')
ID = "0198e5c4-7a2b-7c3d-8e4f-0123456789ab"
MADE = "0198e5c4-7a2b-7c3d-8e4f-ba9876543210"


@pytest.fixture
def checked(monkeypatch):
    """The names and the metadata that are checked from now on."""
    found = []
    for name in ("check_name", "check_metadata"):
        check = getattr(preparing, name)
        monkeypatch.setattr(preparing, name, lambda *given, check=check: found.append(given[-1]) or check(*given))
    return found


def test_an_event_gets_what_is_given_and_the_defaults_of_its_maker():
    by = Preparing(Metadata(correlation_id="c", user_id="ann"), tags=["shop:1"])
    event = by.kept("Placed", DATA, Metadata(user_id="bob"), ID.upper(), MADE, ["order:7"])
    assert (event.id, event.type, event.data_json) == (ID, "Placed", '{"n":1}')
    assert (event.metadata_json, event.correlation_id) == ('{"correlationId":"c","userId":"bob"}', "c")
    assert event.joined_tags == "order:7 shop:1"
    plain = by.kept("Placed", DATA, made_id=MADE)
    assert (plain.id, plain.joined_tags) == (MADE, "shop:1")
    assert (plain.metadata_json, plain.correlation_id) == ('{"correlationId":"c","userId":"ann"}', "c")
    assert Preparing().kept("Placed", DATA, tags=["order:7"]).joined_tags == "order:7"


def test_events_without_ids_get_different_ones():
    by = Preparing()
    assert len({by.kept("Placed", DATA).id for _ in range(3)}) == 3


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"type": ""}, ["event type", "empty"]),
        ({"id": "7"}, ['"7"']),
        ({"tags": ["a b"]}, ['"a b"']),
        ({"tags": "ab"}, ["in a list"]),
        ({"metadata": Metadata(user_id="u" * 600)}, ["userId", 600]),
        ({"metadata": Metadata(custom={"b": "x" * (MAX_METADATA_BYTES // 2)})}, [MAX_METADATA_BYTES]),
    ],
    ids=["type", "id", "tag", "tags", "metadata", "metadata that is too large with the default"],
)
def test_a_fault_is_refused_the_second_time_as_well(given, said):
    by = Preparing(Metadata(custom={"a": "x" * (MAX_METADATA_BYTES // 2)}))
    for _ in range(2):
        with pytest.raises(InvalidInputError) as refused:
            by.kept(**{"type": "Placed", "data": DATA} | given)
        assert names(str(refused.value), *said)


def test_what_events_share_is_checked_once(checked):
    default, shared = Metadata(tenant_id="t"), Metadata(user_id="ann")
    by = Preparing(default)
    for _ in range(3):
        by.kept("Placed", DATA, shared)
    merged = shared.over(default)
    assert checked == ["Placed", shared, default, merged]
    by.kept("Paid", DATA, other := Metadata(user_id="bob"))
    assert checked[4:] == ["Paid", other, other.over(default)]


def test_types_beyond_those_that_are_remembered_are_checked_each_time(checked, monkeypatch):
    monkeypatch.setattr(preparing, "MOST_KNOWN", 2)
    by = Preparing()
    for _ in range(2):
        for each in ("A", "B", "C"):
            by.kept(each, DATA)
    assert [each for each in checked if isinstance(each, str)] == ["A", "B", "C", "C"]


@pytest.mark.parametrize("type", ["", "A\nB"], ids=repr)
def test_an_event_of_the_library_whose_type_no_event_can_have_is_refused(type):
    with pytest.raises(InvalidInputError, match=r"event type\b"):
        Preparing().event(EventData.from_json(type, "1"))


def test_what_is_no_event_is_refused_unless_the_application_encodes_it():
    with pytest.raises(InvalidInputError, match="an event is an EventData, not int"):
        Preparing().given(7)
    assert Preparing(encode=lambda n: EventData("Numbered", n)).given(7) == EventData("Numbered", 7)


def test_a_redaction_is_an_event_of_each_id_once_with_its_reason():
    redaction = Redaction([ID.upper(), MADE, ID], "a request", metadata=True, by=Metadata(user_id="alice"))
    assert (redaction.ids, redaction.metadata, redaction.unit.has_new_ids) == ([ID, MADE], True, True)
    ((stream_id, (event,), _),) = redaction.unit.writes
    assert (stream_id, event.type, event.metadata_json) == ("$redactions", "EventsRedacted", '{"userId":"alice"}')
    assert event.data_json == f'{{"ids":["{ID}","{MADE}"],"reason":"a request","metadata":true}}'


@pytest.mark.parametrize(
    ("ids", "reason", "said"),
    [
        ([], "a request", "no event"),
        ([ID], "", "needs a reason"),
        ([ID], " \n", "a reason"),
        ([ID], 7, "a reason"),
    ],
)
def test_a_redaction_of_nothing_or_for_no_reason_is_refused(ids, reason, said):
    with pytest.raises(InvalidInputError, match=said):
        Redaction(ids, reason, metadata=False)
