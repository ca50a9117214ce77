"""The contract's tests as each saboteur is asked them.

Run as a test module, this one asks each saboteur the tests of the clause that it breaks, and the reference adapter
all of them; `test_saboteurs` demands that all saboteurs fail.
"""

from __future__ import annotations

from evstore.testing import AdapterContract
from tests.contract.saboteurs import (
    caching,
    conditions,
    consuming,
    digesting,
    exactness,
    joining,
    listing,
    living,
    migrating,
    reading,
    redacting,
    sourcing,
    spelling,
    writing,
)
from tests.contract.saboteurs.joining import Joining

CHAPTERS = (
    writing,
    conditions,
    redacting,
    sourcing,
    spelling,
    joining,
    reading,
    exactness,
    digesting,
    listing,
    living,
    consuming,
    caching,
    migrating,
)
SABOTEURS = [
    each
    for chapter in CHAPTERS
    for each in vars(chapter).values()
    if isinstance(each, type) and each.__module__ == chapter.__name__ and "clause" in vars(each)
]


class _Opened(AdapterContract):
    """The contract of a saboteur, which is also asked to lose a name where it can."""

    def open(self, tmp_path):
        self.opened = self.saboteur()
        return self.opened

    def connect(self, tmp_path):
        return self.opened.connect()


class _Losing(_Opened):
    def lose(self, tmp_path, what, name):
        self.opened.lose(what, name)


class TestNothingPlanted(_Opened):
    saboteur = Joining


def _contract_of(saboteur):
    """The contract's tests of one clause, asked of one saboteur."""
    tests = [name for name in dir(AdapterContract) if name.startswith("test_")]
    others = {name: None for name in tests if not name.startswith(f"test_{saboteur.clause}_")}
    own = {
        "__module__": __name__,
        "patience": 0.5,  # what is broken keeps a test waiting
        "saboteur": saboteur,
    }
    contract = _Losing if hasattr(saboteur, "lose") else _Opened
    return type(f"Test{saboteur.__name__}", (contract,), {**others, **own})


globals().update({f"Test{each.__name__}": _contract_of(each) for each in SABOTEURS})
