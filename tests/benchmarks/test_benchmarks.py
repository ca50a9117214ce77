"""The benchmarks: their arithmetic, their floors, and a run through with tiny sizes. Nothing here is a speed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from contextlib import closing, nullcontext
from itertools import islice
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import pytest

from evstore import EventData, connect
from tests.benchmarks import large, processes
from tests.benchmarks.children import postgres, sqlite
from tests.benchmarks.comparing import AbsentError, Rival, Work, at_least, at_most, compared, shown
from tests.benchmarks.generating import Shape, envelopes, write
from tests.benchmarks.lab import Lab, Sizes
from tests.benchmarks.peer_environment import Peers
from tests.benchmarks.processes import ROOT
from tests.benchmarks.works import WORKS
from tests.support import long_runs
from tests.support.installed_postgres import KINDS
from tests.support.servers import another
from tests.support.widening import widened

if TYPE_CHECKING:
    from collections.abc import Callable

    from evstore import EventStore
    from tests.support.servers import Server

PEERS = ("eventsourcing", "umadb", "sqlite-utils")


def _returning(*values: float) -> Callable[[], float]:
    each = iter(values)
    return lambda: next(each)


def test_the_ratio_is_that_of_the_medians_in_the_direction_of_the_reach() -> None:
    work = Work(
        _returning(4.0, 1.0, 2.0),
        [
            Rival("fast", _returning(1.0, 1.0, 9.0), at_least(0.5)),
            Rival("slow", _returning(3.0, 3.0, 3.0), at_least(1.51)),
            Rival("start-up", _returning(1.6, 1.6, 1.6), at_most(1.25)),
            Rival("other", _returning(1.9, 1.9, 1.9), at_most(1.05)),
            Rival("no reach", _returning(8.0, 8.0, 8.0)),
        ],
    )
    found = list(compared("w", work, 3))
    assert [each.ratio for each in found] == pytest.approx([0.5, 1.5, 1.25, 2 / 1.9, 4.0])
    assert [each.verdict for each in found] == ["reached", "missed", "reached", "missed", "compared"]
    assert [each.spread for each in found[:2]] == [(0.25, 4.5), (0.75, 3.0)]
    assert found[0].as_json()["samples"] == {"ours": [4.0, 1.0, 2.0], "theirs": [1.0, 1.0, 9.0]}


def test_contenders_take_turns() -> None:
    turns: list[str] = []

    def noted(name: str) -> Callable[[], float]:
        def measure() -> float:
            turns.append(name)
            return 1.0

        return measure

    work = Work(noted("A"), [Rival("B", noted("B"))], pairs=2, warm=True)
    assert next(compared("w", work, 2)).ours == [1.0] * 4
    assert turns == ["A", "B"] * 5


def test_an_absent_peer_and_a_failing_peer_are_reported_by_their_reasons() -> None:
    def absent() -> float:
        raise AbsentError("x is not installed here")

    def failing() -> float:
        raise subprocess.CalledProcessError(3, ["x"], stderr=b"Traceback\nValueError: no\n")

    rivals = [Rival("a", absent), Rival("f", failing), Rival("c", lambda: 2.0)]
    found = list(compared("w", Work(lambda: 1.0, rivals), 2))
    assert [(each.verdict, each.reason) for each in found] == [
        ("absent", "x is not installed here"),
        ("failed", "exit code 3: ValueError: no"),
        ("compared", ""),
    ]
    for measure, verdict in ((absent, "absent"), (failing, "failed")):
        (ours,) = compared("w", Work(measure, [Rival("c", lambda: 2.0)]), 2)
        assert (ours.verdict, ours.ratio) == (verdict, None)
        assert ours.reason.startswith("evstore: ")


@pytest.mark.parametrize("measure", [processes.seconds, processes.told])
def test_a_peer_that_hangs_is_ended_and_fails(
    measure: Callable[[list[str]], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "PATIENCE", 0.2)
    with pytest.raises(subprocess.SubprocessError):
        measure(["sleep", "60"])


def test_medians_are_shown_in_a_unit_that_fits() -> None:
    assert [shown(each, "s") for each in (12.34, 0.01234, 0.00001234, 0.0)] == [
        "12.3 s",
        "12.3 ms",
        "12.3 µs",
        "0 µs",
    ]
    assert [shown(each, "B") for each in (61e6, 1500, 320)] == ["61 MB", "1.5 kB", "320 B"]


def test_a_seed_makes_the_same_input_again_with_the_mix_that_is_asked_for() -> None:
    shape = Shape(seed=7, events=5000, streams=300, large=0.01, correlated=0.5)
    lines = list(envelopes(shape))
    assert lines == list(envelopes(shape))
    assert list(islice(envelopes(Shape(8, 5000, 300)), 9)) != lines[:9]
    found = [json.loads(line) for line in lines]
    assert len({each["streamId"] for each in found}) == 300
    assert 20 < sum(len(line) > 16_000 for line in lines) < 90
    assert 2300 < sum("correlationId" in each["metadata"] for each in found) < 2700
    kept = [json.dumps([each["data"], each["metadata"]], separators=(",", ":")) for each in found]
    assert 180 < median(map(len, kept)) < 260


def _filled(url: str) -> EventStore:
    store = connect(url)
    store.initialize()
    for number in range(30):
        store.append(f"{'AB'[number % 2]}-{number % 5}", [EventData("T", {"n": number})])
    return store


def _are_the_same(one: EventStore, other: EventStore) -> bool:
    return list(one.replay()) == list(other.replay()) and not list(other.verify())


def test_the_floors_of_sqlite_make_a_whole_store(tmp_path: Path) -> None:
    source, target = tmp_path / "a.db", tmp_path / "b.db"
    with closing(_filled(f"sqlite:{source}")) as store, closing(connect(f"sqlite:{target}")) as copy:
        copy.initialize()
        assert sqlite.ready_rows(str(source), str(target)) > 0
        assert _are_the_same(store, copy)
        assert sqlite.durable_inserts(str(target), "7") > 0
        assert copy.head() == 30 + 20 + 7
        assert not list(copy.verify())
        assert sqlite.bare_select(str(target)) > 0


def test_the_floors_of_postgres_make_a_whole_store(newest: Server) -> None:
    source, target = newest.schema(), newest.schema()
    with closing(_filled(newest.url(source))) as store, closing(connect(newest.url(target))) as copy:
        copy.initialize()
        assert postgres.copy_in(newest.url(), source, target) > 0
        assert _are_the_same(store, copy)
        assert postgres.copy_out(newest.url(), target) > 0
        assert postgres.bare_calls(newest.url(target), newest.url(), "7") > 0
        assert copy.head() == 30 + 2 + 20 + 7
        assert not list(copy.verify())


def test_a_server_that_is_not_durable_is_refused(newest: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = Sizes(Shape(1, 1, 1), appends=1, seconds=1)
    with (
        another(newest, synchronous_commit="off") as loose,
        Lab(sizes, Peers(Path(), wanted=False), postgres="any") as lab,
    ):
        monkeypatch.setattr(long_runs, "server_of", lambda name: nullcontext(loose))
        with pytest.raises(RuntimeError, match="synchronous_commit is off on this server: it is not durable"):
            lab.schema()


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "tests.benchmarks", *words]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)


def test_the_command_names_its_works() -> None:
    done = _run("--list")
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(WORKS)


SAME_CODE = {"writers-postgres", "writers-postgres-16", "pgbench-postgres-16"}
"""Works that differ from another in a number alone."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database" in metafunc.fixturenames:
        widened(metafunc, "database", ("sqlite", "postgres"), 1)


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    """The database whose works are measured."""
    return str(request.param)


@pytest.mark.seldom
@pytest.mark.long("it runs every work")
def test_the_command_measures_every_work_with_tiny_sizes(tmp_path: Path, database: str) -> None:
    out = tmp_path / "out.json"
    names = [name for name in WORKS if ("postgres" in name) == (database == "postgres") and name not in SAME_CODE]
    sizes = ("--rounds=1", "--events=200", "--streams=20", "--appends=10", "--seconds=0.1", "--seed=1")
    places = (f"--folder={tmp_path}", f"--cache={tmp_path}", f"--json={out}")
    done = _run(*sizes, *places, "--no-peers", *(f"--only={name}" for name in names))
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(out.read_text())
    assert found["options"]["seed"] == 1
    assert {each["work"] for each in found["comparisons"]} == {WORKS[name].title for name in names}
    for each in found["comparisons"]:
        assert each["work"] in done.stdout
        if each["rival"].startswith(PEERS):
            assert (each["verdict"], each["reason"]) == ("absent", "left out by --no-peers")
        elif _is_here(each):
            assert each["ratio"] > 0, each
        else:
            assert each["verdict"] == "absent", each
            assert " here" in each["reason"]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["out.json"]


def _is_here(comparison: dict[str, Any]) -> bool:
    """True if this machine has what a comparison needs, apart from peers."""
    if comparison["rival"].startswith("jq "):
        return shutil.which("jq") is not None
    return bool(KINDS) or "PostgreSQL" not in comparison["work"]


def test_the_command_takes_its_input_from_a_file(tmp_path: Path) -> None:
    out, data = tmp_path / "out.json", tmp_path / "data.ndjson"
    lines = [json.dumps({"streamId": "A-1", "type": "T", "data": n}).encode() for n in range(9)]
    data.write_bytes(b"\n".join(lines))
    words = ["--only", "replay-objects", "--rounds", "1", "--events", "5", "--no-peers", "--json", str(out)]
    done = _run(*words, "--data", str(data))
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())
    assert found["options"]["data"] == str(data)
    assert found["used"] == {"peers": [], "events": 5, "bytes": sum(len(line) + 1 for line in lines[:5])}


def test_a_log_goes_through_each_command_that_reads_all_of_it_and_a_second_store_is_the_same(
    tmp_path: Path,
) -> None:
    lines = tmp_path / "events.ndjson"
    write(envelopes(Shape(7, 60, 20)), lines)
    steps = list(large.through(tmp_path, lines, f"sqlite:{tmp_path}/first.db", f"sqlite:{tmp_path}/second.db"))
    names = [step.name for step in steps]
    assert names[0].startswith("`append --many - --batch ")
    assert [name for name in names if "STREAM" in name] == [
        "`read STREAM -n 100`",
        "`append STREAM -t Measured -d 1`",
    ]
    whole = ["`replay --all`", "`verify`", "`export`", "`import`"]
    assert [name for name in names if name in whole] == whole
    assert all(step.cpu > 0 and step.memory > 10_000 for step in steps)
    assert (tmp_path / "second.ndjson").read_bytes().count(b"\n") == 60 + 1
