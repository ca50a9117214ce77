"""How far long work is, for whoever watches: on a terminal, on stderr, and gone before the result."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

import pexpect
import pytest

from evstore import EventData, connect
from evstore.cli.output.progress import Progress
from tests.support.command import IMPATIENT, Command
from tests.support.damage import both, plant

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.long("bars move while seconds pass")

EVENTS = 9000
ERASED = "\x1b[2K"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store that has something to do, an empty one, and files to read."""
    folder = tmp_path_factory.mktemp("made")
    with connect(f"sqlite:{folder}/evstore.db") as opened, connect(f"sqlite:{folder}/empty.db") as empty:
        opened.initialize()
        empty.initialize()
        opened.append("Order-1", [EventData("Placed", n) for n in range(EVENTS)])
        (folder / "log.ndjson").write_text("".join(f"{event.to_json()}\n" for event in opened.replay()))
    (folder / "data.ndjson").write_text("".join(f"{n}\n" for n in range(EVENTS)))
    return folder


@pytest.fixture
def filled(made: Path, tmp_path: Path) -> Command:
    """The command, in a folder of its own with all that."""
    return Command(shutil.copytree(made, tmp_path / "filled"))


def watched(command: Command, *words: str, stdout: Path | None = None, **env: str) -> tuple[int, str]:
    """Exit code, and everything that a terminal gets."""
    argv = command.quick(*words, setting=IMPATIENT)
    if stdout is not None:
        argv = ["/bin/sh", "-c", 'out=$1; shift; exec "$@" > "$out"', "sh", str(stdout), *argv]
    child = pexpect.spawn(
        argv[0],
        argv[1:],
        cwd=str(command.folder),
        env=command.env(TERM="xterm-256color", **env),
        dimensions=(24, 100),
        encoding="utf-8",
        timeout=60,
    )
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus, str(child.before)


WORK = {
    "verifying": ("verify",),
    "exporting": ("export", "-O", "out.ndjson"),
    "importing": ("--db", "empty.db", "import", "log.ndjson"),
    "mirroring": ("mirror", "empty.db", "--once"),
    "comparing": ("diff", "memory:log.ndjson"),
    "storing": ("append", "Order-2", "-t", "Placed", "data.ndjson"),
}


def counts(drawn: str) -> list[int]:
    """The different numbers of events drawn, or of their positions, in their order."""
    found = [int(each.replace(",", "")) for each in re.findall(r"([0-9,]+) (?:events|positions)", drawn)]
    return [*dict.fromkeys(found)]


@pytest.mark.parametrize("what", WORK)
def test_long_work_shows_how_far_it_is_how_fast_and_is_erased_before_the_result(
    filled: Command, what: str
) -> None:
    code, screen = watched(filled, *WORK[what])
    assert code == 0
    drawn, _, result = screen.rpartition(ERASED)
    assert re.search(rf"{what}.*[0-9,]+ (?:events|positions).*[0-9,]+/s", drawn)
    assert what not in result
    assert f"{EVENTS:,}" in result or f"{EVENTS}" in result
    steps = [part for part in re.split(r"\r|\n", screen) if what in part]
    shown = counts("\n".join(steps))
    assert len(shown) >= 3
    assert shown == sorted(shown)
    assert shown[-2] < EVENTS
    bars = {re.split(" (?:events|positions)", part)[0].rpartition(" ")[0] for part in steps}
    assert len(bars) >= 3  # the bar and its colours


@pytest.mark.parametrize("mode", [(), ("--batch", "100"), ("--each",)])
def test_the_bar_moves_while_input_comes_through_a_pipe(filled: Command, mode: tuple[str, ...]) -> None:
    pipe = filled.folder / "pipe"
    os.mkfifo(pipe)
    words = filled.argv("append", "A-1", "-t", "T", "-", *mode)
    child = pexpect.spawn(
        "/bin/sh",
        ["-c", 'exec "$@" < pipe > out', "sh", *words],
        cwd=str(filled.folder),
        env=filled.env(TERM="xterm-256color"),
        dimensions=(24, 100),
        encoding="utf-8",
        timeout=60,
    )
    seen = ""
    with open(pipe, "wb", buffering=0) as feed:
        while len(counts(seen)) < 3:
            feed.write(b"1\n" * 100)
            with suppress(pexpect.TIMEOUT):
                seen += child.read_nonblocking(1 << 16, timeout=0.05)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert b"globalPosition" in (filled.folder / "out").read_bytes()


def test_findings_are_told_behind_the_progress_also_one_by_one(filled: Command) -> None:
    plant(filled, both("UPDATE events SET category_number = 9 WHERE global_position = 5000"))
    for form in ("table", "ndjson"):
        code, screen = watched(filled, "verify", "-F", form)
        assert code == 1
        drawn, _, result = screen.rpartition(ERASED)
        assert "verifying" in drawn
        assert "category-number" not in drawn
        assert "category-number" in result
        assert "verifying" not in result


def test_in_a_pipe_goes_only_the_result(filled: Command) -> None:
    piped = filled.folder / "piped"
    code, screen = watched(filled, "verify", stdout=piped)
    assert (code, piped.read_text()) == (0, "")
    assert "verifying" in screen


@pytest.mark.parametrize(
    ("words", "env"),
    [((), {"NO_COLOR": "1"}), (("--color", "never"), {}), (("--quiet",), {}), (("--errors", "json"), {})],
)
def test_without_colour_or_notes_nothing_moves(
    filled: Command, words: tuple[str, ...], env: dict[str, str]
) -> None:
    for work in WORK.values():
        code, screen = watched(filled, *work, *words, **env)
        assert code == 0
        assert "\x1b" not in screen


@pytest.mark.parametrize("count", [0, 1, 2, 3, 600, 5000])
def test_no_more_values_are_reported_than_came(count: int) -> None:
    came = 0

    def values() -> Iterator[int]:
        nonlocal came
        while came < count:
            came += 1
            yield came

    class Reported(Progress):
        last = 0

        def at(self, done: int, count: int, total: int | None = None, things: str = "events") -> None:
            assert done == count == came - 1  # another value follows
            self.last = count

    shown = Reported("counting")
    assert [*shown.over(values())] == [*range(1, count + 1)]
    assert shown.last >= min(count - 1, 1)
