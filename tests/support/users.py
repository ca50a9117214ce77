"""Work as another user: for tests that run as root, which alone may become somebody else."""

from __future__ import annotations

import os
import shutil
import tempfile
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


class User(NamedTuple):
    uid: int
    gid: int
    groups: Sequence[int] = ()


TEAM: Final = 48_000
ANNE: Final = User(48_001, 48_001, [TEAM])
BERT: Final = User(48_002, 48_002, [TEAM])
CARL: Final = User(48_003, 48_003)

AS_ROOT: Final = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")


@contextmanager
def folder_of(user: User, mode: int = 0o755) -> Iterator[Path]:
    """A folder that others can reach, unlike those of pytest."""
    path = Path(tempfile.mkdtemp(prefix="evstore-users-"))
    os.chown(path, user.uid, user.gid)
    path.chmod(mode)
    yield path
    shutil.rmtree(path)


def doing(user: User | None, work: Callable[[], object]) -> None:
    """Do the work in a process of that user; None is root. Any exception there fails the test."""
    child = start(user, work)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def start(user: User | None, work: Callable[[], object]) -> int:
    """The number of a process of that user, in which the work is done."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            if user:
                os.setgroups(list(user.groups))
                os.setgid(user.gid)
                os.setuid(user.uid)
            os.umask(0o077)
            work()
            code = 0
        except BaseException:  # noqa: BLE001 - of a process that must end here
            traceback.print_exc()
        finally:
            os._exit(code)
    return child
