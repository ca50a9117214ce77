"""What looks like a statement of a database is a name, a value or a fault, and never runs, wherever it is given."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evstore import EventData, EvstoreError, Metadata, connect
from evstore.model.conditions import Query
from tests.support.servers import newest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from evstore import EventStore
    from tests.support.command import Command
    from tests.support.servers import Servers

PIECES: Final = [
    "'", '"', "`", "''", "\\'", "$$", "$1", "%s", "%(a)s", "?", ":a", "@a", ";", "--", "/*", "*/", "#", "(", ")", "=", ",",
    "0x41", "1", "\\", "%", "_", "*", ">", ".", "{", "}", "$", "[", "]", "~", "|", "||", " ", "\u00a0", "\u02bc", "é", "\ud7ff",
    "OR 1=1", "AND 'a'='a", "UNION ALL SELECT NULL,NULL", "DROP TABLE events", "DELETE FROM events", "SELECT sqlite_version()",
    "pg_sleep(5)", "load_extension('x')", "PRAGMA writable_schema=1", "COPY events TO PROGRAM 'x'", "RANDOMBLOB(500000000)",
    "$ne", '{"$gt":""}', "$where", "evstore.events", "streams.>", "&schema=x",
]  # fmt: skip
TEXTS: Final = st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join)
STORES: Final = ("sqlite", "postgres", "memory", "nats", "mongodb")
LOOKED: Final = {"sqlite": 30, "postgres": 30, "memory": 30, "nats": 8, "mongodb": 4}
"""The number of texts that are tried on each store."""


@pytest.fixture(scope="module", params=STORES)
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, servers: Servers
) -> Iterator[EventStore]:
    """A store with one event, which no text here is about."""
    with ExitStack() as made:
        if request.param == "postgres":
            url = made.enter_context(newest_of(servers).lent_place())
        elif request.param in ("nats", "mongodb"):
            url = request.getfixturevalue(
                {"nats": "nats_server", "mongodb": "mongo_server"}[request.param]
            ).place()
        else:
            url = {"sqlite": f"sqlite:{tmp_path_factory.mktemp('store')}/events.db", "memory": "memory:"}[
                request.param
            ]
        store = made.enter_context(connect(url))
        store.initialize()
        store.append(
            "Order-1", [EventData("Placed", {"n": 1}, Metadata("c", user_id="u", custom={"k": "v"}), tags=["t"])]
        )
        yield store


READS: Final[dict[str, Callable[[EventStore, str], object]]] = {
    "stream": lambda store, text: list(store.read(text)),
    "category": lambda store, text: list(store.replay([text])),
    "type": lambda store, text: list(store.replay(types=[text])),
    "tag": lambda store, text: list(store.replay(tags=[text])),
    "query": lambda store, text: list(store.replay(query=Query([text]) | Query(tags=[text]))),
    "correlation id": lambda store, text: list(store.replay(correlation_id=text)),
    "user id": lambda store, text: list(store.replay(user_id=text)),
    "value of custom": lambda store, text: list(store.replay(custom={"k": text})),
    "key of custom": lambda store, text: list(store.replay(custom={text: "v"})),
    "prefix of streams": lambda store, text: list(store.streams(prefix=text)),
    "prefix of categories": lambda store, text: list(store.categories(prefix=text)),
    "category of types": lambda store, text: list(store.types(text)),
    "id": lambda store, text: store.get(text),
    "count": lambda store, text: store.count([text]) or [],
}
"""The arguments that are looked for. Each finds nothing, or is refused."""


def looked_for(store: EventStore, read: Callable[[EventStore, str], object], text: str) -> object:
    """What is found, or the code of a refusal that is not that of bad input."""
    try:
        return read(store, text)
    except EvstoreError as error:
        return error.code not in ("bad_input", "not_found") and error.code


def contents(store: EventStore) -> object:
    return [*store.replay()], [*store.streams()], [*store.categories()], [*store.types()], [*store.tags()]


def test_nothing_that_is_looked_for_is_run(store: EventStore, request: pytest.FixtureRequest) -> None:
    before = contents(store)
    looked = LOOKED[request.node.callspec.params["store"]]

    @given(TEXTS)
    @settings(deadline=None, max_examples=looked, suppress_health_check=list(HealthCheck), print_blob=True)
    def look(text: str) -> None:
        assert {what: found for what, read in READS.items() if (found := looked_for(store, read, text))} == {}

    look()
    assert contents(store) == before


class Named(NamedTuple):
    """An event whose every part is the text."""

    text: str

    def append(self, store: EventStore) -> None:
        text = self.text
        tag = text.replace(" ", "_").replace(",", "_").replace("\u00a0", "_")
        meta = Metadata(text, text, text, text, {text: text})
        store.append(f"A{text}", [EventData(f"T{text}", {text: text}, meta, tags=[f"t{tag}"])])
        category = f"A{text}".partition("-")[0]
        found = [*store.read(f"A{text}")]
        assert (found[-1].type, found[-1].data, found[-1].metadata) == (f"T{text}", {text: text}, meta)
        for each in (
            store.replay([category], types=[f"T{text}"], correlation_id=text, user_id=text, custom={text: text}),
            store.replay(query=Query([f"T{text}"], [f"t{tag}"])),
        ):
            assert found[-1] in [*each]
        assert f"A{text}" in [info.stream_id for info in store.streams(category)]
        assert store.get(found[-1].id) == found[-1]


def test_whatever_is_stored_is_found_by_exactly_that(store: EventStore, request: pytest.FixtureRequest) -> None:
    (first, *_) = [*store.replay()]

    @given(TEXTS)
    @settings(
        deadline=None,
        max_examples=LOOKED[request.node.callspec.params["store"]] // 4,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    def append(text: str) -> None:
        Named(text).append(store)

    append()
    assert [*store.read("Order-1")] == [first]
    assert [*store.verify()] == []


WORST: Final = "x'; DROP TABLE events; --\" UNION SELECT 1 %s $1 \\"
ARGUMENTS: Final = (
    ("read", WORST), ("replay", WORST), ("replay", "--all", "-t", WORST), ("replay", "--all", "--correlation-id", WORST),
    ("replay", "--all", "--user-id", WORST), ("replay", "--all", "--meta", f"k={WORST}"), ("replay", "--all", "--tag", "x';DROP"),
    ("replay", "--all", "--match", f"type={WORST}"), ("replay", "--all", "--since", WORST), ("replay", "--all", "--limit", WORST),
    ("replay", "--all", "--fields", WORST), ("streams", WORST), ("streams", "--prefix", WORST), ("streams", "--sort", WORST),
    ("categories", "--prefix", WORST), ("types", WORST), ("tags", "--prefix", WORST), ("get", WORST), ("trace", WORST),
    ("count", WORST), ("info", WORST), ("consumers", "show", WORST), ("consumers", "remove", WORST),
    ("redact", WORST, "--reason", "x"), ("verify", "--expect", WORST), ("append", "Order-1", "-t", "T", "-d", "1", "--expect", WORST),
    ("append", "Order-1", "-t", "T", "-d", "1", "--id", WORST), ("append", "Order-1", "-t", "T", "-d", "1", "--unless", WORST),
    ("append", "Order-1", "-t", "T", "-d", "1", "--require", f"{WORST}=3"), ("append", "Order-1", "-t", "T", "-d", "1", "--source", WORST),
    ("init", "--grant-read", WORST),
)  # fmt: skip


@pytest.mark.parametrize("words", ARGUMENTS, ids=lambda words: " ".join(words[:-1]))
def test_no_argument_of_a_command_is_run(module_store: Command, words: tuple[str, ...]) -> None:
    if not module_store("replay", "--all").out:
        module_store.ok("append", "Order-1", "-t", "Placed", "-d", "1")
    before = module_store.ok("export").out
    done = module_store(*words)
    assert done.code in (0, 2, 3, 4, 5), done
    assert b"Placed" not in done.out
    assert len(done.err.splitlines()) <= 2
    assert module_store.ok("export").out == before


@pytest.mark.parametrize("name", ["x; DROP SCHEMA public", 'x"y', "pg_catalog.x", "é", "x'y"])
@pytest.mark.sqlite_only("it is about a URL")
def test_no_schema_or_database_is_named_by_a_statement(evstore: Command, name: str, tmp_path: Path) -> None:
    for url in (
        f"postgresql://127.0.0.1:1/db?schema={name}",
        f"nats://127.0.0.1:1/{name}",
        f"mongodb://127.0.0.1:1/{name}",
    ):
        done = evstore("--db", url, "--errors", "json", "init", "--timeout", "0.1s")
        assert (done.code, json.loads(done.err)["error"]["class"]) == (2, "InvalidUrlError"), done
