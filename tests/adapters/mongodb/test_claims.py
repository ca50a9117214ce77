"""The promises that a store on MongoDB does not give stand in the guide."""

from __future__ import annotations

from pathlib import Path

import pytest

import evstore
from evstore.adapters.mongodb.adapter import CAPABILITIES
from evstore.testing import REASONS

GUIDE = Path(evstore.__file__).parent / "guide" / "mongodb.md"
LACKS = sorted(
    name
    for name, claimed in CAPABILITIES._asdict().items()
    if name in REASONS and not claimed and name not in {"born_initialized", "has_limits"}
)


@pytest.mark.parametrize("name", LACKS)
def test_each_reason_for_which_the_contract_skips_something_is_explained(name):
    assert f"| {REASONS[name]} |" in GUIDE.read_text()
