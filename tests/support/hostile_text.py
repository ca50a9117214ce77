"""Text that drives a terminal, or is taken for markup, where it is printed as it is."""

from __future__ import annotations

import json

C0 = [chr(code) for code in range(0x20)]
C1 = [chr(code) for code in range(0x7F, 0xA0)]
BIDI = [*map(chr, [0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])]
MARKUP = ["[red]", "[/]", "[/x]", "[bold]b[/bold]", "[link=x://y]", ":smile:", "[on red", "\\[", "[@click=f]"]
NAMES = [*BIDI, *MARKUP, "%", "_", "'", '"', "\u2028", "\u00a0", "\u200b", "e\u0301", "漢", "😀", "x", "-", " "]
SEQUENCES = [
    "\x1b[31m", "\x1b[2J", "\x1b[5;31m", "\x1b]0;title\x07", "\x1b]8;;x://y\x1b\\", "\x1b]52;c;eA==\x07", "\x1bP", "\x1bc",
    "\x9b31m", "\x9d0;t\x9c", "\x90q\x9c", "\r", "\b\b", "\x07", "\0", "\n",
]  # fmt: skip
TEXTS = [*NAMES, *C1, *SEQUENCES]
WORST = [
    (f"A{''.join(NAMES)}", "".join(NAMES), json.dumps({"v": "".join(TEXTS + C0)}, ensure_ascii=False), {"k": "".join(C1)}),
    ("B-1", "T", json.dumps({"v": "".join(SEQUENCES)}), {"k": "\x1b[31m\x9b31m" + "".join(BIDI)}),
]  # fmt: skip
