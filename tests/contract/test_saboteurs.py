"""The contract is worth what it finds: it must fail every adapter that is broken on purpose."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from evstore import port
from evstore.testing import AdapterContract
from tests.contract.saboteurs import asked

CLAUSES = re.findall(r"^    ([A-Z]\d+) +", port.__doc__, re.MULTILINE)


def _report():
    """What one process prints that asks every contract class.

    Large units are left out: they find what memory cannot have, and take as long as all the rest.
    """
    options = ["-n0", "-rA", "--tb=no", "-q", "-p", "no:cacheprovider", "-k", "not larger_than"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", asked.__file__, *options],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    """Of each contract class: the names of its tests by their outcome. The first worker that wants them asks for
    all, and the others wait for its answer."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    report = folder / "saboteurs.txt"
    with open(folder / "saboteurs.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not report.exists():
            report.write_text(_report())
    found = defaultdict(lambda: defaultdict(set))
    for outcome, name, test in re.findall(
        r"^(PASSED|FAILED|ERROR) .*?::Test(\w+)::(\w+)", report.read_text(), re.MULTILINE
    ):
        found[name][outcome].add(test)
    return found


def test_the_reference_adapter_passes_every_test_through_the_same_runner(verdicts):
    assert set(verdicts["NothingPlanted"]) == {"PASSED"}
    assert len(verdicts["NothingPlanted"]["PASSED"]) > 80


@pytest.mark.parametrize("saboteur", asked.SABOTEURS, ids=lambda each: f"{each.clause}-{each.__name__}")
def test_a_saboteur_is_caught_by_the_clause_that_it_breaks(verdicts, saboteur):
    found = verdicts[saboteur.__name__]
    assert found["FAILED"]
    assert not found["ERROR"]


def test_every_clause_has_a_test():
    tested = {name.split("_")[1] for name in dir(AdapterContract) if name.startswith("test_")}
    assert tested == set(CLAUSES)


def test_every_clause_has_a_saboteur():
    assert {saboteur.clause for saboteur in asked.SABOTEURS} == set(CLAUSES)
