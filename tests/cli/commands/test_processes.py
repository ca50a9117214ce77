"""What a shell sees: following, signals, broken pipes, full disks, help."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import evstore as package
from tests.support.command import Command, files

if TYPE_CHECKING:
    from collections.abc import Iterator


NO_STORE = pytest.mark.sqlite_only("no store is asked")


def _append(command: Command, stream: str, data: str) -> None:
    command.ok("append", stream, "-t", "T", "-d", data)


@pytest.mark.parametrize("words", [("read", "A-1"), ("replay", "A"), ("replay", "--all")])
def test_follow_prints_history_and_then_each_event_as_it_comes(store: Command, words: tuple[str, ...]) -> None:
    _append(store, "A-1", "1")
    follower = store.start(*words, "-f", "-n", "3", quick=True)
    assert follower.stdout is not None
    assert json.loads(follower.stdout.readline())["data"] == 1
    for data in ("2", "3"):
        _append(store, "A-1", data)
        assert json.loads(follower.stdout.readline())["data"] == int(data)
    assert follower.communicate(timeout=20) == (b"", b"")
    assert follower.returncode == 0


def test_follow_waits_for_a_stream_that_is_not_there_yet(store: Command) -> None:
    follower = store.start("read", "A-1", "--follow", "-n", "1", quick=True)
    _append(store, "A-2", "0")
    _append(store, "A-1", "1")
    out, err = follower.communicate(timeout=20)
    assert (json.loads(out)["streamId"], err, follower.returncode) == ("A-1", b"", 0)


def test_follow_begins_behind_the_position_given(store: Command) -> None:
    for data in "123":
        _append(store, "A-1", data)
    done = store.ok("replay", "A", "--after", "1", "-f", "-n", "2")
    assert [json.loads(line)["data"] for line in done.lines] == [2, 3]


@pytest.mark.parametrize("words", [("read", "A-1"), ("read", "Later-1"), ("replay", "--all")])
def test_a_follower_ends_when_its_reader_has_left_though_no_event_comes(
    store: Command, words: tuple[str, ...]
) -> None:
    _append(store, "A-1", "1")
    follower = store.start(*words, "-f", quick=True)
    assert follower.stdout is not None
    if words[1] != "Later-1":
        assert json.loads(follower.stdout.readline())["data"] == 1
    follower.stdout.close()
    assert follower.wait(timeout=20) == -signal.SIGPIPE
    assert follower.stderr is not None
    with follower.stderr as stderr:
        assert stderr.read() == b""


def test_a_follower_goes_on_whatever_else_its_output_is(store: Command) -> None:
    with open(store.folder / "out", "wb") as out:
        words = ("read", "A-1", "-f", "-n", "1", "--within", "30s")
        follower = store.start(*words, quick=True, stdout=out, stderr=subprocess.DEVNULL)
        with pytest.raises(subprocess.TimeoutExpired):
            follower.wait(2.5)  # more than one look
        _append(store, "A-1", "1")
        assert follower.wait(timeout=20) == 0
    assert json.loads((store.folder / "out").read_bytes())["data"] == 1


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_process_itself_without_a_word(store: Command, signum: signal.Signals) -> None:
    _append(store, "A-1", "1")
    follower = store.start("replay", "--all", "-f")
    assert follower.stdout is not None
    follower.stdout.readline()
    follower.send_signal(signum)
    assert follower.communicate(timeout=20) == (b"", b"")
    assert follower.returncode == -signum


@contextmanager
def first_of_its_own(command: Command, *words: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The command as process 1, as in a container, and its number here."""
    unshare = ["unshare", "--pid", "--fork", "--kill-child"]
    if not shutil.which("unshare") or subprocess.run([*unshare, "true"], capture_output=True).returncode:
        pytest.skip("no process of this system may start a process 1")
    argv = [*unshare, *command.argv(*words)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(argv, cwd=command.folder, env=command.env(), **pipes) as started:
        assert started.stdout is not None
        started.stdout.readline()
        children = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text()
        try:
            yield started, int(children)
        finally:
            started.kill()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_process_1_too(store: Command, signum: signal.Signals) -> None:
    _append(store, "A-1", "1")
    with first_of_its_own(store, "replay", "--all", "-f") as (started, number):
        os.kill(number, signum)
        assert started.communicate(timeout=20) == (b"", b"")
        assert started.returncode == 128 + signum


def test_a_broken_pipe_ends_process_1_without_a_word(store: Command) -> None:
    _append(store, "A-1", "1")
    with first_of_its_own(store, "replay", "--all", "-f") as (started, _):
        assert started.stdout is not None
        started.stdout.close()
        _append(store, "A-1", "2")
        assert started.wait(20) == 128 + signal.SIGPIPE
        assert started.stderr is not None
        assert started.stderr.read() == b""


def test_process_1_removes_an_incomplete_file_before_a_signal_ends_it(store: Command) -> None:
    _append(store, "A-1", "1")
    held = (
        "import sys\nfrom evstore import store\nfrom evstore.reading.pages import Paged\n"
        "def pages():\n    print('open', flush=True)\n    sys.stdin.read()\n    yield from ()\n"
        "store.EventStore.replay = lambda *_, **__: Paged.of(pages())\nfrom evstore.cli import main\nmain()\n"
    )

    class Held(Command):
        def argv(self, *words: str) -> list[str]:
            return [sys.executable, "-c", held, *words]

    with first_of_its_own(Held(store.folder, store.database), "export", "-O", "log.ndjson") as (started, number):
        assert [name for name in files(store.folder) if "log.ndjson" in name]
        os.kill(number, signal.SIGTERM)
        assert started.wait(20) == 128 + signal.SIGTERM
    assert not [name for name in files(store.folder) if "log.ndjson" in name]


def test_a_signal_that_the_caller_ignores_stays_ignored(store: Command) -> None:
    """As under `nohup`, or in the background of a script."""
    _append(store, "A-1", "1")
    follower = store.start(
        "replay", "A", "-f", "-n", "2", preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)
    )
    assert follower.stdout is not None
    follower.stdout.readline()
    follower.send_signal(signal.SIGINT)
    _append(store, "A-1", "2")
    follower.communicate(timeout=20)
    assert follower.returncode == 0


def test_a_reader_that_leaves_ends_the_process_by_sigpipe_without_a_word(store: Command) -> None:
    store.ok("append", "A-1", "-t", "T", "-", stdin=b'"%s" ' % (b"x" * 1000) * 2000)
    process = store.start("replay", "A")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=20) == -signal.SIGPIPE


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", [("replay", "--all"), ("categories",), ("append", "A-1", "-t", "T", "-d", "1")])
def test_an_output_that_is_full_is_named(store: Command, words: tuple[str, ...]) -> None:
    _append(store, "A-1", "1")
    with open("/dev/full", "wb") as full:
        process = store.start(*words, quick=True, stdout=full)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 74
    stored = r"; .*A-1 version 2 \(id .*\)\nhint: .*" if words[0] == "append" else ""
    assert re.fullmatch(rf"evstore: .*stdout.*No space left on device{stored}\n", err.decode())


def test_an_output_that_is_closed_is_named(store: Command) -> None:
    _append(store, "A-1", "1")
    words = " ".join(f"'{word}'" for word in store.argv("replay", "--all"))
    done = subprocess.run(
        f"{words} >&-", shell=True, cwd=store.folder, env=store.env(), capture_output=True, check=False
    )
    assert done.returncode == 74
    assert re.fullmatch(rb"evstore: .*stdout.*\n", done.stderr)


@NO_STORE
def test_without_arguments_the_help_goes_to_stderr(evstore: Command) -> None:
    done = evstore()
    assert (done.code, done.out) == (2, b"")
    for word in ("Examples:", "init", "append", "read", "categories", "replay", "evstore --help"):
        assert word in done.err


@pytest.mark.parametrize("command", [(), ("init",), ("append",), ("read",), ("categories",), ("replay",)])
@pytest.mark.parametrize("flag", ["-h", "--help"])
@NO_STORE
def test_help_has_examples_first_and_fits_80_columns(
    evstore: Command, command: tuple[str, ...], flag: str
) -> None:
    done = evstore.ok(*command, flag)
    text = done.out.decode()
    assert text.index("Examples:") < text.index("Options:")
    assert "Exit codes:" in text
    assert max(map(len, text.splitlines())) <= 80


@NO_STORE
def test_version_is_one_line(evstore: Command) -> None:
    assert evstore.ok("--version").out.decode() == f"evstore {package.__version__}\n"


@NO_STORE
def test_a_bug_is_one_line_and_a_file(store: Command, tmp_path: Path) -> None:
    script = """
import evstore.connecting
def broken(*_, **__): raise KeyError("boom")
evstore.connecting.connect_for_command = broken
from evstore.cli import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", script, "categories"],
        cwd=tmp_path,
        env=store.env(TMPDIR=str(tmp_path)),
        capture_output=True,
        check=False,
    )
    (line,) = done.stderr.decode().splitlines()
    assert (done.returncode, done.stdout) == (70, b"")
    assert line.startswith("evstore: ")
    assert "KeyError: 'boom'" in line
    trace = line.rpartition(" ")[2]
    assert trace.startswith(str(tmp_path))
    with open(trace) as file:
        assert "broken" in file.read()


def test_no_escape_byte_leaves_in_a_pipe(store: Command) -> None:
    for more in ({}, {"GITHUB_ACTIONS": "true"}, {"FORCE_COLOR": "1"}):
        for words in (
            ("init",),
            ("append", "A-1", "-t", "T", "-d", "1"),
            ("read", "A-1"),
            ("read",),
            ("-h",),
        ):
            done = store(*words, env=more)
            assert b"\x1b" not in done.out
            assert "\x1b" not in done.err
