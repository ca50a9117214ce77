"""What `verify` says, read by a test."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import jsonschema

from evstore.cli.run import run

if TYPE_CHECKING:
    import pytest

    from tests.support.command import Command

FINDING = jsonschema.Draft202012Validator(json.loads((files("evstore") / "schemas" / "finding.json").read_text()))


def verified(command: Command, capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[Any], str]:
    """Exit code, findings and notes of the command, without a process of its own."""
    code = run(["--db", command.url, "verify", *words])
    said = capfd.readouterr()
    found = [json.loads(line) for line in said.out.splitlines()]
    for each in found:
        FINDING.validate(each)
    return code, found, said.err


def places(found: list[Any]) -> list[tuple[str, int | None]]:
    return [(each["finding"], each["globalPosition"]) for each in found]


def digest_in(notes: str) -> str:
    """What the note tells."""
    found = re.search(r" ([0-9]+:[0-9a-f]{64})\n", notes)
    assert found, notes
    return found[1]
