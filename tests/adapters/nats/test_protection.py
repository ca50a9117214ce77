"""The permissions that `init` names are enough for evstore, and protect the log from its users."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from evstore.adapters.nats import connect as adapter_of
from evstore.adapters.nats.layout import protection_of
from evstore.errors import DeniedError
from evstore.model.consumers import WHOLE
from evstore.port import Receipt
from evstore.testing.asking import answer, everything, log
from evstore.testing.builders import an_append
from tests.support.nats_servers import NatsServer

NAME = "guarded"


def _users():
    """The server's users, with what the sentences say that they may publish to."""
    reads, appends = (each.partition("publish to ")[2] for each in protection_of(NAME)[-2:])
    reading = reads.split(", ")
    of = {"admin": None, "reader": reading, "writer": [*reading, *appends.split(" and ")]}
    users = [
        {"user": name, "password": name}
        | ({"permissions": {"publish": allowed, "subscribe": ["_INBOX.>"]}} if allowed else {})
        for name, allowed in of.items()
    ]
    return f"authorization: {json.dumps({'users': users})}\n"


@pytest.fixture(scope="module")
def guarded():
    made = NatsServer(more=_users())
    made.login = "admin:admin@"
    with closing(adapter_of(made.place(NAME))) as admin:
        admin.initialize()
        answer(admin, an_append("Order-1"))
    yield made
    made.close()


def _as(guarded, user):
    return closing(adapter_of(guarded.place(NAME).replace("admin:admin", f"{user}:{user}"), timeout=5))


def test_a_writer_appends_reads_waits_and_keeps_checkpoints(guarded):
    with _as(guarded, "writer") as adapter:
        assert isinstance(answer(adapter, an_append("Order-1", 2, 1)), Receipt)
        assert len(everything(adapter).events) == adapter.head(0, 1) == 3
        assert adapter.head(3, 0.5) == 3
        consumers = adapter.consumers()
        consumers.add("mailer", "{}", 0)
        hold = consumers.hold("mailer", [WHOLE])
        with consumers.step(hold) as step:
            step.move({WHOLE: 1})
        hold.release()


def test_a_reader_reads_and_cannot_append(guarded):
    with _as(guarded, "reader") as adapter:
        before = everything(adapter)
        assert adapter.head(0, 0.5) == len(before.events)
        with pytest.raises(DeniedError) as raised:
            answer(adapter, an_append("Order-1"))
        assert not raised.value.retryable
        assert log(adapter) == before.events


@pytest.mark.parametrize("user", ["reader", "writer"])
@pytest.mark.parametrize("verb", ["UPDATE", "DELETE", "PURGE", "MSG.DELETE"])
def test_nobody_of_them_changes_the_stream(guarded, user, verb):
    from evstore.adapters.nats.errors import ForbiddenError

    with _as(guarded, user) as adapter:
        with pytest.raises(DeniedError) as raised:
            adapter._tried(lambda parts: parts.session.client.api(f"STREAM.{verb}.{NAME}", {}))
        assert isinstance(raised.value.__cause__, ForbiddenError)


def test_a_wrong_password_is_denied_and_never_shown(guarded):
    with closing(adapter_of(guarded.place(NAME).replace("admin:admin", "writer:wr0ng"), timeout=5)) as adapter:
        with pytest.raises(DeniedError) as raised:
            adapter.head(0, 0)
        assert "wr0ng" not in str(raised.value)
        assert "wr0ng" not in adapter.location
