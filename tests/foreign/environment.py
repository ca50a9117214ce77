"""The environment of a foreign suite: its packages, evstore, and the package that joins the two."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]


def made(folder: Path, packages: Sequence[str], joining: Path) -> Path:
    """The interpreter of a new environment. Skips the test where the foreign packages cannot be had."""
    python = folder / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    needed = [each for each in requires("evstore") or () if "extra ==" not in each]
    try:
        _run([sys.executable, "-m", "venv", str(folder)])
        _run([*pip, "hatchling", *packages, *needed])
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"{', '.join(packages)} cannot be installed here: {error}")
    # Our own packages are no reason to skip: without them the test fails.
    _run([*pip, "--no-deps", "--no-build-isolation", "--no-index", str(ROOT), str(joining)])
    return python


def _run(argv: list[str]) -> None:
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, timeout=300)
