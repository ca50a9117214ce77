"""The tools that people look into a store with, where they are installed: DuckDB, Datasette, pandas and others."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Final

import pytest

from tests.support import at_hand

TOOLS: Final = os.environ.get("EVSTORE_TEST_TOOLS", "")
"""A folder, made by `pip install --target`, with those that are written in Python."""
_PATH: Final = f"{TOOLS}/bin:{os.environ['PATH']}"


def needs_command(command: str) -> None:
    """Skip the test where the command is not installed."""
    if shutil.which(command, path=_PATH) is None:
        pytest.skip(f"{command} is not installed here; the test is for those who have it")


def needs_module(module: str) -> None:
    """Skip the test where the module is not installed."""
    if PathFinder.find_spec(module, [TOOLS, *sys.path]) is None:
        pytest.skip(f"{module} is not installed here; the test is for those who have it")


def environment(folder: Path) -> dict[str, str]:
    """The environment of a script, in which `evstore` is found first."""
    env = {
        "PYTHONPATH": TOOLS,
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "PYTHONWARNINGS": "error",
        "TZ": "UTC",
        "TERM": "dumb",
    }
    return {**env, "PATH": f"{at_hand.evstore(env).parent}:{Path(sys.executable).parent}:{_PATH}"}


def run(argv: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False, timeout=60
    )


def give_duckdb_its_extension(folder: Path) -> None:
    """Put the extension that reads SQLite where DuckDB looks for it, which else loads it from its server."""
    for each in (
        Path(TOOLS).glob("duckdb_extension_sqlite_scanner/extensions/*/*.duckdb_extension") if TOOLS else ()
    ):
        machine = subprocess.check_output(
            [sys.executable, "-c", "import duckdb; print(*duckdb.sql('PRAGMA platform').fetchone())"],
            env=environment(folder),
            text=True,
        )
        place = folder / ".duckdb" / "extensions" / each.parent.name / machine.strip()
        place.mkdir(parents=True)
        (place / each.name).symlink_to(each)
        return
    pytest.skip(
        "the extension of DuckDB that reads SQLite is not among the tools, and is not loaded from elsewhere"
    )
