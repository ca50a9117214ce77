"""What tests share lies in `tests/support` and in the crash lab: a test module is nobody's library. And the command is
at hand for them."""

from __future__ import annotations

import ast
import os
import subprocess
from pathlib import Path

import pytest

from tests.support import at_hand, warm

TESTS = Path(__file__).parents[1]


def test_nobody_imports_from_a_test_or_a_conftest() -> None:
    found = [
        f"{path.relative_to(TESTS)} imports {node.module}"
        for path in TESTS.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module
        if any(
            name == "conftest" or name.startswith("test_")
            for name in [*node.module.split("."), *(alias.name for alias in node.names)]
            if node.module.split(".")[0] == "tests"
        )
    ]
    assert found == []


WHO_FORKED_IT = "import os, sys; os.write(2, str(os.getppid()).encode())"


@pytest.mark.skipif(warm.COLD, reason="EVSTORE_TEST_COLD=1 asks for an interpreter for every command")
@pytest.mark.parametrize("language", [{}, {"LANG": "C.UTF-8"}, {"LC_ALL": "C.UTF-8"}, {"LC_CTYPE": "C.UTF-8"}])
def test_a_command_at_hand_is_forked_whether_or_not_a_language_is_set(language: dict[str, str]) -> None:
    env = {"PATH": os.environ["PATH"], **language}
    program = at_hand.evstore(env, WHO_FORKED_IT)
    done = subprocess.run([program, "--version"], env=env, capture_output=True, check=True)
    assert int(done.stderr) != os.getpid()


def test_a_command_at_hand_starts_an_interpreter_for_another_language() -> None:
    program = at_hand.evstore({"PATH": os.environ["PATH"]}, WHO_FORKED_IT)
    done = subprocess.run([program, "--version"], env={"LC_ALL": "C"}, capture_output=True, check=True)
    assert int(done.stderr) == os.getpid()
