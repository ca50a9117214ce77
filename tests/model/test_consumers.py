"""Consumers as values: who shares one, which events it is for, and how far it has come."""

from __future__ import annotations

from zlib import crc32

import pytest

from evstore.errors import InvalidInputError
from evstore.model.consumers import SLOTS, WHOLE, Checkpoint, ConsumerRecord, Interest, Member, Parked, slot_of
from evstore.model.filters import Filter
from tests.support.sentences import names


@pytest.mark.parametrize(("number", "of"), [(1, 1), (1, 64), (64, 64), (2, 3)])
def test_a_member_is_one_of_1_to_64(number: int, of: int) -> None:
    assert Member.checked(number, of) == Member(number, of)


@pytest.mark.parametrize(
    ("number", "of", "said"),
    [
        (1, 0, ["1 to 64 members", 0]),
        (1, 65, ["1 to 64 members", 65]),
        (0, 3, ["from 1 to 3", 0]),
        (4, 3, ["from 1 to 3", 4]),
        (65, 64, ["from 1 to 64", 65]),
    ],
)
def test_a_member_that_is_none_of_them_is_refused(number: int, of: int, said: list[object]) -> None:
    with pytest.raises(InvalidInputError) as refused:
        Member.checked(number, of)
    assert names(refused.value, *said)


@pytest.mark.parametrize("of", [1, 2, 3, 63, 64])
def test_members_divide_all_slots_among_them(of: int) -> None:
    shares = [Member(number, of).slots() for number in range(1, of + 1)]
    assert sorted(slot for share in shares for slot in share) == [*range(SLOTS)]
    assert {len(share) for share in shares} <= {SLOTS // of, SLOTS // of + 1}


def test_an_interest_is_kept_in_a_form_that_does_not_depend_on_the_order_of_its_names() -> None:
    found = Interest.of(["Order", "Ärger", "Order"], ["B", "A"])
    assert found == Interest(("Order", "Ärger"), ("A", "B"))
    kept = '{"categories":["Order","Ärger"],"types":["A","B"]}'
    assert (found.to_json(), Interest.from_json(kept)) == (kept, found)
    assert Interest.from_json('{"types":["A"],"since":5}') == Interest(types=("A",))
    assert Interest.of(None, ["A"]).to_json() == '{"types":["A"]}'
    assert Interest.of(None, None).to_json() == "{}"
    assert Interest.from_json("{}") == Interest() == Interest(None, None)
    assert found.filter() == Filter(categories=("Order", "Ärger"), types=("A", "B"))


def test_an_interest_is_said_in_words() -> None:
    assert str(Interest(("Order", "Shop"), ("A", "B"))) == "Order, Shop and type A, B"
    assert str(Interest(("Order",))) == "Order"
    assert str(Interest(types=("A",))) == "type A"
    assert str(Interest()) == "every event"


def test_a_consumer_has_come_as_far_as_its_slowest_slot() -> None:
    one = ConsumerRecord("mails", '{"types":["A"]}', 1, (Checkpoint(0, 7, None, 20),))
    assert (one.is_divided, one.global_position, one.updated_us, one.parked) == (False, 7, 20, 0)
    assert one.interest == Interest(types=("A",))
    two = ConsumerRecord("mails", "{}", 1, (Checkpoint(0, 7, None, 20), Checkpoint(1, 5, None, 30)))
    assert (two.is_divided, two.global_position, two.updated_us) == (True, 5, 30)


def test_slots_are_as_older_stores_have_them() -> None:
    assert (WHOLE, slot_of("Order-1"), slot_of("Ärger-2")) == (
        0,
        crc32(b"Order-1") % 64,
        crc32("Ärger-2".encode()) % 64,
    )


def test_a_parked_event_waits_until_somebody_decides() -> None:
    assert Parked("Order-1", 3, "0198e5c4-7a2b-7c3d-8e4f-0123456789ab", "no route", 5).state == "parked"
