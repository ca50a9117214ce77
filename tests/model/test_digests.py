"""Hashes of events and digests of logs, as the text that describes them lets anybody compute them."""

from __future__ import annotations

from hashlib import sha256

from evstore import StoredEvent
from evstore.model.digests import EMPTY, chained, content_hash, content_hash_of, digest_of_part, shown

ID = "0198e5c4-7a2b-7c3d-8e4f-0123456789ab"
PLACED = StoredEvent(ID, "Order-1", "Placed", '{"n":1}', '{"userId":"u"}', 3, 7, 1_000_001, "a b")
REDACTED = StoredEvent(ID, "Örder-1", "Placed", "null", "{}", 4, 260, -5, None, True)
CONTENT = f'{ID}\nOrder-1\nPlaced\n3\n1000001\na b\n{{"userId":"u"}}\n{{"n":1}}\n'.encode()
WITHOUT_TAGS = f"{ID}\nÖrder-1\nPlaced\n4\n-5\n\n{{}}\nnull\n".encode()


def test_the_hash_of_an_event_is_that_of_its_eight_lines() -> None:
    assert content_hash_of(PLACED) == sha256(CONTENT).digest()
    assert content_hash_of(REDACTED) == sha256(WITHOUT_TAGS).digest()


def test_bytes_that_are_no_text_are_hashed_as_they_are() -> None:
    found = content_hash(ID, "Order-1", "Placed", 3, 1_000_001, "a b", '{"userId":"u"}', '{"n":"\udcff"}')
    assert found == sha256(CONTENT.replace(b"1}\n", b'"\xff"}\n')).digest()


def test_the_digest_of_a_log_goes_on_from_the_one_before() -> None:
    assert EMPTY == b"\0" * 32
    assert chained(EMPTY, content_hash_of(PLACED)) == sha256(EMPTY + sha256(CONTENT).digest()).digest()
    assert shown(12, b"\x01\xab") == "12:01ab"


def test_the_digest_of_a_part_is_of_positions_hashes_and_redactions() -> None:
    parts = (
        b"\0\0\0\0\0\0\0\7" + sha256(CONTENT).digest() + b"\0",
        b"\0\0\0\0\0\0\1\4" + sha256(WITHOUT_TAGS).digest() + b"\1",
    )
    assert digest_of_part([PLACED, REDACTED]) == sha256(b"".join(parts)).digest()
    assert digest_of_part([]) == sha256().digest()
