"""Fuzz what reads text from outside, guided by coverage.

    python -m tests.fuzzing --seconds 60

Each target gets so many seconds, and begins with a few seeds and with what earlier runs found. The table goes to
stdout: runs, the parts of the code that were reached, and the input that broke a target, if any did. atheris is
installed once, apart from evstore, below a cache folder.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Final, NamedTuple

from tests.fuzzing.targets import SEEDS, TARGETS
from tests.support.long_runs import a_seed

ROOT: Final = Path(__file__).parents[2]
ATHERIS: Final = "atheris==3.0.0"


class Ran(NamedTuple):
    """The outcome of a target."""

    runs: int
    reached: int
    """Branches and comparisons of the code, as libFuzzer counts them."""
    broken_by: bytes | None


def cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "evstore-fuzzing"


def installed(cache: Path) -> Path:
    """The folder of atheris, which is installed if it is not there."""
    folder = cache / f"{ATHERIS}-{sys.version_info.major}.{sys.version_info.minor}"
    if not (folder / "complete").exists():
        print(f"installing {ATHERIS} into {folder}", file=sys.stderr, flush=True)
        argv = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "-q",
            "--disable-pip-version-check",
            "--target",
            str(folder),
        ]
        subprocess.run([*argv, ATHERIS], check=True)
        (folder / "complete").touch()
    return folder


def fuzzed(name: str, cache: Path, seconds: int, seed: int) -> Ran:
    corpus = cache / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, given in enumerate(SEEDS[name]):
        (corpus / f"seed-{number}").write_bytes(given)
    broken = cache / f"broken-{name}-"
    for old in cache.glob(f"{broken.name}*"):
        old.unlink()
    flags = [
        f"-max_total_time={seconds}",
        f"-seed={seed}",
        f"-artifact_prefix={broken}",
        "-max_len=600",
        "-timeout=30",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzzing.session", name, str(corpus), *flags],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{installed(cache)}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
    )
    runs = [int(each) for each in re.findall(r"^#(\d+)", done.stderr, re.MULTILINE)]
    reached = [int(each) for each in re.findall(r"cov: (\d+)", done.stderr)]
    found = next((each.read_bytes() for each in cache.glob(f"{broken.name}*")), None)
    if done.returncode and found is None:
        sys.stderr.write(done.stderr)
        raise SystemExit(f"target {name} did not run")
    if found is not None:
        sys.stderr.write(done.stderr[done.stderr.find("Uncaught Python exception") :])
    return Ran(max(runs, default=0), max(reached, default=0), found)


def main() -> int:
    asked = ArgumentParser(
        "python -m tests.fuzzing", description=__doc__, formatter_class=RawDescriptionHelpFormatter
    )
    asked.add_argument(
        "--only", action="append", choices=list(TARGETS), metavar="NAME", help="this target; repeatable"
    )
    asked.add_argument("--seconds", type=int, default=60, help="of each target (default: 60)")
    asked.add_argument("--seed", type=int, default=a_seed())
    asked.add_argument("--cache", type=Path, default=cache_folder(), help="for atheris, and for what runs found")
    given = asked.parse_args()
    print(f"seed {given.seed}\n\n| target | runs | reached | broken by |\n|---|---|---|---|")
    worst = 0
    for name in given.only or TARGETS:
        ran = fuzzed(name, given.cache, given.seconds, given.seed % 2**31)
        print(f"| {name} | {ran.runs:,} | {ran.reached:,} | {ran.broken_by or '-'} |", flush=True)
        worst = max(worst, ran.broken_by is not None)
    return worst


if __name__ == "__main__":
    sys.exit(main())
