"""JSON texts to test with, made of tokens, so that a test knows what a layout may change and what it may not."""

from __future__ import annotations

from itertools import cycle
from typing import NamedTuple

from hypothesis import strategies as st

_ESCAPES = [
    *(r"\"", r"\\", r"\/", r"\b", r"\f", r"\n", r"\r", r"\t"),
    *(r"\u0000", r"\u0041", r"\u00e9", r"\uFFFF", r"\ud83d\ude00", r"\uD83D\uDE00"),
]
# What would be something else outside of a string, or is a line break to others than JSON.
_LOOKALIKES = [*"{}[],:'/ \x7f\x85\u00a0\u2028\u2029\ufeff", "  ", "\\\\n", "NaN", "//"]
_PLAIN = st.characters(min_codepoint=0x20, exclude_categories=["Cs"], exclude_characters='"\\')

_NUMBER_PARTS = (
    ["", "", "-"],
    ["0", "1", "10", "12345678901234567890", "1" * 30],
    ["", "", ".0", ".10", ".000000000000000000001"],
    ["", "", "e0", "E+05", "e-7", "e400", "E-400"],
)
NUMBERS = st.tuples(*map(st.sampled_from, _NUMBER_PARTS)).map("".join)
STRINGS = st.one_of(
    st.text(_PLAIN, max_size=5),
    st.lists(st.sampled_from(_ESCAPES + _LOOKALIKES), max_size=4).map("".join),
).map(lambda text: f'"{text}"')
SCALARS = st.one_of(st.sampled_from(["null", "true", "false"]), NUMBERS, STRINGS).map(lambda token: (token,))

GAPS = st.sampled_from(["", "", "", " ", "   ", "\t", "\n", "\r\n", "\r", "\n    ", " \t\n", "\r\r", "\n\n\t "])


def _listed(members):
    return tuple(token for at, member in enumerate(members) for token in ((",",) if at else ()) + member)


def _array(members):
    return ("[", *_listed(members), "]")


def _object(members):
    return ("{", *_listed([(name, ":", *value) for name, value in members]), "}")


def _containers(inner):
    return st.one_of(
        st.lists(inner, max_size=3).map(_array),
        st.lists(st.tuples(STRINGS, inner), max_size=3).map(_object),
    )


VALUES = st.recursive(SCALARS, _containers, max_leaves=6)
"""Any JSON value, as the tuple of its tokens."""
OBJECTS = st.lists(st.tuples(STRINGS, VALUES), max_size=3).map(_object)
NOT_ARRAYS = st.one_of(SCALARS, OBJECTS)


class Layout(NamedTuple):
    given: str
    """The value's text, from its first token to its last."""
    kept: str
    """What evstore stores of it."""


def layouts(tokens):
    """The tokens with white space between them: what is given, and what is kept of it."""
    # A few gaps, over and over, vary as much as one for each token and are drawn much faster.
    return st.lists(GAPS, min_size=1, max_size=7).map(lambda gaps: _laid_out(tokens, gaps))


def _laid_out(tokens, gaps):
    kept = ["" if "\n" in gap or "\r" in gap else gap for gap in gaps]
    return Layout(_woven(tokens, gaps), _woven(tokens, kept))


def _woven(tokens, gaps):
    return tokens[0] + "".join(gap + token for gap, token in zip(cycle(gaps), tokens[1:]))


TEXTS = VALUES.flatmap(layouts)
"""Any JSON value in any layout."""
