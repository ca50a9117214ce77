"""The event that tells of a redaction: which events, why, by whom and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evstore.appending.preparing import Preparing
from evstore.errors import InvalidInputError
from evstore.model.events import EventData, Write
from evstore.model.ids import normalize_id
from evstore.model.names import REDACTIONS
from evstore.port import Append

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from evstore.model.metadata import Metadata

REDACTED: Final = "EventsRedacted"


class Redaction:
    """A redaction, checked. Raises InvalidInputError."""

    def __init__(
        self, ids: Iterable[str | UUID], reason: str, *, metadata: bool, by: Metadata | None = None
    ) -> None:
        self.ids = [*dict.fromkeys(normalize_id(each) for each in ids)]
        self.metadata = metadata
        if not self.ids:
            raise InvalidInputError("no event to redact")
        if not isinstance(reason, str) or not reason.strip():
            raise InvalidInputError("a redaction needs a reason, for whoever finds the events without their data")
        data = {"ids": self.ids, "reason": reason, "metadata": metadata}
        event = Preparing(by).event(EventData(REDACTED, data))
        self.unit = Append([Write(REDACTIONS, [event])], has_new_ids=True)
