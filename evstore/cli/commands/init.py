"""`init`: make a store."""

from typing import TYPE_CHECKING, Annotated

import typer

from evstore.cli import settings
from evstore.cli.errors import UsageError
from evstore.cli.opening import opened
from evstore.cli.options import option
from evstore.cli.output import forms, writer
from evstore.urls import redacted

if TYPE_CHECKING:
    from evstore.model.facts import StoreInfo


def init(
    url: Annotated[str | None, typer.Argument(metavar="[URL]", hidden=True, show_default=False)] = None,
    tamper_evident: Annotated[
        bool, typer.Option("--tamper-evident", help="Keep with each event a digest of the log up to it.")
    ] = False,
    grant_read: Annotated[
        list[str] | None,
        option("--grant-read", metavar="ROLE", help="PostgreSQL: let this role read; repeatable."),
    ] = None,
    grant_append: Annotated[
        list[str] | None,
        option("--grant-append", metavar="ROLE", help="PostgreSQL: let this role read and append; repeatable."),
    ] = None,
) -> None:
    """Make the store, if it is not there yet.

    \b
    Examples:
      evstore init
      evstore init --db sqlite:////var/lib/shop/events.db
      evstore init --tamper-evident
      evstore init --grant-read reporting --grant-append billing

    A tamper-evident store stays so for its life. Note what info prints as its digest
    somewhere else: verify --expect proves that nothing up to there was changed.

    Roles get the rights that they need, and no others, also where the store is there
    already. Without a grant, only its owner has any right to it.
    """
    if url is not None:
        from shlex import quote

        raise UsageError(
            "init takes no argument; --db names the store",
            f"evstore init --db {quote(url)}" if redacted(url) == url else "evstore init --db URL",
        )
    with opened() as store:
        store.initialize(
            tamper_evident=tamper_evident, grant_read=grant_read or (), grant_append=grant_append or ()
        )
        info = store.info()
    with writer.after_the_fact(f"the event store at {info.location} is there", {"place": info.location}):
        _print(info)
        for each in info.protection:
            writer.note(each)
        for roles, what in ((grant_read, "read"), (grant_append, "read and append")):
            for role in roles or ():
                writer.note(f"role {writer.to_json(role)} may {what}")


def _print(info: "StoreInfo") -> None:
    if settings.as_table():
        from evstore.cli.output.screen import counted

        writer.line(f"event store at {info.location}, {counted(info.head, 'event')}")
        if info.head == 0:
            writer.note(settings.again("append Order-1 -t OrderPlaced -d '{\"total\": 99.9}'"), "next")
        return
    from evstore.cli.output import objects

    forms.one(objects.of_store(info))
