"""`backup` copies a store that is in use, and never harms a file."""

from __future__ import annotations

import json
import os
import re
import resource
import shlex
import shutil
import sqlite3
import subprocess
import threading
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from evstore import EventData, StorageFullError, TargetExistsError, UnsupportedError, connect
from tests.support.command import Command, files
from tests.support.concurrent_writers import PATIENCE, written
from tests.support.damage import healthy
from tests.support.sentences import names
from tests.support.servers import NO_PG_DUMP, NOT_OWNED, PASSWORD, needs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.servers import Server

FILE = pytest.mark.sqlite_only("it is SQLite's own API that copies")


# --- SQLite ---


@FILE
def test_stdout_is_no_place_for_a_backup(store: Command) -> None:
    done = store("backup", "-")
    assert (done.code, done.out) == (2, b"")
    assert "hint: evstore export -O -" in done.err
    assert "-" not in os.listdir(store.folder)


@FILE
def test_a_backup_is_a_store_with_the_same_log(store: Command) -> None:
    healthy(store)
    told = json.loads(store.ok("backup", "copy.db").out)
    size = os.path.getsize(store.folder / "copy.db")
    assert told == {"place": f"{store.folder}/copy.db", "headPosition": 6, "events": 6, "sizeBytes": size}
    assert store.ok("--db", "copy.db", "replay", "--all").out == store.ok("replay", "--all").out
    assert store.ok("--db", "copy.db", "verify", "--engine").out == b""
    assert (
        json.loads(store.ok("--db", "copy.db", "append", "A-1", "-t", "T", "-d", "1").out)["globalPosition"] == 7
    )


@FILE
def test_a_backup_is_one_file_for_the_owner_alone(store: Command) -> None:
    healthy(store)
    old = os.umask(0)
    try:
        store.ok("backup", "copy.db")
    finally:
        os.umask(old)
    assert [name for name in files(store.folder) if not name.startswith("evstore.db")] == ["copy.db"]
    assert os.stat(store.folder / "copy.db").st_mode & 0o777 == 0o600


@FILE
def test_a_copy_needs_no_file_beside_it_until_the_first_append(store: Command) -> None:
    healthy(store)
    store.ok("backup", "copy.db")
    path = store.folder / "copy.db"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert other.execute("SELECT count(*) FROM events").fetchone() == (6,)
        assert [name for name in files(store.folder) if name.startswith("copy.db")] == ["copy.db"]
    store.ok("--db", "copy.db", "append", "A-1", "-t", "T", "-d", "1")
    assert json.loads(store.ok("--db", "copy.db", "info").out)["durability"]["journalMode"] == "wal"


@FILE
def test_the_first_append_to_a_copy_waits_for_its_readers(store: Command) -> None:
    healthy(store)
    store.ok("backup", "copy.db")
    path = store.folder / "copy.db"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM events").fetchone()
        threading.Timer(0.3, lambda: reader.execute("ROLLBACK")).start()
        with connect(f"sqlite:{path}", timeout=20) as copy:
            assert copy.append("A-1", [EventData("T", 1)])[0].global_position == 7


@FILE
def test_what_stands_in_the_log_of_sqlite_alone_is_in_the_backup(store: Command) -> None:
    """What a copy of the file by hand would lose."""
    with connect(store.url) as writer:
        writer.append("A-1", [EventData("T", 1)])
        assert os.path.getsize(store.folder / "evstore.db-wal") > 0
        assert json.loads(store.ok("backup", "copy.db").out)["events"] == 1


@FILE
def test_backups_of_a_store_under_writers_hold_a_beginning_of_its_log(store: Command) -> None:
    copies = []
    with written(store.url) as appended, connect(store.url) as source:
        for n in range(5):
            before = copies[-1].head if copies else 0
            while source.head() < before + 20:
                assert appended.acquire(timeout=PATIENCE)
            copies.append(source.backup(store.folder / f"{n}.db"))
        assert appended.acquire(timeout=PATIENCE)  # they have gone on
    with connect(store.url) as source:
        for made in copies:
            with connect(f"sqlite:{made.location}") as copy:
                verification = copy.verify(engine=True)
                assert list(verification) == []
            assert verification.head == verification.checked == made.head
            assert list(source.verify(expect=verification.digest)) == []
    heads = [made.head for made in copies]
    assert heads == sorted(set(heads))


@FILE
def test_a_file_is_replaced_only_by_force(store: Command) -> None:
    healthy(store)
    (store.folder / "copy.db").write_text("precious")
    done = store("backup", "copy.db")
    assert (done.code, done.out) == (2, b"")
    message, hint = done.err.splitlines()
    assert message.startswith("evstore: ")
    assert names(message, f"{store.folder}/copy.db")
    assert hint.startswith("hint: --force ")
    assert (store.folder / "copy.db").read_text() == "precious"
    store.ok("backup", "copy.db", "--force")
    assert store.ok("--db", "copy.db", "verify").out == b""


@FILE
def test_the_library_names_the_file_and_no_flag(store: Command) -> None:
    healthy(store)
    (store.folder / "copy.db").write_text("precious")
    with connect(store.url) as source, pytest.raises(TargetExistsError) as raised:
        source.backup(store.folder / "copy.db")
    assert (raised.value.path, raised.value.code) == (f"{store.folder}/copy.db", "usage")
    assert not getattr(raised.value, "__notes__", [])
    told = json.loads(store("backup", "copy.db", "--errors", "json").err)["error"]
    assert (told["class"], told["exitCode"], told["hint"].split()[0]) == ("TargetExistsError", 2, "--force")


@FILE
def test_a_name_that_the_system_refuses_is_no_full_disk(store: Command) -> None:
    healthy(store)
    done = store("backup", "x" * 300)
    assert (done.code, done.out) == (2, b"")
    assert "File name too long" in done.err


@FILE
def test_what_is_left_of_another_store_is_not_taken_for_the_log_of_the_copy(store: Command) -> None:
    healthy(store)
    with connect(f"sqlite:{store.folder}/other.db") as other:
        other.initialize()
        other.append("Other-1", [EventData("T", n) for n in range(50)])
        left = (store.folder / "other.db-wal").read_bytes()
    (store.folder / "copy.db").write_text("no store")
    (store.folder / "copy.db-wal").write_bytes(left)
    store.ok("backup", "copy.db", "--force")
    assert "copy.db-wal" not in files(store.folder)
    assert len(store.ok("--db", "copy.db", "replay", "--all").lines) == 6
    assert store.ok("--db", "copy.db", "verify", "--engine").out == b""


@pytest.mark.parametrize(
    ("file", "error", "named"),
    [
        ("evstore.db", "InvalidTargetError", "evstore.db"),
        ("./evstore.db-wal", "InvalidTargetError", "evstore.db-wal"),
        ("evstore.db-lock", "InvalidTargetError", "evstore.db-lock"),
        ("link.db", "InvalidTargetError", "evstore.db"),
        ("same.db", "InvalidTargetError", "same.db"),
        (".", "InvalidTargetError", ""),
        ("none/copy.db", "InvalidTargetError", "none/copy.db"),
        ("", "UsageError", "FILE"),
    ],
)
@FILE
def test_a_place_that_cannot_be_right_is_refused_also_by_force(
    store: Command, file: str, error: str, named: str
) -> None:
    healthy(store)
    (store.folder / "link.db").symlink_to("evstore.db")
    os.link(store.folder / "evstore.db", store.folder / "same.db")
    before = files(store.folder)
    done = store("backup", file, "--force", "--errors", "json")
    assert (done.code, done.out) == (2, b"")
    told = json.loads(done.err)["error"]
    assert told["class"] == error
    assert names(told["message"], named)
    assert files(store.folder) == before
    assert len(store.ok("replay", "--all").lines) == 6


@FILE
def test_each_kind_of_place_that_cannot_be_right_has_words_of_its_own(store: Command) -> None:
    def told(file: str) -> str:
        return store("backup", file, "--force").err.replace(os.path.normpath(store.folder / file), "")

    assert len({told(file) for file in ("evstore.db", ".", "none/copy.db", "")}) == 4
    assert told("evstore.db") == told("evstore.db-lock")


@FILE
def test_a_disk_that_is_full_leaves_nothing_behind(store: Command) -> None:
    with connect(store.url) as source:
        source.append("A-1", [EventData("T", "x" * 200_000)])
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
        try:
            with pytest.raises(StorageFullError, match=r"copy\.db"):
                source.backup(store.folder / "copy.db")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert not [name for name in files(store.folder) if name.startswith("copy")]
        assert source.backup(store.folder / "copy.db").head == 1


@FILE
def test_there_has_to_be_a_store(evstore: Command) -> None:
    done = evstore("backup", "copy.db")
    assert (done.code, done.out, files(evstore.folder)) == (6, b"", [])


@FILE
def test_a_person_is_told_in_a_sentence(store: Command) -> None:
    healthy(store)
    told = store.ok("backup", "copy.db", "-F", "table").out.decode()
    size = os.path.getsize(store.folder / "copy.db")
    assert told.count("\n") == 1
    assert names(told, 6, f"{store.folder}/copy.db", f"{size:,}")


@pytest.mark.skipif(not shutil.which("strace"), reason="only strace sees the order of system calls")
@FILE
def test_a_backup_gets_its_name_when_it_is_on_disk_and_so_is_the_name(store: Command) -> None:
    watched = ["strace", "-f", "-y", "-e", "trace=fsync,link,linkat,rename,renameat,renameat2", "-o", "trace"]
    argv = [*watched, *store.argv("backup", "copy.db")]
    done = subprocess.run(argv, cwd=store.folder, env=store.env(PYTHONDONTWRITEBYTECODE="1"), capture_output=True)
    if done.returncode != 0:
        pytest.skip("this system lets nobody trace")
    calls = re.findall(
        r"^[0-9]+ +(fsync|link|rename)\w*\((.*)\)", (store.folder / "trace").read_text(), re.MULTILINE
    )
    assert [call for call, _ in calls] == ["fsync", "link", "fsync"]
    assert f"{store.folder}/copy.db.part-" in calls[0][1]
    assert f"<{store.folder}>" in calls[2][1]


# --- elsewhere ---


@FILE
def test_memory_has_no_file_to_copy(evstore: Command) -> None:
    done = evstore("--db", "memory:", "backup", "copy.db", "-q")
    assert (done.code, done.out, files(evstore.folder)) == (2, b"", [])
    assert done.err.startswith("evstore: ")
    assert names(done.err, "evstore export")
    with connect("memory:") as store, pytest.raises(UnsupportedError):
        store.backup("copy.db")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://h/db", ("--schema=evstore", "--file=a b.dump", "postgresql://h/db")),
        (
            "postgres://me:s3cret@h:5433/db?schema=shop&sslmode=require",
            ("--schema=shop", "--file=a b.dump", "postgresql://me@h:5433/db?sslmode=require"),
        ),
        (
            "postgresql+psycopg://me:s3cret@h/db?password=s3cret&schema=Shop_1",
            ('--schema="Shop_1"', "--file=a b.dump", "postgresql://me@h/db"),
        ),
    ],
)  # fmt: skip
@FILE
def test_on_postgresql_the_command_of_pg_dump_is_told(evstore: Command, url: str, words: tuple[str, ...]) -> None:
    """Whether or not the server can be reached."""
    done = evstore("backup", "a b.dump", "--db", url)
    assert (done.code, done.out) == (2, b"")
    error, hint = done.err.splitlines()
    assert error.startswith("evstore: ")
    assert names(error, "PostgreSQL", "pg_dump")
    assert shlex.split(hint.removeprefix("hint: ")) == ["pg_dump", "--format=custom", *words]
    assert "s3cret" not in done.err


@pytest.fixture
def other_database(server: Server) -> Iterator[str]:
    needs(NOT_OWNED, server.owned)
    server.execute("CREATE DATABASE other")
    yield "other"
    server.execute("DROP DATABASE other WITH (FORCE)")


@pytest.mark.parametrize("over", ["socket", "tcp"])
def test_that_command_and_pg_restore_bring_the_store_into_another_database(
    server: Server, other_database: str, tmp_path: Path, over: str
) -> None:
    needs(NO_PG_DUMP, (server.bin / "pg_dump").exists() and (server.bin / "pg_restore").exists())
    schema = server.schema()
    tcp = over == "tcp"
    command = Command(tmp_path, server.url(schema, tcp=tcp))
    healthy(command)
    env = {"PATH": f"{server.bin}:{os.environ['PATH']}", "PGPASSWORD": PASSWORD}
    hint = command("backup", "a copy.dump").err.splitlines()[1].removeprefix("hint: ")
    assert quote(PASSWORD) not in hint
    subprocess.run(["bash", "-c", hint], cwd=tmp_path, env=env, check=True)
    target = server.url(database=other_database, tcp=tcp)
    subprocess.run(["pg_restore", f"--dbname={target}", "a copy.dump"], cwd=tmp_path, env=env, check=True)
    restored = Command(tmp_path, server.url(schema, database=other_database, tcp=tcp))
    assert restored.ok("replay", "--all").out == command.ok("replay", "--all").out
    assert restored.ok("verify").out == b""
    told = json.loads(restored.ok("append", "A-1", "-t", "T", "-d", "1", "-e", "2").out)
    assert (told["version"], told["globalPosition"]) == (3, 7)
    assert restored.ok("verify").out == b""
