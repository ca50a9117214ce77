"""The rules of event ids: their form, and when an append is a retry of an earlier one."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evstore.appending.outcomes import check_retry
from evstore.errors import EventIdConflictError, InvalidInputError
from evstore.model.events import EventData, StoredEvent, Write
from evstore.model.ids import normalize_id
from evstore.model.metadata import Metadata
from tests.support.sentences import names, wording

ID = "0198e5c4-7a2b-7c3d-8e4f-0123456789ab"


def an_id(number):
    return f"0198e5c4-7a2b-7c3d-8e4f-{number:012x}"


@given(st.uuids(), st.lists(st.booleans(), min_size=36, max_size=36))
@settings(deadline=None, max_examples=50, print_blob=True)
def test_an_id_is_stored_in_lower_case_however_it_was_written(uuid, uppers):
    written = "".join(c.upper() if upper else c for c, upper in zip(str(uuid), uppers, strict=True))
    assert normalize_id(written) == normalize_id(uuid) == str(uuid)


@pytest.mark.parametrize(
    "uuid",
    [
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "c232ab00-9414-11ec-b3c8-9f68deced846",  # version 1
        "2ed6657d-e927-568b-95e1-2665a8aea6a2",  # version 5
        ID,  # version 7
        "2489e9ad-2ee2-0e00-0ec9-32d5f69181c0",  # version 0, of no known variant
    ],
)
def test_a_uuid_of_any_version_is_an_id(uuid):
    assert normalize_id(uuid) == normalize_id(UUID(uuid)) == uuid


def test_what_is_no_hyphenated_uuid_is_refused_and_shown(subtests):
    for text in [
        "",
        "1",
        ID.replace("-", ""),
        f"{{{ID}}}",
        f"urn:uuid:{ID}",
        ID[:-1],
        ID + "0",
        ID + "\n",
        " " + ID,
        ID[:-1] + "g",
        ID[:-1] + "\uff11",  # full width
        ID[:-1] + "\u0663",  # Arabic
        ID.replace("-", "_"),
        ID.replace("-", "\u2010"),
        "0198e5c-47a2b-7c3d-8e4f-0123456789ab",
        None,
        7,
        ID.encode(),
    ]:
        with subtests.test(text=text):
            with pytest.raises(InvalidInputError) as raised:
                normalize_id(text)
            assert str(text)[:30] in str(raised.value)


def test_a_refused_id_of_any_length_makes_a_short_message():
    with pytest.raises(InvalidInputError) as raised:
        normalize_id("x" * 100_000)
    assert len(str(raised.value)) < 200


def test_a_refused_id_is_shown_up_to_its_fiftieth_character():
    for long, shown in (("x" * 50, f'"{"x" * 50}"'), ("x" * 49 + "yz", f'"{"x" * 49}y…"')):
        with pytest.raises(InvalidInputError) as raised:
            normalize_id(long)
        assert str(raised.value).startswith(f"{shown} is not an event id")


# --- retries ---


def an_event(number, data='{"n":1}', type="Placed", metadata=None):
    return EventData.from_json(type, data, metadata, an_id(number))


def stored(number, version, data='{"n":1}', type="Placed", stream_id="Order-1"):
    return StoredEvent(an_id(number), stream_id, type, data, "{}", version, 70 + version, 0)


def judged(*pairs, held=1):
    """What `check_retry` makes of the pairs of (write, event, stored event or None)."""
    return list(check_retry(an_id(held), pairs))


def conflict(*pairs, held=1):
    """The error about one of the pairs, after which its words are looked at."""
    with pytest.raises(EventIdConflictError) as raised:
        judged(*pairs, held=held)
    assert names(raised.value, raised.value.event_id)
    return raised.value


def one_write(*events):
    return Write("Order-1", list(events))


def pairs_of(write, *found):
    return [(write, event, each) for event, each in zip(write.events, found, strict=True)]


CONFLICTS = {
    "other data": lambda: conflict(*pairs_of(one_write(an_event(1)), stored(1, 1, "0"))),
    "another type": lambda: conflict(*pairs_of(one_write(an_event(1, type="Shipped")), stored(1, 1))),
    "another stream": lambda: conflict(*pairs_of(one_write(an_event(1)), stored(1, 1, stream_id="Order-2"))),
    "stored in part": lambda: conflict(*pairs_of(one_write(an_event(1), an_event(2)), stored(1, 1), None)),
    "another place": lambda: conflict(
        *pairs_of(one_write(an_event(1), an_event(2)), stored(1, 1), stored(2, 3))
    ),
}  # fmt: skip


def is_about(error, kind, *facts):
    return wording(error) == wording(CONFLICTS[kind]()) and names(error, *facts)


def test_each_kind_of_conflict_has_words_of_its_own():
    assert len({wording(error()) for error in CONFLICTS.values()}) == len(CONFLICTS)


@pytest.mark.parametrize("first", [1, 5, 1000])
def test_events_stored_in_order_at_consecutive_versions_are_a_retry_wherever_they_begin(first):
    found = [stored(number, first + number) for number in range(3)]
    assert judged(*pairs_of(one_write(*map(an_event, range(3))), *found)) == found


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ('{"a":[1,2]}', '{ "a" : [1, 2] }'),
        ('{ "a" : 1 }', '{"a":1}'),
        ("[]", "[\t]"),
        ('{"a":"x y"}', '{"a": "x y"}'),
    ],
)
def test_white_space_between_tokens_is_no_difference(was, now):
    found = stored(1, 1, was)
    assert judged(*pairs_of(one_write(an_event(1, now)), found)) == [found]


def test_metadata_is_not_compared():
    found = stored(1, 1)
    assert judged(*pairs_of(one_write(an_event(1, metadata=Metadata(correlation_id="another"))), found)) == [found]


def test_other_data_is_a_conflict(subtests):
    for was, now in [
        ('{"n":1}', '{"n":2}'),
        ('{"n":1.0}', '{"n":1.00}'),
        ('{"n":1}', '{"n":1.0}'),
        ('{"n":100}', '{"n":1e2}'),
        ('{"a":1,"b":2}', '{"b":2,"a":1}'),
        ('{"a":1}', '{"a":1,"a":1}'),
        ('{"a":"x y"}', '{"a":"x  y"}'),
        ('{"a":" "}', '{"a":""}'),
        ('"A"', '"\\u0041"'),
        ('"/"', '"\\/"'),
        ('"\u00e9"', '"e\u0301"'),
        ('"\\ud83d\\ude00"', '"\\uD83D\\uDE00"'),
        ("0", "-0"),
        ("[1,2]", "[12]"),
        ("[]", "{}"),
        ("null", '"null"'),
    ]:
        with subtests.test(was=was, now=now):
            error = conflict(*pairs_of(one_write(an_event(1, now)), stored(1, 1, was)))
            assert is_about(error, "other data")
            assert error.event_id == an_id(1)


@pytest.mark.parametrize("type", ["placed", "Placed ", "Shipped"])
def test_another_type_is_a_conflict_and_told(type):
    error = conflict(*pairs_of(one_write(an_event(1, type=type)), stored(1, 1)))
    assert is_about(error, "another type", '"Placed"')
    assert error.event_id == an_id(1)


@pytest.mark.parametrize("stream_id", ["order-1", "Order-2", "Order"])
def test_another_stream_is_a_conflict_and_told(stream_id):
    error = conflict(*pairs_of(one_write(an_event(1)), stored(1, 1, stream_id=stream_id)))
    assert is_about(error, "another stream", f'"{stream_id}"')
    assert error.event_id == an_id(1)


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_an_append_of_which_only_some_events_are_stored_is_a_conflict_about_one_that_is(missing):
    found = [None if number == missing else stored(number, number + 1) for number in range(3)]
    held = 2 if missing == 0 else 0
    error = conflict(*pairs_of(one_write(*map(an_event, range(3))), *found), held=held)
    assert is_about(error, "stored in part")
    assert error.event_id == an_id(held)


@pytest.mark.parametrize("versions", [(2, 1), (1, 3), (5, 4), (3, 3), (9, 1)], ids=str)
def test_events_of_a_write_at_versions_that_are_not_consecutive_are_a_conflict(versions):
    found = [stored(number, version) for number, version in enumerate(versions)]
    error = conflict(*pairs_of(one_write(an_event(0), an_event(1)), *found))
    assert is_about(error, "another place")
    assert error.event_id == an_id(1)


def test_several_streams_are_judged_each_by_its_own_versions():
    orders, users = one_write(an_event(1), an_event(2)), Write("User-1", [an_event(3), an_event(4)])
    found = [stored(1, 8), stored(2, 9), stored(3, 1, stream_id="User-1"), stored(4, 2, stream_id="User-1")]
    assert judged(*pairs_of(orders, *found[:2]), *pairs_of(users, *found[2:])) == found


def test_a_stream_that_comes_twice_goes_on_where_it_was():
    first, between, second = one_write(an_event(1)), Write("User-1", [an_event(2)]), one_write(an_event(3))
    found = [stored(1, 4), stored(2, 1, stream_id="User-1"), stored(3, 5)]
    pairs = [*pairs_of(first, found[0]), *pairs_of(between, found[1]), *pairs_of(second, found[2])]
    assert judged(*pairs) == found


@pytest.mark.parametrize("second", [1, 3, 4])
def test_a_later_write_of_a_stream_that_is_stored_before_an_earlier_one_is_a_conflict(second):
    found = [stored(1, 4), stored(2, second)]
    pairs = [*pairs_of(one_write(an_event(1)), found[0]), *pairs_of(one_write(an_event(2)), found[1])]
    error = conflict(*pairs)
    assert is_about(error, "another place")
    assert error.event_id == an_id(2)


def test_within_each_of_several_writes_of_a_stream_the_versions_are_consecutive():
    first, second = one_write(an_event(1)), one_write(an_event(2), an_event(3))
    found = [stored(1, 1), stored(2, 2), stored(3, 4)]
    error = conflict(*pairs_of(first, found[0]), *pairs_of(second, *found[1:]))
    assert is_about(error, "another place")
    assert error.event_id == an_id(3)


def test_events_of_several_writes_of_a_stream_may_have_been_stored_apart():
    """As lines of `append --many` may have been, of which each is a write of its own."""
    found = [stored(1, 1), stored(2, 9)]
    pairs = [*pairs_of(one_write(an_event(1)), found[0]), *pairs_of(one_write(an_event(2)), found[1])]
    assert judged(*pairs) == found
