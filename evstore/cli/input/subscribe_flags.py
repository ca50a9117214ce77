"""The flags of `subscribe`, and their meaning together. No postponed annotations here: see `cli.options`."""

import re
from typing import Annotated, NamedTuple

import typer

from evstore.cli.errors import UsageError
from evstore.cli.input import times
from evstore.cli.options import Fields, Types, option
from evstore.cli.output import events


class SubscribeFlags(NamedTuple):
    all_: Annotated[bool, typer.Option("--all", help="The whole log.")] = False
    type: Types = None
    start: Annotated[
        str | None,
        option(
            "--start",
            metavar="beginning|end|P",
            help="Where a new name begins: after position P.  [default: beginning]",
        ),
    ] = None
    once: Annotated[bool, typer.Option("--once", help="Stop at the end of the log.")] = False
    batch: Annotated[
        int,
        typer.Option("--batch", metavar="N", show_default=False, help="At most N events at once.  [default: 1]"),
    ] = 1
    retries: Annotated[
        int,
        typer.Option(
            "--retries", metavar="N", show_default=False, help="Run a failed command again.  [default: 3]"
        ),
    ] = 3
    backoff: Annotated[
        str | None,
        option("--backoff", metavar="DURATION", help="Before the first retry; then ever longer.  [default: 1s]"),
    ] = None
    on_failure: Annotated[
        str,
        typer.Option(
            "--on-failure",
            metavar="stop|park",
            show_default=False,
            help="After the last try stop, or park the event, which holds back the later events of its stream "
            "alone.  "
            "[default: stop]",
        ),
    ] = "stop"
    append: Annotated[
        bool,
        typer.Option(
            "--append", help="Append the envelopes that COMMAND prints, in the step that moves the checkpoint."
        ),
    ] = False
    ack: Annotated[
        str | None,
        option(
            "--ack",
            metavar="printed",
            help="Without COMMAND: what is printed is handled; what a pipe holds when its reader dies is lost.",
        ),
    ] = None
    member: Annotated[
        str | None, option("--member", metavar="I/N", help="Be member I of N, from 1, that share the streams.")
    ] = None
    refilter: Annotated[
        bool, typer.Option("--refilter", help="Keep these categories and types in the place of the stored ones.")
    ] = False
    if_held: Annotated[
        str | None,
        option(
            "--if-held",
            metavar="fail|skip",
            help="Where another process works for NAME: exit with 9, or with 0.  [default: fail]",
        ),
    ] = None
    fields: Fields = None


class Asked(NamedTuple):
    """The flags, understood."""

    start: int | None
    member: tuple[int, int] | None
    backoff: float
    fields: list[str] | None


def asked_of(flags: SubscribeFlags, category: list[str] | None, command: list[str] | None) -> Asked:
    """The meaning of the flags together. Raises UsageError."""
    from evstore.cli.handlers import check_command

    if not flags.all_ and not category:
        raise UsageError("give a CATEGORY, or --all", "evstore subscribe --help")
    if flags.all_ and category:
        raise UsageError("CATEGORY and --all exclude each other")
    _check_values(flags)
    if command is None:
        if flags.append:
            raise UsageError("--append goes with a COMMAND, whose output is appended")
    else:
        _check_with_command(flags)
        check_command(command)
    return Asked(
        _start(flags.start),
        None if flags.member is None else _member(flags.member),
        1.0 if flags.backoff is None else times.duration("--backoff", flags.backoff),
        events.fields_of(flags.fields),
    )


def _check_values(flags: SubscribeFlags) -> None:
    for flag, value, accepted in (
        ("--on-failure", flags.on_failure, ("stop", "park")),
        ("--if-held", flags.if_held or "fail", ("fail", "skip")),
        ("--ack", flags.ack or "printed", ("printed",)),
    ):
        if value not in accepted:
            raise UsageError(f'{flag} takes {" or ".join(accepted)}, not "{value}"')
    for flag, number, least in (("--batch", flags.batch, 1), ("--retries", flags.retries, 0)):
        if number < least:
            raise UsageError(f"{flag} takes a number from {least}, not {number}")


def _check_with_command(flags: SubscribeFlags) -> None:
    if flags.append and flags.batch > 1:
        raise UsageError("--append and --batch exclude each other: what is appended is caused by one event")
    if flags.ack:
        raise UsageError("--ack goes without a COMMAND, whose exit code says what is handled")
    if flags.fields:
        raise UsageError("--fields goes without a COMMAND, which gets whole events")


def _start(flag: str | None) -> int | None:
    if flag in (None, "beginning"):
        return 0
    if flag == "end":
        return None
    if not re.fullmatch("[0-9]{1,18}", flag or ""):
        raise UsageError(f'--start takes beginning, end or a position, not "{flag}"')
    return int(flag or 0)


def _member(flag: str) -> tuple[int, int]:
    from evstore.errors import InvalidInputError
    from evstore.model.consumers import Member

    found = re.fullmatch("([0-9]{1,3})/([0-9]{1,3})", flag)
    if not found:
        raise UsageError(f'--member takes I/N, as 1/4, not "{flag}"')
    try:
        return Member.checked(int(found[1]), int(found[2]))
    except InvalidInputError as error:
        raise UsageError(f"--member: {error}") from None
