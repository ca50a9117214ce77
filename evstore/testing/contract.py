"""The contract of `evstore.port` as a test class: every clause, for every adapter.

An adapter's whole test file:

    from evstore.testing import AdapterContract

    class TestMine(AdapterContract):
        def open(self, tmp_path):
            return connect(f"mine:{tmp_path}/events")

        def reopen(self, tmp_path):
            return connect(f"mine:{tmp_path}/events")

A test's name begins with its clause and says the rule, so that a failing name is a sentence of the contract.
What only a crash can show (of W1 and R3) is not asked here; an author kills processes in tests of his own.
"""

from __future__ import annotations

from evstore.testing.clauses.caching import SnapshotClauses
from evstore.testing.clauses.claiming import ClaimClauses
from evstore.testing.clauses.conditions import (
    ConditionClauses,
    ConditionRaceClauses,
    RequirementClauses,
    TagClauses,
)
from evstore.testing.clauses.consuming import HoldClauses, RecordClauses
from evstore.testing.clauses.digesting import DigestClauses
from evstore.testing.clauses.exactness import TextClauses, TimestampClauses
from evstore.testing.clauses.filtering import MixedFilterClauses, NameFilterClauses, TimeFilterClauses
from evstore.testing.clauses.joining import JoinClauses
from evstore.testing.clauses.judging import IdClauses, PositionClauses, VersionClauses
from evstore.testing.clauses.listing import InfoClauses, NameClauses
from evstore.testing.clauses.living import LifeClauses
from evstore.testing.clauses.migrating import MigrationClauses
from evstore.testing.clauses.racing import RaceClauses
from evstore.testing.clauses.reading import AbsenceClauses, PageClauses
from evstore.testing.clauses.redacting import RedactionClauses, TamperEvidenceClauses
from evstore.testing.clauses.showing import TableClauses
from evstore.testing.clauses.sourcing import SourceClauses, SourceRaceClauses
from evstore.testing.clauses.spelling import SpellingClauses
from evstore.testing.clauses.stepping import StepClauses
from evstore.testing.clauses.wholeness import WholenessClauses
from evstore.testing.clauses.writing import NumberClauses, ReceiptClauses, TraceClauses, UnitClauses


class WriteClauses(
    UnitClauses,
    NumberClauses,
    VersionClauses,
    IdClauses,
    PositionClauses,
    TraceClauses,
    ReceiptClauses,
    ConditionClauses,
    RequirementClauses,
    RedactionClauses,
    TamperEvidenceClauses,
    SourceClauses,
    JoinClauses,
):
    """W1 to W13; and L1 of sources."""


class ReadClauses(
    PageClauses,
    AbsenceClauses,
    NameFilterClauses,
    TimeFilterClauses,
    MixedFilterClauses,
    TagClauses,
    TextClauses,
    TimestampClauses,
    WholenessClauses,
    DigestClauses,
    SpellingClauses,
    NameClauses,
    InfoClauses,
):
    """R1 to R8 and L1; R3 takes writers at work and is among the races."""


class ConsumerClauses(RecordClauses, HoldClauses, StepClauses, TableClauses):
    """C1 to C9."""


class AdapterContract(
    WriteClauses,
    RaceClauses,
    ConditionRaceClauses,
    SourceRaceClauses,
    ReadClauses,
    ConsumerClauses,
    SnapshotClauses,
    MigrationClauses,
    LifeClauses,
    ClaimClauses,
):
    """The contract that every adapter keeps."""
