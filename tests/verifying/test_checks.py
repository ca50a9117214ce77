"""The short ways through the checks of a verification come out where the long ways do."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evstore import Metadata
from evstore.errors import InvalidPayloadError
from evstore.model.findings import AuditedEvent, AuditedName, Finding
from evstore.verifying import checks
from evstore.verifying.checks import FIRST_US, LAST_US, content_of, faults_of_event, faults_of_name
from evstore.verifying.together import _correlation_ids, contents_if_sound

ID = "0198e5c4-7a2b-7c3d-8e4f-0123456789ab"
SOUND = AuditedEvent(ID, "Order-1", "Placed", "{}", "{}", 2, 7, 0, "a b", False, "Order", "Order", 7, 7, 5, 2, 1)
NUMBERS = st.none() | st.integers(-1, 8)
NAMES = st.sampled_from([None, "Order", "Other"])
CHANGES: dict[str, st.SearchStrategy[object]] = {
    "id": st.sampled_from([ID.upper(), ID[:-1], "", "no id"]),
    "stream_id": st.none(),
    "type": st.none(),
    "data_json": st.sampled_from(["", "NaN", "1", " 1", "1\t", "1 \n", '{"a":\r1}', '"\\ud800"', '"\udcff"', "[" * 600 + "]" * 600]),
    "metadata_json": st.sampled_from(['{"custom":{"":"v"}}', "{}{}", "{\n}", '{"userId":"é"}', '{"correlationId":"c"}', "[]"]),
    "version": st.integers(-1, 8),
    "global_position": st.integers(-1, 8),
    "timestamp_us": st.sampled_from([FIRST_US - 1, FIRST_US, LAST_US, LAST_US + 1]),
    "joined_tags": st.sampled_from([None, "", "a", "b a", "a a", "a  b", " a", "a,b", "a\x07", "\udcff"]),
    "redacted": st.booleans(),
    "content_hash": st.sampled_from([None, b"", bytes(32)]),
    "correlation_hash": st.integers(0, 1),
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
}  # fmt: skip


class Hashes:
    """The audits of a store that keeps no hashes."""

    def correlation_hash(self, _correlation_id: str) -> None:
        return None


def test_a_sound_event_takes_the_short_way():
    assert [*contents_if_sound([SOUND], 7, Hashes())] == [content_of(SOUND)]
    assert not faults_of_event(SOUND, Hashes())


def test_records_of_a_store_that_numbers_nothing_are_sound():
    event = AuditedEvent(*SOUND[: AuditedEvent._fields.index("category_number")])
    assert [*contents_if_sound([event], 7, Hashes())] == [content_of(event)]
    assert not faults_of_event(event, Hashes())
    stream = AuditedName("Order-1", "Order-1", "Order-1", True, "Order", found_by_number="Order-1")
    assert not [*faults_of_name("stream", stream)]


def test_a_finding_says_nothing_that_it_was_not_given():
    assert Finding("chain", "it is broken") == ("chain", "it is broken", None, None, "")


# Few at a time: where much is wrong, one fault hides that another is overlooked.
@given(
    st.lists(st.sampled_from([*CHANGES]), unique=True, max_size=2).flatmap(
        lambda fields: st.fixed_dictionaries({field: CHANGES[field] for field in fields})
    )
)
@example({"version": 1, "predecessor": None})
@example({"predecessor": 8})
@example({"global_position": 0, "found_by_id": 0, "found_by_version": 0, "version": 1, "predecessor": None})
@example({"strange": ("data",)})
@settings(deadline=None, max_examples=1000, print_blob=True)
def test_no_event_with_a_fault_takes_the_short_way(changes):
    event = SOUND._replace(**changes)
    neighbour = SOUND._replace(
        **dict.fromkeys(("global_position", "found_by_id", "found_by_version"), event.global_position + 1)
    )
    for page, first in (([event, neighbour], event.global_position), ([SOUND, event], SOUND.global_position)):
        contents = contents_if_sound(page, first, Hashes())
        if contents is not None:
            assert not any(faults_of_event(each, Hashes()) for each in page)
            assert [*contents] == [*map(content_of, page)]


@pytest.mark.parametrize("first", [6, 8])
def test_an_event_at_another_position_than_is_next_takes_the_long_way(first):
    assert contents_if_sound([SOUND], first, Hashes()) is None


TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('"\\\0\n\x7f'), max_size=6)
IDS = st.none() | TEXTS | st.sampled_from(["x" * 500, "x" * 513])


@given(
    st.builds(Metadata, IDS, IDS, custom=st.dictionaries(TEXTS, TEXTS, max_size=2)).map(Metadata.to_json)
    | st.sampled_from(["", "{", "[]", "{} ", "{\n}", '{"userId":null}', '{"custom":{"":"v"}}', '{"userId":""}'])
    | st.sampled_from(['{"correlationId":""}', '{"correlationId":"a","other":1}', '{"userId":"\\ud800"}'])
)
@settings(deadline=None, max_examples=300, print_blob=True)
def test_metadata_is_judged_as_an_append_judges_it(text):
    assert outcome(together, text) == outcome(checks.correlation_id_of, text)


def together(text: str) -> str | None:
    return _correlation_ids({text, "{}"})[text]


def outcome(judge, text):
    try:
        return judge(text) or None
    except InvalidPayloadError:
        return "refused"
