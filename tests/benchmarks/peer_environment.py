"""The environment of the peers: their packages, installed below a cache folder, apart from evstore's own."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cached_property
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.benchmarks.comparing import AbsentError, reason_of
from tests.benchmarks.processes import told

if TYPE_CHECKING:
    from collections.abc import Sequence

PACKAGES: Final = ("eventsourcing==9.5.6", "umadb==0.7.8", "sqlite-utils==4.2.1")
SCRIPTS: Final = Path(__file__).parent / "peers"


def cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "evstore-benchmarks"


class Peers:
    """The interpreter and the programs of the peers, installed when one is first asked for."""

    def __init__(self, cache: Path, *, wanted: bool = True) -> None:
        self._wanted = wanted
        # The driver is the same on both sides.
        self._packages = (*PACKAGES, f"psycopg[binary,pool]=={version('psycopg')}")
        self._folder = cache / sha256(repr((sys.version, self._packages)).encode()).hexdigest()[:12]

    @cached_property
    def _programs(self) -> Path | str:
        """The folder of the programs, or the reason why there is none."""
        if not self._wanted:
            return "left out by --no-peers"
        programs = self._folder / "bin"
        done = self._folder / "complete"
        if not done.exists():
            print(f"installing {', '.join(self._packages)} into {self._folder}", file=sys.stderr, flush=True)
            try:
                self._install(programs)
            except (OSError, subprocess.CalledProcessError) as error:
                return f"the peers cannot be installed: {reason_of(error)}"
            done.touch()
        return programs

    @property
    def installed(self) -> Sequence[str]:
        """The packages that works asked for, with their versions; none if they could not be had."""
        return self._packages if isinstance(vars(self).get("_programs"), Path) else ()

    def _install(self, programs: Path) -> None:
        make = [sys.executable, "-m", "venv", "--clear", str(self._folder)]
        fill = [str(programs / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        for argv in (make, [*fill, *self._packages]):
            subprocess.run(argv, check=True, capture_output=True)

    def program(self, name: str) -> str:
        """The path of a program of the peers. Raises AbsentError."""
        if isinstance(self._programs, str):
            raise AbsentError(self._programs)
        return str(self._programs / name)

    def told(self, script: str, function: str, *words: object) -> float:
        """The number that a function of a script in `peers` measures. Raises AbsentError."""
        return told([self.program("python"), "-I", str(SCRIPTS / f"{script}.py"), function, *map(str, words)])
