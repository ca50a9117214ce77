"""The works of the table; importing this registers them, in the order of the table."""

from importlib import import_module

from tests.benchmarks.registry import WORKS

__all__ = ["WORKS"]

for _name in (
    "bulk",
    "starting",
    "reading",
    "single",
    "conditional",
    "together",
    "keeping",
    "projecting",
    "aggregating",
    "growing",
):
    import_module(f"{__name__}.{_name}")
