"""What may be shown of a database URL."""

from __future__ import annotations

import re

_SECRET = re.compile(r"((?:password|sslpassword)=)[^&\s]*", re.IGNORECASE)


def redacted(url: str) -> str:
    """The URL without its password, also where it is malformed: a password may hold any character unescaped, so
    whatever stands before the last @ counts as the user's part."""
    scheme, slashes, rest = url.partition("://")
    user, at, place = rest.rpartition("@")
    if at:
        name, colon, _ = user.partition(":")
        rest = f"{name}{':***' if colon else ''}@{place}"
    return _SECRET.sub(r"\1***", f"{scheme}{slashes}{rest}")
