"""What is declared agrees with what is locked, and the lock names no place."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import evstore

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = tomllib.loads((ROOT / "uv.lock").read_text())


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=;! ]", each)[0] for each in requirements}


def test_every_dependency_is_locked_with_its_hashes() -> None:
    project = PROJECT["project"]
    wanted = _names(project["dependencies"]) | _names(project["optional-dependencies"]["sqlite"])
    wanted |= _names(PROJECT["dependency-groups"]["test"])
    locked = {each["name"]: each for each in LOCK["package"]}
    for name in wanted:
        assert all("sha256:" in wheel["hash"] for wheel in locked[name]["wheels"])


def test_the_lock_says_what_and_not_from_where() -> None:
    assert "://" not in (ROOT / "uv.lock").read_text()


def test_the_version_is_said_once_and_the_same() -> None:
    assert PROJECT["project"]["version"] == evstore.__version__
    (own,) = [each for each in LOCK["package"] if each["name"] == "evstore"]
    assert own["version"] == evstore.__version__


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="only a checkout knows which files are the project's")
def test_nothing_but_the_project_lies_at_the_top() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    top = {each.split("/")[0] for each in listed if not each.startswith(".")}
    assert top <= {
        "pyproject.toml", "evstore", "tests", "README.md", "completions", "LICENSE", "CHANGELOG.md", "uv.lock", "findings",
    }  # fmt: skip
