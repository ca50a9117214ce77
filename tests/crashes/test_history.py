"""What a process tells outlives it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from signal import SIGKILL
from typing import TYPE_CHECKING

from tests.crashes.lab import history
from tests.crashes.lab.history import (
    History,
    records_in,
)
from tests.crashes.lab.sample_records import RECORDS

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parents[2]
TELL_AND_DIE = """
import os, signal, sys
from tests.crashes.lab import history
from tests.crashes.lab.sample_records import RECORDS
for record in RECORDS:
    history.tell(1, record)
os.write(1, b'{"type":"Stored","op":"w1')
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_records_come_back_from_a_file_as_they_were_told(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for record in RECORDS:
        history.tell(fd, record)
    os.close(fd)
    assert list(records_in(path.read_bytes().splitlines(keepends=True))) == RECORDS


def test_what_was_told_before_a_kill_is_kept_and_what_was_cut_is_dropped() -> None:
    done = subprocess.run([sys.executable, "-c", TELL_AND_DIE], cwd=ROOT, stdout=subprocess.PIPE, check=False)
    assert done.returncode == -SIGKILL
    assert list(records_in(done.stdout.splitlines(keepends=True))) == RECORDS


def test_a_record_is_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    writes = []
    monkeypatch.setattr(os, "write", lambda fd, line: writes.append(bytes(line)) or len(line))
    for record in RECORDS:
        history.tell(1, record)
    assert list(records_in(writes)) == RECORDS


def test_answers_find_their_attempts_and_an_attempt_without_one_is_unknown() -> None:
    told = History.of(RECORDS)
    assert [(each.invoked.op, each.answer) for each in told.attempts] == [
        ("w1-1", RECORDS[1]),
        ("w1-2", RECORDS[3]),
        ("w1-3", None),
        ("w1-4", RECORDS[7]),
    ]
    assert told.unsure == [RECORDS[5]]
    assert told.reads == [RECORDS[8]]
    assert told.shown == [RECORDS[9]]
    assert told.levels == [RECORDS[3].level, *RECORDS[10].levels]
    assert told.followers == {"f": RECORDS[11:]}
