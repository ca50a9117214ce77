"""The findings of `verify` for a person: whole, and of each kind not more than a screen can show."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from evstore.cli.output import screen, writer
from evstore.cli.output.writer import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evstore.model.findings import Finding

MOST_OF_A_KIND: Final = 10


def show(findings: Iterable[Finding]) -> dict[str, str]:
    """Print the findings as they come, two lines each, and return the advice for each kind."""
    paint = screen.brush()
    advice: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for found in findings:
        advice.setdefault(found.kind, found.advice)
        counts[found.kind] += 1
        if counts[found.kind] <= MOST_OF_A_KIND:
            place = [f"position {found.position}"] if found.position is not None else []
            place += [f"stream {visible(found.stream_id)}"] if found.stream_id is not None else []
            head = ", ".join([paint(found.kind, "red"), *place])
            writer.write(f"{head}\n  {visible(found.message)}\n")
    for kind, count in counts.items():
        if count > MOST_OF_A_KIND:
            writer.note(f"{MOST_OF_A_KIND} of {count:,} findings of kind {kind}; -F ndjson prints all")
    return advice
