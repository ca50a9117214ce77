"""The git history of the repository around you as events, one envelope a line.

    python tests/examples/git_history.py | evstore append --many -

A commit is a stream of its own (`Commit-<hash>`), and so is each file (`File-<path>`). A commit's hash is the
correlation id of all that it did, and its event is the cause. Ids are made from hash and stream: who appends the
same history again stores nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING
from uuid import NAMESPACE_OID, uuid5

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = {"A": "FileAdded", "M": "FileModified", "D": "FileDeleted", "R": "FileRenamed", "C": "FileCopied"}


def main() -> None:
    for event in events():
        print(json.dumps(event))


def events() -> Iterator[dict[str, object]]:
    """Oldest commit first, each followed by what it did to files."""
    # Fields end with NUL and commits begin with a record separator: subjects and paths hold anything else.
    asked = ["git", "log", "--reverse", "--name-status", "-z", "--format=%x1e%H%x00%aI%x00%an%x00%s%x00"]
    log = subprocess.run(asked, check=True, stdout=subprocess.PIPE).stdout.decode(errors="replace")
    for commit in log.split("\x1e")[1:]:
        yield from _commit(commit)


def _commit(text: str) -> Iterator[dict[str, object]]:
    sha, date, author, subject, *changes = text.split("\0")
    metadata = {"correlationId": sha, "userId": author}
    committed = _event(sha, f"Commit-{sha}", "Committed", {"date": date, "subject": subject}, metadata)
    yield committed
    caused = {**metadata, "causationId": committed["id"]}
    words = iter([word for word in (change.strip("\n") for change in changes) if word])
    for status in words:
        path = next(words)
        if status[0] in "RC":  # from, then to
            path = next(words)
        kind = KINDS.get(status[0], "FileChanged")
        yield _event(sha, f"File-{path}", kind, {"commit": sha, "date": date}, caused)


def _event(sha: str, stream: str, kind: str, data: object, metadata: object) -> dict[str, object]:
    made = str(uuid5(NAMESPACE_OID, f"{sha} {stream} {kind}"))
    return {"id": made, "streamId": stream, "type": kind, "data": data, "metadata": metadata}


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
