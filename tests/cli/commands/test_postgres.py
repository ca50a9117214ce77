"""What only a server can refuse, and that nobody's password is told with it."""

from __future__ import annotations

import json
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from evstore import EventData, connect
from evstore.adapters.postgres.errors import not_the_primary
from evstore.adapters.postgres.location import location_of
from evstore.adapters.postgres.retrying import PAUSES
from evstore.port import PAGE_CHARACTERS
from tests.support.command import Command, Ended
from tests.support.consuming import expire
from tests.support.daemons import freeze
from tests.support.postgres_roles import a_role
from tests.support.postgres_sessions import writing
from tests.support.proxies import CLIENT, Proxy, before_answer
from tests.support.secret_urls import REACHED, UNREADABLE, Case, filled, keeps
from tests.support.sentences import names
from tests.support.servers import newest_of, replica
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.proxies import Message
    from tests.support.servers import Server, Servers

# A process each; the rest are tried in one process, beside the library.
TOLD = (
    "a wrong password", "a wrong password among the parameters", "another driver's scheme", "a port that refuses",
    "several that refuse", "a host that nobody knows", "a client secret", "@ in a password", "/ in a password",
    "a byte that is no UTF-8", "one slash", "no slash", "no colon", "no colon, in capitals", "no colon and no @",
    "a blank before it", "quotes around it", "libpq's other form", "no host", "a parameter that is misspelt",
    "an unknown scheme",
)  # fmt: skip
CASES: dict[str, Case] = {name: (REACHED | UNREADABLE)[name] for name in TOLD}
AN_EVENT = ("append", "Order-1", "-t", "Placed", "-d", "1")


@pytest.fixture
def schema(newest: Server) -> str:
    schema = newest.schema("commands")
    with connect(newest.url(schema)) as store:
        store.initialize()
        store.append("Order-1", [EventData("Placed", 0)])
    return schema


@pytest.fixture
def command(tmp_path: Path, newest: Server, schema: str) -> Command:
    return Command(tmp_path, newest.url(schema))


def at(command: Command, url: str) -> Command:
    """The command with another URL."""
    return Command(command.folder, url)


# --- passwords ---


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory, servers: Servers) -> dict[str, tuple[Ended, Path]]:
    """What every command that fails has said, as loudly as it can, and where it writes what is left of bugs."""
    server = newest_of(servers)

    def run(case: Case) -> tuple[Ended, Path]:
        folder = tmp_path_factory.mktemp("failed")
        command = Command(folder, "env:SECRET")
        debug = {"EVSTORE_DEBUG": "1"} if case in REACHED.values() else {"TMPDIR": str(folder)}
        more = {**debug, "SECRET": filled(case, server)}
        return command("categories", "-v", "--errors", "json", env=more), folder

    with ThreadPoolExecutor(4) as threads:
        return dict(zip(CASES, threads.map(run, CASES.values()), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_a_command_that_fails_tells_no_password_and_why_it_failed(
    failed: dict[str, tuple[Ended, Path]], name: str
) -> None:
    done, folder = failed[name]
    keeps(done.err)
    for file in folder.iterdir():
        keeps(file.read_text())
    assert done.out == b""
    assert done.code == CASES[name].code
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["a wrong password", "@ in a password", "no colon", "a port that refuses"])
def test_a_password_on_the_command_line_is_told_as_little(command: Command, newest: Server, name: str) -> None:
    url = filled(CASES[name], newest)
    for done in (command("--db", url, "init"), command("categories", "--db", url, env={"EVSTORE_DEBUG": "1"})):
        keeps(done.err)
        assert (done.code, done.out) == (CASES[name].code, b"")
        assert "Traceback" not in done.err.splitlines()[-1]


def test_the_next_step_names_the_store_without_its_password(command: Command, newest: Server) -> None:
    url = newest.url(newest.schema("nothing"), tcp=True, sslpassword="s3cret")
    done = command("categories", "--db", url)
    assert done.code == 6
    keeps(done.err)
    said, hint = done.err.splitlines()
    assert said.startswith("evstore: ")
    assert " postgresql://" in said
    assert ":***@" in said
    assert names(hint, "evstore init", "the same --db")
    assert "***" not in hint  # nobody can paste that


def test_a_missing_database_has_a_next_step(command: Command, newest: Server) -> None:
    done = at(command, newest.url(database="no_such_database"))("init")
    assert done.code == 6
    hint = done.err.splitlines()[1]
    assert hint.startswith("hint: ")
    assert names(hint, "createdb", "evstore init")


# --- who may ---


def test_a_role_without_a_grant_is_denied(command: Command, newest: Server, schema: str) -> None:
    with a_role(newest) as role:
        for words in (AN_EVENT, ("replay", "--all"), ("init",)):
            done = at(command, role.url(schema))(*words, "--errors", "json")
            assert (done.code, done.out) == (77, b"")
            assert json.loads(done.err)["error"]["class"] == "DeniedError"
            keeps(done.err)
            assert role.password not in done.err


def test_a_store_that_admits_only_later_ones_is_refused(command: Command, newest: Server, schema: str) -> None:
    newest.execute(f"UPDATE {schema}.store SET min_writer = 2")
    assert command.ok("read", "Order-1").lines
    done = command(*AN_EVENT, "--errors", "json")
    error = json.loads(done.err)["error"]
    assert (done.code, error["class"]) == (6, "SchemaTooNewError")
    assert error["hint"]
    newest.execute(f"UPDATE {schema}.store SET min_reader = 2")
    assert command("read", "Order-1").code == 6


# --- replicas ---


@pytest.fixture(scope="module")
def standby(servers: Servers) -> Iterator[Server]:
    with replica(newest_of(servers)) as made:
        yield made


def test_a_replica_is_read_and_followed_and_says_why_it_cannot_append(
    command: Command, newest: Server, schema: str, standby: Server
) -> None:
    there = at(command, standby.url(schema))
    wait_for(lambda: there("read", "Order-1").code == 0)
    assert there.ok("replay", "--all").out == command.ok("replay", "--all").out
    follower = there.start(
        "replay", "--all", "--after", "1", "--follow", "-n", "2", "--fields", "data", "-F", "tsv"
    )
    for n in (1, 2):
        command.ok("append", "Order-1", "-t", "Placed", "-d", f"{n}")
    assert follower.communicate(timeout=60) == (b"1\n2\n", b"")
    for url, words in ((there.database, AN_EVENT), (standby.url("not_there"), ("init",))):
        done = at(command, url)(*words, "--errors", "json")
        assert (done.code, done.out) == (77, b"")
        error = json.loads(done.err)["error"]
        assert error["class"] == "DeniedError"
        assert error["message"] == str(not_the_primary(location_of(url)))


# --- others, and the network ---


def test_a_store_that_others_hold_is_unavailable(command: Command, newest: Server, schema: str) -> None:
    with writing(newest, schema):
        done = command(*AN_EVENT, "--timeout", "200ms")
    assert (done.code, done.out) == (7, b"")
    assert names(done.err, "0.2")
    assert command.ok("read", "Order-1", "--fields", "data", "-F", "tsv").lines == ["0"]


def test_a_consumer_that_was_stopped_and_replaced_moves_nothing_when_it_goes_on(
    command: Command, newest: Server, schema: str
) -> None:
    for _ in range(2):
        command.ok(*AN_EVENT)
    script = "touch begun; while [ ! -e gate ]; do sleep 0.02; done"
    stopped = command.start("subscribe", "mailer", "Order", "--", "sh", "-c", script)
    try:
        wait_for((command.folder / "begun").exists)
        freeze(stopped.pid)
        assert command("subscribe", "mailer", "Order", "--once", "--", "true").code == 9
        expire(newest, schema)
        done = command.ok(
            "subscribe", "mailer", "Order", "--once", "--", "sh", "-c", "echo $EVSTORE_GLOBAL_POSITION"
        )
        assert done.lines == ["1", "2", "3"]
        (command.folder / "gate").touch()
        stopped.send_signal(signal.SIGCONT)
        _, told = stopped.communicate(timeout=30)
    finally:
        stopped.kill()
        stopped.communicate()
    assert stopped.returncode == 9
    assert names(told.decode(), "mailer")
    assert json.loads(command.ok("consumers", "show", "mailer").out)["globalPosition"] == 3


def test_a_network_that_always_fails_is_given_up_and_the_ids_are_told(
    command: Command, newest: Server, schema: str
) -> None:
    events = [EventData("Placed", n, id=str(uuid4())) for n in (1, 2)]
    given = "".join(f'{{"type":"Placed","data":{event.data},"id":"{event.id}"}}' for event in events).encode()
    with Proxy(newest, before_answer("append_v1"), cuts=1000) as proxy:
        done = at(command, proxy.url(schema))("append", "Order-1", "-", "--errors", "json", stdin=given)
    assert proxy.cuts == proxy.connections == len(PAUSES) + 1
    assert (done.code, done.out) == (7, b"")
    error = json.loads(done.err)["error"]
    assert (error["class"], error["retryable"]) == ("AppendOutcomeUnknownError", True)
    assert error["ids"] == [event.id for event in events]
    assert all(each in error["message"] for each in error["ids"])
    again = command.ok("append", "Order-1", "-", stdin=given)  # as the error advises
    assert json.loads(again.out)["duplicate"]
    assert command.ok("read", "Order-1", "--after", "1", "--fields", "data", "-F", "tsv").lines == ["1", "2"]


# Words of an append, whether its ids may be those of an earlier one, and so its receipts' "duplicate".
LOST = {
    "new ids": ((), False),
    "new ids, each alone": (("--each",), False),
    "new ids, in batches": (("--batch", "1"), False),
    "new ids, as the rest of a load": (("--skip-stored",), False),
    "ids of a key": (("--key", "once"), True),
    "ids of a key, each alone": (("--key", "once", "--each"), True),
}


@pytest.mark.parametrize(("words", "duplicate"), LOST.values(), ids=LOST)
def test_a_connection_that_is_lost_is_made_again_unheard(
    command: Command, newest: Server, schema: str, words: tuple[str, ...], duplicate: bool
) -> None:
    with Proxy(newest, before_answer("append_v1")) as proxy:
        done = at(command, proxy.url(schema)).ok("append", "Order-1", "-t", "Placed", *words, "-", stdin=b"1\n2\n")
    assert proxy.cuts == 1
    assert done.err == ""
    told = [json.loads(line) for line in done.lines]
    assert told[-1]["version"] == 3
    assert told[0]["duplicate"] == duplicate
    assert command.ok("read", "Order-1", "--after", "1", "--fields", "data", "-F", "tsv").lines == ["1", "2"]


def test_a_page_that_cannot_be_broken_off_is_read_to_its_end_unheard(
    command: Command, newest: Server, schema: str
) -> None:
    """Long events end a page early, and the server is told so on a connection of its own."""
    with connect(newest.url(schema)) as store:
        for n in range(5):
            store.append("Order-1", [EventData("Long", f"{n}{'x' * PAGE_CHARACTERS}")])
    asked: list[Message] = []

    def broken_off(message: Message) -> bool:
        if message.sender == CLIENT and not message.kind:
            asked.append(message)
        return len(asked) == 2 and message is asked[1]

    with Proxy(newest, broken_off) as proxy:
        done = at(command, proxy.url(schema)).ok("replay", "--all")
    assert proxy.cuts == 1
    assert ([json.loads(line)["version"] for line in done.lines], done.err) == ([*range(1, 7)], "")
