"""The consumers that an adapter keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from evstore.errors import UnsupportedError

if TYPE_CHECKING:
    from evstore.port import Adapter, Consumers, HasConsumers


def consumers_of(adapter: Adapter) -> Consumers:
    """The adapter's consumers. Raises UnsupportedError if it keeps none."""
    if not adapter.capabilities.has_consumers:
        raise UnsupportedError(f"a store of {adapter.capabilities.name} keeps no consumers")
    return cast("HasConsumers", adapter).consumers()
