"""Metadata and its rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from evstore.errors import InvalidPayloadError
from evstore.jsontext.quoting import quote, shortened

MAX_METADATA_BYTES: Final = 64 * 1024
MAX_METADATA_ID_BYTES: Final = 512

IDS: Final = {
    "correlationId": "correlation_id",
    "causationId": "causation_id",
    "userId": "user_id",
    "tenantId": "tenant_id",
}
"""The four ids: their keys on the wire, and their names in Python."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """Facts about an event beside its data. An empty string or None in an id counts as absent."""

    correlation_id: str | None = None
    causation_id: str | None = None
    user_id: str | None = None
    tenant_id: str | None = None
    custom: Mapping[str, str] = field(default_factory=dict, hash=False)
    _json: str = field(default="", init=False, compare=False)  # made once, because events share their metadata

    def __post_init__(self) -> None:
        for name in IDS.values():
            if getattr(self, name) == "":
                object.__setattr__(self, name, None)
        if isinstance(self.custom, Mapping):  # the append refuses anything else
            object.__setattr__(self, "custom", MappingProxyType(dict(self.custom)))

    def __reduce__(self) -> tuple[type[Metadata], tuple[Any, ...]]:
        return Metadata, (*(getattr(self, name) for name in IDS.values()), dict(self.custom))

    def __repr__(self) -> str:
        members = {name: getattr(self, name) for name in IDS.values()}
        members["custom"] = dict(self.custom) if isinstance(self.custom, Mapping) else self.custom
        return f"Metadata({shortened(', '.join(f'{name}={value!r}' for name, value in members.items() if value))})"

    def over(self, default: Metadata) -> Metadata:
        """This metadata with its gaps filled from `default`, field by field, and `custom` key by key."""
        if default == NO_METADATA:
            return self
        own = [getattr(self, name) or getattr(default, name) for name in IDS.values()]
        return Metadata(own[0], own[1], own[2], own[3], {**default.custom, **self.custom})

    def to_json(self) -> str:
        """The wire form: absent members left out, `{}` when there are none."""
        if not self._json:
            members = [
                f"{quote(key)}:{quote(value)}" for key, name in IDS.items() if (value := getattr(self, name))
            ]
            if self.custom:
                custom = ",".join(f"{quote(key)}:{quote(value)}" for key, value in self.custom.items())
                members.append(f'"custom":{{{custom}}}')
            object.__setattr__(self, "_json", f"{{{','.join(members)}}}")
        return self._json

    @staticmethod
    def from_json(text: str | bytes) -> Metadata:
        """Read the wire form. Raises InvalidPayloadError for an unknown key or a wrong type."""
        return _from_json(text)


NO_METADATA: Final = Metadata()

_TEXT: Final = {str}
_TEXT_OR_NONE: Final = {str, type(None)}


@lru_cache(maxsize=256)  # events of one cause arrive together and share their metadata
def _from_json(text: str | bytes) -> Metadata:
    from evstore.jsontext.decoding import metadata_fields

    return Metadata(*metadata_fields(text))


@lru_cache(maxsize=256)
def metadata_from_input(text: bytes) -> Metadata:
    """The same of metadata that somebody wrote. Raises InvalidPayloadError if a key stands twice, too."""
    from evstore.jsontext.keys import check_once_in_metadata

    found = _from_json(text)
    ids = found.correlation_id, found.causation_id, found.user_id, found.tenant_id
    members = len(ids) - ids.count(None) + len(found.custom)
    check_once_in_metadata(text, 2 * members + bool(found.custom))
    return found


def check_metadata(metadata: Metadata) -> None:
    """Raise InvalidPayloadError unless every database can keep and search this metadata."""
    if not isinstance(metadata, Metadata):
        raise InvalidPayloadError(f"metadata is a Metadata, not {type(metadata).__name__}")
    if metadata is NO_METADATA or _is_plain(metadata):
        return
    for key, name in IDS.items():
        value = getattr(metadata, name)
        if value is None:
            continue
        size = len(_checked_text(f'metadata "{key}"', value).encode())
        if size > MAX_METADATA_ID_BYTES:
            raise InvalidPayloadError(
                f'metadata "{key}" is {size} bytes long, at most {MAX_METADATA_ID_BYTES} are allowed'
            )
    try:
        members = metadata.custom.items()
    except AttributeError:
        raise InvalidPayloadError('metadata "custom" is not an object of strings') from None
    for key, value in members:
        if not _checked_text('a key of metadata "custom"', key):
            raise InvalidPayloadError('metadata "custom" has an empty key')
        _checked_text(f'metadata "custom" "{key}"', value)
    size = len(metadata.to_json().encode())
    if size > MAX_METADATA_BYTES:
        raise InvalidPayloadError(f"metadata is {size} bytes long, at most {MAX_METADATA_BYTES} are allowed")


def _is_plain(metadata: Metadata) -> bool:
    """True only if it keeps every rule: the whole check, in few calls, of most metadata."""
    ids = metadata.correlation_id, metadata.causation_id, metadata.user_id, metadata.tenant_id
    custom = metadata.custom
    if not {*map(type, ids)} <= _TEXT_OR_NONE or not isinstance(custom, Mapping):
        return False
    if custom and ("" in custom or not {*map(type, custom), *map(type, custom.values())} <= _TEXT):
        return False
    text = metadata.to_json()
    return keeps_rules(text, [text])


def keeps_rules(text: str, wire_forms: Iterable[str]) -> bool:
    """True only if each of these wire forms keeps the rule of every string in it; `text` holds them all."""
    # Each is short as a whole, so short in its parts; U+0000 has a backslash there, and a surrogate is not ASCII.
    return text.isascii() and "\\" not in text and max(map(len, wire_forms), default=0) <= MAX_METADATA_ID_BYTES


def _checked_text(what: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidPayloadError(f"{what} is not a string")
    if "\0" in value:
        raise InvalidPayloadError(f"{what} holds U+0000")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidPayloadError(f"{what} holds a lone surrogate") from None
    return value
