"""Text as JSON strings, and text cut short. Loads nothing, so that writing the wire form stays cheap."""

from __future__ import annotations

from json.encoder import encode_basestring
from typing import Final

STRING: Final = r'"[^"\\]*(?:\\.[^"\\]*)*"'
"""A string token, as a regular expression.

Unrolled: an alternative for each character would keep a hundred bytes of state for it.
"""

# The C encoder of the standard library when it is there: escapes what JSON must escape, nothing else.
quote = encode_basestring


def shortened(text: str) -> str:
    """The text for a `repr`, cut to 60 characters."""
    return text if len(text) <= 60 else text[:59] + "…"  # noqa: PLR2004
