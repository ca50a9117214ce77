"""Consumers for a person: a row of the list, and the report of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from evstore.cli.output import events, forms, screen, writer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from evstore.consumers.overview import ConsumerInfo
    from evstore.model.consumers import Parked

_COLUMNS: Final = ("name", "globalPosition", "lag", "behind", "parked", "holder", "updatedAt")
_SPARE: Final = ("updatedAt", "behind", "parked", "holder")
_PARKED: Final = ("id", "streamId", "globalPosition", "reason", "state")
_LABEL: Final = 12


def print_list(infos: Iterable[ConsumerInfo]) -> None:
    """A table of consumers. `behind` is the age of the first event that is not handled."""
    forms.many(map(_row, infos), _COLUMNS, spare=_SPARE, none="no consumers")


def _row(info: ConsumerInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "globalPosition": info.global_position,
        "lag": info.lag,
        "behind": screen.span(info.lag_seconds) if info.lag else "",
        "parked": info.parked,
        "holder": _holders(info),
        "updatedAt": events.moment(info.updated_us),
    }


def _holders(info: ConsumerInfo) -> str:
    return ", ".join(dict.fromkeys(info.holders.values()))


def print_one(info: ConsumerInfo, parked: Sequence[Parked]) -> None:
    """Facts in lines, then a table of the parked events, whose ids are to be copied."""
    paint = screen.brush()
    for label, text in (
        ("name", info.name),
        ("categories", _names(info.categories)),
        ("types", _names(info.types)),
        ("position", f"{info.global_position:,}, written {events.moment(info.updated_us)}"),
        ("lag", _lag(info)),
        ("members", _members(info)),
        ("holder", _holders(info) or "nobody"),
        ("created", events.moment(info.created_us)),
        ("parked", f"{len(parked):,}"),
    ):
        writer.write(f"{paint(label, 'dim')}{' ' * (_LABEL - len(label))}{writer.visible(text)}\n")
    forms.many(map(_parked, parked), _PARKED, spare=("state", "globalPosition", "reason"))


def _names(names: Sequence[str] | None) -> str:
    return "all" if names is None else ", ".join(names)


def _lag(info: ConsumerInfo) -> str:
    if not info.lag:
        return "none"
    of = ", some of which may be handled" if info.members else ""
    return f"{screen.counted(info.lag, 'event')}{of}; the first came {screen.span(info.lag_seconds)} ago"


def _members(info: ConsumerInfo) -> str:
    if not info.members:
        return "none"
    slots = len(info.checkpoints)
    return f"{slots} slots, {len(info.holders)} of them held" if info.holders else f"{slots} slots"


def _parked(each: Parked) -> dict[str, Any]:
    return {
        "id": each.event_id,
        "streamId": each.stream_id,
        "globalPosition": each.global_position,
        "reason": each.reason,
        "state": each.state,
    }
