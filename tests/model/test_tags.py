"""The rule of tags, and the form in which an event keeps them."""

from __future__ import annotations

import pytest

from evstore.errors import InvalidInputError
from evstore.model.names import joined_tags, merged_tags, tags_of
from tests.support.sentences import names


def test_tags_are_kept_in_the_order_of_their_code_points():
    assert joined_tags(["b", "é", "a:1", "Z", "a"]) == "Z a a:1 b é"
    assert tags_of("Z a a:1 b é") == ("Z", "a", "a:1", "b", "é")
    assert (joined_tags([]), tags_of(None)) == (None, ())


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        (["a", "b c"], ['"b c"', "a space"]),
        (["a,b"], ['"a,b"', "a comma"]),
        (["a", "b", "b"], ['"b"', "twice"]),
        ([f"t:{n}" for n in range(65)], [65, 64]),
        ("ab", ["in a list"]),
        ([""], ["the tag is empty"]),
        (["a", 7], ["int"]),
    ],
    ids=repr,
)
def test_what_is_no_list_of_tags_is_refused_and_told(tags, said):
    with pytest.raises(InvalidInputError) as raised:
        joined_tags(tags)
    assert names(raised.value, *said)


def test_tags_of_an_event_and_of_its_append_are_merged():
    sixty_four = joined_tags([f"t:{n}" for n in range(64)])
    assert merged_tags(sixty_four, "t:1 t:63") == sixty_four
    assert (merged_tags("b", "a"), merged_tags("a", None), merged_tags(None, "a")) == ("a b", "a", "a")
    with pytest.raises(InvalidInputError, match="65 tags"):
        merged_tags(sixty_four, "more")
