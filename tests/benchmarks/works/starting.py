"""Whole processes that append one event: what they take is start-up."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from tests.benchmarks.comparing import Rival, Work, at_most
from tests.benchmarks.processes import environment, evstore, seconds
from tests.benchmarks.registry import work

if TYPE_CHECKING:
    from tests.benchmarks.lab import Lab

APPEND: Final = evstore("append", "Order-1", "-t", "OrderPlaced", "-d", '{"total":99.9}')
PAIRS: Final = 4
"""Of short processes, in each round."""
HELLO: Final = """
import typer

{imports}
def main(name: str = "world") -> None:
    {work}
    typer.echo(f"Hello {{name}}")


if __name__ == "__main__":
    typer.run(main)
"""


def hello(lab: Lab, imports: str = "", work: str = "") -> list[str]:
    """A Typer program that greets, by the same interpreter and Typer."""
    path = lab.new("hello") / "hello.py"
    path.write_text(HELLO.format(imports=imports, work=work))
    return [sys.executable, str(path)]


@work("append-sqlite", "evstore append, whole process, SQLite")
def append_sqlite(lab: Lab) -> Work:
    env = environment(EVSTORE_DB=str(lab.sqlite("append")))
    greeting = hello(lab)
    return Work(
        lambda: seconds(APPEND, env=env),
        [Rival("a Typer hello-world", lambda: seconds(greeting), at_most(1.3))],
        pairs=PAIRS,
        warm=True,
    )


@work("append-postgres", "evstore append, whole process, PostgreSQL")
def append_postgres(lab: Lab) -> Work:
    env = environment(EVSTORE_DB=lab.server.url(lab.schema()))
    greeting = hello(lab, "import psycopg\n", f"psycopg.connect({lab.server.url()!r}).close()")
    return Work(
        lambda: seconds(APPEND, env=env),
        [Rival("a Typer hello-world + import psycopg + connect", lambda: seconds(greeting), at_most(1.2))],
        pairs=PAIRS,
        warm=True,
    )
