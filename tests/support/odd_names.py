"""Names of streams and types that are unusual and allowed."""

from __future__ import annotations

from hypothesis import strategies as st

NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=8).map(
    lambda text: f"A{text}"
)
TAGS = NAMES.map(lambda name: name.replace(" ", "_").replace(",", "_"))

NFC, NFD = "Caf\u00e9-1", "Cafe\u0301-1"
# Names that a careless store refuses, cuts, folds or takes for a pattern.
ODD_BUT_FINE = [
    *("Order-order-123", "a", "Order- 1", " Order-1", "Order-1 ", "a--b", "x-", "_-_", "Order-$1", "Order-\\"),
    *("O'Brien-1", 'Say "hi"-1', "100%-1", "we_ird-1", "Order-1; DROP TABLE events", "a/b-1", "C:\\-1", "?-*"),
    *(
        "😀-1",
        "\U0010ffff-1",
        "\ud7ff-1",
        "\ue000-1",
        "\ufffe-\uffff",
        "\ufeffOrder-1",
        "a\u00a0b-1",
        "a\u200bb-1",
    ),
    *("a\u2028b-1", "a\u2029b-1", "\u202eabc-1", "ß-1", "İ-1", "日本-1", NFC, NFD),
]
