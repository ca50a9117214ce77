"""`consumers`: checkpoints, their lag, who holds them, and what is parked."""

import re
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from evstore.cli import settings
from evstore.cli.errors import TimedOut, UsageError
from evstore.cli.input import times
from evstore.cli.opening import opened
from evstore.cli.options import Names, Prefix, option
from evstore.cli.output import events, forms, writer

if TYPE_CHECKING:
    from evstore.consumers.overview import ConsumerInfo, ConsumerList
    from evstore.model.consumers import Parked
    from evstore.store import EventStore

ACTIONS = {"show": 1, "reset": 1, "remove": 1, "retry": 2, "drop": 2, "wait": 1}
"""The actions on a consumer, and the number of words that each takes."""


class ConsumersFlags(NamedTuple):
    to: Annotated[str | None, option("--to", metavar="P|start|end", help="reset: begin after this position.")] = (
        None
    )
    position: Annotated[
        int | None, option("--position", metavar="P", help="wait: until the consumer has come as far as P.")
    ] = None
    within: Annotated[
        str | None, option("--within", metavar="DURATION", help="wait: exit with 124 if it takes longer.")
    ] = None
    names: Names = False
    prefix: Prefix = None


def consumers(
    flags: ConsumersFlags,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[show|reset|remove|wait NAME | retry|drop NAME ID]",
            show_default=False,
            help="What to do with which consumer; without it all are listed.",
        ),
    ] = None,
) -> None:
    """List the consumers with their lag, or look after one.

    \b
    Examples:
      evstore consumers
      evstore consumers show mailer
      evstore consumers reset mailer --to start
      evstore consumers retry mailer 0198e5c4-7a2b-7c3d-8e4f-0123456789ab
      evstore consumers wait mailer --position 42 --within 10s

    reset and remove need a consumer for which nobody works. retry and drop mark a
    parked event: the consumer handles it again, or goes on without it, when it
    runs, and then the later events of the stream.
    """
    action, *rest = words or ("list",)
    _check(action, rest, flags)
    with opened() as store:
        if action == "list":
            _list(store.consumers, flags)
        else:
            _DO[action](store, flags, *rest)


def _check(action: str, rest: list[str], flags: ConsumersFlags) -> None:
    """Raise UsageError for words and flags that do not go together."""
    if action != "list" and action not in ACTIONS:
        raise UsageError(f'consumers takes {", ".join(ACTIONS)}, not "{action}"', "evstore consumers --help")
    if action != "list" and len(rest) != ACTIONS[action]:
        wanted = "NAME" if ACTIONS[action] == 1 else "NAME ID"
        raise UsageError(f"say evstore consumers {action} {wanted}")
    for flag, value, of in (
        ("--to", flags.to, "reset"),
        ("--position", flags.position, "wait"),
        ("--within", flags.within, "wait"),
        ("--names", flags.names or None, "list"),
        ("--prefix", flags.prefix, "list"),
    ):
        if value is not None and action != of:
            raise UsageError(
                f"{flag} goes with the {of} of consumers" if of == "list" else f"{flag} goes with {of}"
            )
    if action == "reset" and flags.to is None:
        raise UsageError("reset takes --to P, --to start or --to end")
    if action == "wait" and (flags.position is None or flags.position < 0):
        raise UsageError("wait takes --position P, a number from 0")


def _list(found: "ConsumerList", flags: ConsumersFlags) -> None:
    infos = found.all(prefix=flags.prefix or "")
    if flags.names:
        forms.print_names(info.name for info in infos)
    elif settings.as_table():
        from evstore.cli.output import consumer_report

        consumer_report.print_list(infos)
    else:
        forms.many(map(_row, infos), ())


def _row(info: "ConsumerInfo") -> dict[str, Any]:
    holders = list(dict.fromkeys(info.holders.values()))
    return {
        "name": info.name,
        "categories": info.categories and list(info.categories),
        "types": info.types and list(info.types),
        "globalPosition": info.global_position,
        "lag": info.lag,
        "lagSeconds": round(info.lag_seconds, 3),
        "parked": info.parked,
        "members": info.members,
        "holder": ", ".join(holders) or None,
        "createdAt": events.moment(info.created_us),
        "updatedAt": events.moment(info.updated_us),
    }


def _parked(each: "Parked") -> dict[str, Any]:
    return {
        "id": each.event_id,
        "streamId": each.stream_id,
        "globalPosition": each.global_position,
        "reason": each.reason,
        "state": each.state,
        "parkedAt": events.moment(each.parked_us),
    }


def _show(store: "EventStore", _: ConsumersFlags, name: str) -> None:
    info = store.consumers.get(name)
    parked = store.consumers.parked(name)
    if settings.as_table():
        from evstore.cli.output import consumer_report

        consumer_report.print_one(info, parked)
        return
    slots = [each.global_position for each in info.checkpoints] if info.members else None
    forms.one(
        {**_row(info), **({"slots": slots} if slots else {}), "parkedEvents": [_parked(each) for each in parked]}
    )


def _reset(store: "EventStore", flags: ConsumersFlags, name: str) -> None:
    words = {"start": 0, "end": None}
    to = flags.to or ""
    if to not in words and not re.fullmatch("[0-9]{1,18}", to):
        raise UsageError(f'--to takes a position, start or end, not "{to}"')
    position = words[to] if to in words else int(to)
    info = store.consumers.reset(name, store.head() if position is None else position)
    _told(info, f"consumer {name} begins after position {info.global_position}")


def _remove(store: "EventStore", _: ConsumersFlags, name: str) -> None:
    store.consumers.remove(name)
    _say({"name": name, "removed": True}, f"consumer {name} is removed")


def _mark(action: str) -> Any:
    def mark(store: "EventStore", _: ConsumersFlags, name: str, event_id: str) -> None:
        getattr(store.consumers, action)(name, event_id)
        what = "is handled again" if action == "retry" else "is left out"
        _say({"name": name, "id": event_id.lower(), "state": action}, f"{event_id} {what} when {name} runs")

    return mark


def _wait(store: "EventStore", flags: ConsumersFlags, name: str) -> None:
    within = None if flags.within is None else times.duration("--within", flags.within)
    if not store.consumers.wait(name, flags.position or 0, within):
        reached = store.consumers.get(name).global_position
        raise TimedOut(
            f'consumer "{name}" has come no further than position {reached} of {flags.position} in time'
        )


def _told(info: "ConsumerInfo", sentence: str) -> None:
    _say(_row(info), sentence)


def _say(members: dict[str, Any], sentence: str) -> None:
    if settings.as_table():
        writer.line(sentence)
    else:
        forms.one(members)


_DO: dict[str, Any] = {
    "show": _show,
    "reset": _reset,
    "remove": _remove,
    "retry": _mark("retry"),
    "drop": _mark("drop"),
    "wait": _wait,
}
