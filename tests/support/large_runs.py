"""The memory of a process of its own."""

from __future__ import annotations

import sys
from typing import Final

MB: Final = 1024 * 1024
PEAK_UNIT: Final = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes

# A process that forks hands its own size on, so that the tests' own would be measured; this one is small.
MEASURE: Final = """
import os, sys
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, used = os.wait4(child, 0)
print(used.ru_maxrss, file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))
"""
