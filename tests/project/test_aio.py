"""The asynchronous store is written from the synchronous one, and has all its names."""

from __future__ import annotations

import inspect
import subprocess
import sys
from difflib import unified_diff

import pytest

import evstore
import evstore.aio
from evstore.aio.running import Wrapper
from tests.project.aio import CLASSES, FILE, PLAIN, WORK, facade

RENAMED = {"close": "aclose", "__enter__": "__aenter__", "__exit__": "__aexit__", "__iter__": "__aiter__"}


def _public(cls: type) -> dict[str, object]:
    return {
        name: each
        for name, each in inspect.getmembers(cls)
        if not name.startswith("_") or name in {*RENAMED, *RENAMED.values()}
    }


def _synchronous(name: str) -> type:
    from importlib import import_module

    found: type = getattr(import_module(CLASSES[name]), name)
    return found


def test_the_asynchronous_store_is_written_from_the_present_synchronous_one() -> None:
    changed = list(unified_diff(FILE.read_text().splitlines(), facade().splitlines(), lineterm="", n=0))
    assert not changed, "write it anew: python -m tests.project.aio\n" + "\n".join(changed)


@pytest.mark.parametrize("name", CLASSES)
def test_every_name_of_a_synchronous_object_is_there_and_described(name: str) -> None:
    ours = _public(getattr(evstore.aio, name))
    for each, theirs in _public(_synchronous(name)).items():
        assert RENAMED.get(each, each) in ours, f"{name}.{each}"
        is_taken = inspect.isfunction(theirs) and name != "Transaction" and each not in RENAMED
        if is_taken:
            asked = [*inspect.signature(ours[each]).parameters]  # type: ignore[arg-type]
            assert asked == [*inspect.signature(theirs).parameters], f"{name}.{each}"
    for each, found in ours.items():
        if not each.startswith("__"):
            assert inspect.getdoc(found), f"{name}.{each}"


def test_every_public_name_of_the_module_has_a_docstring() -> None:
    assert evstore.aio.__doc__
    for name in evstore.aio.__all__:
        assert inspect.getdoc(getattr(evstore.aio, name)), name


def test_the_rules_name_only_what_there_is() -> None:
    there = {each for name in CLASSES for each in vars(getattr(evstore.aio, name))} | {*CLASSES}
    assert there >= PLAIN | WORK
    assert issubclass(evstore.aio.EventStore, Wrapper)


def test_the_library_and_the_threads_of_sqlite_load_no_greenlet() -> None:
    script = (
        "import sys, evstore\nassert 'asyncio' not in sys.modules\nsys.modules['greenlet'] = None\n"
        "import evstore.aio\nfrom evstore import MissingDependencyError\nevstore.aio.connect('memory:')\n"
        "try:\n    evstore.aio.connect('postgresql://localhost/orders')\n"
        "except MissingDependencyError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    wanted = "evstore.aio on PostgreSQL needs greenlet; pip install 'evstore[aio]' installs it\n"
    assert done.stdout == wanted
