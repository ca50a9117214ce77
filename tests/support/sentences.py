"""Sentences of evstore, judged by the facts in them and not by their words."""

from __future__ import annotations

import re
from typing import Final

_FACT: Final = re.compile(r'"(\\.|[^"\\])*"|U\+[0-9A-F]+|\b[0-9][\w-]*')


def names(sentence: object, *facts: object) -> bool:
    """True if each fact stands in the sentence by itself, not within another name or number."""
    return all(re.search(rf"(?<!\w){re.escape(str(fact))}(?!\w)", str(sentence)) for fact in facts)


def wording(sentence: object) -> str:
    """The words of a sentence without its quoted names and its numbers, to compare sentences with each other."""
    return _FACT.sub("…", str(sentence))
