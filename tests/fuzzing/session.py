"""One target under atheris: `python -m tests.fuzzing.session NAME CORPUS [flags of libFuzzer]`."""

from __future__ import annotations

import sys
from importlib import import_module

import atheris  # type: ignore[import-not-found]

if __name__ == "__main__":
    name, *flags = sys.argv[1:]
    with atheris.instrument_imports(include=["evstore"]):
        from tests.fuzzing.targets import TARGETS

        for loaded_late in ("postgres", "sqlite"):
            import_module(f"evstore.adapters.{loaded_late}.location")
    atheris.Setup([sys.argv[0], *flags], TARGETS[name])
    atheris.Fuzz()
