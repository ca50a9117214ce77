"""The way between an application's event and the JSON text of its data."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

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
    and a field without a default is there. Members that the class does not have are passed over. A field that is
    annotated as Any, or by a type parameter, comes back as JSON has it.
    An event that could not be decoded again is refused, so that none is stored which its class cannot read.
    """

    def __init__(self) -> None:
        self._forms: dict[type, _Form] = {}

    def encode(self, event: Any) -> str:
        """The JSON text of the event. Raises CodecError, UnknownEventTypeError for a class without a name."""
        cls = type(event)
        form = self._forms.get(cls) or self._form(cls)
        try:
            return form.encode(event)
        except (TypeError, ValueError, RecursionError) as error:
            reason = f"its event cannot be written as JSON, and read again: {_line(error)}"
            raise CodecError(type_of(cls).name, reason) from error

    def decode(self, data_json: str, cls: type[T]) -> T:
        """The event of this class that the text holds. Raises CodecError."""
        form = self._forms.get(cls) or self._form(cls)
        try:
            found: T = form.decode(data_json)
        except (TypeError, ValueError, RecursionError) as error:
            raise CodecError(type_of(cls).name, f"its data is no {cls.__qualname__}: {_line(error)}") from error
        return found

    def _form(self, cls: type) -> _Form:
        name = type_of(cls).name
        try:
            found = _of_model(cls) if hasattr(cls, "model_validate_json") else _of_fields(cls)
        except (TypeError, ValueError, NameError, AttributeError) as error:  # annotations that lead to no type
            raise CodecError(name, f"{cls.__qualname__} cannot be decoded: {_line(error)}") from error
        self._forms[cls] = found
        return found


class _Form(NamedTuple):
    """The text of events of one class. `encode` raises ValueError for one that `decode` would not bring back."""

    encode: Callable[[Any], str]
    decode: Callable[[str], Any]


def _of_fields(cls: type) -> _Form:
    """The form of a dataclass, a Struct or an attrs class. Raises TypeError for what msgspec could not read."""
    import msgspec
    from msgspec.inspect import type_info

    _check_type(type_info(cls))
    write = msgspec.json.Encoder().encode
    decode: Callable[[str], Any] = msgspec.json.Decoder(cls).decode

    def encode(event: Any) -> str:
        text = write(event).decode()
        if "null" in text:  # as which msgspec writes numbers that JSON does not have
            json.dumps(msgspec.to_builtins(event, str_keys=True), allow_nan=False)
        decode(text)
        return text

    return _Form(encode, decode)


def _check_type(found: Any) -> None:
    """Raise TypeError for a class that msgspec does not know, and for attributes that it leaves out."""
    from msgspec.inspect import CustomType, DataclassType, Field, Type

    seen, todo = set[int](), [found]
    while todo:
        each = todo.pop()
        if isinstance(each, CustomType):
            raise TypeError(f"{each.cls.__qualname__} is no dataclass, Struct, attrs class or type of JSON")
        if isinstance(each, DataclassType) and hasattr(each.cls, "__attrs_attrs__"):
            for field in each.fields:
                if field.name.startswith("_"):
                    raise TypeError(f"attribute {field.name} of attrs class {each.cls.__qualname__} is private")
        if isinstance(each, list | tuple):
            todo += each
        elif isinstance(each, Type | Field) and id(each) not in seen:
            seen.add(id(each))
            todo += [getattr(each, name) for name in each.__struct_fields__]


def _of_model(cls: Any) -> _Form:
    """The form of a pydantic model: by its aliases, or without them where it is not validated by them."""
    decode = cls.model_validate_json

    def encode(event: Any) -> str:
        reason = ""
        for by_alias in (True, False):
            text: str = event.model_dump_json(by_alias=by_alias, round_trip=True, warnings="error")
            try:
                again = dict(decode(text))
            except ValueError as error:
                reason = reason or str(error)
            else:
                given = dict(event)
                if again == given:
                    return text
                odd = [name for name in given if name not in again or again[name] != given[name]]
                reason = f"{', '.join(odd)} would not come back as it is"
        raise ValueError(reason)

    return _Form(encode, decode)


JSON: Final = JsonCodec()


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
