"""The `evstore` command: words in, one call on the core, words out."""

from __future__ import annotations

import gc
import os
import signal
import sys

_UTF8 = ["-X", "utf8"]


def command() -> None:
    """Run the command line of this process, and end it at once.

    Stores are closed by then, and nothing is registered with atexit. That Python takes all of its modules apart
    would take as long as the append itself.
    """
    gc.disable()  # what is loaded stays; a command's work begins with it turned on
    try:
        main()
        code: object = None
    except SystemExit as end:
        code = end.code
    for stream in (sys.stdout, sys.stderr):
        try:  # noqa: SIM105 - contextlib need not be loaded for it
            stream.flush()
        except (OSError, ValueError, AttributeError):  # it was reported, or the stream is closed
            pass
    os._exit(code if isinstance(code, int) else int(code is not None))


def main() -> None:
    """Run the command line of this process, and end it."""
    _end_by_signals()
    _in_utf8()
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


def _end_by_signals() -> None:
    """Signals end the process themselves, so that a shell sees why and stops its loop.

    An append is not harmed: the database keeps it whole or not at all, however the process ends. What the
    caller chose to ignore (as `nohup` and `&` do for SIGINT) stays ignored.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if os.getpid() == 1:  # of a container
        from evstore.cli.signals import end_the_first

        end_the_first()


def _in_utf8() -> None:
    """Arguments, variables and names of files are UTF-8 in every locale.

    Python has decoded them already by the locale, so in another one it starts anew. Its messages stay in the
    encoding of the locale.
    """
    if sys.getfilesystemencoding() != "utf-8" and sys.executable:
        os.execv(sys.executable, [sys.executable, *_UTF8, *sys.orig_argv[1:]])  # noqa: S606 - this very command
    if sys.orig_argv[1:3] == _UTF8 and sys.stderr is not None and "PYTHONIOENCODING" not in os.environ:
        import locale

        sys.stderr.reconfigure(encoding=locale.getencoding(), errors="backslashreplace")  # type: ignore[union-attr]
