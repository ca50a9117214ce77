"""The keys that an index has, as far as that can be known in little memory: whoever is not here is not there."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BITS: Final = 2**20
_KEYS_OF_A_PART: Final = 2**16
"""Sixteen bits for each key, four of them set: of 400 keys that are not there about one seems to be."""


class Seen:
    """A filter after Bloom, which grows part by part."""

    def __init__(self) -> None:
        self._parts: list[bytearray] = []
        self._size = 0

    def add(self, keys: Iterable[str]) -> None:
        """Take in these keys."""
        for key in keys:
            if self._size % _KEYS_OF_A_PART == 0:
                self._parts.append(bytearray(_BITS // 8))
            self._size += 1
            part = self._parts[-1]
            for bit in _bits(key):
                part[bit >> 3] |= 1 << (bit & 7)

    def __contains__(self, key: str) -> bool:
        """False only if the key was never added."""
        bits = [*_bits(key)]
        return any(all(part[bit >> 3] >> (bit & 7) & 1 for bit in bits) for part in self._parts)


def _bits(key: str) -> Iterator[int]:
    digest = blake2b(key.encode(), digest_size=16).digest()
    for at in range(0, 16, 4):
        yield int.from_bytes(digest[at : at + 4]) % _BITS
