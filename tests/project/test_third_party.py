"""An adapter of others, in a package of its own: it is found by its URL, and passes the suite that evstore ships."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "examples" / "evstore-lines"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Runs Python with the package installed from its folder, elsewhere than evstore."""
    folder = tmp_path_factory.mktemp("installed")
    copied = shutil.copytree(PACKAGE, folder / "source")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(folder / "site")]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(copied)], check=True)
    (copied / "evstore_lines.py").unlink()  # so that what was installed is used

    def run(*words, stdin=""):
        environment = {**os.environ, "PYTHONPATH": str(folder / "site")}
        return subprocess.run(
            [sys.executable, *words], input=stdin, capture_output=True, text=True, cwd=copied, env=environment, check=False
        )  # fmt: skip

    return run


def test_the_command_line_finds_it_by_the_scheme_of_its_url(run, tmp_path):
    db = ["-m", "evstore", "--db", f"lines:{tmp_path}/log.ndjson"]
    assert run(*db, "init").returncode == 0
    added = run(*db, "append", "Order-1", "-t", "OrderPlaced", "-d", '{"total": 1.10}', "--expect", "no-stream")
    assert added.returncode == 0, added.stderr
    (line,) = run(*db, "replay", "--all").stdout.splitlines()
    assert '"data":{"total": 1.10}' in line
    refused = run(*db, "append", "Order-1", "-t", "OrderPlaced", "-d", "{}", "--expect", "no-stream")
    assert refused.returncode == 4
    assert run(*db, "verify").returncode == 0
    info = json.loads(run(*db, "info").stdout)
    assert (info["backend"], info["headPosition"]) == ("lines", 1)


def test_what_it_does_not_claim_is_refused_with_a_reason(run, tmp_path):
    db = ["-m", "evstore", "--db", f"lines:{tmp_path}/log.ndjson"]
    run(*db, "init")
    run(*db, "append", "Order-1", "-t", "OrderPlaced", "-d", "{}")
    refused = run(*db, "subscribe", "mailer", "Order", "--", "true")
    assert refused.returncode == 2
    assert "a store of lines keeps no consumers" in refused.stderr


@pytest.mark.long("it runs the contract in a process of its own")
def test_it_passes_the_contract_that_evstore_ships(run):
    done = run("-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", "test_contract.py")
    assert done.returncode == 0, done.stdout + done.stderr
    passed = int(re.search(r"(\d+) passed", done.stdout)[1])
    assert passed > 300
