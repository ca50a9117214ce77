"""The short profile of `tests.crashes.lab.slow_reader`; that module reads as slowly as one likes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.crashes.lab.slow_reader import on_postgres, on_sqlite

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.servers import Server

SECONDS = 0.3


def test_the_log_of_sqlite_stays_small_however_long_a_reader_works_on_a_page(tmp_path: Path) -> None:
    outcome = on_sqlite(tmp_path, SECONDS)
    print(outcome)
    assert outcome.counts.ok, outcome
    assert outcome.appended


def test_no_transaction_is_open_on_postgresql_while_a_reader_works_on_a_page(newest: Server) -> None:
    outcome = on_postgres(newest, SECONDS)
    print(outcome)
    assert outcome.counts.ok, outcome
    assert outcome.looks


def test_it_is_found_when_a_reader_leaves_a_cursor_open(tmp_path: Path) -> None:
    for turn in range(8):  # how much is appended depends on the machine
        folder = tmp_path / str(turn)
        folder.mkdir()
        outcome = on_sqlite(folder, SECONDS * 2**turn, by_cursor=True)
        if outcome.counts.faults:
            break
    assert "the log of SQLite had " in outcome.counts.faults[0]
