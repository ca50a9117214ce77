"""The short profile of `tests.crashes.lab.flushed`; that module watches as many acknowledgements as one likes. And what
it finds where answers come too early."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from evstore import EventData, connect
from tests.crashes.lab.flushed import Profile, of_postgres, of_sqlite
from tests.crashes.lab.traced import argv
from tests.support.servers import NOT_OWNED, needs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.servers import Server

pytestmark = [
    pytest.mark.long("processes are watched by strace"),
    pytest.mark.usefixtures("strace"),
]

APPENDS = 20


@pytest.mark.parametrize("without", ["", "flushes"])
def test_an_append_to_sqlite_is_acknowledged_after_it_was_flushed(tmp_path: Path, seed: int, without: str) -> None:
    audit = of_sqlite(tmp_path, Profile(APPENDS, seed, without=without))
    print(audit)
    assert len(audit.acknowledged) == audit.wanted
    assert bool(audit.early) == bool(without), audit


@pytest.mark.parametrize("without", ["", "flushes"])
def test_an_append_to_postgresql_is_answered_after_it_was_flushed(
    newest: Server, tmp_path: Path, seed: int, without: str
) -> None:
    needs(NOT_OWNED, newest.owned)
    audit = of_postgres(newest, tmp_path, Profile(APPENDS, seed, without=without))
    print(audit)
    assert len(audit.acknowledged) == audit.wanted
    assert bool(audit.early) == bool(without), audit


FAILING = """
import os, signal, sys
from evstore import AppendOutcomeUnknownError, EventData, UnavailableError, connect
store = connect(sys.argv[1])
try:
    if sys.argv[2] == "append":
        store.append("Order-1", [EventData("Paid", 2, id=sys.argv[3])])
    elif sys.argv[2] == "redact":
        store.redact([sys.argv[3]], "asked for")
    else:
        store.consumer("mailer").run(lambda event: None, once=True)
except UnavailableError as error:
    print(type(error).__name__, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(
    ("deed", "told"),
    [
        ("append", "AppendOutcomeUnknownError"),
        ("redact", "AppendOutcomeUnknownError"),
        ("consume", "UnavailableError"),
    ],
)
def test_what_could_not_be_flushed_is_not_refused_for_a_crash_may_bring_it_back(
    tmp_path: Path, deed: str, told: str
) -> None:
    """The commit is in the log when its flush fails; SQLite takes it back, unless the process dies before."""
    url = f"sqlite:{tmp_path}/events.db"
    with connect(url) as store:
        store.initialize()
        (event,) = store.append("Order-1", [EventData("Placed", 1)])
    event_id = str(uuid4()) if deed == "append" else event.id
    # The first flush of a new log is that of its header.
    failing = ("-P", f"{tmp_path}/events.db-wal", "-e", "inject=fdatasync:error=EIO:when=2+")
    words = argv(tmp_path / "log", ["fdatasync"], *failing, sys.executable, "-c", FAILING, url, deed, event_id)
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == (told, "")
    with connect(url) as store:
        if deed == "append":
            assert store.append("Order-1", [EventData("Paid", 2, id=event_id)]).duplicate
        elif deed == "redact":
            assert store.get(event_id).redacted
        else:
            assert store.consumers.get("mailer").global_position in (0, 1)
