"""`redact`: the data goes, the event stays, and an event tells of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from evstore import EventData, Metadata, connect
from tests.support.command_store import server_of
from tests.support.postgres_roles import ALL_WRITER, a_role, grant
from tests.support.sentences import names

if TYPE_CHECKING:
    from tests.support.command import Command

CARD = "4111-2222-3333"
ABSENT = "0198e5c4-7a2b-7c3d-8e4f-0123456789ab"


@pytest.fixture
def ids(store: Command) -> list[str]:
    """The ids of two events of Order-1."""
    by_bob = Metadata("c", user_id="bob")
    with connect(store.url) as opened:
        for total in (1, 2):
            opened.append("Order-1", [EventData("Paid", {"card": CARD, "total": total}, by_bob)])
        return [event.id for event in opened.read("Order-1")]


def test_the_line_of_a_redacted_event_says_so(evstore: Command, ids: list[str]) -> None:
    before = [json.loads(line) for line in evstore.ok("replay", "--all").lines]
    receipt = json.loads(evstore.ok("redact", ids[0], "--reason", "GDPR 17", "--user-id", "amy").out)
    assert receipt == {"redacted": 1, "ids": [ids[0]], "globalPosition": 3}
    first, second, told = [json.loads(line) for line in evstore.ok("replay", "--all").lines]
    assert first == {**before[0], "data": None, "redacted": True}
    assert [*first][-1] == "redacted"
    assert second == before[1]
    assert (told["streamId"], told["type"], told["metadata"]) == (
        "$redactions",
        "EventsRedacted",
        {"userId": "amy"},
    )
    assert told["data"] == {"ids": [ids[0]], "reason": "GDPR 17", "metadata": False}
    assert evstore.ok("read", "$redactions").lines == [evstore.ok("replay", "--all").lines[2]]
    assert evstore.ok("verify").out == b""


def test_metadata_goes_where_it_is_asked(evstore: Command, ids: list[str]) -> None:
    evstore.ok("redact", *ids, ids[0], "--reason", "x", "--metadata")
    found = [json.loads(line) for line in evstore.ok("read", "Order-1").lines]
    assert [(each["data"], each["metadata"]) for each in found] == [(None, {})] * 2
    assert evstore.ok("replay", "--all", "--correlation-id", "c").out == b""
    (told,) = evstore.ok("read", "$redactions").lines
    assert json.loads(told)["data"]["ids"] == ids


@pytest.mark.sqlite_only("whose files can be looked through")
def test_nothing_of_the_data_is_left_in_the_files(evstore: Command, ids: list[str]) -> None:
    def held() -> bool:
        return any(CARD.encode() in path.read_bytes() for path in evstore.folder.glob("evstore.db*"))

    assert held()
    evstore.ok("redact", *ids, "--reason", "x")
    assert not held()


@pytest.mark.parametrize(
    ("words", "code", "facts"),
    [
        ((ABSENT, "--reason", "x"), 3, [ABSENT]),
        (("no-id", "--reason", "x"), 5, ["no-id"]),
        ((), 2, ["ID"]),
        ((ABSENT,), 2, ["--reason"]),
        ((ABSENT, "--reason", " "), 2, ["--reason"]),
    ],
)
def test_what_cannot_be_redacted_changes_nothing(
    evstore: Command, ids: list[str], words: tuple[str, ...], code: int, facts: list[str]
) -> None:
    before = evstore.ok("replay", "--all").out
    known = ids[:1] if ABSENT in words else []
    done = evstore("redact", *known, *words)
    assert done.code == code
    assert names(done.err, *facts)
    assert evstore.ok("replay", "--all").out == before


def test_an_export_carries_what_was_redacted(evstore: Command, ids: list[str]) -> None:
    evstore.ok("redact", ids[1], "--reason", "x")
    exported = evstore.ok("export").out
    for place in ("copy.db", "copy-tamper-evident.db"):
        words = ["--tamper-evident"] if "tamper" in place else []
        evstore.ok("--db", place, "init", *words)
        evstore.ok("--db", place, "import", "-", stdin=exported)
        assert evstore.ok("--db", place, "export").out == exported
        assert evstore.ok("--db", place, "verify").out == b""
    (evstore.folder / "log.ndjson").write_bytes(exported)
    assert evstore.ok("--db", "memory:log.ndjson", "verify").out == b""


def test_nobody_appends_to_the_stream_of_redactions(evstore: Command, ids: list[str]) -> None:
    evstore.ok("redact", ids[0], "--reason", "x")
    for words in (("$redactions", "-t", "T", "-d", "1"), ("$redactions-1", "-t", "T", "-d", "1")):
        assert evstore("append", *words).code == 5
    assert evstore("append", "--many", "-", stdin=b'{"streamId":"$redactions","type":"T","data":1}').code == 5


def test_only_the_owner_of_the_tables_redacts(evstore: Command, ids: list[str]) -> None:
    if not evstore.database:
        pytest.skip("SQLite has no roles: who may write to the file may redact")
    server, schema = server_of(evstore)
    with a_role(server) as role:
        grant(role, schema, *ALL_WRITER)
        done = evstore("--db", role.url(schema), "redact", ids[0], "--reason", "x")
    assert done.code == 77
    with connect(evstore.url) as store:
        assert not any(event.redacted for event in store.replay())
