"""What tests share lies in `tests/support` and in the crash lab: a test module is nobody's library."""

from __future__ import annotations

import ast
from pathlib import Path

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
