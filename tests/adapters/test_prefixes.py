"""What the SQL adapters compute before they ask."""

import pytest

from evstore.adapters.paging import end_of_prefix


@pytest.mark.parametrize(
    ("prefix", "end"),
    [
        ("", None), ("a", "b"), ("Order-%", "Order-&"), ("a\U0010ffff", "b"), ("\U0010ffff", None),
        ("x\ud7ff", "x\ue000"), ("é", "ê"),
    ],
)  # fmt: skip
def test_a_prefix_ends_at_the_next_name(prefix: str, end: str | None) -> None:
    assert end_of_prefix(prefix) == end
