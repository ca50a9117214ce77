"""`export` and `import`: a log goes from store to store and stays the same."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import stat
import subprocess
from time import sleep
from typing import TYPE_CHECKING, Any

import pytest

from evstore import EventData, Metadata, connect
from evstore.transfer import BATCH_CHARACTERS
from tests.support.sentences import names
from tests.support.terminal import seen

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.command import Command, Ended

COUNT = 40
LOOKS = pytest.mark.sqlite_only("what is written, and where, does not depend on where events are stored")


@pytest.fixture
def full(store: Command) -> Command:
    """A store with a log of several categories and streams."""
    with connect(store.url) as made:
        for n in range(COUNT // 4):
            made.append_many(
                [
                    (f"Order-{n % 3}", [EventData("Placed", {"n": n}), EventData("Paid", [n, "é\u2028"])], -1),
                    (f"Stock-{n % 2}", [EventData("Taken", None, Metadata(correlation_id="c1"))] * 1, -1),
                    ("NoHyphen", [EventData.from_json("Raw", '{"b":1.10,"a":1e400,"a":"\\u0000"}')], -1),
                ]
            )
    return store


@pytest.fixture
def other(full: Command, tmp_path: Path) -> Path:
    """Another store, in a file, empty."""
    path = tmp_path / "other.db"
    with connect(str(path)) as made:
        made.initialize()
    return path


def exported(command: Command, *words: str) -> bytes:
    return command.ok(*words, "export").out


def events_of(done: Ended) -> list[Any]:
    """What it printed. Only `\\n` ends a line; a payload may hold what others take for one."""
    return [json.loads(line) for line in done.out.removesuffix(b"\n").split(b"\n")]


def test_an_export_is_the_whole_log_as_replay_prints_it(full: Command) -> None:
    assert full.ok("export").out == full.ok("replay", "--all").out


def test_a_log_that_was_moved_there_and_back_is_the_same_byte_for_byte(full: Command, other: Path) -> None:
    log = exported(full)
    told = json.loads(full.ok("--db", str(other), "import", stdin=log).out)
    assert told == {"imported": COUNT, "skipped": 0, "headPosition": COUNT, "differing": 0}
    assert exported(full, "--db", str(other)) == log
    told = json.loads(full.ok("import", "-", stdin=log).out)
    assert told == {"imported": 0, "skipped": COUNT, "headPosition": COUNT, "differing": 0}


def test_from_a_file_into_this_database(store: Command, tmp_path: Path) -> None:
    source = tmp_path / "source.db"
    with connect(str(source)) as made:
        made.initialize()
        made.append("Order-1", [EventData.from_json("T", text) for text in ("1.10", '"\\ud83d\\ude00"', "-0")])
    log = exported(store, "--db", str(source))
    store.ok("import", stdin=log)
    assert exported(store) == log


def test_the_two_commands_stand_in_one_pipe(full: Command, other: Path) -> None:
    with full.start("export") as source:
        with full.start("--db", str(other), "import", stdin=source.stdout) as target:
            assert json.loads(target.stdout.read())["imported"] == COUNT
        assert source.wait(60) == 0
        assert source.stderr.read() == b""


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        (["Order"], lambda event: event["streamId"].startswith("Order-")),
        (["-t", "Raw"], lambda event: event["type"] == "Raw"),
        (["--correlation-id", "c1"], lambda event: event["type"] == "Taken"),
    ],
)
def test_what_is_picked_out_is_said_to_be_a_part_and_needs_renumber(
    full: Command, other: Path, flags, wanted
) -> None:
    done = full.ok("export", *flags)
    events = events_of(full.ok("replay", "--all"))
    picked = events_of(done)
    assert picked == [event for event in events if wanted(event)]
    (note,) = done.err.splitlines()
    assert note.startswith("note: ")
    assert names(note, "`evstore import`", "--renumber")
    refused = full("--db", str(other), "import", stdin=done.out)
    assert refused.code in (4, 5)
    assert "hint: --renumber" in refused.err
    full.ok("--db", str(other), "import", "--renumber", stdin=done.out)
    assert len(events_of(full.ok("--db", str(other), "replay", "--all"))) == len(picked)


def test_a_range_continues_where_the_last_one_ended_and_says_what_it_needs(full: Command, other: Path) -> None:
    first, second = full.ok("export", "--to", "7"), full.ok("export", "--after", "7")
    assert first.err == ""
    (note,) = second.err.splitlines()
    assert note.startswith("note: ")
    assert names(note, "`evstore import`", "--renumber")
    assert second.err != full.ok("export", "Order", "--after", "7").err  # which always needs it
    full.ok("--db", str(other), "import", stdin=first.out)
    full.ok("--db", str(other), "import", stdin=second.out)
    assert exported(full, "--db", str(other)) == exported(full)


@pytest.mark.parametrize("name", ["log.ndjson", "log.ndjson.gz"])
def test_a_file_holds_what_the_pipe_would_and_nobody_else_may_read_it(
    full: Command, tmp_path: Path, name: str
) -> None:
    told = json.loads(full.ok("export", "-O", name).out)
    path = tmp_path / name
    text = path.read_bytes()
    assert told == {"place": str(path), "events": COUNT, "headPosition": COUNT, "sizeBytes": len(text)}
    assert (gzip.decompress(text) if name.endswith(".gz") else text) == exported(full)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir() if "part" in each.name] == []


def test_a_compressed_export_is_the_same_each_time(full: Command, tmp_path: Path) -> None:
    for name in ("one.gz", "two.gz"):
        full.ok("export", "-O", name)
    assert (tmp_path / "one.gz").read_bytes() == (tmp_path / "two.gz").read_bytes()


def test_a_compressed_file_is_imported_as_it_is_also_through_a_pipe(
    full: Command, other: Path, tmp_path: Path
) -> None:
    full.ok("export", "-O", "log.gz")
    full.ok("--db", str(other), "import", "log.gz")
    again = full.ok("--db", str(other), "import", stdin=(tmp_path / "log.gz").read_bytes())
    assert json.loads(again.out)["skipped"] == COUNT
    assert exported(full, "--db", str(other)) == exported(full)


def test_a_pipe_may_begin_with_one_byte(full: Command, other: Path, tmp_path: Path) -> None:
    full.ok("export", "-O", "log.gz")
    text = (tmp_path / "log.gz").read_bytes()
    process = full.start("--db", str(other), "import", stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(text[:1])
    process.stdin.flush()
    sleep(0.3)  # it has read that by now, or takes it together with the rest
    out, err = process.communicate(text[1:], timeout=60)
    assert (json.loads(out)["imported"], err) == (COUNT, b"")


@pytest.mark.parametrize("through", ["a file", "a pipe"])
@pytest.mark.parametrize("damage", ["its end is missing", "its checksum is wrong", "a byte is wrong"])
def test_of_a_compressed_file_that_is_damaged_nothing_is_stored(
    full: Command, other: Path, tmp_path: Path, through: str, damage: str
) -> None:
    full.ok("export", "-O", "log.gz")
    text = bytearray((tmp_path / "log.gz").read_bytes())
    match damage:
        case "its end is missing":
            del text[len(text) // 2 :]
        case "its checksum is wrong":
            text[-8] ^= 1
        case _:
            text[len(text) // 2] ^= 1
    (tmp_path / "damaged.gz").write_bytes(text)
    words = ("damaged.gz",) if through == "a file" else ("-",)
    done = full("--db", str(other), "import", *words, stdin=bytes(text))
    assert (done.code, done.out) == (5, b"")
    assert done.err.startswith(f"evstore: {words[0]}: ")
    assert done.err.count("\n") == 1
    assert exported(full, "--db", str(other)) == b""


@LOOKS
def test_an_export_on_a_terminal_does_not_drive_it(full: Command) -> None:
    full.ok("append", "Order-1", "-t", "T", "-d", '"\u202e\u009b2J\u007f"')
    shown = seen(full, "export", "--after", f"{COUNT}")
    assert shown.splitlines()[-1].partition('"data":')[2].startswith('"\\u202e\\u009b2J\\u007f"')


@LOOKS
@pytest.mark.parametrize("words", [("export", "-O"), ("backup",)])
def test_what_is_no_file_is_never_replaced(full: Command, tmp_path: Path, words: tuple[str, ...]) -> None:
    os.mkfifo(tmp_path / "fifo")
    told = set()
    for name in ("fifo", "."):
        done = full(*words, name, "--force")
        assert (done.code, done.out) == (2, b"")
        (message,) = done.err.splitlines()
        told.add(message.removeprefix("evstore: ").replace("fifo", "."))
    assert len(told) == 2  # one is a folder
    assert stat.S_ISFIFO((tmp_path / "fifo").stat().st_mode)
    assert full("export", "-O", "").code == 2


def test_a_file_that_exists_is_not_replaced_unless_forced(full: Command, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("precious")
    done = full("export", "-O", "log")
    assert done.code == 2
    assert "hint: --force" in done.err
    assert (tmp_path / "log").read_text() == "precious"
    full.ok("export", "-O", "log", "--force")
    assert (tmp_path / "log").read_bytes() == exported(full)


@pytest.mark.parametrize("name", ["missing/log", "."])
def test_a_file_that_cannot_be_made_is_a_usage_error(full: Command, name: str) -> None:
    done = full("export", "-O", name)
    assert (done.code, done.out) == (2, b"")


def test_an_export_that_fails_leaves_no_file(full: Command, tmp_path: Path) -> None:
    assert full("export", "-O", "log", "--db", "missing.db").code == 6
    assert [each.name for each in tmp_path.iterdir() if "log" in each.name] == []


def test_an_import_into_no_store_says_how_to_make_one_and_reads_nothing(full: Command) -> None:
    done = full("--db", "nowhere.db", "import", stdin=b"not even JSON")
    assert done.code == 6
    assert "evstore init" in done.err


def test_unknown_keys_are_noted_once_and_dropped(full: Command, other: Path) -> None:
    lines = [json.dumps({**event, "hash": "ab", "annotated": False}) for event in events_of(full.ok("export"))]
    done = full.ok("--db", str(other), "import", stdin="\n".join(lines).encode())
    notes = [line for line in done.err.splitlines() if line.startswith("note:")]
    assert [note.split('"')[1] for note in notes] == ["hash", "annotated"]
    assert json.loads(done.out)["imported"] == COUNT


def test_a_fault_names_its_line_and_what_is_stored_by_then(full: Command, other: Path) -> None:
    log = exported(full) + b'{"id":"x"}\n'
    done = full("--db", str(other), "import", stdin=log)
    assert done.code == 5
    assert f"evstore: -:{COUNT + 1}: " in done.err


def test_a_log_may_be_laid_out_in_any_way(full: Command, other: Path) -> None:
    events = events_of(full.ok("export"))
    full.ok("--db", str(other), "import", stdin=json.dumps(events, indent=2).encode())
    assert len(events_of(full.ok("--db", str(other), "export"))) == COUNT


@pytest.mark.sqlite_first("it takes half a minute on PostgreSQL")
def test_an_import_that_is_killed_ten_times_and_run_again_ends_the_same(store: Command, tmp_path: Path) -> None:
    log, count, pad = tmp_path / "log.ndjson", 12 * 1000, "x" * (BATCH_CHARACTERS // 1000)
    with connect("memory:") as source:
        source.append_many(
            (f"Order-{n % 50}", [EventData("Placed", {"n": n, "pad": pad})], -1) for n in range(count)
        )
        log.write_text("".join(f"{event.to_json()}\n" for event in source.replay()))
    reached = []
    with connect(store.url) as watched:
        for _ in range(10):
            before = watched.head()
            with store.start("import", str(log)) as process:
                while watched.head() == before and process.poll() is None:
                    sleep(0.002)
                process.send_signal(signal.SIGKILL)
            reached.append(watched.head())
        assert reached == sorted(reached)
        assert len({0, count, *reached}) > 5, reached  # it was killed in the middle of it
        store.ok("import", str(log))
        assert "".join(f"{event.to_json()}\n" for event in watched.replay()) == log.read_text()


def test_a_sentence_on_a_terminal_says_what_came_of_it(full: Command, other: Path) -> None:
    done = full.ok("--db", str(other), "import", "-F", "table", stdin=exported(full))
    assert done.out.count(b"\n") == 1
    assert re.findall(r"\d+", done.out.decode()) == [f"{COUNT}"] * 2


def changed(log: bytes, numbers: dict[int, dict[str, Any]]) -> bytes:
    """The log with other members in some of its lines, which are counted from 1."""
    lines = log.splitlines(keepends=True)
    for number, members in numbers.items():
        lines[number - 1] = json.dumps({**json.loads(lines[number - 1]), **members}).encode() + b"\n"
    return b"".join(lines)


@pytest.mark.parametrize("more", [(), ("--renumber",)])
def test_an_event_that_is_there_with_another_time_or_metadata_is_counted_apart(
    full: Command, other: Path, more: tuple[str, ...]
) -> None:
    log = exported(full)
    full.ok("--db", f"{other}", "import", stdin=log)
    differing = {
        3: {"timestamp": "2020-01-01T00:00:00.000000Z"},
        7: {"metadata": {"userId": "somebody"}},
        9: {"metadata": {"custom": {"k": "v"}}, "timestamp": "2020-01-01T00:00:00.000000Z"},
    }
    done = full.ok("--db", f"{other}", "import", *more, stdin=changed(log, differing))
    assert json.loads(done.out) == {"imported": 0, "skipped": COUNT, "headPosition": COUNT, "differing": 3}
    (note,) = done.err.splitlines()
    assert re.fullmatch(r"note: 3 .* -:3", note)
    assert full.ok("--db", f"{other}", "export").out == log
    same = full.ok("--db", f"{other}", "import", *more, stdin=changed(log, {}))
    assert (json.loads(same.out)["differing"], same.err) == (0, "")
    table = full.ok("--db", f"{other}", "import", "-F", "table", *more, stdin=changed(log, {39: differing[7]}))
    assert re.findall(r"\d+", table.out.decode())[:3] == ["0", f"{COUNT}", "1"]


def test_differing_events_are_counted_beside_new_ones(full: Command, other: Path) -> None:
    lines = exported(full).splitlines(keepends=True)
    full.ok("--db", f"{other}", "import", stdin=b"".join(lines[:10]))
    log = changed(b"".join(lines), {9: {"metadata": {"userId": "somebody"}}})
    done = full.ok("--db", f"{other}", "import", stdin=log)
    told = {"imported": COUNT - 10, "skipped": 10, "headPosition": COUNT, "differing": 1}
    assert json.loads(done.out) == told
    assert "-:9" in done.err
