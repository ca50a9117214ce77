"""From a URL to a store: which URLs mean what, and whose adapter serves them."""

from __future__ import annotations

import os
import sqlite3
import sys
import tomllib
from contextlib import closing
from importlib.machinery import ModuleSpec
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from types import ModuleType

import pytest

import evstore
from evstore import (
    EventData,
    EventStore,
    EvstoreError,
    InvalidInputError,
    InvalidUrlError,
    MissingDependencyError,
    NotInitializedError,
    UnknownAdapterError,
    connect,
)
from evstore.adapters import BUILT_IN, open_adapter, open_for_command
from evstore.adapters.memory import MemoryAdapter
from evstore.adapters.postgres.connections import OneConnection
from evstore.adapters.sqlite.adapter import SqliteAdapter
from evstore.port import Limits
from tests.support.command import files
from tests.support.sentences import names, wording

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder to stand in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def made_by(url):
    """The file that a store at this URL is made in."""
    with connect(url) as store:
        store.initialize()
        return store.info().location


# --- forms ---


@pytest.mark.parametrize(
    "url",
    ["sqlite:///sub/e.db", "sqlite:sub/e.db", "sub/e.db", "./sub/e.db", "sqlite:./sub/e.db", "SQLite:sub/e.db"],
)
def test_a_relative_path_is_meant_from_here(here, url):
    (here / "sub").mkdir()
    assert made_by(url) == str(here / "sub" / "e.db")


@pytest.mark.parametrize("form", ["sqlite:///{}", "sqlite:{}", "{}"])
def test_an_absolute_path_is_meant_as_it_is(here, form):
    """So four slashes in all where the path follows three."""
    assert made_by(form.format(here / "e.db")) == str(here / "e.db")


@pytest.mark.parametrize(
    "name",
    [
        "a?mode=memory",
        "a#b",
        "100%25.db",
        "a%00b",
        "a b.db",
        "é😀.db",
        "a;b&c=d",
        "'; DROP",
        "~",
        "$HOME",
        "file:e.db",
        "a:b",
    ],
)
def test_a_path_is_taken_literally(here, name):
    assert made_by(f"sqlite:///{name}") == str(here / name)
    # Beside it lie only its own files, SQLite's and the lock's.
    assert {each.removesuffix("-lock").removesuffix("-wal").removesuffix("-shm") for each in files(here)} == {name}


def test_the_place_is_settled_when_connecting_wherever_the_process_goes_later(here):
    store = connect("e.db")
    (here / "elsewhere").mkdir()
    os.chdir(here / "elsewhere")
    with store:
        store.initialize()
    assert (here / "e.db").exists()


@pytest.mark.parametrize("url", ["memory:", "MEMORY:", "Memory:"])
def test_a_store_in_memory_is_called_memory_in_any_case(url):
    with connect(url) as store:
        assert store.append("Order-1", [EventData("Placed", {})])[0].global_position == 1


def test_each_store_in_memory_is_its_own():
    one, other = connect("memory:"), connect("memory:")
    one.append("Order-1", [EventData("Placed", {})])
    assert list(other.replay()) == []


@pytest.mark.parametrize("content", [None, "no event\n", "{}\n"], ids=["no file", "no JSON", "no event"])
def test_a_file_that_a_store_in_memory_cannot_begin_with_is_refused_by_every_call(here, content):
    """An empty store would be another one."""
    if content is not None:
        (here / "export.ndjson").write_text(content)
    store = connect("memory:export.ndjson")
    for _ in range(2):
        with pytest.raises(EvstoreError, match=r"export\.ndjson"):
            list(store.replay())
    with pytest.raises(EvstoreError, match=r"export\.ndjson"):
        store.append("Order-1", [EventData("Placed", {})])


@pytest.mark.parametrize("url", ["", None])
def test_no_url_is_refused(url):
    with pytest.raises(InvalidUrlError):
        connect(url)


@pytest.mark.parametrize(
    ("url", "facts"),
    [
        (":memory:", ['"memory:"']),
        (":memory:?x", ['"memory:"']),
        ("memory://x", ['"memory:"']),
        ("memory://", ['"memory:"']),
        ("sqlite:", ['"sqlite:"']),
        ("sqlite://", ['"sqlite://"']),
        ("sqlite:///", ['"sqlite:///"']),
        ("sqlite://host/e.db", ['"sqlite://host/e.db"']),
        ("sqlite:a\0b", ["U+0000"]),
    ],
)
def test_a_url_that_means_nothing_is_refused_with_the_reason(here, url, facts):
    assert names(_refused(url), *facts)
    assert files(here) == []


def test_a_path_that_is_missing_is_told_in_other_words_than_a_host(here):
    missing, host = wording(_refused("sqlite:")), wording(_refused("sqlite://"))
    assert missing == wording(_refused("sqlite:///"))
    assert host == wording(_refused("sqlite://host/e.db"))
    assert len({missing, host, wording(_refused(""))}) == 3


def _refused(url):
    with pytest.raises(InvalidUrlError) as raised:
        connect(url)
    return raised.value


def test_three_slashes_where_four_were_meant_are_asked_about(here):
    """SQLAlchemy's form is relative here, where a file's URL is absolute."""
    assert names(_refused("sqlite:///tmp/x/e.db"), '"sqlite:////tmp/x/e.db"')
    (here / "tmp").mkdir()
    connect("sqlite:///tmp/x/e.db")
    connect("sqlite:///no-such-folder-anywhere/e.db")
    connect("sqlite:///tmp")


@pytest.mark.parametrize(
    "url", ["sqlite://alice:s3cret@host/e.db", "memory://alice:s3cret@host/e.db", "mysql://alice:s3cret@host/e.db"]
)
def test_a_password_in_a_url_that_is_refused_is_not_told(url):
    with pytest.raises(EvstoreError) as raised:
        connect(url)
    assert "s3cret" not in f"{raised.value} {raised.value!r} {raised.value.args} {vars(raised.value)}"


# --- nothing happens yet ---


@pytest.mark.parametrize("url", ["sqlite:///e.db", "e.db", "sqlite:missing/folder/e.db"])
def test_connecting_and_closing_open_nothing_and_make_nothing(here, url):
    connect(url).close()
    with connect(url):
        pass
    assert files(here) == []


def test_connecting_to_what_is_no_store_is_no_fault_yet(here):
    (here / "letter.txt").write_text("Dear diary")
    connect("letter.txt").close()
    assert (here / "letter.txt").read_text() == "Dear diary"


def test_a_read_makes_no_store(here):
    with connect("e.db") as store, pytest.raises(NotInitializedError, match=r"e\.db"):
        next(store.replay())
    assert files(here) == []


# --- whose adapter ---


def test_the_built_in_adapters_are_also_entry_points():
    said = tomllib.loads(PYPROJECT.read_text())["project"]["entry-points"]["evstore.adapters"]
    assert said == BUILT_IN


@pytest.mark.parametrize(
    ("url", "kind"), [("memory:", MemoryAdapter), ("e.db", SqliteAdapter), ("sqlite:e.db", SqliteAdapter)]
)
def test_the_scheme_picks_the_adapter(here, url, kind):
    assert type(open_adapter(url)) is kind


@pytest.fixture
def installed(monkeypatch):
    """Pretends that packages with these entry points, and the modules they name, are installed."""

    def install(points, **modules):
        found = EntryPoints(EntryPoint(name, value, "evstore.adapters") for name, value in points.items())
        monkeypatch.setattr("importlib.metadata.entry_points", found.select)
        for name, members in modules.items():
            module = ModuleType(name)
            vars(module).update(members)
            monkeypatch.setitem(sys.modules, name, module)

    return install


@pytest.mark.parametrize("scheme", ["theirs", "Theirs", "their-s.2", "theirs+tls"])
def test_an_adapter_of_others_is_found_by_its_scheme_and_given_url_and_options(installed, scheme):
    asked = []

    def open_theirs(url, **options):
        asked.append((url, options))
        return MemoryAdapter()

    installed({scheme.lower(): "their_package:open_theirs"}, their_package={"open_theirs": open_theirs})
    with connect(f"{scheme}://host/db", patience=3) as store:
        store.append("Order-1", [EventData("Placed", {})])
    assert asked == [(f"{scheme}://host/db", {"patience": 3})]


def test_an_entry_point_may_name_what_stands_inside_a_class(installed):
    class Theirs:
        @staticmethod
        def connect(url):
            return MemoryAdapter()

    installed({"theirs": "their_package:Theirs.connect"}, their_package={"Theirs": Theirs})
    assert type(open_adapter("theirs:x")) is MemoryAdapter


@pytest.mark.parametrize("value", ["their_package", "their_package:no_such_function"])
def test_an_entry_point_that_leads_nowhere_is_an_error_that_names_the_scheme(installed, value):
    installed({"theirs": value}, their_package={})
    with pytest.raises(EvstoreError, match="theirs:"):
        open_adapter("theirs:x")


def test_an_adapter_of_others_cannot_take_a_built_in_scheme(installed):
    installed({"memory": "no_such_package:connect", "sqlite": "no_such_package:connect"})
    assert type(open_adapter("memory:")) is MemoryAdapter


def test_an_unknown_scheme_lists_the_known_ones_in_order(installed):
    installed({"theirs": "their_package:connect", "another": "their_package:connect"})
    with pytest.raises(UnknownAdapterError) as raised:
        connect("redis://host/db")
    assert (raised.value.scheme, raised.value.known) == (
        "redis",
        tuple(sorted({*BUILT_IN, "theirs", "another"})),
    )
    assert names(raised.value, '"redis:"', ", ".join(f"{scheme}:" for scheme in raised.value.known))


def test_a_missing_package_of_an_adapter_is_named_with_what_to_do(installed):
    installed({"theirs": "no_such_package_anywhere:connect"})
    with pytest.raises(MissingDependencyError) as raised:
        connect("theirs:x")
    assert names(raised.value, '"theirs:"', "no_such_package_anywhere")
    assert isinstance(raised.value.__cause__ or raised.value.__context__, ImportError)


@pytest.mark.parametrize("url", ["memory:", "e.db"])
def test_every_built_in_adapter_takes_a_timeout(here, url):
    """So that one program serves whatever URL it is given."""
    with connect(url, timeout=2.5) as store:
        store.initialize()
        assert store.info().events == 0


def test_the_limit_of_data_is_an_option_of_the_store():
    with connect("memory:", max_data_bytes=5) as store:
        store.append("Order-1", [EventData("Placed", "abc")])
        with pytest.raises(evstore.InvalidPayloadError) as raised:
            store.append("Order-1", [EventData("Placed", "abcd")])
        assert names(raised.value, 6, 5)


# --- for a command ---


@pytest.mark.parametrize(("timeout", "given"), [(None, {}), (2.5, {"timeout": 2.5})])
def test_an_adapter_of_others_gets_of_a_command_no_more_than_its_timeout(installed, timeout, given):
    asked = []

    def open_theirs(url, **options):
        asked.append((url, options))
        return MemoryAdapter()

    installed({"theirs": "their_package:open_theirs"}, their_package={"open_theirs": open_theirs})
    open_for_command("theirs:x", timeout)
    assert asked == [("theirs:x", given)]


def test_an_adapter_of_others_says_what_it_wants_from_a_command(installed):
    asked = []

    def open_theirs(url, **options):
        asked.append((url, options))
        return MemoryAdapter()

    def command_options(timeout):
        return {"workers": 1, "patience": timeout}

    members = {"open_theirs": open_theirs, "command_options": command_options}
    installed({"theirs": "their_package:open_theirs"}, their_package=members)
    open_for_command("theirs:x", 2.5)
    connect("theirs:y")
    assert asked == [("theirs:x", {"timeout": 2.5, "workers": 1, "patience": 2.5}), ("theirs:y", {})]


def test_a_command_has_one_connection_to_a_server():
    with closing(open_for_command("postgresql://h/db", 7)) as adapter:
        assert type(adapter._connections) is OneConnection
        assert adapter._location.conninfo["connect_timeout"] == 7
    with closing(open_for_command("postgresql://h/db")) as adapter:
        assert adapter._location.conninfo["connect_timeout"] == 5


def test_a_command_uses_the_newer_sqlite_if_it_is_installed(here, monkeypatch):
    newer = ModuleType("pysqlite3")
    newer.sqlite_version_info = (3, 99, 0)
    newer.__spec__ = ModuleSpec("pysqlite3", None)
    monkeypatch.setitem(sys.modules, "pysqlite3", newer)
    assert open_for_command("e.db")._sqlite is newer
    assert open_adapter("e.db")._sqlite is sqlite3


# --- what the built-in adapters can do ---

SQL = {
    "durable", "multi_process", "has_audits", "tamper_evident", "can_redact", "has_consumers", "has_transactions",
    "has_snapshots", "can_join", "steps_append", "reads_raw",
}  # fmt: skip


@pytest.mark.parametrize(
    ("url", "name", "claimed"),
    [
        (
            "memory:",
            "memory",
            {"born_initialized", "can_redact", "has_consumers", "has_snapshots", "steps_append"},
        ),
        ("e.db", "SQLite", {*SQL, "can_backup", "shares_commits", "has_migrations"}),
        ("postgresql://h/db", "PostgreSQL", {*SQL, "can_grant", "native_asyncio", "has_migrations", "fails_over"}),
    ],
)
def test_the_built_in_adapters_claim_what_they_are_known_for(here, url, name, claimed):
    """A claim that is dropped would only make the contract's tests skip."""
    with connect(url) as store:
        can = store.capabilities
    assert can.name == name
    assert {field for field, value in can._asdict().items() if value is True} == claimed


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("memory:", "memory:"),
        ("memory:log.ndjson", "memory:{here}/log.ndjson"),
        ("sub/../e.db", "{here}/e.db"),
        ("sqlite:e.db", "{here}/e.db"),
        ("postgres://me:s3cret@h/db?password=s3cret", "postgres://me:***@h/db"),
    ],
)
def test_a_location_is_known_without_opening_the_store_and_names_no_password(here, url, location):
    with connect(url) as store:
        assert store.location.partition("?")[0] == location.format(here=here)
        assert "s3cret" not in store.location


class Narrow(MemoryAdapter):
    def __init__(self, limits, shares_commits):
        super().__init__()
        self.capabilities = self.capabilities._replace(
            name="Narrow", has_limits=True, shares_commits=shares_commits
        )
        self._limits = limits

    def limits(self):
        return self._limits


@pytest.mark.parametrize("shares_commits", [False, True])
@pytest.mark.parametrize(
    ("limits", "data", "reason"),
    [
        (Limits(unit_events=2), [1, 2, 3], "an append of 3 events, and Narrow takes 2 at once"),
        (Limits(data_bytes=5), ["éé1"], "data of 7 bytes, and Narrow takes 5"),
        (
            Limits(data_bytes=5, set_by="its server"),
            [1, 2, "éé1"],
            "data of 7 bytes, and Narrow takes 5, as its server says",
        ),
    ],
)
def test_what_is_larger_than_the_adapter_takes_is_refused_before_anything_is_sent(
    limits, data, reason, shares_commits
):
    with EventStore(Narrow(limits, shares_commits)) as store:
        store.append("Order-1", [EventData("Placed", "é1"), EventData("Placed", 1)])
        unit = store.appender.unit([("Order-1", [EventData("Placed", each) for each in data], -1)])
        for append in (
            lambda: store.append("Order-1", [EventData("Placed", each) for each in data]),
            lambda: list(store.appender.submit_in_order([unit])),
            lambda: store.appender.found_stored(unit),
        ):
            with pytest.raises(InvalidInputError) as raised:
                append()
            assert str(raised.value).endswith(reason)
        assert store.head() == 2
