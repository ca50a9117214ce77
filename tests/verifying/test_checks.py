"""The short ways through the checks of a verification come out where the long ways do."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from evstore import Metadata
from evstore.errors import InvalidPayloadError
from evstore.model.findings import AuditedEvent
from evstore.model.metadata import check_metadata
from evstore.verifying import checks
from evstore.verifying.checks import is_in_its_place

ID = "0198e5c4-7a2b-7c3d-8e4f-0123456789ab"
SOUND = AuditedEvent(ID, "Order-1", "Placed", "{}", "{}", 2, 7, 0, "Order", "Order", 7, 7, 5, 2, 1)
NUMBERS = st.none() | st.integers(-1, 8)
NAMES = st.sampled_from([None, "Order", "Other"])
CHANGES: dict[str, st.SearchStrategy[object]] = {
    "id": st.sampled_from([ID.upper(), ID[:-1], "", "no id"]),
    "stream_id": st.none(),
    "type": st.none(),
    "version": st.integers(-1, 8),
    "global_position": st.integers(-1, 8),
    "category": NAMES,
    "stream_category": NAMES,
    "found_by_id": NUMBERS,
    "found_by_version": NUMBERS,
    "predecessor": NUMBERS,
    "category_number": st.integers(-1, 8),
    "number_before": NUMBERS,
    "in_category": st.booleans(),
    "in_type": st.booleans(),
    "in_timestamp": st.booleans(),
    "in_correlation": st.booleans(),
}


def faults(event: AuditedEvent) -> list[tuple[str, str]]:
    """What the checks of its place, keys and searches find, each for itself."""
    return [
        *checks._faults_of_place(event),
        *checks._faults_of_keys(event),
        *checks._faults_of_searches(event),
    ]


def test_a_sound_event_takes_the_short_way():
    assert is_in_its_place(SOUND)
    assert not faults(SOUND)


# Few at a time: where much is wrong, one fault hides that another is overlooked.
@given(
    st.lists(st.sampled_from([*CHANGES]), unique=True, max_size=2).flatmap(
        lambda fields: st.fixed_dictionaries({field: CHANGES[field] for field in fields})
    )
)
@example({"version": 1, "predecessor": None})
@example({"predecessor": 8})
@example({"global_position": 0, "found_by_id": 0, "found_by_version": 0, "version": 1, "predecessor": None})
@settings(deadline=None, max_examples=500, print_blob=True)
def test_no_event_with_a_fault_takes_the_short_way(changes):
    event = SOUND._replace(**changes)
    if is_in_its_place(event):
        assert not faults(event)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('"\\\0\n\x7f'), max_size=6)
IDS = st.none() | TEXTS | st.sampled_from(["x" * 500, "x" * 513])


@given(
    st.builds(Metadata, IDS, IDS, custom=st.dictionaries(TEXTS, TEXTS, max_size=2)).map(Metadata.to_json)
    | st.sampled_from(["", "{", "[]", "{} ", "{\n}", '{"userId":null}', '{"custom":{"":"v"}}', '{"userId":""}'])
    | st.sampled_from(['{"correlationId":""}', '{"correlationId":"a","other":1}', '{"userId":"\\ud800"}'])
)
@settings(deadline=None, max_examples=300, print_blob=True)
def test_metadata_is_judged_as_an_append_judges_it(text):
    assert outcome(checks._correlation_id, text) == outcome(judged, text)


def judged(text: str) -> str | None:
    if "\n" in text or "\r" in text:
        raise InvalidPayloadError("metadata has line breaks")
    found = Metadata.from_json(text)
    check_metadata(found)
    return found.correlation_id


def outcome(judge, text):
    try:
        return judge(text) or None
    except InvalidPayloadError as error:
        return str(error)
