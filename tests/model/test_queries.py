"""Queries: what joined and narrowed ones match, their words and their wire form."""

from __future__ import annotations

import pytest

from evstore.errors import InvalidInputError
from evstore.model.conditions import (
    AppendCondition,
    Query,
    QueryItem,
    Requirement,
    check_after,
    conditions_of,
    requirements_of,
)
from evstore.model.versions import MAX_VERSION
from tests.support.sentences import names

PLACED = Query(types=["Placed"])
SHOP = Query(tags=["shop:1"])


def test_joined_queries_have_the_items_of_each_once_and_in_order():
    both = (QueryItem(("Placed",), ()), QueryItem((), ("shop:1",)))
    assert (PLACED | SHOP | PLACED).items == Query.any_of(iter([PLACED, SHOP, SHOP])).items == both


@pytest.mark.parametrize("queries", [[Query()], [PLACED, Query()], [Query(), PLACED], []], ids=str)
def test_what_is_joined_with_every_event_is_every_event(queries):
    assert Query.any_of(queries) == Query()


def test_tags_narrow_each_item_and_stand_in_it_once():
    narrowed = (PLACED | SHOP).with_tags(["shop:1", "day:2", "day:2"])
    assert narrowed.items == (QueryItem(("Placed",), ("shop:1", "day:2")), QueryItem((), ("shop:1", "day:2")))


def test_no_tags_leave_a_query_as_it_is_and_every_event_becomes_those_with_the_tags():
    assert (PLACED | SHOP).with_tags([]) == PLACED | SHOP
    assert Query().with_tags(["shop:1"]) == SHOP
    assert Query().with_tags([]) == Query()


@pytest.mark.parametrize("query", [PLACED, Query()], ids=str)
@pytest.mark.parametrize("tag", ["a b", "", 7], ids=repr)
def test_a_tag_that_no_event_can_have_narrows_no_query(query, tag):
    with pytest.raises(InvalidInputError):
        query.with_tags([tag])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"types": "Placed"}, ["types", '["Placed"]']),
        ({"tags": "shop:1"}, ["tags", '["shop:1"]']),
        ({"types": [""]}, ["event type", "empty"]),
        ({"tags": ["a b"]}, ['"a b"', "a space"]),
    ],
    ids=repr,
)
def test_a_query_for_what_no_event_can_have_is_refused(given, said):
    with pytest.raises(InvalidInputError) as refused:
        Query(**given)
    assert names(str(refused.value), *said)


def test_a_query_is_said_as_its_words():
    query = Query(types=["A", "B"], tags=["x", "y"]) | SHOP
    assert str(query) == "type=A,B tag=x tag=y or tag=shop:1"
    assert str(Query()) == "every event"


@pytest.mark.parametrize("query", [Query(), PLACED, SHOP | Query(["A", "B"], ["x", "y"])], ids=str)
def test_the_wire_form_of_a_query_is_read_as_the_query(query):
    assert Query.from_members(query.members()) == query
    assert AppendCondition.from_members({"query": query.members()}) == (query, 0)
    assert AppendCondition.from_members({"query": query.members(), "after": 5}) == (query, 5)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({}, ["a query is a list of items"]),
        ([7], ["an item of a query is an object"]),
        ([{"tag": ["x"]}], ['"tag"', "types, tags"]),
        ([{"tags": "x"}], ['"tags"', "a list of strings"]),
        ([{"types": [7]}], ['"types"', "a list of strings"]),
    ],
    ids=repr,
)
def test_what_is_no_wire_form_of_a_query_is_refused(members, said):
    for read, given in ((Query.from_members, members), (AppendCondition.from_members, {"query": members})):
        with pytest.raises(InvalidInputError) as refused:
            read(given)
        assert names(str(refused.value), *said)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([], ["a condition is an object"]),
        (7, ["a condition is an object"]),
        (["query"], ["a condition is an object"]),
        ({"after": 1}, ["a condition is an object"]),
        ({"query": [], "more": 1}, ['"more"', "query, after"]),
        ({"query": [], "after": None}, ['"after"', "None"]),
    ],
    ids=repr,
)
def test_what_is_no_wire_form_of_a_condition_is_refused(members, said):
    with pytest.raises(InvalidInputError) as refused:
        AppendCondition.from_members(members)
    assert names(str(refused.value), *said)


def test_a_condition_begins_after_any_global_position():
    assert [check_after(each) for each in (0, MAX_VERSION)] == [0, MAX_VERSION]
    for refused in (-1, MAX_VERSION + 1, 1.0, True, None, "1"):
        with pytest.raises(InvalidInputError, match='"after" is a global position'):
            check_after(refused)


def test_conditions_come_alone_or_in_lists():
    class Context:
        query, after = SHOP, 7

    one = AppendCondition(PLACED, 3)
    assert conditions_of(None) == conditions_of([]) == ()
    assert conditions_of(PLACED) == ((PLACED, 0),)
    assert conditions_of([one, [PLACED, Context()]]) == (one, (PLACED, 0), (SHOP, 7))


@pytest.mark.parametrize("given", ["tag=x", b"x", 7, [7]], ids=repr)
def test_what_is_no_condition_is_refused(given):
    with pytest.raises(
        InvalidInputError, match=r"a condition is a Query or an AppendCondition, not (str|bytes|int)"
    ):
        conditions_of(given)


def test_requirements_are_pairs_of_a_stream_id_and_a_version():
    assert requirements_of([("A-1", 2), ["B-1", 0]]) == (Requirement("A-1", 2), Requirement("B-1", 0))
    for refused in ("A-1", 7, ["A-1"], [("A-1",)], [("A-1", 1, 2)], [("", 1)], [("A-1", -9)], [(7, 1)]):
        with pytest.raises(InvalidInputError):
            requirements_of(refused)
    with pytest.raises(InvalidInputError, match=r"a requirement is a pair .* not 'A-1'"):
        requirements_of("A-1")
