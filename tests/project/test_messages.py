"""The words of evstore change on purpose, and are read as prose when they do."""

from __future__ import annotations

from difflib import unified_diff

from tests.project.messages import FILE, messages, whole


def test_every_message_and_help_page_stands_in_the_golden_file() -> None:
    changed = list(unified_diff(FILE.read_text().splitlines(), whole().splitlines(), lineterm="", n=0))
    assert not changed, "read what changed, then: python -m tests.project.messages\n" + "\n".join(changed)


def test_the_golden_file_holds_messages_of_every_kind() -> None:
    found = "\n".join(messages())
    for message in (
        "no event store at {…}",  # an error's sentence
        "--follow and --format json exclude each other: an array has an end",  # usage
        "an id belongs to one event for ever; leave it out to append a new one",  # a hint
        "Print at most N events.",  # a flag's help
        "events are lost: {…}",  # advice of verify
    ):
        assert message in found
