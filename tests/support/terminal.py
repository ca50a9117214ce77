"""A real pseudo-terminal: what a person sees of a command."""

from __future__ import annotations

import os
import re
import termios
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

import pexpect
import pytest

from tests.support import warm
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.command import Command

COLUMNS = (60, 80, 140)
WIDTHS = pytest.mark.parametrize("columns", COLUMNS)
STYLE = re.compile(r"\x1b\[[0-9;]*m")


def seen(command: Command, *words: str, columns: int = 80, **env: str) -> str:
    """The whole screen output of a command that ends, line breaks as \\n."""
    given = command.env(TERM="xterm-256color", **env)
    show = _shown_warm if warm.hears(given) else _shown_cold
    return show(command, words, given, columns).replace("\r\n", "\n")


def _shown_cold(command: Command, words: Sequence[str], env: dict[str, str], columns: int) -> str:
    program, *argv = command.argv(*words)
    child = pexpect.spawn(
        program,
        argv,
        cwd=str(command.folder),
        env=env,
        dimensions=(24, columns),
        encoding="utf-8",
        timeout=PATIENCE,
    )
    child.expect(pexpect.EOF)
    child.close()
    return str(child.before)


def _shown_warm(command: Command, words: Sequence[str], env: dict[str, str], columns: int) -> str:
    screen, terminal = os.openpty()
    termios.tcsetwinsize(terminal, (24, columns))
    with os.fdopen(terminal, "rb+", buffering=0) as on, ThreadPoolExecutor(1) as reader:
        shown = reader.submit(_all_of, screen)
        warm.run_on([on] * 3, [*words], command.folder, env, PATIENCE)
        return shown.result(PATIENCE).decode()


def _all_of(screen: int) -> bytes:
    """What is shown until nobody holds the terminal any more."""
    found = b""
    with os.fdopen(screen, "rb", buffering=0) as file, suppress(OSError):  # Linux says EIO then
        while more := file.read(1 << 16):
            found += more
    return found


def screen(command: Command, *words: str, columns: int = 80, **env: str) -> list[str]:
    """The lines of the window, without their styles."""
    return STYLE.sub("", seen(command, *words, columns=columns, **env)).splitlines()


def cells(line: str) -> int:
    return sum(
        1 + (unicodedata.east_asian_width(each) in "WF") for each in line if not unicodedata.combining(each)
    )
