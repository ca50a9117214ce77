"""The checker finds nothing in what a store did, and finds each fault that is planted into it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.crashes.lab.cases import clean
from tests.crashes.lab.checker import RULES
from tests.crashes.lab.history import Invoked, Stored
from tests.crashes.lab.planted import FAULTS, an_append_overtakes_one_that_was_acknowledged

if TYPE_CHECKING:
    from tests.crashes.lab.cases import Case
    from tests.crashes.lab.planted import Fault


@pytest.fixture
def case() -> Case:
    return clean()


def test_a_clean_history_has_no_findings(case: Case) -> None:
    assert case.findings() == []
    assert len(case.log) == 11


def test_appends_that_overlap_may_lie_in_either_order(case: Case) -> None:
    an_append_overtakes_one_that_was_acknowledged(case)
    case.change(Invoked, "last", at=case.named(Invoked, "exists").at)
    assert 3 not in {finding.rule for finding in case.findings()}


def test_an_append_without_an_answer_may_be_stored_or_not(case: Case) -> None:
    case.records.remove(case.named(Invoked, "again"))
    case.records.remove(case.named(Stored, "again"))
    assert case.findings() == []
    del case.log[7:]
    case.records = case.records[: case.records.index(case.named(Invoked, "unknown")) + 1]
    assert case.findings() == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.plant.__name__)
def test_a_planted_fault_is_found_under_its_rule(case: Case, fault: Fault) -> None:
    fault.plant(case)
    findings = case.findings()
    assert any(each.rule == fault.rule and fault.words in each.sentence for each in findings), findings


def test_each_rule_has_faults_planted_against_it() -> None:
    planted = Counter(fault.rule for fault in FAULTS)
    assert all(planted[rule] >= 2 for rule in range(1, len(RULES) + 1)), planted
