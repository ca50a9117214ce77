"""Ids as SQLite holds them, spelled together."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from evstore.adapters.ids import id_from_blob, ids_from_blobs
from evstore.adapters.sql import id_to_blob

IDS = st.lists(st.binary(min_size=16, max_size=16), max_size=40)


@given(IDS)
@settings(deadline=None, max_examples=100, print_blob=True)
def test_ids_that_are_spelled_together_are_those_of_each(blobs):
    assert ids_from_blobs(blobs) == [str(UUID(bytes=each)) for each in blobs] == [*map(id_from_blob, blobs)]
    assert [*map(id_to_blob, ids_from_blobs(blobs))] == blobs


@given(IDS, st.lists(st.binary(max_size=20), min_size=1, max_size=3))
@settings(deadline=None, max_examples=100, print_blob=True)
def test_a_damaged_id_does_not_change_the_others(blobs, damaged):
    assert ids_from_blobs([*blobs, *damaged, *blobs]) == [*map(id_from_blob, [*blobs, *damaged, *blobs])]
