"""`init`: make a store."""

from typing import TYPE_CHECKING

from evstore.cli import settings
from evstore.cli.opening import opened
from evstore.cli.output import forms, writer

if TYPE_CHECKING:
    from evstore.model.facts import StoreInfo


def init() -> None:
    """Make the store, if it is not there yet.

    \b
    Examples:
      evstore init
      evstore init --db sqlite:////var/lib/shop/events.db
    """
    with opened() as store:
        store.initialize()
        info = store.info()
    with writer.after_the_fact(f"the event store at {info.location} is made", {"place": info.location}):
        _print(info)


def _print(info: "StoreInfo") -> None:
    if settings.as_table():
        writer.line(f"event store at {info.location}, {info.head} events")
        if info.head == 0:
            writer.note(settings.again("append Order-1 -t OrderPlaced -d '{\"total\": 99.9}'"), "next")
        return
    from evstore.cli.output import objects

    forms.one(objects.of_store(info))
