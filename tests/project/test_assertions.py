"""Every test can fail: it asserts something, or a function of ours that it names does."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
FAILING = ("AssertionError", "raises", "fail", "run_state_machine_as_test")
"""Names of what fails a test, of pytest and Hypothesis too."""
OWNERS = ("self", "pytest")


@cache
def contents(module: str) -> tuple[dict[str, ast.AST], dict[str, tuple[str, str]]]:
    """Functions, classes and tables that a module defines, and those of ours that it imports: module and name."""
    path = ROOT.joinpath(*module.split("."))
    defined: dict[str, ast.AST] = {}
    imported: dict[str, tuple[str, str]] = {}
    for node in ast.walk(tree_of(path / "__init__.py" if path.is_dir() else path.with_suffix(".py"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            defined.setdefault(node.name, node)
        elif isinstance(node, ast.AnnAssign) and node.value:
            defined.setdefault(ast.unparse(node.target), node.value)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("tests.", "evstore.testing")):
            imported |= {each.asname or each.name: (str(node.module), each.name) for each in node.names}
    return defined, imported


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def cases_in(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    classes = [each for each in tree.body if isinstance(each, ast.ClassDef)]
    for each in [*tree.body, *(member for one in classes for member in one.body)]:
        if isinstance(each, ast.FunctionDef) and each.name.startswith("test_"):
            yield each


def names_in(node: ast.AST) -> set[str]:
    """The names that it says, also those after `self.` and `pytest.`."""
    found = set()
    for each in ast.walk(node):
        if isinstance(each, ast.Name):
            found.add(each.id)
        elif isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name) and each.value.id in OWNERS:
            found.add(each.attr)
    return found


def origin(module: str, name: str) -> tuple[str, str]:
    """The module that defines what this module knows by a name, and its name there."""
    imported = contents(module)[1]
    return origin(*imported[name]) if name in imported else (module, name)


def reached(module: str, node: ast.AST) -> Iterator[ast.AST]:
    """A part of a module, and all of ours that it leads to by name."""
    todo, seen = [(module, node)], set()
    while todo:
        home, part = todo.pop()
        yield part
        for at, name in (origin(home, each) for each in names_in(part)):
            if (at, name) not in seen and name in contents(at)[0]:
                seen.add((at, name))
                todo.append((at, contents(at)[0][name]))


def asserts(node: ast.AST) -> bool:
    """True if it asserts something, or names what fails a test. A function called `check…` raises what is wrong."""
    return any(isinstance(each, ast.Assert) for each in ast.walk(node)) or any(
        name in FAILING or name.startswith("check") for name in names_in(node)
    )


def test_every_test_asserts_something() -> None:
    seen, idle = 0, []
    for path in sorted([*ROOT.glob("tests/**/test_*.py"), *ROOT.glob("evstore/testing/**/*.py")]):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for node in cases_in(tree_of(path)):
            seen += 1
            if not any(map(asserts, reached(module, node))):
                idle.append(f"{module}.{node.name}")
    assert seen > 2000
    assert idle == []
