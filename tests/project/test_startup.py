"""Start-up is the speed of `evstore append`: no command loads what it does not use."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from evstore import connect

if TYPE_CHECKING:
    from tests.support.command import Command

# What costs more than the work of a command. Whatever else a command loads, it is none of these.
HEAVY = {
    "rich", "psycopg", "sqlite_utils", "asyncio", "importlib.metadata", "pydantic", "logging", "pytest",
    "hypothesis", "difflib", "tempfile", "traceback", "email", "http", "ssl", "multiprocessing", "unittest", "opentelemetry",
}  # fmt: skip
SQLITE = pytest.mark.sqlite_only("it is about what the SQLite adapter loads, or no store is asked")
TYPER_LOADS = {"traceback", "difflib"}

SCRIPT = """
import sys
from importlib.util import find_spec
sys.argv[1:] = {words!r}
from evstore.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
finally:
    print(*sorted(sys.modules), file=sys.stderr)
"""


def loaded(command: Command, *words: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(words=list(words))],
        cwd=command.folder,
        env=command.env(),
        input=b'{"type":"T","data":1}',
        capture_output=True,
        check=True,
    )
    return set(done.stderr.decode().split())


@pytest.mark.parametrize(
    "words",
    [
        ("append", "A-1", "-t", "T", "-d", "1"),
        ("append", "A-1", "-"),
        ("append", "A-1", "-t", "T", "-d", "1", "--tag", "a", "--unless", "tag=b", "--require", "B=none"),
        ("append", "A-1", "-t", "T", "-d", "1", "--source", "orders.csv@1"),
        ("read", "A-1"),
        ("replay", "--all"),
        ("replay", "A", "-f", "-n", "1"),
        ("categories",),
        ("types",),
        ("tags",),
        ("replay", "--all", "--match", "type=T tag=a"),
        ("info",),
        ("info", "A-1"),
        ("trace", "c"),
        ("verify",),
        ("migrate",),
        ("migrate", "--status"),
        ("backup", "copy.db"),
        ("subscribe", "mailer", "A", "--once"),
        ("subscribe", "mailer", "A", "--once", "--", "true"),
        ("subscribe", "mailer", "A", "--once", "--append", "--", "true"),
        ("consumers",),
        ("consumers", "reset", "other", "--to", "end"),
        ("consumers", "wait", "other", "--position", "1", "--within", "1s"),
        ("mirror", "other.db", "--once"),
        ("diff", "evstore.db"),
    ],
)
@SQLITE
def test_a_command_on_sqlite_loads_nothing_heavy(store: Command, words: tuple[str, ...]) -> None:
    with connect(f"sqlite:{store.folder}/other.db") as other:
        other.initialize()
    store.ok("append", "A-1", "-t", "T", "-d", "1")
    store.ok("subscribe", "other", "A", "--once", "--", "true")
    assert loaded(store, *words) & (HEAVY - TYPER_LOADS) == set()


@SQLITE
def test_looking_at_consumers_does_not_load_what_only_handling_needs(store: Command) -> None:
    store.ok("append", "A-1", "-t", "T", "-d", "1")
    store.ok("subscribe", "mailer", "A", "--once", "--", "true")
    names = ("consumer", "cursors", "delivery", "effects", "elsewhere", "joining", "parking", "running")
    handling = {"evstore.cli.handlers", *(f"evstore.consumers.{name}" for name in names)}
    assert all(find_spec(name) for name in handling)
    for words in (
        ("consumers",),
        ("consumers", "show", "mailer"),
        ("consumers", "wait", "mailer", "--position", "1"),
    ):
        assert not handling & loaded(store, *words)
    appending = {"evstore.appending.envelopes", "evstore.cli.input.intake", "evstore.cli.output.consumer_report"}
    for words in (("--", "true"), ("--ack", "printed")):
        assert not appending & loaded(store, "subscribe", "mailer", "A", "--once", *words)


def test_reading_does_not_load_what_only_an_append_needs(store: Command) -> None:
    store.ok("append", "A-1", "-t", "T", "-d", "1")
    for words in (("read", "A-1"), ("info", "A-1"), ("trace", "c")):
        assert not {"msgspec", "uuid_utils", "evstore.appending.envelopes", "evstore.cli.input.intake"} & loaded(
            store, *words
        )


@SQLITE
def test_an_append_does_not_load_what_only_reading_needs(store: Command) -> None:
    modules = loaded(store, "append", "A-1", "-t", "T", "-d", "1")
    assert (
        not {"evstore.adapters.sqlite.reading", "evstore.adapters.sqlite.lists", "evstore.reading.following"}
        & modules
    )


@SQLITE
def test_a_hash_is_loaded_only_where_one_is_kept(store: Command) -> None:
    hashes = {"hashlib", "evstore.model.digests", "evstore.adapters.sqlite.chaining"}
    for words in (("append", "A-1", "-t", "T", "-d", "1"), ("read", "A-1"), ("replay", "--all")):
        assert not hashes & loaded(store, *words)
    store.ok("init", "--tamper-evident", "--db", "kept.db")
    assert hashes <= loaded(store, "append", "A-1", "-t", "T", "-d", "1", "--db", "kept.db")


@SQLITE
def test_an_append_without_conditions_does_not_load_them(store: Command) -> None:
    conditions = {"evstore.model.conditions", "evstore.cli.input.conditions", "evstore.cli.input.tag_from"}
    assert all(find_spec(name) for name in conditions)
    for words in (("-t", "T", "-d", "1", "--tag", "a"), ("-",)):
        assert not conditions & loaded(store, "append", "A-1", *words)


@pytest.mark.parametrize("words", [("append", "A-1", "-t", "T", "-d", "1"), ("replay", "--all"), ("info",)])
@SQLITE
def test_a_pipe_does_not_load_what_only_a_window_needs(store: Command, words: tuple[str, ...]) -> None:
    names = ("screen", "tables", "lists", "info_report", "history", "tree")
    drawn = {f"evstore.cli.output.{name}" for name in names}
    assert all(find_spec(name) for name in drawn)
    assert not drawn & loaded(store, *words)


@SQLITE
def test_init_loads_sqlite_utils_and_the_first_commands_do_not(evstore: Command) -> None:
    assert "sqlite_utils" in loaded(evstore, "init")


@SQLITE
def test_the_version_needs_nothing(evstore: Command) -> None:
    modules = loaded(evstore, "--version")
    assert not {"typer", "sqlite3", "msgspec"} & modules


def test_importing_the_library_loads_no_adapter_and_no_command_line() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys, evstore; print(*sys.modules)"],
        capture_output=True,
        check=True,
    )
    modules = set(done.stdout.decode().split())
    assert {each for each in modules if each.startswith("evstore")} == {"evstore"}
    assert not (HEAVY | {"msgspec", "sqlite3", "typer", "typing", "dataclasses"}) & modules


def test_a_store_is_connected_without_the_command_line_and_what_it_does_not_use() -> None:
    program = "import sys, evstore; evstore.connect('memory:').append('A-1', [evstore.EventData('T', 1)]); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    modules = set(done.stdout.decode().split())
    assert not {each for each in modules if each.startswith(("evstore.cli", "evstore.testing", "typer"))}
    assert {each for each in modules if each.startswith("evstore.adapters")} == {
        "evstore.adapters",
        "evstore.adapters.living",
        "evstore.adapters.memory",
        "evstore.adapters.memory_lists",
        "evstore.adapters.memory_snapshots",
        "evstore.adapters.memory_sources",
        "evstore.adapters.units",
    }
    assert not (HEAVY | {"sqlite3"}) & modules


def test_the_version_is_printed_without_any_part_of_the_core(evstore: Command) -> None:
    modules = loaded(evstore, "--version")
    assert {each for each in modules if each.startswith("evstore")} == {"evstore", "evstore.cli"}
    assert "typing" not in modules  # a third of the time that is left
