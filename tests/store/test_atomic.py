"""A file gets its name when it is whole, and a failure to write it is told apart by what can be done about it."""

from __future__ import annotations

import errno
import os

import pytest

from evstore.atomic import cannot_write, check_target, new_file
from evstore.errors import DeniedError, InvalidTargetError, StorageFullError, TargetExistsError
from tests.support.command import files


def written(path, text, **options):
    with new_file(str(path), **{"force": False, **options}) as part:
        os.write(part.fd, text.encode())


def test_a_file_has_its_name_only_when_it_is_whole(tmp_path):
    with new_file(str(tmp_path / "a"), force=False) as part:
        os.write(part.fd, b"half")
        assert files(tmp_path) == [os.path.basename(part.path)] != ["a"]
    assert files(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "half"


def test_what_fails_leaves_nothing_behind(tmp_path):
    (tmp_path / "a").write_text("before")
    (tmp_path / "a-log").write_text("its log")
    with pytest.raises(ZeroDivisionError), new_file(str(tmp_path / "a"), force=True, leftovers=["-log"]):
        1 / 0  # noqa: B018
    assert files(tmp_path) == ["a", "a-log"]
    assert (tmp_path / "a").read_text() == "before"


def test_a_file_that_came_meanwhile_is_not_replaced(tmp_path):
    with pytest.raises(TargetExistsError), new_file(str(tmp_path / "a"), force=False):
        (tmp_path / "a").write_text("precious")
    assert files(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "precious"
    written(tmp_path / "a", "new", force=True)
    assert (tmp_path / "a").read_text() == "new"


def test_what_would_be_taken_for_a_part_of_the_new_file_goes(tmp_path):
    (tmp_path / "a-log").write_text("of another")
    written(tmp_path / "a", "new", leftovers=["-log", "-none"])
    assert files(tmp_path) == ["a"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("folder", "it is a folder"), ("pipe", "it is no file"), ("none/a", "its folder does not exist")],
)
def test_a_target_that_cannot_be_a_file_is_refused_also_by_force(tmp_path, name, reason):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for force in (False, True):
        with pytest.raises(InvalidTargetError) as raised:
            check_target(str(tmp_path / name), force=force)
        assert (raised.value.path, raised.value.reason) == (str(tmp_path / name), reason)


@pytest.mark.parametrize("there", ["file", "link to nothing"])
def test_a_target_that_is_there_is_refused_without_force(tmp_path, there):
    if there == "file":
        (tmp_path / "a").touch()
    else:
        (tmp_path / "a").symlink_to("none")
    with pytest.raises(TargetExistsError):
        check_target(str(tmp_path / "a"), force=False)
    check_target(str(tmp_path / "a"), force=True)


@pytest.mark.parametrize(
    ("number", "cls"),
    [
        *((each, DeniedError) for each in (errno.EACCES, errno.EPERM, errno.EROFS)),
        *((each, StorageFullError) for each in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)),
        *((each, InvalidTargetError) for each in (errno.ENAMETOOLONG, errno.ENOTDIR, errno.ELOOP)),
    ],
)
def test_the_system_says_whether_it_is_denied_full_or_meant_wrongly(number, cls):
    found = cannot_write("/a/copy.db", OSError(number, os.strerror(number)))
    assert type(found) is cls
    assert str(found) == f"cannot write /a/copy.db: {os.strerror(number)}"
