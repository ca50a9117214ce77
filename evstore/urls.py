"""The part of a database URL that may be shown."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

# User, password, hosts with ports, path and parameters, each without the characters that end it. A text of
# another form may hold a password anywhere.
_HOST = r"(?:\[[0-9A-Fa-f:.%]*\]|[A-Za-z0-9._~%-]*)(?::[0-9]*)?"
_URL: Final = (
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?:(?P<user>[^:@/?#\s]*)(?::(?P<password>[^:@/?#\s]*))?@)?"
    rf"(?P<hosts>{_HOST}(?:,{_HOST})*)(?P<path>/[^?#@&=\s]*)?(?:\?(?P<query>[^#\s]*))?"
)
_HIDDEN: Final = "password|passwd|secret|token|credential|authmechanismproperties|scram_.*_key"
_FILES: Final = ("sqlite", "memory")
_WITH_TOKENS: Final = ("nats", "tls")
"""The schemes of which a user without a password is a token, by which nats-py logs in."""
_MEANS_SERVER: Final = (
    r"\s*[\"']?\s*(postgres(ql)?\b.*(//|@|password)|(nats|tls|mongodb(\+srv)?)//.*@)|.*\b(password|dbname)\s*="
)


def parts_of(url: str) -> re.Match[str] | None:
    """Its scheme, user, password, hosts, path and query by name, None for a text that is no such URL."""
    return re.fullmatch(_URL, url)


def is_secret(parameter: str) -> bool:
    """True if this parameter of a URL holds a secret."""
    return re.search(_HIDDEN, unquote(parameter), re.IGNORECASE) is not None


def redacted(url: str) -> str:
    """The URL without its secrets; of a malformed URL the scheme alone."""
    found = parts_of(url)
    if found is None:
        scheme, colon, _ = url.partition(":")
        if scheme.lower() in _FILES or not (colon or looks_like_server(url)):
            return url
        return f"{scheme}:…" if re.fullmatch("[A-Za-z][A-Za-z0-9+.-]*", scheme) else "…"
    user = "" if found["user"] is None else f"{found['user']}{'' if found['password'] is None else ':***'}@"
    if user and found["password"] is None and found["scheme"].lower() in _WITH_TOKENS:
        user = "***@"
    query = ""
    if found["query"]:
        parts = (part.partition("=") for part in found["query"].split("&"))
        query = "?" + "&".join(
            f"{name}=***" if is_secret(name) else name + mark + value for name, mark, value in parts
        )
    return f"{found['scheme']}://{user}{found['hosts']}{found['path'] or ''}{query}"


def looks_like_server(text: str) -> bool:
    """True if a text without a scheme, which would be a path, was meant for a server."""
    return re.match(_MEANS_SERVER, text, re.IGNORECASE | re.DOTALL) is not None
