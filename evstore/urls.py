"""What may be shown of a database URL."""

from __future__ import annotations

import re

_SECRET = re.compile(r"((?:password|sslpassword)=)[^&\s]*", re.IGNORECASE)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*:)?/*")
_HOSTS = re.compile(r"(\[[^\]]*\]|[^:,@\[\]/?#]*)(:[0-9]*)?(,(\[[^\]]*\]|[^:,@\[\]/?#]*)(:[0-9]*)?)*")


def redacted(url: str) -> str:
    """The URL without its password, also where it is malformed: a password may hold any character unescaped, so
    whatever stands before the last @ counts as the user's part, and what stands where a port should and is none
    may be the password of a URL whose host was forgotten."""
    found = _SCHEME.match(url)
    start = url[: found.end()] if found else ""
    rest = url[len(start) :]
    user, at, place = rest.rpartition("@")
    if at:
        name, colon, _ = user.partition(":")
        rest = f"{name}{':***' if colon else ''}@{place}"
    elif start.lower().startswith("postgres") and not _HOSTS.fullmatch(re.split("[/?#]", rest, maxsplit=1)[0]):
        name, _, behind = rest.partition(":")
        rest = f"{name}:***{''.join(re.findall('[/?].*', behind)[:1])}"
    return _SECRET.sub(r"\1***", f"{start}{rest}")
