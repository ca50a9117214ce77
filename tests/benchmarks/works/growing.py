"""Work that must not take longer in a large store. The store of the input is the large one."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.benchmarks.comparing import Rival, Work, at_most
from tests.benchmarks.lab import append_lines
from tests.benchmarks.processes import child, evstore, seconds
from tests.benchmarks.registry import work

if TYPE_CHECKING:
    from tests.benchmarks.comparing import Reach
    from tests.benchmarks.lab import Lab

FEW: Final = 10_000
ANSWER: Final = 0.3
PAIRS: Final = 3


def _few(lab: Lab) -> Path:
    """The path of a store with few events, or with a tenth of the input's where that is fewer."""
    shape = lab.sizes.shape
    events = min(FEW, max(1, shape.events // 10))
    path = lab.sqlite("few")
    append_lines(lab.lines_of(replace(shape, events=events, streams=min(events, shape.streams))), str(path))
    return path


def _copy(lab: Lab, store: Path) -> Path:
    return Path(shutil.copy(store, lab.new("copy") / store.name))


def _growing(lab: Lab, large: Path, function: str, reach: Reach) -> Work:
    few = _few(lab)
    return Work(
        lambda: child(function, f"sqlite:{large}", lab.sizes.appends),
        [Rival("the same in a small store", lambda: child(function, f"sqlite:{few}", lab.sizes.appends), reach)],
    )


@work("read-at-size", "read 100 events of the log, SQLite")
def read_at_size(lab: Lab) -> Work:
    return _growing(lab, lab.filled, "application.reads", at_most(1.2))


@work("append-at-size", "one durable append to a large store, SQLite")
def append_at_size(lab: Lab) -> Work:
    return _growing(lab, _copy(lab, lab.filled), "application.durable_appends", at_most(1.3))


def _answer(lab: Lab, *words: str) -> Work:
    argv = evstore(*words, "--db", str(lab.filled))
    return Work(lambda: seconds(argv), [Rival("0.3 s", lambda: ANSWER, at_most(1))], pairs=PAIRS, warm=True)


@work("categories-at-size", "categories, whole process, SQLite")
def categories_at_size(lab: Lab) -> Work:
    return _answer(lab, "categories")


@work("info-at-size", "info, whole process, SQLite")
def info_at_size(lab: Lab) -> Work:
    return _answer(lab, "info")


@work("since-at-size", "replay --all --since 1h -n 100, whole process, SQLite")
def since_at_size(lab: Lab) -> Work:
    return _answer(lab, "replay", "--all", "--since", "1h", "-n", "100")
