"""The way between an application's event and the JSON text of its data."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, TypeVar

from evstore.application.types import type_of
from evstore.errors import CodecError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol
else:
    Protocol = object

T = TypeVar("T")

SCHEMA_VERSION: Final = "$schema_version"
"""The key of `metadata.custom` with the version of an event's schema. An event without it has version 1."""


class Codec(Protocol):
    """A serialiser: an event to JSON text, and back."""

    def encode(self, event: Any) -> str:
        """The JSON text of an event's data. Raises CodecError."""

    def decode(self, data_json: str, cls: type[T]) -> T:
        """The event of this class that the text holds. Raises CodecError."""


class JsonCodec:
    """`Codec` through msgspec, and for pydantic models through their own methods.

    Dates, decimals, UUIDs and enums are strings or numbers in the text. Decoding is strict: a string is no number,
    and a field without a default is there. Members that the class does not have are passed over.
    """

    def __init__(self) -> None:
        self._decoders: dict[type, Callable[[str], Any]] = {}

    def encode(self, event: Any) -> str:
        name = type_of(type(event)).name
        try:
            text = str(event.model_dump_json()) if _is_pydantic(type(event)) else _encoded(event)
        except (TypeError, ValueError, RecursionError) as error:
            raise CodecError(name, f"its event cannot be written as JSON: {error}") from error
        return text

    def decode(self, data_json: str, cls: type[T]) -> T:
        try:
            found: T = (self._decoders.get(cls) or self._decoder(cls))(data_json)
        except (TypeError, ValueError, RecursionError) as error:
            raise CodecError(type_of(cls).name, f"its data is no {cls.__qualname__}: {_line(error)}") from error
        return found

    def _decoder(self, cls: type) -> Callable[[str], Any]:
        if _is_pydantic(cls):
            found: Callable[[str], Any] = cls.model_validate_json  # type: ignore[attr-defined]
        else:
            from msgspec.json import Decoder

            try:
                found = Decoder(cls).decode
            except (TypeError, NameError) as error:  # annotations that msgspec does not know, or cannot resolve
                raise CodecError(type_of(cls).name, f"{cls.__qualname__} cannot be decoded: {error}") from error
        self._decoders[cls] = found
        return found


JSON: Final = JsonCodec()


def _encoded(event: Any) -> str:
    import msgspec

    text = msgspec.json.encode(event).decode()
    if "null" in text:  # as which msgspec writes numbers that JSON does not have
        json.dumps(msgspec.to_builtins(event, str_keys=True), allow_nan=False)
    return text


def _is_pydantic(cls: type) -> bool:
    return hasattr(cls, "model_validate_json")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
