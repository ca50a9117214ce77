"""The types of the library: programs that use it pass mypy and pyright, and wrong ones do not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PROGRAMS = json.loads((HERE / "pyrightconfig.json").read_text())["include"]


def test_programs_pass_mypy_and_pyright_in_strict_mode():
    """Some 20 seconds of one core. Lines that must be refused are marked, and a mark without need is an error."""
    checks = [
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir=../../.mypy_cache", *PROGRAMS],
        [sys.executable, "-m", "basedpyright", "--outputjson"],
    ]
    mypy, pyright = (subprocess.run(argv, cwd=HERE, capture_output=True, text=True) for argv in checks)
    assert mypy.returncode == 0, mypy.stdout + mypy.stderr
    found = json.loads(pyright.stdout)
    assert [f"{each['file']}:{each['range']['start']['line'] + 1}: {each['message']}" for each in found["generalDiagnostics"]] == []  # fmt: skip
    assert found["summary"]["filesAnalyzed"] >= len(PROGRAMS) == 3
    assert {*PROGRAMS, Path(__file__).name, "__init__.py"} == {path.name for path in HERE.glob("*.py")}
