"""The wait for the next event: an ordered consumer wakes it, and the leader is asked how far the log goes."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from nats import errors as nats_errors
from nats.js.api import ConsumerConfig, DeliverPolicy

if TYPE_CHECKING:
    from nats.aio.msg import Msg

    from evstore.adapters.nats.session import Session

LONGEST_PAUSE: Final = 1.0
"""The head is asked for so often even if nothing woke the wait, as after a change of leader."""
_SHORT: Final = 0.2
"""A wait for which no consumer is worth making."""
_PAUSE: Final = 0.02


class Watch:
    """The waits of an adapter, which share one consumer."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._subscribing = asyncio.Lock()
        self._subscription: Any = None
        self._beat = asyncio.Event()

    async def head(self, beyond: int, seconds: float) -> int:
        """The position of the last event, once it is greater than `beyond` or the time has passed."""
        deadline = time.monotonic() + seconds
        while True:
            beat = self._beat
            head = (await self._session.end()).position
            left = deadline - time.monotonic()
            if head > beyond or left <= 0:
                return head
            if seconds <= _SHORT or not await self._is_subscribed():
                await asyncio.sleep(min(left, _PAUSE))
                continue
            if beat is self._beat:
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(left, LONGEST_PAUSE)):
                        await beat.wait()

    async def _is_subscribed(self) -> bool:
        """True once there is a consumer. Made by this call, it may have missed an event, so that it wakes all."""
        if self._subscription is not None:
            return True
        async with self._subscribing:
            if self._subscription is None:
                connection = await self._session.client.connected()
                config = ConsumerConfig(
                    deliver_policy=DeliverPolicy.NEW, headers_only=True, inactive_threshold=30.0
                )
                with suppress(nats_errors.Error, TimeoutError):
                    self._subscription = await connection.jetstream().subscribe(
                        self._session.subjects.ids, stream=self._session.name, ordered_consumer=True,
                        cb=self._wake, config=config,
                    )  # fmt: skip
                self._wake_all()
        return self._subscription is not None

    async def _wake(self, _message: Msg) -> None:
        self._wake_all()

    def _wake_all(self) -> None:
        self._beat.set()
        self._beat = asyncio.Event()
