"""The `evstore` command: words in, one call on the core, words out."""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Run the command line of this process, and end it."""
    _die_by_signals()
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


def _die_by_signals() -> None:
    """SIGINT and SIGPIPE end the process themselves, so that a shell sees why and stops its loop.

    An append is not harmed: the database keeps it whole or not at all, however the process ends. What the
    caller chose to ignore (as `nohup` and `&` do for SIGINT) stays ignored.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
