"""An append and a replay of any size take little memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from evstore import EventData, connect
from tests.support.large_runs import MB, MEASURE, PEAK_UNIT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.command import Command

pytestmark = pytest.mark.long("large inputs")

LINE = '{"streamId":"Order-%d","type":"OrderPlaced","data":{"n":%d,"note":"%s"},"metadata":{"correlationId":"c-%d"}}\n'
NOTE = "x" * 300
COUNT = 25_000


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """10 MB of envelopes for 2000 streams."""
    path = tmp_path_factory.mktemp("input") / "events.ndjson"
    with path.open("w") as file:
        file.writelines(LINE % (n % 2000, n, NOTE, n // 10) for n in range(COUNT))
    assert path.stat().st_size > 10_000_000
    return path


def run(command: Command, *words: str, stdin: Path | None = None) -> tuple[bytes, int]:
    """What the command printed, and the most memory that it ever held, in bytes. It has nothing to note."""
    out, peak, notes = measured(command, *words, stdin=stdin)
    assert not notes
    return out, peak


def measured(command: Command, *words: str, stdin: Path | None = None) -> tuple[bytes, int, list[bytes]]:
    with open(stdin or os.devnull, "rb") as given:
        done = subprocess.run(
            [sys.executable, "-S", "-c", MEASURE, *command.argv(*words)],
            cwd=command.folder,
            env=command.env(),
            stdin=given,
            capture_output=True,
            check=True,
        )
    *notes, peak = done.stderr.splitlines()
    return done.stdout, int(peak) * PEAK_UNIT, notes


def test_a_large_append_is_one_and_takes_little_memory(module_store: Command, large: Path) -> None:
    out, peak = run(module_store, "append", "--many", "-", stdin=large)
    assert json.loads(out) == {
        "streams": 2000, "count": COUNT, "firstGlobalPosition": 1, "globalPosition": COUNT, "duplicate": False,
    }  # fmt: skip
    assert peak < 60 * MB


def test_a_large_append_in_batches_takes_little_memory(store: Command, large: Path) -> None:
    out, peak = run(store, "append", "--many", "-", "--batch", "2500", stdin=large)
    receipts = [json.loads(line) for line in out.splitlines()]
    assert [receipt["count"] for receipt in receipts] == [2500] * 10
    assert receipts[-1]["globalPosition"] == COUNT
    assert peak < 60 * MB


@pytest.mark.parametrize("form", ["ndjson", "json", "tsv"])
def test_a_large_replay_takes_little_memory(module_store: Command, large: Path, form: str) -> None:
    with connect(module_store.url) as opened:
        if opened.head() == 0:  # this test alone
            run(module_store, "append", "--many", "-", stdin=large)
    out, peak = run(module_store, "replay", "--all", "-F", form)
    assert out.count(b"\n") == COUNT + (form == "json")  # the end of the array has a line
    assert len(out) > 10_000_000
    assert peak < 50 * MB


@pytest.mark.sqlite_first("it takes half a minute on PostgreSQL")
def test_long_events_behind_short_ones_take_little_memory(store: Command, tmp_path: Path) -> None:
    """The page behind many short ones is not as many long ones."""
    with open(tmp_path / "events", "w") as file:
        file.writelines(f"{n}\n" for n in range(500))
        file.writelines(f'"{"x" * 3 * MB}"\n' for _ in range(40))
    run(store, "append", "A-1", "-t", "T", "-", "--batch", "500", stdin=tmp_path / "events")
    for words in (("replay", "--all"), ("read", "A-1"), ("replay", "A", "-f", "-n", "540")):
        out, peak = run(store, *words)
        assert out.count(b"\n") == 540
        assert peak < 110 * MB
    assert measured(store, "verify")[1] < 110 * MB


@pytest.mark.sqlite_only("what is held and what is read twice is the same on every database")
@pytest.mark.parametrize("words", [("read", "Order-1"), ("replay", "Order", "-t", "OrderPlaced")])
def test_the_last_events_are_printed_in_order_and_in_little_memory(
    module_store: Command, words: tuple[str, ...]
) -> None:
    with connect(module_store.url) as opened:
        if not next(opened.read("Order-1"), None):
            opened.append("Order-1", [EventData("OrderPlaced", NOTE) for _ in range(COUNT)])
    whole, _ = run(module_store, *words)
    lines = whole.splitlines()
    for last in (1001, len(lines) + 1):
        out, peak = run(module_store, *words, "--last", str(last))
        assert out.splitlines() == lines[-last:]
        assert peak < 60 * MB
    out, _ = run(module_store, *words, "--last", "5000", "-n", "10")
    assert out.splitlines() == lines[-5000:][:10]


@pytest.mark.sqlite_only("the input is read the same way for every database")
def test_an_array_on_one_line_takes_memory_by_its_values(store: Command, tmp_path: Path) -> None:
    with open(tmp_path / "events", "w") as file:
        file.write("[" + ",".join('"%s"' % (NOTE * 10) for _ in range(10_000)) + "]")
    assert (tmp_path / "events").stat().st_size > 28 * MB
    out, peak = run(store, "append", "A-1", "-t", "T", "-", stdin=tmp_path / "events")
    assert json.loads(out)["count"] == 10_000
    assert peak < 60 * MB


@pytest.mark.sqlite_only("the input is refused before a store is asked")
@pytest.mark.parametrize("begin", ["", '"', '{"type":', '[{"type":"'], ids=["junk", "string", "object", "array"])
def test_a_line_of_junk_is_refused_in_little_memory(store: Command, tmp_path: Path, begin: str) -> None:
    with open(tmp_path / "events", "w") as file:
        file.write(begin + "x" * 40 * MB)
    with open(tmp_path / "events", "rb") as given:
        done = subprocess.run(
            [sys.executable, "-S", "-c", MEASURE, *store.argv("append", "A-1", "-t", "T", "-")],
            cwd=store.folder, env=store.env(), stdin=given, capture_output=True,
        )  # fmt: skip
    *lines, peak = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (5, b"")
    assert lines[0].startswith(b"evstore: -:1: ")
    assert int(peak) * PEAK_UNIT < 50 * MB


def test_a_large_store_is_mirrored_and_compared_in_little_memory(module_store: Command, large: Path) -> None:
    with connect(module_store.url) as opened:
        if opened.head() < COUNT:
            module_store.ok("append", "--many", str(large))
    module_store.ok("--db", "copy.db", "init")
    out, peak = run(module_store, "mirror", "copy.db", "--once")
    done = json.loads(out)
    assert done["globalPosition"] >= COUNT
    assert peak < 60 * MB
    out, peak = run(module_store, "diff", "copy.db")
    assert json.loads(out) == {"equal": True, "globalPosition": done["globalPosition"]}
    assert peak < 60 * MB
