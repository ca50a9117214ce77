"""The page that compares the engines says of each what its adapter declares, and its figures can be made again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import get_type_hints

import pytest

import evstore
from evstore import connect
from evstore.port import Capabilities
from tests.benchmarks import engines

PAGE = (Path(evstore.__file__).parent / "guide" / "engines.md").read_text()
ABILITIES = {
    "durable": "keeps events when the process ends",
    "multi_process": "several processes work on one store",
    "born_initialized": "needs no `init`",
    "has_audits": "`verify` reads the records themselves",
    "has_consumers": "keeps consumers and their checkpoints",
    "has_transactions": "tables of an application change with a checkpoint; projections",
    "steps_append": "appends happen with a checkpoint",
    "can_join": "appends in a transaction of an application",
    "has_snapshots": "keeps snapshots of objects",
    "has_migrations": "brings stores of an older evstore up",
    "can_backup": "makes a backup by itself",
    "tamper_evident": "can be tamper-evident",
    "can_redact": "redacts events",
    "can_grant": "gives roles their rights",
    "shares_commits": "lets threads share a commit by one call",
    "native_asyncio": "works for asyncio without worker threads",
    "reads_raw": "prints the whole log as the bytes that it holds",
    "fails_over": "tells when another server has a shorter log",
    "has_limits": "has limits for a unit or an event",
}
ENGINES = {
    "memory": "memory:",
    "SQLite": "sqlite:e.db",
    "PostgreSQL": "postgresql://h/db",
    "NATS": "nats://h/name",
    "MongoDB": "mongodb://h/name",
}


def _rows(heading):
    """The cells of the first table after the heading, without its ruler."""
    text = PAGE.partition(f"\n## {heading}\n")[2]
    lines = [
        line for line in text.partition("\n| ")[2].split("\n\n")[0].splitlines() if not line.startswith("|---")
    ]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]


def test_every_ability_that_an_adapter_can_declare_is_in_the_table():
    flags = [name for name, kind in get_type_hints(Capabilities).items() if kind is bool]
    assert [*ABILITIES] == flags
    (_, *names), *rows = _rows("What each can do")
    assert names == [*ENGINES]
    assert [row[0] for row in rows] == [*ABILITIES.values()]


@pytest.mark.parametrize("engine", ENGINES)
def test_the_table_says_what_the_adapter_declares(engine, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with connect(ENGINES[engine]) as store:
        can = store.capabilities._asdict()
    (_, *names), *rows = _rows("What each can do")
    shown = {row[0]: row[1 + names.index(engine)] for row in rows}
    assert shown == {words: "yes" if can[field] else "no" for field, words in ABILITIES.items()}


@pytest.mark.parametrize(
    ("row", "field", "lacking"),
    [
        ("in the transaction of an application", "can_join", "no"),
        ("redaction", "can_redact", "no"),
        ("tamper evidence", "tamper_evident", "no"),
        ("a consumer's step holds", "steps_append", "its checkpoint alone"),
    ],
)
def test_the_promises_agree_with_the_abilities(row, field, lacking):
    (_, *names), *rows = _rows("What each promises")
    shown = dict(zip(names, next(cells[1:] for cells in rows if cells[0] == row), strict=True))
    for engine, url in ENGINES.items():
        with connect(url) as store:
            assert (shown[engine] == lacking) == (not getattr(store.capabilities, field)), engine


def test_the_figures_stand_in_the_table_that_the_benchmark_prints():
    header, *rows = _rows("What was measured")
    assert [row[0] for row in rows] == [*engines.ROWS.values()]
    printed = engines.table({name: {} for name in header[1:]}).splitlines()
    assert "| " + " | ".join(header) + " |" == printed[0]
    assert printed[1] in PAGE


def test_the_benchmark_measures_each_figure_of_a_store(tmp_path):
    engine = engines.Engine("SQLite", lambda: f"sqlite:{tmp_path}/{len([*tmp_path.iterdir()])}.db", list)
    found = engines.measured(engine, engines.Amounts(seconds=0.05, events=50, followed=6))
    assert {*found} == {*engines.ROWS} - {"servers"}
    assert all(figure > 0 for samples in found.values() for figure in samples)
    assert engines.memory_of([os.getpid()]) > 10
