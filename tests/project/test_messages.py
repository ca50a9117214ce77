"""The words of evstore change on purpose, and are read as prose when they do."""

from __future__ import annotations

import ast
import re
from difflib import unified_diff

from tests.project.messages import FILE, ROOT, messages, whole


def test_every_message_and_help_page_stands_in_the_golden_file() -> None:
    changed = list(unified_diff(FILE.read_text().splitlines(), whole().splitlines(), lineterm="", n=0))
    assert not changed, "read what changed, then: python -m tests.project.messages\n" + "\n".join(changed)


def test_the_golden_file_holds_messages_of_every_kind() -> None:
    found = "\n".join(messages())
    for message in (
        "no event store at {…}",  # an error's sentence
        "--follow and --format json exclude each other: an array has an end",  # usage
        "an id belongs to one event for ever; without an id a new event is appended",  # a hint
        "Print at most N events.",  # a flag's help
        "events are lost: {…}",  # advice of verify
    ):
        assert message in found


def test_a_docstring_starts_with_a_verb_or_a_noun() -> None:
    wrong = [
        f"{path.name}:{node.lineno}: {node.value.value.strip().splitlines()[0]}"
        for path in sorted(ROOT.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        and re.match(r"\s*(What|Whether|Where|How|Who|Which|When)\b", node.value.value)
    ]
    assert not wrong
