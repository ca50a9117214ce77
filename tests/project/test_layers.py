"""The picture in the README is a fact: who may import whom, and how large a piece may be."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import evstore

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

ROOT = Path(evstore.__file__).parent
MODULES = sorted(
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".") for path in ROOT.rglob("*.py")
)

CORE = {
    "errors",
    "streams",
    "events",
    "jsontext",
    "wire",
    "values",
    "pages",
    "store",
    "follow",
    "verify",
    "findings",
}
ADAPTER = {"errors", "events", "findings", "streams", "urls", "adapters.base", "adapters.shared"}
# A module (or a package, with a dot behind) and what of evstore it may import, anywhere in it.
MAY_IMPORT = {
    "errors": set(),
    "urls": set(),
    "streams": {"errors", "events", "jsontext"},
    "jsontext": {"errors"},
    "events": {"errors", "streams", "jsontext", "wire"},
    "wire": {"errors", "events", "jsontext", "streams"},
    "values": {"errors"},
    "pages": {"errors", "events", "findings", "streams", "adapters.base"},
    "follow": {"errors", "events", "pages", "adapters.base"},
    "retries": {"errors", "events", "pages", "streams", "adapters.base"},
    "spool": {"errors", "events"},
    "findings": set(),
    "faults": {"errors", "events", "findings", "jsontext", "streams", "wire", "adapters.base"},
    "audits": {"errors", "events", "findings", "adapters.base"},
    "verify": {"errors", "faults", "findings", "pages", "adapters.base"},
    "transfer": {"errors", "events", "streams", "store", "adapters.base"},
    "store": {*CORE, "audits", "retries", "adapters.base", "adapters"},
    "adapters": {"errors", "urls", "adapters.base"},
    "adapters.base": {"errors", "events", "findings"},
    "adapters.memory": {"errors", "events", "streams", "urls", "values", "adapters.base"},
    "adapters.shared": {"errors", "adapters.base"},
    "adapters.sqlite.": {*ADAPTER, "adapters.sqlite."},
    "adapters.postgres.": {*ADAPTER, "adapters.postgres."},
    "testing.": {*CORE, "", "adapters.base", "adapters.memory", "testing."},
    "cli.": {*CORE, "", "urls", "retries", "spool", "transfer", "adapters.base", "cli.", "adapters.sqlite."},
    "": {"errors", "events", "streams", "store"},
    "__main__": {"cli"},
}


def _rule(module: str) -> set[str]:
    for name, allowed in MAY_IMPORT.items():
        if module == name or (name.endswith(".") and f"{module}.".startswith(name)):
            return allowed
    raise AssertionError(f"{module} has no rule")


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "evstore":
            base = (node.module or "").removeprefix("evstore").removeprefix(".")
            for alias in node.names:
                inner = f"{base}.{alias.name}".removeprefix(".")
                yield inner if inner in MODULES or f"{inner}.__init__" in MODULES else base
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "evstore":
                    yield alias.name.removeprefix("evstore").removeprefix(".")


def _name(module: str) -> str:
    return module.removesuffix("__init__").removesuffix(".")


def test_a_module_imports_only_what_its_layer_may(subtests: pytest.Subtests) -> None:
    for module in MODULES:
        with subtests.test(module=module):
            allowed = _rule(_name(module))
            for imported in _imports(ROOT / f"{module.replace('.', '/')}.py"):
                assert any(
                    imported == each or (each.endswith(".") and f"{imported}.".startswith(each))
                    for each in allowed
                ), f"{module} imports {imported or 'evstore'}"


# The façade with its docstrings, and the reads of a database, each spelled out in both directions.
LONG = {"store": 450, "adapters.sqlite.statements": 370, "adapters.postgres.statements": 560}


def test_a_module_stays_small(subtests: pytest.Subtests) -> None:
    for module in MODULES:
        with subtests.test(module=module):
            lines = len((ROOT / f"{module.replace('.', '/')}.py").read_text().splitlines())
            assert lines <= LONG.get(module, 330)


def test_a_function_stays_small(subtests: pytest.Subtests) -> None:
    for module in MODULES:
        with subtests.test(module=module):
            tree = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text())
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef):
                    body = node.body[-1].end_lineno - node.body[0].lineno + 1
                    assert body <= 50, f"{node.name} has {body} lines"


def test_only_the_testing_package_imports_pytest() -> None:
    for module in MODULES:
        source = (ROOT / f"{module.replace('.', '/')}.py").read_text()
        if not module.startswith("testing"):
            assert "import pytest" not in source, module


def test_the_database_file_is_opened_by_sqlite_alone() -> None:
    """Closing it any other way drops the locks of everybody in the process who has it open."""
    for path in (ROOT / "adapters" / "sqlite").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "open", path
