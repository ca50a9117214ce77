"""Call one function with the words given, and print the number that it measured: `sqlite.ready_rows FROM TO`."""

from __future__ import annotations

import sys
from importlib import import_module

if __name__ == "__main__":
    module, _, function = sys.argv[1].partition(".")
    print(getattr(import_module(f"tests.benchmarks.children.{module}"), function)(*sys.argv[2:]))
