"""`mirror` and `diff`: the store of the command lies on each database in turn, the other store on another one."""

from __future__ import annotations

import json
import signal
from importlib.resources import files
from typing import TYPE_CHECKING

import jsonschema
import pytest

from evstore import EventData, Metadata, connect
from tests.support.command_store import server_of
from tests.support.postgres_roles import WRITER, a_role, grant
from tests.support.servers import newest_of
from tests.support.terminal import screen
from tests.support.waiting import PATIENCE, wait_for

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from evstore import StoredEvent
    from tests.support.command import Command
    from tests.support.servers import Server, Servers
    from tests.support.sqlite_files import EmptyStore

SCHEMA = jsonschema.Draft202012Validator(
    json.loads((files("evstore") / "schemas" / "difference.json").read_text())
)
OTHER = "other.db"


@pytest.fixture
def other(store: Command, servers: Servers, empty_store: EmptyStore) -> Iterator[str]:
    """The URL of an empty store on another database than that of the command."""
    if store.database:
        empty_store.copy_to(store.folder / OTHER)
        yield OTHER
    else:
        with newest_of(servers).lent_place() as url:
            with connect(url) as made:
                made.initialize()
            yield url


def place(store: Command, other: str) -> str:
    """The URL of the other store, for the library."""
    return f"sqlite:{store.folder}/{other}" if other == OTHER else other


def log(url: str) -> list[StoredEvent]:
    with connect(url) as opened:
        return list(opened.replay())


def fill(store: Command, count: int = 5) -> None:
    with connect(store.url) as opened:
        opened.append_many(
            (f"Order-{n % 3}", [EventData("T", n, Metadata("c", custom={"k": "é"}), tags=["b", "a"])], -1)
            for n in range(count)
        )


def differences(store: Command, other: str, code: int = 1) -> list[dict[str, object]]:
    done = store("diff", other)
    assert done.code == code, done
    found = [json.loads(line) for line in done.lines]
    if code:
        for each in found:
            SCHEMA.validate(each)
    return found


# --- equal ---


def test_a_mirror_and_its_sum(store: Command, other: str) -> None:
    fill(store)
    assert json.loads(store.ok("mirror", other, "--once").out) == {"events": 5, "redacted": 0, "globalPosition": 5}
    assert log(place(store, other)) == log(store.url)
    fill(store, 2)
    store.ok("redact", log(store.url)[0].id, "--reason", "wrong")
    done = store.ok("mirror", "--once", other)
    assert json.loads(done.out) == {"events": 3, "redacted": 1, "globalPosition": 8}
    assert done.err == ""
    assert log(place(store, other)) == log(store.url)
    assert differences(store, other, 0) == [{"equal": True, "globalPosition": 8}]


def test_an_export_is_equal_and_can_be_mirrored(store: Command, other: str) -> None:
    fill(store)
    store.ok("export", "-O", "log.ndjson.gz")
    assert differences(store, "memory:log.ndjson.gz", 0) == [{"equal": True, "globalPosition": 5}]
    store.ok("--db", "memory:log.ndjson.gz", "mirror", other, "--once")
    assert log(place(store, other)) == log(store.url)
    assert json.loads(store.ok("--db", "memory:log.ndjson.gz", "diff", other).out)["equal"]


def test_the_other_store_may_be_named_by_a_variable(store: Command, other: str) -> None:
    fill(store)
    assert store("mirror", "env:THERE", "--once", env={"THERE": other}).code == 0
    assert log(place(store, other)) == log(store.url)
    done = store("mirror", "env:NOT_SET", "--once")
    assert (done.code, done.err) == (2, 'evstore: URL is "env:NOT_SET", but the variable NOT_SET is not set\n')


@pytest.mark.sqlite_first("what is printed does not depend on where events are stored")
def test_a_terminal_gets_sentences(store: Command, other: str) -> None:
    fill(store)
    (sentence,) = screen(store, "mirror", other, "--once", columns=200)
    assert sentence.startswith("5 events stored; ")
    assert sentence.endswith(" is equal up to position 5")
    assert screen(store, "diff", other) == ["the logs are equal, up to position 5"]
    fill(store, 1)
    place_line, message, note = screen(store, "diff", other, columns=200)
    assert place_line == "missing-there, position 6"
    assert message == "  the log ends at position 5 there, and at position 6 here"
    assert note.startswith("note: the logs differ after position 5; here is ")


# --- different ---


def test_each_event_that_differs_is_a_line_and_the_exit_code_is_1(store: Command, other: str) -> None:
    fill(store)
    store.ok("mirror", other, "--once")
    first, second, *_ = log(store.url)
    store.ok("redact", "--metadata", first.id, second.id, "--reason", "wrong")
    found = differences(store, other)
    redacted = {"fields": ["data", "metadata", "redacted"], "message": "data differs; metadata differs; it is redacted here alone"}  # fmt: skip
    assert found == [
        {"finding": "differs", "globalPosition": 1, "streamId": "Order-0", **redacted},
        {"finding": "differs", "globalPosition": 2, "streamId": "Order-1", **redacted},
        {
            "finding": "missing-there", "globalPosition": 6, "fields": [], "lastPosition": 6,
            "message": "the log ends at position 5 there, and at position 6 here",
        },
    ]  # fmt: skip
    assert list(found[0]) == [key for key in SCHEMA.schema["properties"] if key in found[0]]
    assert json.loads(store("diff", other, "-F", "json").out) == found
    done = store("diff", other, "-F", "tsv", "-q")
    assert done.lines[2] == "missing-there\t6\t\t[]\tthe log ends at position 5 there, and at position 6 here\t6"
    assert (done.code, done.err) == (1, "")


def test_a_mirror_is_refused_where_the_two_differ_with_the_first_position(store: Command, other: str) -> None:
    fill(store, 3)
    store.ok("mirror", other, "--once")
    with connect(place(store, other)) as there:
        there.append("Foreign-1", [EventData("T", 1)])
    fill(store, 3)
    before = log(place(store, other))
    done = store("mirror", other, "--once", "--errors", "json")
    error = json.loads(done.err)["error"]
    assert (done.code, done.out, error["class"], error["code"]) == (10, b"", "LogsDifferError", "damaged")
    assert (error["position"], error["retryable"]) == (4, False)
    assert error["hint"].startswith("evstore diff ")
    assert log(place(store, other)) == before
    assert differences(store, other)[0]["globalPosition"] == 4


def test_without_a_store_there_the_hint_makes_it(store: Command) -> None:
    fill(store)
    for command in ("mirror", "diff"):
        done = store(command, "new.db")
        assert (done.code, done.out) == (6, b"")
        assert done.err.splitlines()[1] == "hint: evstore init --db new.db"
    assert not (store.folder / "new.db").exists()


def test_without_a_store_here_the_hint_names_this_one(evstore: Command, empty_store: EmptyStore) -> None:
    empty_store.copy_to(evstore.folder / OTHER)
    for command in ("mirror", "diff"):
        done = evstore(command, OTHER)
        assert (done.code, done.err.splitlines()[1]) == (6, "hint: evstore init")


@pytest.mark.sqlite_first("the other store decides")
def test_what_can_only_be_read_is_no_mirror(store: Command) -> None:
    fill(store)
    (store.folder / "log.ndjson").write_text("")
    assert store("mirror", "memory:log.ndjson", "--once").code == 77
    assert store("mirror", store.database or "evstore.db", "--once").code == 2
    assert store("mirror", "", "--once").code == 2


def test_a_secret_is_not_printed(store: Command, servers: Servers, newest: Server) -> None:
    fill(store)
    done = store("mirror", newest.url("no_such_store", password="s3cret", tcp=True), "--once")
    assert done.code in (6, 77), done
    assert "s3cret" not in done.err
    assert store.folder


@pytest.mark.sqlite_only("the other store is on PostgreSQL")
def test_where_the_role_may_not_redact_the_mirror_stops_before_that_event(store: Command, newest: Server) -> None:
    schema = newest.schema()
    with connect(newest.url(schema)) as made, a_role(newest) as role:
        made.initialize()
        grant(role, schema, *WRITER, "SELECT ON ALL TABLES IN SCHEMA {0}")
        fill(store)
        store.ok("mirror", role.url(schema), "--once")
        store.ok("redact", log(store.url)[0].id, "--reason", "wrong")
        fill(store, 1)
        done = store("mirror", role.url(schema), "--once")
        assert (done.code, done.out) == (77, b"")
        assert "position 6 of the log redacts 1" in done.err
        assert made.head() == 5
        store.ok("mirror", newest.url(schema), "--once")
        assert log(newest.url(schema)) == log(store.url)


# --- live ---


@pytest.fixture
def live(store: Command, other: str) -> Iterator[subprocess.Popen[bytes]]:
    """A mirror that goes on, once it is equal up to position 3."""
    fill(store, 3)
    mirror = store.start("mirror", other)
    assert mirror.stderr is not None
    try:
        assert mirror.stderr.readline().decode().endswith("is equal up to position 3; mirroring what comes\n")
        yield mirror
    finally:
        mirror.kill()
        mirror.communicate()


def comes(store: Command, other: str, head: int) -> None:
    with connect(place(store, other)) as there:
        wait_for(lambda: there.head() == head)
    assert log(place(store, other)) == log(store.url)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_comes_is_mirrored_until_a_signal(
    store: Command, other: str, live: subprocess.Popen[bytes], number: signal.Signals
) -> None:
    fill(store, 4)
    comes(store, other, 7)
    live.send_signal(number)
    assert live.communicate(timeout=PATIENCE) == (b"", b"")
    assert live.returncode == -number


def test_a_mirror_whose_connections_are_lost_makes_them_again(
    store: Command, other: str, live: subprocess.Popen[bytes], servers: Servers
) -> None:
    server = server_of(store)[0] if store.database else newest_of(servers)
    ended = server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    assert ended
    fill(store, 4)
    comes(store, other, 7)
    assert live.poll() is None


def test_a_live_mirror_ends_where_somebody_else_wrote(
    store: Command, other: str, live: subprocess.Popen[bytes]
) -> None:
    with connect(place(store, other)) as there:
        there.append("Foreign-1", [EventData("T", 1)])
    fill(store, 1)
    _, err = live.communicate(timeout=PATIENCE)
    assert live.returncode == 10
    assert b"at position 4" in err


def test_a_live_mirror_redacts_what_is_redacted(store: Command, other: str, live: subprocess.Popen[bytes]) -> None:
    store.ok("redact", log(store.url)[1].id, "--reason", "wrong")
    comes(store, other, 4)
    assert live.poll() is None


@pytest.mark.sqlite_first("the end of a reader does not depend on where events are stored")
def test_a_live_mirror_whose_output_nobody_reads_ends(live: subprocess.Popen[bytes]) -> None:
    assert live.stdout is not None
    live.stdout.close()
    live.stdout = None
    live.communicate(timeout=PATIENCE)
    assert live.returncode == -signal.SIGPIPE


@pytest.mark.sqlite_only("a file is moved")
def test_a_mirror_whose_store_is_moved_away_ends(
    store: Command, live: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    (store.folder / "evstore.db").rename(tmp_path / "moved.db")
    live.communicate(timeout=PATIENCE)
    assert live.returncode == 7
