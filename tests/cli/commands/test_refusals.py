"""Every refusal, through the real command: its exit code, nothing on stdout, one line that says why."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from evstore import EventData, connect
from tests.support.command import Command
from tests.support.command_store import writing
from tests.support.refused_input import CASES, FINE, FINE_STREAMS, ID, LARGE, NO_STORE, Case, inline
from tests.support.sentences import names
from tests.support.servers import newest_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from evstore import EventStore
    from tests.support.servers import Servers


ASKED = {3, 4}
"""The exit codes of what only the store can tell."""


@pytest.fixture(scope="module")
def shared(module_store: Command) -> Command:
    """One store for all: what is refused leaves no trace in it."""
    module_store.ok("append", "Order-1", "-t", "T", "-d", "1", "--id", ID)
    return module_store


def _contents(command: Command) -> object:
    with connect(command.url) as store:
        return list(store.replay()), list(store.streams()), list(store.categories()), list(store.types())


@pytest.mark.sqlite_only("no store is asked")
@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].code not in ASKED])
def test_it_is_refused(shared: Command, name: str) -> None:
    refused(shared, CASES[name])


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].code in ASKED])
def test_it_is_refused_when_the_store_has_been_asked(shared: Command, name: str) -> None:
    refused(shared, CASES[name])


def refused(command: Command, case: Case) -> None:
    before = _contents(command)
    done = command(*case.words, stdin=case.stdin)
    assert done.code == case.code, done
    assert done.out == b""
    assert "\x1b" not in done.err
    error = json.loads(command(*case.words, stdin=case.stdin, env={"EVSTORE_ERRORS": "json"}).err)["error"]
    assert error["class"] == case.error
    assert names(error["message"], *case.names), error
    assert ("hint" in error) == (case.hint is not None)
    assert names(error.get("hint", ""), case.hint or "")
    hint = f"hint: {error['hint']}\n" if "hint" in error else ""
    assert done.err == f"evstore: {error['message']}\n{hint}"
    assert _contents(command) == before


# --- the other stores ---

OTHERS: Final = ("memory", "postgres", "nats", "mongodb")
"""The stores that are compared with SQLite."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each row is tried on one of the other stores, in turn, and with --all-adapters on each, those by hand."""
    for rows, over in (("refusal", CASES), ("fine", FINE)):
        if rows in metafunc.fixturenames:
            pairs = [
                (at, name, other)
                for at, name in enumerate(over)
                for other in OTHERS
                if name not in NO_STORE and not (other == "memory" and over is CASES and over[name].code in ASKED)
            ]
            wide = metafunc.config.getoption("all_adapters")
            params = [
                pytest.param(
                    other,
                    name,
                    id=f"{other}-{name}",
                    marks=() if first else (pytest.mark.widened, pytest.mark.seldom),
                )
                for at, name, other in pairs
                if (first := OTHERS[at % len(OTHERS)] == other and name != LARGE) or wide
            ]
            metafunc.parametrize(("other", rows), params, indirect=["other"], scope="module")


@pytest.fixture(scope="module")
def other(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, servers: Servers
) -> Iterator[Other]:
    """The command on another store, with what `shared` has."""
    command = Command(tmp_path_factory.mktemp("other"), "memory:")
    if request.param == "memory":
        yield Other(command, None)
        return
    with ExitStack() as made:
        if request.param == "postgres":
            command.database = made.enter_context(newest_of(servers).lent_place())
        else:
            server = {"nats": "nats_server", "mongodb": "mongo_server"}[request.param]
            command.database = request.getfixturevalue(server).place()
        store = made.enter_context(connect(command.url))
        store.initialize()
        store.append("Order-1", [EventData("T", 1, id=ID)])
        yield Other(command, store)


class Other(NamedTuple):
    command: Command
    store: EventStore | None
    """None for a store that ends with the command."""

    def contents(self) -> object:
        return self.store and (list(self.store.replay()), list(self.store.streams()), list(self.store.types()))


def told(command: Command, case: Case) -> tuple[int, bytes, dict[str, Any]]:
    """What a refusal says, without the name of the store."""
    done = command("--errors", "json", *case.words, stdin=case.stdin)
    error = json.loads(done.err.splitlines()[-1])["error"]
    place = str(error.pop("location", "")) or command.place
    return done.code, done.out, {key: str(value).replace(place, "STORE") for key, value in error.items()}


@pytest.mark.sqlite_only("every other store is compared with it")
def test_every_store_refuses_it_in_the_same_words(shared: Command, other: Other, refusal: str) -> None:
    before = other.contents()
    assert told(other.command, CASES[refusal]) == told(shared, CASES[refusal])
    assert other.contents() == before


@pytest.mark.sqlite_only("every other store is compared with it")
def test_what_only_looks_bad_is_stored_as_it_is(other: Other, fine: str) -> None:
    printed = other.command.ok("append", "Fine-1", "-t", "T", "-d", FINE[fine], "--echo", "-F", "ndjson")
    assert f'"data":{FINE[fine]},"metadata":{{}},'.encode() in printed.out
    if other.store:
        *_, last = other.store.read("Fine-1")
        assert last.data_json == FINE[fine]


@pytest.mark.sqlite_only("it is about the others")
@pytest.mark.parametrize("other", [pytest.param(each, id=each) for each in OTHERS[1:]], indirect=True)
def test_unusual_streams_and_bounds_beyond_all_numbers_are_taken_alike(other: Other) -> None:
    command, store = other
    assert store is not None
    lines = b"".join(
        json.dumps({"streamId": each, "type": each[:60], "data": n}).encode() + b"\n"
        for n, each in enumerate(FINE_STREAMS)
    )
    command.ok("append", "--many", "-", stdin=lines)
    for n, stream in enumerate(FINE_STREAMS):
        assert [(event.type, event.data) for event in store.read(stream)] == [(stream[:60], n)]
    whole = command.ok("replay", "--all").lines
    for bound in (2**63 - 1, 2**64):
        assert command.ok("replay", "--all", "--limit", str(bound), "--to", str(bound)).lines == whole
        assert command.ok("replay", "--all", "--from", str(bound)).lines == []
        assert command.ok("read", "Order-1", "--after", str(bound)).lines == []
    assert command.ok("replay", "--all", "--limit", "0").lines == []


@pytest.mark.parametrize(
    "words", [("append", "A-1", "-t", "T", "-d", "1"), ("read", "A-1"), ("replay", "--all"), ("categories",)]
)
def test_without_a_store_nothing_is_made(evstore: Command, tmp_path: Path, words: tuple[str, ...]) -> None:
    done = evstore(*words)
    assert (done.code, done.out) == (6, b"")
    message, hint = done.err.splitlines()
    assert message.startswith("evstore: ")
    assert names(message, evstore.place)
    assert hint == "hint: evstore init"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.sqlite_only("no store is asked")
def test_bad_input_is_found_before_the_store_is_opened(evstore: Command) -> None:
    assert evstore(*inline(data="{a:1}")).code == 5
    assert evstore(*inline("-e", "none", data="{a:1}")).code == 2


def test_a_store_in_use_beyond_patience_is_unavailable(store: Command, tmp_path: Path) -> None:
    """Exit 7 through the real path, with a patience that a test can wait for."""
    import subprocess
    import sys

    script = """
import sys, evstore.connecting
real = evstore.connecting.connect_for_command
evstore.connecting.connect_for_command = lambda url, _, on_wait: real(url, 0.1, on_wait)
from evstore.cli import main
main()
"""
    with writing(store):
        done = subprocess.run(
            [sys.executable, "-c", script, *inline()],
            cwd=tmp_path,
            env=store.env(),
            capture_output=True,
            check=False,
        )
    assert (done.returncode, done.stdout) == (7, b"")
    assert names(done.stderr.decode(), "0.1")
    assert b"database is locked" not in done.stderr
