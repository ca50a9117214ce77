"""The picture in the README is a fact: who may import whom, and how large a piece may be."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import evstore

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(evstore.__file__).parent
SOURCES = {
    path.relative_to(ROOT)
    .with_suffix("")
    .as_posix()
    .replace("/", ".")
    .removesuffix("__init__")
    .removesuffix("."): (path)
    for path in sorted(ROOT.rglob("*.py"))
}


@cache  # by the one worker that asks
def trees() -> dict[str, ast.Module]:
    """The parsed source of each module."""
    return {module: ast.parse(path.read_text()) for module, path in SOURCES.items()}


# Each wing imports itself and the wings of the lines above its own.
WINGS = (
    ("errors", "urls", "did_you_mean", "blocking"),
    ("atomic",),
    ("jsontext",),
    ("model",),
    ("port",),
    ("observing",),
    ("appending",),
    ("reading",),
    ("verifying",),
    ("application",),
    ("comparing",),
    ("mirroring",),
    ("migrating",),
    ("consumers",),
    ("store",),
    ("adapters",),
    ("connecting",),
    ("transfer",),
    ("aio",),
    ("testing",),
    ("cli",),
    ("__main__",),
)
RANK = {wing: rank for rank, wings in enumerate(WINGS) for wing in wings}
# An adapter stands beside the core, not on it.
OF_NO_CONCERN_TO_AN_ADAPTER = {
    "appending", "reading", "verifying", "application", "consumers", "comparing", "mirroring", "migrating",
    "store",
}  # fmt: skip
MAY_IMPORT_ADAPTERS = {"adapters", "connecting", "testing"}


def imports(module: str) -> Iterator[str]:
    """The modules of evstore that this one imports, anywhere in it; a name of the package itself is left out."""
    for node in ast.walk(trees()[module]):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "evstore":
            base = (node.module or "").removeprefix("evstore").removeprefix(".")
            for alias in node.names:
                inner = f"{base}.{alias.name}".removeprefix(".")
                yield inner if inner in SOURCES else base
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "evstore":
                    yield alias.name.removeprefix("evstore").removeprefix(".")


def wing(module: str) -> str:
    return module.partition(".")[0]


@cache
def graph() -> dict[str, set[str]]:
    """The modules that each imports. The package's own names are loaded when they are asked for, so that it imports
    nothing itself."""
    return {module: {*imports(module)} - {"", module} for module in SOURCES if module}


def test_a_wing_imports_only_what_stands_below_it() -> None:
    wrong = [
        f"{module} imports {each}"
        for module, imported in graph().items()
        for each in sorted(imported)
        if wing(each) != wing(module)
        and (
            RANK[wing(each)] >= RANK[wing(module)]
            or (wing(module) == "adapters" and wing(each) in OF_NO_CONCERN_TO_AN_ADAPTER)
            or (wing(each) == "adapters" and wing(module) not in MAY_IMPORT_ADAPTERS)
        )
    ]
    assert not wrong


def test_no_module_imports_itself_through_others() -> None:
    done: set[str] = set()
    path: list[str] = []

    def visit(module: str) -> None:
        assert module not in path, f"a circle: {' -> '.join([*path[path.index(module) :], module])}"
        if module in done:
            return
        path.append(module)
        for each in sorted(graph()[module]):
            visit(each)
        done.add(path.pop())

    for module in graph():
        visit(module)


def test_private_names_stay_in_their_module() -> None:
    wrong = [
        f"{module} imports {alias.name} of {node.module}"
        for module, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("evstore")
        for alias in node.names
        if alias.name.startswith("_") and not alias.name.startswith("__")
    ]
    assert not wrong


def test_only_preparing_makes_a_prepared_event() -> None:
    wrong = [
        f"{module}:{node.lineno}"
        for module, tree in trees().items()
        if module not in ("appending.preparing", "port")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[0] == "PreparedEvent"
    ]
    assert not wrong


# The façades and the errors with their docstrings, and the reads of a database, each spelled out in both directions.
LONG = {"store", "aio.facade", "errors", "adapters.sqlite.statements", "adapters.postgres.statements"}


def test_a_module_stays_small() -> None:
    lines = {module: len(path.read_text().splitlines()) for module, path in SOURCES.items()}
    assert not {module: count for module, count in lines.items() if count > 300 and module not in LONG}


def test_a_function_stays_small() -> None:
    long = [
        f"{module}.{node.name} has {lines} lines"
        for module, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and (lines := (node.body[-1].end_lineno or 0) - node.body[0].lineno + 1) > 40
    ]
    assert not long


def test_only_the_testing_package_imports_pytest() -> None:
    wrong = [
        module
        for module, path in SOURCES.items()
        if wing(module) != "testing" and "import pytest" in path.read_text()
    ]
    assert not wrong


def test_the_database_file_is_opened_by_sqlite_alone() -> None:
    """Closing it any other way drops the locks of everybody in the process who has it open."""
    wrong = [
        f"{module}:{node.lineno}"
        for module, tree in trees().items()
        if module.startswith("adapters.sqlite")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open"
    ]
    assert not wrong
