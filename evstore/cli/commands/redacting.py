"""`redact`: take the data of events, for ever."""

from typing import Annotated

import typer

from evstore.cli import settings
from evstore.cli.errors import UsageError
from evstore.cli.opening import opened
from evstore.cli.options import option
from evstore.cli.output import forms, writer


def redact(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", show_default=False, help="The ids of the events.")],
    reason: Annotated[
        str | None,
        option("--reason", metavar="TEXT", help="Why the data goes; kept for ever."),
    ] = None,
    metadata: Annotated[bool, typer.Option("--metadata", help="Take the metadata as well.")] = False,
    user_id: Annotated[
        str | None, option("--user-id", metavar="TEXT", help="Who redacts.  [default: EVSTORE_USER_ID]")
    ] = None,
) -> None:
    """Take the data of events, for ever: it becomes null. The events stay.

    \b
    Examples:
      evstore redact 0198e5c4-7a2b-7c3d-8e4f-0123456789ab --reason 'GDPR 17'
      evstore redact --metadata --reason 'wrong customer' "$ID" "$OTHER_ID"
      evstore read '$redactions'

    Nothing brings the data back. An event keeps its id, stream, type, version,
    time and tags, and its line gets "redacted":true. Which events were redacted,
    why, by whom and when is an event of its own, in stream $redactions. If one of
    the ids is not there, nothing is redacted.

    Copies that were made before still have the data: backups, exports, and old
    rows that a database keeps until it is vacuumed.
    """
    if reason is None or not reason.strip():
        raise UsageError("--reason is missing: whoever finds the events without their data will ask for it")
    from evstore.cli.input.intake import metadata_around

    by = metadata_around(user_id=user_id)
    with opened() as store:
        told = store.redact(ids, reason, metadata=metadata, by=by)
    redacted = told.data["ids"]
    members = {"redacted": len(redacted), "ids": redacted, "globalPosition": told.global_position}
    from evstore.cli.output.screen import counted

    sentence = f"redacted {counted(len(redacted), 'event')}, as position {told.global_position} tells"
    with writer.after_the_fact(sentence, members):
        if settings.as_table():
            writer.line(sentence)
            writer.note(settings.again("read '$redactions' --last 1"), "next")
        else:
            forms.one(members)
