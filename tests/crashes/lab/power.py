"""The power is cut at any moment, and nothing that anybody was told of a SQLite store is lost.

    python -m tests.crashes.lab.power --images 1000 --seed 7

Writers, commands, backups and redactions work under strace, which logs what they write and sync, and what they
tell. After each call the files are made anew as a power cut may leave them, and judged: a store must be there, whole,
with all that was acknowledged before. `--without flushes` and `--without names` show what a store without them loses.
A seed repeats what is asked and which images are judged, not how the system lets the writers run.
"""

from __future__ import annotations

import subprocess
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.crashes.lab.disk import WATCHED, WAYS, Folder, moments
from tests.crashes.lab.power_judged import STORE, Judgement, Told, judged
from tests.crashes.lab.power_writer import WITHOUT
from tests.crashes.lab.result import Counts, total
from tests.crashes.lab.traced import QUICK, argv, calls_in
from tests.support import long_runs
from tests.support.command import Command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.crashes.lab.disk import Image
    from tests.crashes.lab.traced import Call

ROOT: Final = Path(__file__).parents[3]
MOST_SHOWN: Final = 20


class Profile(NamedTuple):
    images: int
    seed: int
    appends: int = 40
    """Those of each writer."""
    commands: int = 4
    long: int = 200_000
    """Characters of the events of large appends."""
    runs: int = 1
    """Stores that are written one after the other; the images are shared out among them."""
    without: str = ""


@dataclass
class Figures:
    title: str
    happened: Counter[str] = field(default_factory=Counter)
    """The calls that changed the folders, and what was told."""
    moments: int = 0
    images: Counter[str] = field(default_factory=Counter)
    """By what they keep of what was not synced."""
    differing: int = 0
    found: list[Counts] = field(default_factory=list)
    """Those of the log of each image."""
    without_a_store: int = 0
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return not self.faults

    @property
    def counts(self) -> Counts:
        return total(self.found)._replace(faults=tuple(self.faults))

    @property
    def looked_for(self) -> int:
        """Acknowledged events, in each image."""
        return sum(each.acknowledged or 0 for each in self.found)

    def add(self, cut: Cut, judgement: Judgement, seed: int) -> None:
        self.images[cut.way] += 1
        self.differing += cut.differs
        self.found.append(judgement.found)
        self.without_a_store += not judgement.is_there
        self.faults += [f"seed {seed}, {cut.name}: {each}" for each in judgement.faults]

    def __str__(self) -> str:
        return "\n".join(
            [
                f"{self.title}, {self.seconds:.1f} s",
                f"happened: {_listed(self.happened)}",
                f"images {self.images.total()}, after {self.moments} moments; something written is missing in {self.differing}",
                f"kept of what was not synced: {_listed(self.images)}",
                f"acknowledged events looked for {self.looked_for}; images from before there was a store {self.without_a_store}",
                f"faults {len(self.faults)}",
                *self.faults[:MOST_SHOWN],
            ]
        )


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())


def record(folder: Path, profile: Profile, seed: int) -> list[Call]:
    """Let the writers work on a new store in the folder. Their calls, if these explain all that is in it."""
    store, log = folder / "stores" / STORE, folder / "log"
    store.parent.mkdir()
    words = ["-m", "tests.crashes.lab.power_writer", f"sqlite:{store}", "--seed", str(seed)]
    words += ["--appends", str(profile.appends), "--commands", str(profile.commands), "--long", str(profile.long)]
    words += ["--tamper-evident"] if seed % 2 else []
    words += ["--without", profile.without] if profile.without else []
    done = subprocess.run(
        argv(log, WATCHED, QUICK, sys.executable, *words),
        cwd=ROOT,
        env=Command(folder).env(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode or done.stderr:
        raise ChildProcessError(f"the writers ended with {done.returncode}: {done.stderr}")
    return calls_in(log)


def _check_explained(folder: Folder, path: Path) -> None:
    """Raise unless the calls lead to what is there, byte for byte: then none was missed or misunderstood."""
    for name, file in folder.now.items():
        if (path / name).read_bytes() != file.now:
            raise AssertionError(f"{name} is not what the calls make of it")
    known = {*folder.now}
    other = {each.name for each in path.iterdir()} - known
    if any(not name.endswith(("-lock", "-shm")) and "-consumer-" not in name for name in other):
        raise AssertionError(f"no call has made {sorted(other)}")


class Moment(NamedTuple):
    """A moment after which the folder is another, or somebody was told something."""

    line: int
    happened: str
    is_told: bool = False


def _moments(calls: list[Call], folder: Folder, told: Told) -> Iterator[Moment]:
    """Lead the folder through the calls, and stop at each moment."""
    for line, call, ends in moments(calls):
        if ends:
            if folder.end(call):
                yield Moment(line, call.name)
        elif kind := told.take(call):
            yield Moment(line, kind, is_told=True)
        elif folder.begin(call):
            yield Moment(line, call.name)


class Cut(NamedTuple):
    """A power cut, what it left, and what had been told before."""

    name: str
    way: str
    image: Image
    told: Told
    differs: bool
    """True if something that was written is not there."""


def cuts(calls: list[Call], path: Path, chosen: Counter[int], random: Random) -> Iterator[Cut]:
    """So many cuts after each of these moments, each in another way; of a moment that is not named, none."""
    folder, told = Folder(str(path)), Told()
    for number, moment in enumerate(_moments(calls, folder, told)):
        for way in random.sample(WAYS, min(chosen[number], len(WAYS))):
            image = folder.image(way, random)
            differs = image.keys() != folder.now.keys() or any(
                image[each] != folder.now[each].now for each in image
            )
            yield Cut(f"{way}, after {moment.happened} at line {moment.line}", way, image, told, differs)


def _chosen(found: list[Moment], images: int, random: Random) -> Counter[int]:
    """How many images each moment gets: one for each way if that is not too much. Else half of them get those moments
    after which somebody knew more."""
    if images >= len(found) * len(WAYS):
        return Counter(dict.fromkeys(range(len(found)), len(WAYS)))
    told = [number for number, moment in enumerate(found) if moment.is_told]
    return Counter(random.choices(told, k=images // 2) + random.choices(range(len(found)), k=images - images // 2))


def _run(folder: Path, profile: Profile, seed: int, figures: Figures) -> None:
    """One store, and its share of the images. If something is left out, the first image with faults ends it."""
    calls = record(folder, profile, seed)
    path, random = folder / "stores", Random(seed)
    end = Folder(str(path))
    found = [*_moments(calls, end, Told())]
    _check_explained(end, path)
    figures.moments += len(found)
    figures.happened.update(each.happened for each in found)
    for cut in cuts(calls, path, _chosen(found, profile.images // profile.runs, random), random):
        with TemporaryDirectory(dir=folder) as place:
            judgement = judged(cut.image, cut.told, Path(place))
        figures.add(cut, judgement, seed)
        if judgement.faults and profile.without:
            return


def power(folder: Path, profile: Profile) -> Figures:
    """Run the profile in the folder, with another seed for each store."""
    start = time.monotonic()
    evident = ", some of them tamper-evident" if profile.runs > 1 else ""
    figures = Figures(f"power cuts on {profile.runs} stores{evident}, seed {profile.seed}")
    for number in range(profile.runs):
        with TemporaryDirectory(dir=folder) as place:
            _run(Path(place).resolve(), profile, profile.seed + number, figures)
    figures.seconds = time.monotonic() - start
    return figures


def main() -> int:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=4)
    parser.add_argument("--appends", type=int, default=40)
    parser.add_argument("--seed", type=int, default=long_runs.a_seed())
    parser.add_argument("--without", choices=WITHOUT, default="")
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    with TemporaryDirectory(prefix="evstore-power-") as folder:
        profile = Profile(asked.images, asked.seed, asked.appends, runs=asked.runs, without=asked.without)
        figures = power(Path(folder), profile)
    print(figures)
    return 0 if figures.ok else 1


if __name__ == "__main__":
    sys.exit(main())
