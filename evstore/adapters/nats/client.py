"""The client of a cluster: requests of JetStream, and messages of a stream.

The leader of a stream answers `message`; any replica answers `direct`, perhaps with an older state.
"""

from __future__ import annotations

import asyncio
import json
import time
from base64 import b64decode
from itertools import count
from typing import TYPE_CHECKING, Any, Final, TypeVar

from nats import errors as nats_errors

from evstore.adapters.nats.connection import Connection, Incoming, Outgoing, connect
from evstore.adapters.nats.errors import (
    NO_MESSAGE,
    NOT_NOW,
    AnsweredError,
    EndedError,
    ForbiddenError,
    NoAnswerError,
    NotReachedError,
)
from evstore.adapters.nats.messages import PENDING, Found, Messages, found_in

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from evstore.adapters.nats.location import Location

T = TypeVar("T")

ANSWER_SECONDS: Final = 3.0
"""The longest wait for one answer. A new leader takes over within about six seconds: requests are repeated."""
AGAIN_SECONDS: Final = 0.5
"""The wait before a question is asked once more beside one that has no answer yet."""
MESSAGES_A_SECOND: Final = 2000
"""A batch has more time the longer it is, as on a slow disk."""
PAUSE: Final = 0.05
_END_OF_BATCH: Final = "204"
_NOTHING: Final = "404"
_NOBODY: Final = "503"


class _Collecting:
    """The answers to one direct request, as they come."""

    def __init__(self) -> None:
        self.came: list[Incoming] = []
        self.done: asyncio.Future[str] = asyncio.get_running_loop().create_future()


class Client:
    """A connection, which nats-py makes again when it breaks."""

    def __init__(self, location: Location, timeout: float) -> None:
        self._location = location
        self.timeout = timeout
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()
        self._has_ended = False
        self._asked: dict[asyncio.Future[Any], str] = {}
        """The waits for an answer, each with the subjects that it needs."""
        self._tokens = count()
        self._answers: dict[str, asyncio.Future[bytes]] = {}
        self._collecting: dict[str, _Collecting] = {}

    async def connected(self) -> Connection:
        """The connection. Raises UnavailableError, DeniedError or InvalidUrlError."""
        if self._connection is None or self._connection.is_closed:
            async with self._connecting:
                if self._has_ended:
                    raise EndedError
                if self._connection is None or self._connection.is_closed:  # nats-py gives up where it is refused
                    self._connection = await connect(
                        self._location, self.timeout, self._receive, self._failed, self._broken
                    )
        return self._connection

    async def close(self) -> None:
        self._has_ended = True
        if self._connection is not None:
            await self._connection.close()

    async def _failed(self, error: Exception) -> None:
        """Take note of an error that belongs to no request, but perhaps explains why one has no answer."""
        text = str(error).lower()
        if "permissions violation" in text:
            for future, subjects in [*self._asked.items()]:
                if (subjects.lower() in text or "subscription" in text) and not future.done():
                    future.set_exception(ForbiddenError(str(error)))

    async def _broken(self) -> None:
        """The answers to what was asked over the connection are lost with it."""
        for future in [*self._asked]:
            if not future.done():
                future.set_exception(NoAnswerError("the connection broke"))

    # --- requests ---

    async def ask(
        self, subject: str, body: bytes, headers: str = "", *, first: Sequence[Outgoing] = (), needs: str = ""
    ) -> bytes:
        """The answer to one request, or to the last of several messages, which `first` come before.

        Raises NoAnswerError, NotReachedError or ForbiddenError, which `needs` tells by the begin of the subjects.
        """
        connection = await self.connected()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes] = loop.create_future()
        token = str(next(self._tokens))
        self._answers[token] = answer
        self._asked[answer] = needs or subject
        seconds = ANSWER_SECONDS + len(first) / MESSAGES_A_SECOND
        timer = loop.call_later(seconds, _late, answer, subject)
        try:
            await _send(connection, [*first, Outgoing(subject, headers, body, connection.inbox + token)])
            return await answer
        finally:
            timer.cancel()
            del self._answers[token]
            del self._asked[answer]
            answer.cancel()

    async def api(self, verb: str, given: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer to a request of JetStream's own. Raises AnsweredError."""
        body = b"" if given is None else json.dumps(given).encode()
        answer: dict[str, Any] = json.loads(await self.ask(f"$JS.API.{verb}", body))
        if "error" in answer:
            raise AnsweredError(answer["error"])
        return answer

    async def patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer to a question that may be asked twice; asked again, until the timeout, while none comes."""
        deadline = time.monotonic() + self.timeout
        try:
            return await ask()
        except (NoAnswerError, NotReachedError, AnsweredError) as error:
            _check_again(error, deadline)
        await asyncio.sleep(PAUSE)
        return await self._again(ask, deadline)

    async def _again(
        self, ask: Callable[[], Awaitable[T]], deadline: float, is_coming: Callable[[], bool] = bool
    ) -> T:
        """The answer, where no question waits for the end of another, unless that is coming: another server may
        answer this one."""
        asked: set[asyncio.Future[T]] = set()
        try:
            while True:
                if not asked or not is_coming():
                    asked.add(asyncio.ensure_future(ask()))
                done, asked = await asyncio.wait(asked, timeout=AGAIN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                for each in done:
                    try:
                        return each.result()
                    except (NoAnswerError, NotReachedError, AnsweredError) as error:
                        _check_again(error, deadline)
                if done:
                    await asyncio.sleep(PAUSE)
        finally:
            for each in asked:
                each.cancel()
            await asyncio.gather(*asked, return_exceptions=True)

    # --- messages ---

    async def message(self, stream: str, given: dict[str, Any]) -> Found | None:
        """A message, by the leader."""
        try:
            answer = await self.patiently(lambda: self.api(f"STREAM.MSG.GET.{stream}", given))
        except AnsweredError as error:
            if error.code == NO_MESSAGE:
                return None
            raise
        message = answer["message"]
        return Found(message["seq"], message["subject"], b64decode(message.get("data", "")))

    async def subjects(self, stream: str, subject: str) -> dict[str, int]:
        """The subjects that a filter admits, with their numbers of messages, by the leader."""
        found: dict[str, int] = {}
        given: dict[str, Any] = {"subjects_filter": subject, "offset": 0}
        while True:
            info = await self.patiently(lambda: self.api(f"STREAM.INFO.{stream}", given))
            page = info["state"].get("subjects") or {}
            found.update(page)
            given["offset"] += len(page)
            if not page or given["offset"] >= info.get("total", 0):
                return found

    async def direct(self, stream: str, given: dict[str, Any]) -> Messages:
        """Messages, by any replica."""
        coming: list[list[Incoming]] = []
        deadline = time.monotonic() + self.timeout
        return await self._again(lambda: self._direct(stream, given, coming), deadline, lambda: any(coming))

    async def _direct(self, stream: str, given: dict[str, Any], coming: list[list[Incoming]]) -> Messages:
        connection = await self.connected()
        token, collecting = str(next(self._tokens)), _Collecting()
        coming.append(collecting.came)
        self._collecting[token] = collecting
        subject = f"$JS.API.DIRECT.GET.{stream}"
        self._asked[collecting.done] = subject
        try:
            await _send(connection, [Outgoing(subject, "", json.dumps(given).encode(), connection.inbox + token)])
            seen = -1
            while not collecting.done.done():
                await asyncio.wait((collecting.done,), timeout=ANSWER_SECONDS)
                if not collecting.done.done() and len(collecting.came) == seen:
                    raise NoAnswerError(f"no answer to {subject}")
                seen = len(collecting.came)
            status = collecting.done.result()
        finally:
            del self._collecting[token]
            del self._asked[collecting.done]
            collecting.done.cancel()
        if status == _NOBODY:
            raise NotReachedError(f"no server listens to {subject}")
        if status not in (_END_OF_BATCH, _NOTHING):
            raise AnsweredError({"code": int(status), "description": f"{subject}: {status}"})
        last = collecting.came[-1] if collecting.came else None
        return Messages(
            [*map(found_in, collecting.came)], last is not None and last.header(PENDING) not in (None, b"0")
        )

    def _receive(self, token: str, message: Incoming) -> None:
        """Take the answer to the request of this token."""
        answer = self._answers.get(token)
        if answer is not None:
            _answered(answer, message)
            return
        collecting = self._collecting.get(token)
        if collecting is None or collecting.done.done():
            return
        status = message.status
        if status is None:
            collecting.came.append(message)
        else:
            collecting.done.set_result(status)


def _check_again(error: Exception, deadline: float) -> None:
    """Raise the error unless the question may be asked again."""
    if isinstance(error, AnsweredError) and error.code not in NOT_NOW:
        raise error
    if deadline - time.monotonic() <= PAUSE:
        raise error


async def _send(connection: Connection, messages: Sequence[Outgoing]) -> None:
    """Send the messages. Raises NotReachedError if the connection is broken."""
    try:
        await connection.send(messages)
    except nats_errors.Error as error:
        raise NotReachedError(str(error) or type(error).__name__) from error


def _answered(answer: asyncio.Future[bytes], message: Incoming) -> None:
    if answer.done():
        return
    if message.status == _NOBODY:
        answer.set_exception(NotReachedError("no server listens to it"))
    else:
        answer.set_result(message.body)


def _late(answer: asyncio.Future[bytes], subject: str) -> None:
    if not answer.done():
        answer.set_exception(NoAnswerError(f"no answer to {subject}"))
