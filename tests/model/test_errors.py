"""Every error carries its facts, says them in a sentence, and survives a trip to another process."""

from __future__ import annotations

import inspect
import pickle

import pytest

import evstore
from evstore import Query, errors
from tests.support.sentences import names, wording

ID = "0198e5c4-7a2b-7c3d-8e4f-0123456789ab"
# One of each, and what its sentence must name.
EXAMPLES = {
    errors.EvstoreError: (("it failed",), ["it failed"]),
    errors.NotFoundError: (("nothing",), ["nothing"]),
    errors.StreamNotFoundError: (("Order-1",), ["Order-1"]),
    errors.EventNotFoundError: ((ID,), [ID]),
    errors.ConsumerNotFoundError: (("mailer",), ["mailer"]),
    errors.ConflictError: (("a conflict",), ["a conflict"]),
    errors.ConcurrencyError: (("Order-1", 3, 5), ["Order-1", "3", "5"]),
    errors.AppendConditionError: (
        (Query(["T"], ["a"]), 3, 5, ((Query(tags=["b"]), 6, 7),)),
        ["type=T", "tag=a", "3", "5", "tag=b", "6", "7"],
    ),
    errors.PositionConflictError: ((3, 5), ["3", "5"]),
    errors.EventIdConflictError: ((ID, "is taken"), [ID, "is taken"]),
    errors.InvalidInputError: (("bad input",), ["bad input"]),
    errors.InvalidStreamIdError: (("the stream id is empty",), ["the stream id is empty"]),
    errors.InvalidVersionError: ((-3,), ["-3", "ANY_VERSION", "NO_STREAM", "STREAM_EXISTS"]),
    errors.InvalidPayloadError: (("data is not JSON",), ["data is not JSON"]),
    errors.NoEventsError: ((), []),
    errors.CodecError: (("OrderPlaced", "its data is no OrderPlaced"), ["OrderPlaced", "its data"]),
    errors.UnknownEventTypeError: (("OrderPlaced", ""), ["OrderPlaced"]),
    errors.UpcastGapError: (
        ("OrderPlaced", 2, 4),
        ["OrderPlaced", "version 2", "version 4", "2 to 3", "from_version=2"],
    ),
    errors.SchemaError: (("/a/events.db",), ["/a/events.db"]),
    errors.NotInitializedError: (("/a/events.db",), ["/a/events.db"]),
    errors.NotAStoreError: (("/a/events.db", "it is a folder"), ["/a/events.db", "it is a folder"]),
    errors.SchemaTooOldError: (("/a/events.db", "schema 1"), ["/a/events.db", "schema 1"]),
    errors.SchemaTooNewError: (("/a/events.db", "schema 9"), ["/a/events.db", "schema 9"]),
    errors.MigrationError: (("/a/events.db", "0002_what", "no table"), ["/a/events.db", "0002_what", "no table"]),
    errors.UnavailableError: (("refused",), ["refused"]),
    errors.StoreBusyError: (("/a/events.db", 2.5), ["/a/events.db", "2.5"]),
    errors.StoreReplacedError: (("/a/events.db", "it was moved"), ["/a/events.db", "it was moved", "not stored"]),
    errors.AppendOutcomeUnknownError: (([ID, ID[::-1]], "it timed out"), [ID, ID[::-1], "it timed out"]),
    errors.InvalidTargetError: (("/a/copy.db", "it is a folder"), ["/a/copy.db", "it is a folder"]),
    errors.TargetExistsError: (("/a/copy.db",), ["/a/copy.db", "exists"]),
    errors.DeniedError: (("permission denied",), ["permission denied"]),
    errors.StorageFullError: (("the disk is full",), ["the disk is full"]),
    errors.ConsumerHeldError: (("mailer", "process 17"), ["mailer", "process 17"]),
    errors.ConsumerStartError: (("mailer", 9, 7), ["mailer", "9", "7"]),
    errors.ConsumerFilterError: (("mailer", "Order", "Invoice"), ["mailer", "there for Order, not for Invoice"]),
    errors.IntegrityError: (("a contradiction",), ["a contradiction"]),
    errors.CorruptStoreError: (("malformed",), ["malformed"]),
    errors.IncompleteLogError: (("/a/events.db", 17, "stream name"), ["/a/events.db", "17", "stream name"]),
    errors.LogDivergedError: (("mailer", 9, 7), ["mailer", "9", "the log ends at 7", "backup"]),
    errors.LogsDifferError: (("/a/copy.db", 4, "data differs"), ["/a/copy.db", "position 4", "data differs"]),
    errors.AdapterError: (("cannot",), ["cannot"]),
    errors.InvalidUrlError: (("no path",), ["no path"]),
    errors.UnknownAdapterError: (("mysql", ["memory", "sqlite"]), ["mysql:", "memory:", "sqlite:"]),
    errors.MissingDependencyError: (("install it",), ["install it"]),
    errors.UnsupportedError: (("a server does that",), ["a server does that"]),
    errors.RoleNotFoundError: (("postgresql://h/d", ["a b", "c"]), ["postgresql://h/d", '"a b"', '"c"']),
    errors.StoreClosedError: ((), []),
}
EVERY = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, errors.EvstoreError)]

each_error = pytest.mark.parametrize("cls", EVERY, ids=lambda cls: cls.__name__)


def example(cls):
    return cls(*EXAMPLES[cls][0])


@each_error
def test_every_error_is_public(cls):
    assert getattr(evstore, cls.__name__) is cls
    assert cls.__name__ in evstore.__all__


@each_error
def test_an_error_says_its_facts_in_a_sentence_of_one_line(cls):
    sentence = str(example(cls))
    for fact in EXAMPLES[cls][1]:
        assert fact in sentence
    assert "\n" not in sentence
    assert sentence


def test_a_store_that_is_too_old_is_told_otherwise_than_one_that_is_too_new():
    old, new = (cls("/a/events.db", "schema 1") for cls in (errors.SchemaTooOldError, errors.SchemaTooNewError))
    assert str(old) != str(new)


@each_error
def test_an_error_is_the_same_after_pickling(cls):
    error = example(cls)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        found = pickle.loads(pickle.dumps(error, protocol))
        assert type(found) is cls
        assert (str(found), found.args, vars(found)) == (str(error), error.args, vars(error))


@each_error
def test_an_error_reports_all_its_facts_and_nothing_else(cls):
    error = example(cls)
    known = {name: value for name, value in vars(error).items() if value not in (None, "")}
    if cls is errors.AppendConditionError:  # whose queries are reported in their wire form
        assert known.pop("violations") == ((known["query"], 3, 5), (Query(tags=["b"]), 6, 7))
        known["query"] = [{"types": ["T"], "tags": ["a"]}]
        known["more"] = [{"query": [{"tags": ["b"]}], "after": 6, "position": 7}]
    assert error.facts() == known


def test_the_source_of_a_fault_is_the_last_of_the_facts():
    error = errors.ConcurrencyError("Order-1", 0, 5)
    error.source = "events.ndjson:3"
    assert [*error.facts().items()] == [
        *(("stream_id", "Order-1"), ("expected", 0), ("actual", 5)),
        ("source", "events.ndjson:3"),
    ]


def test_the_source_of_a_fault_survives_pickling():
    for cls in (
        errors.InvalidInputError,
        errors.InvalidPayloadError,
        errors.InvalidVersionError,
        errors.NoEventsError,
        errors.ConcurrencyError,
        errors.AppendConditionError,
        errors.PositionConflictError,
        errors.EventIdConflictError,
    ):
        error = example(cls)
        bare = str(error)
        error.source = "events.ndjson:3"
        found = pickle.loads(pickle.dumps(error))
        assert str(found) == f"events.ndjson:3: {bare}"
        assert found.source == "events.ndjson:3"


@pytest.mark.parametrize(
    ("error", "facts"),
    [
        (errors.StreamNotFoundError("Order-1"), {"stream_id": "Order-1"}),
        (errors.EventNotFoundError(ID), {"event_id": ID}),
        (errors.ConsumerNotFoundError("mailer"), {"name": "mailer"}),
        (errors.ConcurrencyError("Order-1", 3, 5), {"stream_id": "Order-1", "expected": 3, "actual": 5}),
        (errors.EventIdConflictError(ID, "is taken"), {"event_id": ID}),
        (errors.InvalidVersionError("x"), {"expected": "x"}),
        (errors.NotAStoreError("/a", "it is a folder"), {"location": "/a", "detail": "it is a folder"}),
        (errors.StoreBusyError("/a", 2.5), {"location": "/a", "timeout": 2.5}),
        (errors.AppendOutcomeUnknownError([ID]), {"ids": (ID,)}),
        (errors.UnknownAdapterError("x", ["memory"]), {"scheme": "x", "known": ("memory",)}),
        (errors.ConsumerHeldError("mailer"), {"name": "mailer"}),
        (errors.TargetExistsError("/a"), {"path": "/a"}),
    ],
    ids=lambda each: type(each).__name__,
)
def test_an_error_carries_its_facts(error, facts):
    assert {name: getattr(error, name) for name in facts} == facts


@pytest.mark.parametrize(("expected", "actual"), [(3, 5), (5, 3), (3, 0), (0, 5)])
def test_a_conflict_says_what_was_found_and_what_was_expected(expected, actual):
    sentence = str(errors.ConcurrencyError("Order-1", expected, actual))
    assert names(sentence, '"Order-1"', *({expected, actual} - {0}))
    assert not names(sentence, 0)  # no version: there is no stream


def test_a_conflict_says_which_version_was_found_and_whether_there_is_a_stream():
    found = [errors.ConcurrencyError("Order-1", *each) for each in ((3, 5), (5, 3), (3, 0), (0, 3))]
    assert len({str(each) for each in found}) == 4
    assert len({wording(each) for each in found}) == 3


CODES = {
    "not_found": [errors.StreamNotFoundError, errors.EventNotFoundError, errors.ConsumerNotFoundError],
    "conflict": [
        errors.ConcurrencyError,
        errors.AppendConditionError,
        errors.PositionConflictError,
        errors.EventIdConflictError,
    ],
    "bad_input": [
        *(errors.InvalidInputError, errors.InvalidStreamIdError, errors.InvalidVersionError),
        *(errors.InvalidPayloadError, errors.NoEventsError),
    ],
    "schema": [
        errors.NotInitializedError,
        errors.NotAStoreError,
        errors.SchemaTooOldError,
        errors.SchemaTooNewError,
        errors.MigrationError,
    ],
    "unavailable": [errors.StoreBusyError, errors.AppendOutcomeUnknownError],
    "denied": [errors.DeniedError],
    "io": [errors.StorageFullError],
    "held": [errors.ConsumerHeldError],
    "damaged": [errors.CorruptStoreError, errors.LogDivergedError, errors.LogsDifferError],
    "usage": [
        errors.ConsumerFilterError,
        errors.InvalidUrlError,
        errors.UnknownAdapterError,
        errors.MissingDependencyError,
    ],
}


def test_an_error_has_the_code_of_the_exit_that_it_leads_to(subtests):
    for code, cls in [(code, cls) for code, classes in CODES.items() for cls in classes]:
        with subtests.test(code=code, cls=cls):
            assert cls.code == code


def test_only_what_may_pass_when_it_is_tried_again_is_retryable():
    retryable = {cls for cls in EVERY if cls.retryable}
    assert retryable == {
        errors.ConcurrencyError,
        errors.AppendConditionError,
        errors.UnavailableError,
        errors.StoreBusyError,
        errors.AppendOutcomeUnknownError,
    }


TREE = {
    errors.NotFoundError: [errors.StreamNotFoundError, errors.EventNotFoundError, errors.ConsumerNotFoundError],
    errors.ConflictError: CODES["conflict"],
    errors.InvalidInputError: CODES["bad_input"],
    errors.SchemaError: CODES["schema"],
    errors.UnavailableError: CODES["unavailable"],
    errors.EvstoreError: EVERY,
}


def test_an_error_can_be_caught_by_its_kind(subtests):
    for parent, cls in [(parent, cls) for parent, children in TREE.items() for cls in children]:
        with subtests.test(parent=parent, cls=cls):
            with pytest.raises(parent):
                raise example(cls)


def test_bad_input_is_a_value_error():
    assert issubclass(errors.InvalidInputError, ValueError)
    assert [
        cls for cls in EVERY if issubclass(cls, ValueError) and not issubclass(cls, errors.InvalidInputError)
    ] == []


def test_a_sentence_names_ten_ids_at_most_and_their_count() -> None:
    ids = [f"{n:08d}-7a2b-7c3d-8e4f-0123456789ab" for n in range(20_000)]
    few, many = errors.AppendOutcomeUnknownError(ids[:10]), errors.AppendOutcomeUnknownError(ids)
    assert names(few, *ids[:10])
    assert names(many, *ids[:10], 20_000)
    assert ids[10] not in str(many)
    assert many.facts()["ids"] == tuple(ids)  # a script needs them all
