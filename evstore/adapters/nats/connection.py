"""The connection: the client of nats-py, with a short way for batches and for answers.

nats-py validates each header of a message that goes out, reads all of one that comes in, and hands that to a task
of its subscription. Batches and pages have messages by the thousand, and of their headers few are needed. All that
is used of nats-py without being documented there is used here.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from nats import errors as nats_errors
from nats.aio.client import Client as NatsClient

from evstore.errors import DeniedError, InvalidUrlError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from nats.aio.msg import Msg

    from evstore.adapters.nats.location import Location

CONNECT_SECONDS: Final = 5.0
SERVER_SECONDS: Final = 2
"""The longest wait for one server, before the next is tried."""
PING_SECONDS: Final = 1
UNANSWERED_PINGS: Final = 2
"""After so many pings without an answer the next server is taken: one that is frozen closes no connection."""
_VERSION: Final = b"NATS/1.0"
_STATUS: Final = slice(9, 12)
"""The place of a status in the first line of headers."""


class Incoming(NamedTuple):
    """A message that answers a request."""

    body: bytes
    headers: bytes
    """As they were sent, empty if there are none."""

    @property
    def status(self) -> str | None:
        """The status that stands in place of a message."""
        return self.headers[_STATUS].decode() if self.headers[8:9] == b" " else None

    def header(self, lead: bytes) -> bytes | None:
        """The value of a header, the last of its name: what the server adds comes after what it stores.

        `lead` is all that stands before the value: a line's end, the name, colon and space.
        """
        at = self.headers.rfind(lead)
        if at < 0:
            return None
        begin = at + len(lead)
        return self.headers[begin : self.headers.index(b"\r\n", begin)]


class Outgoing(NamedTuple):
    """A message to send. Subjects and headers are ASCII."""

    subject: str
    headers: str
    """Their lines, each with its end; empty if there are none."""
    body: bytes
    reply: str = ""
    """The subject for an answer."""


def _encoded(message: Outgoing) -> bytes:
    """The message as the protocol has it."""
    subject, lines, body, reply = message
    if not lines:
        return b"PUB %b %b %d\r\n%b\r\n" % (subject.encode(), reply.encode(), len(body), body)
    headers = f"NATS/1.0\r\n{lines}\r\n"
    size = len(headers)  # evstore's headers are ASCII
    return f"HPUB {subject} {reply} {size} {size + len(body)}\r\n{headers}".encode() + body + b"\r\n"


class Connection(NatsClient):
    """A connection to one of the servers, which nats-py makes again when it breaks."""

    inbox: str = ""
    """The subjects of answers begin with it."""
    _receive: Callable[[str, Incoming], None]
    _inbox_id: int = -1

    async def begin(self, receive: Callable[[str, Incoming], None]) -> None:
        """Hand each answer to the function, with the token that its request put behind `inbox`."""
        self._receive = receive
        self.inbox = f"{self.new_inbox()}."
        made = await self.subscribe(f"{self.inbox}*", cb=self._came, pending_msgs_limit=-1, pending_bytes_limit=-1)
        self._inbox_id = made._id  # noqa: SLF001 - there is no other way to it

    @property
    def has_jetstream(self) -> bool:
        """True if the server itself says so."""
        return bool(self._server_info.get("jetstream"))

    async def send(self, messages: Iterable[Outgoing]) -> None:
        """Send all of the messages, which are valid, at once. Raises an error of nats-py, and has sent nothing."""
        if (
            not self.is_connected
        ):  # nats-py would send them as soon as it is connected again, which may be too late
            raise nats_errors.ConnectionReconnectingError
        await self._send_command(b"".join(map(_encoded, messages)))
        await self._flush_pending()

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        """Take an answer as it comes; any other message goes its usual way."""
        if sid == self._inbox_id:
            self._receive(subject[len(self.inbox) :].decode(), Incoming(data, headers or b""))
        else:
            await super()._process_msg(sid, subject, reply, data, headers)

    async def _process_connect_init(self) -> None:
        """Greet the server. nats-py forgets the socket of one that does not answer when it tries the next one."""
        try:
            await super()._process_connect_init()
        except BaseException:
            if self._transport is not None:
                self._transport.close()  # type: ignore[no-untyped-call]
            raise

    async def _came(self, message: Msg) -> None:
        """Take an answer that came the usual way, as it would with a nats-py that has no `_process_msg`."""
        headers = dict(message.headers or {})
        first = b" ".join([_VERSION, *([headers.pop("Status").encode()] if "Status" in headers else [])])
        lines = b"".join(f"{name}: {value}\r\n".encode() for name, value in headers.items())
        given = Incoming(message.data, b"%b\r\n%b\r\n" % (first, lines) if message.headers else b"")
        self._receive(message.subject.removeprefix(self.inbox), given)


async def connect(
    location: Location,
    seconds: float,
    receive: Callable[[str, Incoming], None],
    failed: Callable[[Exception], Awaitable[None]],
    broken: Callable[[], Awaitable[None]],
) -> Connection:
    """A connection to one of the servers. `receive` gets each answer, `failed` errors that belong to no request,
    and `broken` is called when answers are lost. Raises UnavailableError, DeniedError or InvalidUrlError."""
    made = Connection()
    told: list[Exception] = []

    async def note(error: Exception) -> None:
        told[:] = [error]
        await failed(error)

    try:
        async with asyncio.timeout(min(seconds, CONNECT_SECONDS)):
            await made.connect(
                [*location.servers], name="evstore", error_cb=note, disconnected_cb=broken,
                connect_timeout=SERVER_SECONDS, max_outstanding_pings=UNANSWERED_PINGS,
                reconnect_time_wait=0, ping_interval=PING_SECONDS, max_reconnect_attempts=2,
                **_options_of(location),
            )  # fmt: skip
        made.options["max_reconnect_attempts"] = -1
        made.options["reconnect_time_wait"] = 0.2
        await made.begin(receive)
    except (TimeoutError, nats_errors.Error, OSError, ValueError) as error:
        with suppress(Exception):
            await made.close()
        reason = told[-1] if told and isinstance(error, nats_errors.NoServersError) else error
        raise _unreached(reason, location.shown) from error
    return made


def _options_of(location: Location) -> dict[str, Any]:
    """The options of nats-py to log in, and for certificates that sign those of the servers."""
    if location.ca is None:
        return {**location.login}
    try:
        return {**location.login, "tls": ssl.create_default_context(cafile=location.ca)}
    except OSError as error:
        raise InvalidUrlError(f"the file of certificates {location.ca} cannot be read: {error}") from error


def _unreached(reason: Exception, shown: str) -> Exception:
    if isinstance(reason, nats_errors.AuthorizationError) or "authorization" in str(reason).lower():
        return DeniedError(f"the servers of {shown} refuse the user: {reason}")
    return UnavailableError(f"cannot connect to {shown}: {str(reason) or type(reason).__name__}")
