"""evstore as a back end of eventsourcing, judged by the cases that eventsourcing ships for its own back ends."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.foreign.environment import ROOT, made

HERE = Path(__file__).parent
PACKAGES = ("eventsourcing[crypto]==9.5.6",)
PLACES = 40
"""More than there are cases."""

CONTRADICTIONS: dict[str, str] = {}
"""The cases that contradict the contract of evstore, with the reason. Each of them has to fail."""


def surprises(answers: dict[str, str | None], contradictions: dict[str, str]) -> list[str]:
    """A sentence for each case that fails and is not listed, and for each that is listed and does not fail."""
    failed = [f"{name} fails: {why}" for name, why in answers.items() if why and name not in contradictions]
    passed = [f"{name} is listed and does not fail" for name in contradictions if not answers.get(name)]
    return failed + passed


def counted_in_the_guide() -> dict[str, tuple[int, int]]:
    """The numbers of cases that pass and that contradict, by engine, as the guide has them."""
    page = (ROOT / "evstore" / "guide" / "other-suites.md").read_text()
    rows = re.findall(r"^\| eventsourcing 9\.5\.6 \| (\w+) \| (\d+) \| (\d+) \|$", page, re.MULTILINE)
    return {engine: (int(passed), int(contradict)) for engine, passed, contradict in rows}


@pytest.mark.seldom
@pytest.mark.long("it installs the packages of another project")
def test_evstore_passes_the_cases_of_eventsourcing(tmp_path, newest, subtests):
    python = made(tmp_path / "environment", PACKAGES, HERE / "evstore-for-eventsourcing")
    folder = tmp_path / "stores"
    folder.mkdir()
    places = {
        "memory": ["memory:"],
        "SQLite": [f"sqlite:{folder}"],
        "PostgreSQL": [newest.place() for _ in range(PLACES)],
    }
    counted = {}
    for engine, urls in places.items():
        with subtests.test(engine):
            answers = judged(python, urls)
            assert surprises(answers, CONTRADICTIONS) == []
            counted[engine] = (len(answers) - len(CONTRADICTIONS), len(CONTRADICTIONS))
    assert counted == counted_in_the_guide()


def judged(python: Path, places: list[str]) -> dict[str, str | None]:
    """The names of all cases, each with None or the reason of its failure."""
    argv = [str(python), "-I", str(HERE / "eventsourcing_cases.py"), *places]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    found: dict[str, str | None] = json.loads(ended.stdout)
    return found


def test_a_case_that_fails_unlisted_or_passes_though_it_is_listed_is_a_surprise():
    answers = {"One.passes": None, "One.fails": "AssertionError"}
    assert surprises(answers, {"One.fails": "it contradicts W3"}) == []
    assert surprises(answers, {}) == ["One.fails fails: AssertionError"]
    listed = {"One.fails": "it contradicts W3", "One.passes": "wrong", "One.went": "renamed"}
    assert surprises(answers, listed) == [
        "One.passes is listed and does not fail",
        "One.went is listed and does not fail",
    ]
