"""Streams that cannot be written, inputs that cannot be read: told where somebody listens, and nothing else fails."""

from __future__ import annotations

import fcntl
import json
import os
import re
import resource
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

import pexpect
import pytest

from tests.support.command import IMPATIENT, Ended
from tests.support.data import stored

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.command import Command

pytestmark = [
    pytest.mark.sqlite_only("no stream of a process depends on where events are stored"),
    pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full"),
]


def run(command: Command, *words: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    """The command, with /dev/full for what is named."""
    with open("/dev/full", "wb") as full:
        given = {name: full if value == "full" else value for name, value in options.items()}
        given = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **given}
        argv = command.argv(*words) if "preexec_fn" in given else command.quick(*words)
        return subprocess.run(argv, cwd=command.folder, env=command.env(), check=False, **given)


@pytest.mark.parametrize(
    ("words", "code"),
    [(("read", "Z-1"), 3), (("--bogus",), 2), ((), 2), (("read", "Z-1", "--errors", "json"), 3), (("import",), 5)],
)
def test_an_error_that_nobody_can_be_told_keeps_its_code(
    store: Command, words: tuple[str, ...], code: int
) -> None:
    assert run(store, *words, stderr="full", input=b"{", stdin=None).returncode == code


@pytest.mark.parametrize("more", [("-v",), ("-e", "0"), ("-v", "--errors", "json")])
def test_a_note_that_nobody_can_be_told_stops_nothing(store: Command, more: tuple[str, ...]) -> None:
    done = run(store, "append", "A-1", "-t", "T", "-d", "1", *more, stderr="full")
    assert (done.returncode, json.loads(done.stdout)["version"]) == (0, 1)
    assert stored(store, "A-1") == [1]


@pytest.mark.parametrize(
    "words", [("--version",), ("--help",), ("append", "--help"), ("read", "A-1", "--missing-ok")]
)
def test_whatever_goes_to_stdout_fails_as_io(store: Command, words: tuple[str, ...]) -> None:
    store.ok("append", "A-1", "-t", "T", "-d", "1")
    done = run(store, *words, stdout="full")
    assert done.returncode == 74
    assert done.stderr.startswith(b"evstore: ")
    assert done.stderr.endswith(b"No space left on device\n")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("words", [("--version",), ("--help",), ("read", "-h")])
def test_whatever_goes_to_a_stdout_that_is_closed_fails_as_io(store: Command, words: tuple[str, ...]) -> None:
    done = run(store, *words, preexec_fn=lambda: os.close(1), stdout=None)
    assert done.returncode == 74
    assert re.fullmatch(rb"evstore: .*stdout.*\n", done.stderr)


def test_an_input_that_is_closed_is_a_usage_error(store: Command) -> None:
    for words in (("import",), ("import", "-"), ("append", "A-1", "-t", "T", "-")):
        done = run(store, *words, preexec_fn=lambda: os.close(0), stdin=None)
        assert (done.returncode, done.stdout) == (2, b"")
        assert re.fullmatch(rb"evstore: .*stdin.*\n", done.stderr)


def test_an_error_as_json_is_utf8_whatever_the_locale_says(store: Command) -> None:
    done = store("read", "é-1", "--errors", "json", env={"PYTHONIOENCODING": "latin-1"})
    assert json.loads(done.err)["error"]["streamId"] == "é-1"


@pytest.mark.parametrize("words", [("-d", "--errors"), ("-d", "--errors", "--", "--errors", "json")])
def test_only_the_flag_itself_asks_for_errors_as_json(store: Command, words: tuple[str, ...]) -> None:
    done = store("append", "A-1", "-t", "T", *words)
    assert done.err.startswith("evstore: ")
    assert "--errors takes" not in done.err


@pytest.mark.parametrize("mode", [(), ("--each",), ("--batch", "2")])
def test_an_input_that_fails_is_named(store: Command, mode: tuple[str, ...]) -> None:
    for name in ("/proc/self/mem", "-"):
        with open("/proc/self/mem", "rb") as broken:
            done = run(store, "append", "A-1", "-t", "T", *mode, name, stdin=broken)
        assert (done.returncode, done.stdout) == (74, b"")
        assert re.fullmatch(rf"evstore: .*{name}: Input/output error\n", done.stderr.decode())
    with open("/proc/self/mem", "rb") as broken:
        done = run(store, "import", "-", stdin=broken)
    assert done.returncode == 74
    assert re.fullmatch(rb"evstore: .*-: Input/output error\n", done.stderr)


def test_a_large_input_that_cannot_be_kept_is_io_and_stores_nothing(store: Command, tmp_path: Path) -> None:
    (tmp_path / "large.ndjson").write_bytes(b'"%s"\n' % (b"x" * 1000) * 12_000)
    done = run(
        store, "append", "A-1", "-t", "T", "large.ndjson",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4_000_000, 4_000_000)),
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (74, b"")
    assert re.fullmatch(rb"evstore: .*: File too large\n", done.stderr)
    assert stored(store, "A-1") == []


def test_an_array_ends_in_whole_lines_whatever_comes_behind_it(store: Command) -> None:
    for mode in ("--each", "--batch=2"):
        done = store("append", "A-1", "-t", "T", "-", mode, "-F", "json", stdin=b"1\n2\n{bad}\n")
        assert done.code == 5
        assert done.out.endswith(b"\n")
        assert json.loads(done.out + b"]")[-1]["version"] == len(stored(store, "A-1"))


# --- signals ---


def test_a_file_that_is_half_written_is_removed_by_a_signal(store: Command, subtests: pytest.Subtests) -> None:
    with open(store.folder / "events", "wb") as file:
        file.writelines(b'"%s"\n' % (b"x" * 1000) for _ in range(60_000))
    store.ok("append", "A-1", "-t", "T", "events", "--batch", "5000", "-q")
    os.unlink(store.folder / "events")
    for signum in (signal.SIGINT, signal.SIGTERM):
        for words in (("export", "-O", "copy"), ("backup", "copy")):
            with subtests.test(signum=signum, words=words):
                while (ended := _ended_by(signum, store, *words)).code == 0:  # it was done before the signal came
                    os.unlink(store.folder / "copy")
                assert (ended.code, ended.out, ended.err) == (-signum, b"", "")
                assert not [name for name in os.listdir(store.folder) if name.startswith("copy")]


def _has_begun(folder: Path) -> bool:
    """True if there is something in a file that is written. A signal before that may come while Python loads a module,
    of which these tests, to whom each warning is an error, would hear."""
    with suppress(FileNotFoundError):  # it is whole already
        return any(path.stat().st_size for path in folder.glob("*.part-*"))
    return False


def _ended_by(signum: signal.Signals, store: Command, *words: str) -> Ended:
    """The command, which gets the signal when it has begun to write a file."""
    process = store.start(*words)
    while process.poll() is None and not _has_begun(store.folder):
        continue
    process.send_signal(signum)
    out, err = process.communicate(timeout=60)
    return Ended(process.returncode, out, err.decode())


@pytest.mark.skipif(not hasattr(fcntl, "F_GETPIPE_SZ"), reason="this system has no pipes of another size")
def test_a_log_goes_out_through_a_wide_pipe(store: Command) -> None:
    widest = _widest_pipe()
    store.ok("append", "A-1", "-t", "T", "-d", "1")
    for words in (("replay", "--all"), ("export",)):
        with store.start(*words, quick=True) as process:
            assert process.stdout.read().count(b"\n") == 1
            assert fcntl.fcntl(process.stdout, fcntl.F_GETPIPE_SZ) == widest


def _widest_pipe() -> int:
    """The bytes that a pipe holds here after it was asked to hold a mebibyte."""
    reader, writer = os.pipe()
    with open(reader, "rb"), open(writer, "wb"):
        with suppress(OSError):  # the system may be set to give less
            fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 1 << 20)
        return fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ)


def test_a_signal_leaves_the_cursor_where_it_can_be_seen(store: Command) -> None:
    argv = store.quick("append", "A-1", "-t", "T", "events", setting=IMPATIENT)
    (store.folder / "events").write_bytes(b"1\n" * 200_000)
    child = pexpect.spawn(
        argv[0], argv[1:], cwd=str(store.folder), env=store.env(TERM="xterm"), encoding="utf-8", timeout=60
    )
    child.expect("storing")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    screen = f"{child.before}"
    assert child.signalstatus == signal.SIGINT
    assert screen.rfind("\x1b[?25l") <= screen.rfind("\x1b[?25h")
    assert store("read", "A-1").code == 3
