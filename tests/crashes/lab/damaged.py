"""Bytes of a SQLite store are turned over, zeroed, cut off or replaced, and what it answers then is compared with what it held.

    python -m tests.crashes.lab.damaged --cases 1000 --seed 7

Each case damages a copy of a store at one place: in the database, by the kind of the page, or in its log, of which
nothing has been merged. An answer is right, refused, or wrong. A wrong one is silent if `verify` finds nothing, with
the engine's own check or with a digest noted before. A plain store cannot see whether a payload was changed: that it
has silent answers shows that they are counted. A tamper-evident store must have none.
"""

from __future__ import annotations

import shutil
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from evstore import EventData, EvstoreError, Metadata, connect
from tests.crashes.lab.result import Counts
from tests.support import long_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evstore import EventStore

PAGE: Final = 4096

HEADER: Final = 100
"""Bytes of the header of a database, https://sqlite.org/fileformat2.html."""
PAGES: Final = {
    0x0D: "leaf of a table",
    0x05: "inner page of a table",
    0x0A: "leaf of an index",
    0x02: "inner page of an index",
}
OVERFLOW: Final = "overflow page"
IN_THE_LOG: Final = ("log", "log cut", "log replaced")
KINDS: Final = ("header", *PAGES.values(), OVERFLOW, "page zeroed", "file cut", *IN_THE_LOG)
STORES: Final = ("plain", "tamper-evident")
EVENTS: Final = 400
MOST_SHOWN: Final = 20

QUESTIONS: Final[dict[str, Callable[[EventStore], Any]]] = {
    "the log": lambda store: [each.to_json() for each in store.replay()],
    "the log backward": lambda store: [
        each.to_json() for each in store.replay(after=None, backward=True, limit=20)
    ],
    "a category": lambda store: [each.to_json() for each in store.replay(["Order"])],
    "a type": lambda store: [each.to_json() for each in store.replay(types=["Paid"])],
    "a tag": lambda store: [each.to_json() for each in store.replay(tags=["shop:2"])],
    "a correlation": lambda store: [each.to_json() for each in store.replay(correlation_id="c-3")],
    "streams": lambda store: [[each.to_json() for each in store.read(f"Order-{n}")] for n in range(8)],
    "the list of streams": lambda store: list(store.streams()),
    "the lists of names": lambda store: [list(store.categories()), list(store.types()), list(store.tags())],
}


class Healthy(NamedTuple):
    """A store, and what it answers."""

    folder: Path
    answers: dict[str, Any]
    digest: str


@dataclass
class Row:
    """The cases of one kind of damage to one kind of store."""

    cases: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    found: int = 0
    """Cases in which `verify` found something, or was refused."""
    wrong: int = 0
    """Cases with a wrong answer."""
    silent: int = 0
    """Those of them in which `verify` found nothing."""
    silent_to_a_digest: int = 0
    """Those in which it found nothing although it was given a digest of before."""


@dataclass
class Figures:
    title: str
    rows: dict[tuple[str, str], Row] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """True if a tamper-evident store answered nothing wrong in silence, and no store with a bug. The end of a
        log can be missed by who has noted where it was, and by nobody else."""
        return not any(self.of(kind).faults for _, kind in self.rows)

    def of(self, kind: str) -> Counts:
        """What is wrong in the cases of this kind."""
        said = [each for each in self.faults if each.partition(", ")[2].startswith(f"{kind} at byte")]
        for store in STORES:
            row = self.rows[store, kind]
            if row.silent_to_a_digest:
                said.append(f"{store}: {row.silent_to_a_digest} wrong answers that a digest does not show")
            if store == "tamper-evident" and row.silent and kind not in IN_THE_LOG:
                said.append(f"{store}: {row.silent} wrong answers in silence")
        return Counts(faults=tuple(said))

    def cases(self, kind: str) -> int:
        return sum(self.rows[store, kind].cases for store in STORES)

    def __str__(self) -> str:
        lines = [f"{self.title}, {self.seconds:.1f} s", _columns("store", "damage", *COLUMNS)]
        for (store, kind), row in self.rows.items():
            counts = [row.answers[each] for each in ("right", "refused", "wrong")]
            lines.append(
                _columns(store, kind, row.cases, *counts, row.found, row.wrong, row.silent, row.silent_to_a_digest)
            )
        return "\n".join([*lines, *self.faults[:MOST_SHOWN]])


COLUMNS: Final = ("cases", "right", "refused", "wrong", "found", "wrong in", "silent", "with a digest")


def _columns(store: str, kind: str, *counts: object) -> str:
    return f"{store:<15}{kind:<24}" + "".join(
        f"{each!s:>{max(9, len(str(name)) + 2)}}" for each, name in zip(counts, COLUMNS, strict=True)
    )


def healthy(folder: Path, random: Random, *, tamper_evident: bool, merged: bool) -> Healthy:
    """A store of many events, all of them in its database, or from some position on in its log."""
    made, path = folder / "made", folder / "store"
    made.mkdir(parents=True)
    url = f"sqlite:{made}/events.db"
    with connect(url) as store:
        store.initialize(tamper_evident=tamper_evident)
        _append(store, random, EVENTS // 2)
    with connect(url) as store:
        _append(store, random, EVENTS // 2)
        if not merged:
            shutil.copytree(made, path)
        answers = {name: ask(store) for name, ask in QUESTIONS.items()}
        verification = store.verify()
        assert list(verification) == []
    if merged:
        shutil.copytree(made, path)
    assert verification.digest is not None
    return Healthy(path, answers, verification.digest)


def _append(store: EventStore, random: Random, count: int) -> None:
    for size in [8] * (count // 8):
        stream_id = f"{random.choice(('Order', 'Cart'))}-{random.randrange(8)}"
        store.append(stream_id, [_event(random) for _ in range(size)])


def _event(random: Random) -> EventData:
    note = "x" * random.choice((0, 20, 20, 20, 20, 20, 300, 6000))
    return EventData(
        random.choice(("Placed", "Paid", "Shipped")),
        {"amount": random.randrange(1000), "note": note},
        metadata=Metadata(correlation_id=f"c-{random.randrange(9)}"),
        tags=[f"shop:{random.randrange(5)}"],
    )


def damage(folder: Path, kind: str, random: Random, other: Path) -> str | None:
    """Damage the store in the folder, perhaps with the log of the other one. The place, or None if it has no such
    page."""
    path = folder / ("events.db-wal" if kind in IN_THE_LOG else "events.db")
    content = bytearray(path.read_bytes())
    if kind == "log replaced":
        path.write_bytes((other / path.name).read_bytes())
        return f"{kind} at byte 0"
    if kind.endswith("cut"):
        at = random.randrange(1, len(content))
        del content[at:]
    elif kind == "page zeroed":
        at = random.randrange(1, len(content) // PAGE) * PAGE
        content[at : at + PAGE] = bytes(PAGE)
    else:
        places = _places(content, kind)
        if not places:
            return None
        at = random.choice(places)
        content[at] ^= 1 << random.randrange(8)
    path.write_bytes(content)
    return f"{kind} at byte {at}"


def _places(content: bytearray, kind: str) -> list[int]:
    """The bytes of this kind: those that are used, and zeros only where all bytes count."""
    if kind == "header":
        return [*range(HEADER)]
    if kind == "log":
        return [*range(len(content))]
    found = []
    for begin in range(0, len(content), PAGE):
        first = begin or HEADER
        if PAGES.get(content[first], OVERFLOW) == kind:
            found += [at for at in range(first, begin + PAGE) if content[at]]
    return found


def _answer(ask: Callable[[], Any]) -> tuple[str, Any]:
    """What came of a question, in a word, and the answer or the error."""
    try:
        return "answered", ask()
    except EvstoreError as error:
        return "refused", error
    except Exception as error:  # noqa: BLE001 - it is reported as a fault
        return "failed", error


def _try(row: Row, figures: Figures, place: str, store: Healthy, folder: Path) -> None:
    row.cases += 1
    words: Counter[str] = Counter()
    found = []
    with connect(f"sqlite:{folder}/events.db") as opened:
        for name, ask in QUESTIONS.items():
            word, answer = _answer(partial(ask, opened))
            if word == "answered":
                word = "right" if answer == store.answers[name] else "wrong"
            elif word == "failed":
                figures.faults.append(f"{place}: {name} failed with {answer!r}")
            words[word] += 1
        for expect in (None, store.digest):
            word, answer = _answer(lambda expect=expect: [*opened.verify(engine=True, expect=expect)])
            if word == "failed":
                figures.faults.append(f"{place}: verify failed with {answer!r}")
            found.append(bool(answer))
    row.answers += words
    row.found += found[0]
    if words["wrong"]:
        row.wrong += 1
        row.silent += not found[0]
        row.silent_to_a_digest += not any(found)


def damaged(folder: Path, cases: int, seed: int, kinds: Sequence[str] = KINDS) -> Figures:
    """So many cases, shared out among both kinds of store and these kinds of damage."""
    start = time.monotonic()
    random = Random(seed)
    figures = Figures(f"damage, seed {seed}")
    for store in STORES:
        made = {
            merged: healthy(folder / f"{store}-{merged}", random, tamper_evident=store != "plain", merged=merged)
            for merged in (True, False)
        }
        other = healthy(folder / f"{store}-other", random, tamper_evident=store != "plain", merged=False)
        for kind in kinds:
            row = figures.rows[store, kind] = Row()
            for _ in range(cases // len(STORES) // len(kinds)):
                source = made[kind not in IN_THE_LOG]
                with TemporaryDirectory(dir=folder) as place:
                    copy = Path(shutil.copytree(source.folder, place, dirs_exist_ok=True))
                    if at := damage(copy, kind, random, other.folder):
                        _try(row, figures, f"{store}, {at}", source, copy)
    figures.seconds = time.monotonic() - start
    return figures


def main() -> int:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=long_runs.a_seed())
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    with TemporaryDirectory(prefix="evstore-damaged-") as folder:
        figures = damaged(Path(folder), asked.cases, asked.seed)
    print(figures)
    return 0 if figures.ok else 1


if __name__ == "__main__":
    sys.exit(main())
