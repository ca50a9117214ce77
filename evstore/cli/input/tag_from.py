"""Tags that are taken out of the data of each event: `--tag-from order=data.orderId`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from evstore.cli.errors import UsageError
from evstore.errors import InvalidInputError, InvalidPayloadError
from evstore.jsontext.judging import member_at, parse_json
from evstore.model.names import check_tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from evstore.jsontext.judging import KeptJson


class TagSource(NamedTuple):
    """The name of a tag and the path of its value in the data, without `data`."""

    name: str
    path: str

    def tag_of(self, data: KeptJson) -> str:
        """The tag of an event with this data, NAME:VALUE. Raises InvalidPayloadError."""
        place = f"data.{self.path}" if self.path else "data"
        found = member_at(data, self.path) if self.path else data
        if found is None:
            raise InvalidPayloadError(f"--tag-from {self.name}: there is no {place}")
        if found[0] not in '"-0123456789':
            kind = {"{": "an object", "[": "an array"}.get(found[0], found)
            raise InvalidPayloadError(f"--tag-from {self.name}: {place} is {kind}, not a string or a number")
        value = parse_json(found) if found.startswith('"') else found
        tag = f"{self.name}:{value}"
        try:
            check_tag(tag)
        except InvalidInputError as error:
            raise InvalidPayloadError(f"--tag-from {self.name}: {error}") from None
        return tag


def tag_sources(given: Iterable[str] | None) -> tuple[TagSource, ...]:
    """The sources that `--tag-from` names. Raises UsageError."""
    return tuple(map(_source, given or ()))


def _source(text: str) -> TagSource:
    name, equals, path = text.partition("=")
    top, *keys = path.split(".")
    if not name or not equals or top != "data" or not all(keys):
        raise UsageError(f'--tag-from takes NAME=data.path, as in order=data.orderId, not "{text}"')
    try:
        check_tag(f"{name}:1")
    except InvalidInputError as error:
        raise UsageError(f"--tag-from: {error}") from None
    return TagSource(name, ".".join(keys))


def derived_tags(sources: Sequence[TagSource], data: KeptJson, given: Sequence[str]) -> list[str]:
    """The tags that were given, and those of the sources that are not among them. Raises InvalidPayloadError."""
    found = [*given]
    found += [tag for tag in dict.fromkeys(source.tag_of(data) for source in sources) if tag not in found]
    return found
