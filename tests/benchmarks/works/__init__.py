"""The works of the table; importing this registers them, in the order of the table."""

from tests.benchmarks.registry import WORKS
from tests.benchmarks.works import bulk, keeping, reading, single, starting  # noqa: F401 - the order counts

__all__ = ["WORKS"]
