"""The short profile of `tests.crashes.lab.damaged`; that module damages as many copies as one likes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.crashes.lab.damaged import damaged

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.long("many copies are damaged and verified")

CASES = 44


def test_a_tamper_evident_store_answers_nothing_wrong_in_silence(tmp_path: Path, seed: int) -> None:
    figures = damaged(tmp_path, CASES, seed)
    print(figures)
    assert figures.ok, figures
    assert sum(row.cases for row in figures.rows.values()) >= CASES * 0.8
    assert sum(row.found for row in figures.rows.values())
    # It counts what a plain store cannot see.
    assert sum(row.wrong for row in figures.rows.values())
