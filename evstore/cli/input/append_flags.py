"""The flags of `append`, and which of them go together.

No `from __future__ import annotations` here, as in the modules of the commands.
"""

import os
import re
from typing import Annotated, Final, NamedTuple

import typer

from evstore.cli import settings
from evstore.cli.errors import UsageError
from evstore.cli.options import option


class AppendFlags(NamedTuple):
    stream: Annotated[str | None, typer.Argument(metavar="STREAM", show_default=False, help="As in Order-1.")] = (
        None
    )
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE...|-]", show_default=False, help="JSON values; - is stdin."),
    ] = None
    type: Annotated[str | None, option("-t", "--type", metavar="TYPE", help="The event type.")] = None
    data: Annotated[
        str | None,
        option("-d", "--data", metavar="JSON", help="The data of one event; @FILE and @- read it from there."),
    ] = None
    many: Annotated[bool, typer.Option("--many", help='Each value of the input names its stream: "streamId".')] = (
        False
    )
    expect: Annotated[
        str | None,
        option(
            "-e",
            "--expect",
            metavar="any|no-stream|exists|N",
            help="Append only if the stream is at version N, is missing, or exists.  [default: any]",
        ),
    ] = None
    id: Annotated[
        str | None, option("--id", metavar="UUID", help="The event's id: a second run stores nothing.")
    ] = None
    key: Annotated[
        str | None,
        option(
            "--key", metavar="TEXT", help="Make ids from stream, TEXT and ordinal: a second run stores nothing."
        ),
    ] = None
    tag: Annotated[
        list[str] | None, option("--tag", metavar="TAG", help="A tag of every event, as order:17; repeatable.")
    ] = None
    tag_from: Annotated[
        list[str] | None,
        option(
            "--tag-from",
            metavar="NAME=data.path",
            help="The tag NAME:VALUE, from the data of each event; repeatable.",
        ),
    ] = None
    unless: Annotated[
        list[str] | None,
        option(
            "--unless",
            metavar="QUERY",
            help="Append only if no stored event matches, as in 'type=SeatTaken tag=seat:12'; repeatable.",
        ),
    ] = None
    after: Annotated[
        list[int] | None,
        option(
            "--after",
            metavar="P",
            help="--unless looks at events after global position P; once, or once for each.  [default: 0]",
        ),
    ] = None
    require: Annotated[
        list[str] | None,
        option(
            "--require",
            metavar="STREAM=N|exists|none",
            help="Append only if this other stream is at version N, exists or is missing; repeatable.",
        ),
    ] = None
    source: Annotated[
        str | None,
        option(
            "--source",
            metavar="NAME@POSITION",
            help="Store how far an outside source is taken, as orders.csv@17; a position not greater than the "
            "last stores nothing.",
        ),
    ] = None
    each: Annotated[
        bool,
        typer.Option("--each", help="Append each event on its own; print its receipt when it is durable."),
    ] = False
    batch: Annotated[int | None, option("--batch", metavar="N", help="Commit every N events.")] = None
    skip_stored: Annotated[
        bool,
        typer.Option("--skip-stored", help="Skip events that are stored already and are the same."),
    ] = False
    copy: Annotated[
        bool, typer.Option("--copy", help='Append copies: "streamId" and "id" of the input are ignored.')
    ] = False
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Check everything, print the events that would be stored, write nothing."),
    ] = False
    echo: Annotated[bool, typer.Option("--echo", help="Print the stored events instead of a receipt.")] = False
    correlation_id: Annotated[
        str | None, option("--correlation-id", metavar="TEXT", help="An id shared by all that belongs together.")
    ] = None
    causation_id: Annotated[
        str | None, option("--causation-id", metavar="TEXT", help="The id of the event or command that caused it.")
    ] = None
    user_id: Annotated[str | None, option("--user-id", metavar="TEXT", help="The user who caused it.")] = None
    tenant_id: Annotated[str | None, option("--tenant-id", metavar="TEXT", help="The tenant concerned.")] = None
    meta: Annotated[
        list[str] | None, option("-m", "--meta", metavar="KEY=VALUE", help='Into "custom"; repeatable.')
    ] = None
    metadata: Annotated[str | None, option("--metadata", metavar="JSON", help="Metadata as one object.")] = None

    @property
    def inputs(self) -> list[str]:
        """The files to read: with --many the first word is a file as well."""
        first = [self.stream] if self.many and self.stream is not None else []
        return [*first, *(self.files or ())]

    @property
    def target(self) -> str | None:
        """The stream to append to; None where the input names the streams."""
        return None if self.many else self.stream


# What may not stand with what.
_EXCLUDE: tuple[tuple[str, str], ...] = (
    ("many", "type"), ("many", "data"), ("many", "expect"), ("many", "id"),
    ("dry_run", "each"), ("dry_run", "batch"), ("key", "id"), ("copy", "type"), ("data", "inputs"),
    ("source", "each"), ("source", "batch"),
)  # fmt: skip


def check_exclusive(flags: AppendFlags) -> None:
    """Raise UsageError for flags that exclude each other."""
    for one, other in _EXCLUDE:
        if getattr(flags, one) not in (None, False) and getattr(flags, other) not in (None, False, []):
            shown = "FILE" if other == "inputs" else f"--{other}"
            message = f"--{one} and {shown} exclude each other".replace("_", "-")
            if one == "source":
                message += ": a position stands for all events of one append"
            raise UsageError(message, 'put "expectedVersion" into the envelopes' if other == "expect" else None)


NO_EVENTS = "no events: give --data JSON, a FILE, or - for stdin"
_TYPE: Final = "[A-Z][A-Za-z0-9_-]*"  # a dot would make it the name of a file


def check_wrong_turns(flags: AppendFlags) -> None:
    """Raise UsageError for a FILE that is JSON text or an event type, with the command that was meant."""
    missing = [each for each in flags.inputs if each != "-" and not os.path.lexists(each)]
    texts = [each for each in missing if each.lstrip().startswith(("{", "[")) or each.lstrip()[:1] == '"']
    types = [each for each in missing if re.fullmatch(_TYPE, each) and flags.type is None and not flags.many]
    if not texts and not types:
        return
    import shlex

    name = (texts or types)[0]
    words = ["append", flags.stream or "STREAM"]
    kind = flags.type or (types[0] if types else None)
    if len(texts) == 1 and _is_envelope(texts[0]) and kind is None:
        hint = f"printf '%s\\n' {shlex.quote(name)} | {settings.again(shlex.join([*words, '-']))}"
    else:
        words += ["-t", kind or "TYPE", "-d", texts[0] if texts else "JSON"]
        hint = settings.again(shlex.join(words))
    what = "JSON text, which --data takes" if texts else "an event type, which --type takes"
    raise UsageError(f"there is no file {name}; it looks like {what}", hint)


def _is_envelope(text: str) -> bool:
    return '"type"' in text and '"data"' in text


def check_needed(flags: AppendFlags) -> None:
    """Raise UsageError for flags that need another, or another value."""
    faults = (
        (not flags.many and flags.stream is None, "STREAM is missing"),
        (flags.data is not None and flags.type is None, "--data needs --type"),
        (flags.data is None and not flags.inputs, NO_EVENTS),
        (flags.inputs.count("-") > 1, "- (stdin) may be given once only"),
        (flags.batch is not None and flags.batch < 1, f"--batch takes a number from 1, not {flags.batch}"),
        (flags.key == "", "--key takes a TEXT that is not empty"),
    )
    for wrong, message in faults:
        if wrong:
            raise UsageError(message, "evstore append --help")
