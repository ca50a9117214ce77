"""The `evstore` command: words in, one call on the core, words out."""

from __future__ import annotations

import sys

from evstore.cli.signals import end_by_signals


def main() -> None:
    """Run the command line of this process, and end it."""
    end_by_signals()
    if sys.argv[1:] == ["--version"] and _told_version():  # needs nothing that follows
        return
    if sys.argv[1:2] == ["--complete"]:  # a person waits for it at every TAB
        from evstore.cli.completion.names import complete

        complete(sys.argv[2:])
        return
    from evstore.cli.run import run

    sys.exit(run(sys.argv[1:]))


def _told_version() -> bool:
    if sys.stdout is None:
        return False
    from evstore import __version__

    try:
        print(f"evstore {__version__}", flush=True)  # noqa: T201
    except OSError:
        return False  # the full start reports the reason
    return True
