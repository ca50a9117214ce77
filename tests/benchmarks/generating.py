"""The input of the benchmarks: envelopes from a seed, or the lines of a file."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CATEGORIES: Final = {
    "Order": ("OrderPlaced", "ItemAdded", "OrderPaid", "OrderShipped"),
    "Customer": ("CustomerRegistered", "AddressChanged"),
    "Invoice": ("InvoiceSent", "InvoicePaid", "InvoiceReminded"),
    "Stock-Item": ("StockCounted", "StockReserved"),
}
LARGE: Final = 16 * 1024
"""Bytes of data of a large event."""
WORDS: Final = (
    "blue",
    "größer",
    "crate",
    "fragile",
    "left at the door",
    'a "quoted" word',
    "東京",
    "second floor",
)


@dataclass(frozen=True)
class Shape:
    """The size and the mix of a generated input."""

    seed: int
    events: int
    streams: int
    large: float = 0.0
    """The share of events with LARGE bytes of data."""
    correlated: float = 0.0
    """The share of events with a correlation id of their own."""


def envelopes(shape: Shape) -> Iterator[bytes]:
    """Yield a line for each event: about 220 bytes of data and metadata, unless the event is large."""
    random = Random(shape.seed)
    names = list(CATEGORIES)
    filler = "".join(random.choices("abcdefgh ", k=LARGE))
    for number in range(shape.events):
        stream = number if number < shape.streams else random.randrange(shape.streams)
        category = names[stream % len(names)]
        kind = random.choice(CATEGORIES[category])
        data = {
            "orderId": f"{stream:08x}-{number}",
            "quantity": random.randrange(1, 100),
            "total": random.randrange(10**6) / 100,
            "note": random.choice(WORDS),
            "items": [{"sku": f"SKU-{random.randrange(10**5)}", "quantity": random.randrange(1, 9)}],
        }
        if random.random() < shape.large:
            data["note"] = filler[: LARGE - 160]
        metadata = {"userId": f"user-{random.randrange(1000)}"}
        if random.random() < shape.correlated:
            metadata["correlationId"] = f"{random.getrandbits(128):032x}"
        envelope = {"streamId": f"{category}-{stream}", "type": kind, "data": data, "metadata": metadata}
        yield json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def write(lines: Iterator[bytes], path: Path) -> int:
    """Write the lines to a file, and count them."""
    count = 0
    with path.open("wb") as file:
        for line in lines:
            file.write(line)
            count += 1
    return count


def lines_of(path: Path, most: int) -> Iterator[bytes]:
    """Yield the first lines of a file of envelopes, perhaps compressed by gzip."""
    opened = gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")
    with opened as file:
        for line in islice(file, most):
            yield line if line.endswith(b"\n") else line + b"\n"
