"""Every message, hint, note and help page of evstore, as one text that is read as prose when it changes.

    python -m tests.project.messages

writes it anew. The messages are the string literals of the package that hold prose, each once, sorted, with
`{…}` for what is filled in, so that moving code changes nothing here. Left out are docstrings, SQL, regular
expressions, the templates of completion scripts, and `evstore.testing`, whose readers write adapters.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer
from typer.testing import CliRunner

import evstore
from evstore.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE: Final = Path(__file__).with_name("messages.txt")
ROOT: Final = Path(evstore.__file__).parent

_PROSE: Final = re.compile(r"[A-Za-z]{2,}[^\n]* [^\n]*[A-Za-z]{2,}|^[a-z]{3,}( [a-z]+)*$")
_CODE: Final = re.compile(
    r"\s*(SELECT|INSERT|CREATE|WITH|COPY|CALL|DELETE|DROP|SET|GRANT|PRAGMA|BEGIN|SAVEPOINT|ROLLBACK|RELEASE|LISTEN"
    r"|NOTIFY|complete|printf)\b"
    r"|.*(\n.*){6}"
    r"|[ \t]*(case|#compdef)\b"
    r"|%\w"
)
_PATTERNS: Final = {"compile", "match", "fullmatch", "search", "sub", "findall", "split", "finditer"}


def messages() -> list[str]:
    """The prose of every module, each message once, in the order of the alphabet."""
    paths = (path for path in ROOT.rglob("*.py") if "testing" not in path.parts)
    found = {text for path in paths for text in _literals(ast.parse(path.read_text()))}
    return sorted(found)


def _literals(tree: ast.Module) -> Iterator[str]:
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.add(id(node.value))
        elif isinstance(node, ast.Call) and _name(node.func) in _PATTERNS:
            skipped |= {id(each) for argument in node.args for each in ast.walk(argument)}
        elif isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
            skipped |= {id(each) for each in ast.walk(node.annotation) if not _is_option(node.annotation)}
        elif isinstance(node, ast.JoinedStr):
            skipped |= {id(each) for each in node.values if isinstance(each, ast.Constant)}
    for node in ast.walk(tree):
        if id(node) in skipped or not isinstance(node, ast.JoinedStr | ast.Constant):
            continue
        text = _text(node)
        if text is not None and _PROSE.search(text) and not _CODE.match(text):
            yield text.replace("\n", "\\n")


def _is_option(annotation: ast.expr) -> bool:
    """True for an annotation that declares a flag: its help is read by people."""
    return "Annotated" in ast.dump(annotation)


def _name(function: ast.expr) -> str:
    return (
        function.attr
        if isinstance(function, ast.Attribute)
        else function.id
        if isinstance(function, ast.Name)
        else ""
    )


def _text(node: ast.JoinedStr | ast.Constant) -> str | None:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) and " " in node.value else None
    parts = [str(each.value) if isinstance(each, ast.Constant) else "{…}" for each in node.values]
    return "".join(parts)


def help_pages() -> Iterator[str]:
    """The help of evstore and of each command, at 80 columns."""
    runner = CliRunner(env={"COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1"})
    group = typer.main.get_command(app)
    for words in ([], *([name] for name in group.commands)):  # type: ignore[attr-defined]
        done = runner.invoke(app, [*words, "--help"], prog_name="evstore")
        assert done.exit_code == 0, done.output
        yield f"$ {' '.join(['evstore', *words, '--help'])}\n{done.output.rstrip()}\n"


def whole() -> str:
    """The text of the file."""
    return "\n".join(["# Messages", "", *messages(), "", "# Help", "", *help_pages()])


if __name__ == "__main__":
    FILE.write_text(whole())
