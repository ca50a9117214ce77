"""The command that `subscribe` runs for each batch: its input, its environment, its end, and signals for it."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, NoReturn

from evstore.cli import signals
from evstore.cli.errors import UsageError
from evstore.cli.output import writer
from evstore.errors import EvstoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

    from evstore.model.events import StoredEvent

_PASSED_ON: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class CommandFailedError(EvstoreError):
    """The command ended with another code than 0, or by a signal. Its sentence is the reason of a parked event."""

    code = "handler_failed"

    def __init__(self, name: str, exit_code: int) -> None:
        super().__init__(name, exit_code)
        self.name = name
        self.exit_code = exit_code

    def __str__(self) -> str:
        if self.exit_code >= 0:
            return f"{self.name} exited with {self.exit_code}"
        return f"{self.name} was ended by {_signal_name(-self.exit_code)}"


class NotStarted(BaseException):
    """The command cannot be started: no retry helps."""


class Ended(BaseException):
    """A signal came."""


class Handler:
    """Runs a command for a batch of events, one at a time.

    A signal is passed on to a command that is at work, and `run` ends after its batch. The command gets a process
    group of its own: a terminal sends Ctrl-C to all of the foreground group, and it would come twice.
    """

    def __init__(
        self, command: Sequence[str], stop: Callable[[], None], files: Callable[[], Sequence[int]]
    ) -> None:
        self._command = command
        self._stop = stop
        self._files = files
        self._process: subprocess.Popen[bytes] | None = None
        self._working = False
        self.signal: int | None = None

    def run(self, events: Sequence[StoredEvent]) -> None:
        """Run the command with the events as NDJSON on its stdin. Raises CommandFailedError."""
        self._run(events, None)

    def output(self, events: Sequence[StoredEvent]) -> bytes:
        """The same; what the command prints is returned."""
        return self._run(events, subprocess.PIPE)

    def _run(self, events: Sequence[StoredEvent], stdout: int | None) -> bytes:
        self._working = True
        if self.signal is not None:
            raise Ended
        lines = writer.as_bytes(event.to_json() for event in events)
        try:
            process = self._process = subprocess.Popen(  # noqa: S603 - it is the user's own command
                self._command,
                stdin=subprocess.PIPE,
                stdout=stdout,
                env=_environment(events),
                pass_fds=self._files(),  # so that the consumer stays held while the command lives
                process_group=0,
            )
        except OSError as error:
            raise NotStarted(f"cannot start {self._command[0]}: {error.strerror}") from error
        if self.signal is not None:  # it came before the process was known
            self._pass_on(self.signal)
        try:
            with process:
                printed, _ = process.communicate(lines)
        finally:
            self._process = None
        if self.signal is not None and process.returncode != 0:  # given back, and no failure of its own
            raise Ended
        if process.returncode != 0:
            raise CommandFailedError(self._command[0], process.returncode)
        return printed or b""

    def idle(self) -> None:
        """No batch is in hand: a signal ends the process at once."""
        self._working = False
        if self.signal is not None:
            raise Ended

    @contextmanager
    def heeding_signals(self) -> Iterator[None]:
        """A block in which signals are passed on; at its end the process ends by the signal that came."""
        heeded = [each for each in _PASSED_ON if signals.ends(each)]
        before = {each: signal.signal(each, self._heed) for each in heeded}
        if self._command:  # which need not read its input, and prints in our place
            before[signal.SIGPIPE] = signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        try:
            yield
        except Ended:
            pass
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)
        if self.signal is not None:
            with suppress(Exception):
                writer.flush()
            signals.end(self.signal)

    def _heed(self, number: int, _: FrameType | None) -> None:
        self.signal = number
        self._stop()
        if self._process is not None:
            self._pass_on(number)
        elif not self._working:
            raise Ended

    def _pass_on(self, number: int) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
                os.killpg(self._process.pid, signal.SIGCONT)  # a terminal stops what would read from it


def check_command(command: Sequence[str]) -> None:
    """Raise UsageError unless the command can be started."""
    from shutil import which

    if not command or not command[0]:
        raise UsageError("a command stands after --")
    if which(command[0]) is None:
        raise UsageError(f"cannot start {command[0]}: there is no such command, or it may not be run")


def not_started(error: NotStarted) -> NoReturn:
    """Report it as what it is: a fault of the command line."""
    raise UsageError(str(error)) from error


def _environment(events: Sequence[StoredEvent]) -> dict[str, str]:
    """The variables that name the event in hand, where there is one alone."""
    names = ("EVSTORE_STREAM_ID", "EVSTORE_EVENT_TYPE", "EVSTORE_GLOBAL_POSITION", "EVSTORE_EVENT_ID")
    around = {name: value for name, value in os.environ.items() if name not in names}
    if len(events) != 1:
        return around
    (event,) = events
    values = (event.stream_id, event.type, str(event.global_position), event.id)
    return {**around, **dict(zip(names, values, strict=True))}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def printed_writes(out: bytes, name: str) -> Any:
    """The reaction that a command has printed: envelopes with "streamId", as `append --many` takes them."""
    from evstore.appending.envelopes import envelope_from_json
    from evstore.consumers.effects import Reaction
    from evstore.jsontext.splitting import read_values
    from evstore.model.events import EventData, Write
    from evstore.model.versions import ANY_VERSION

    conditions: list[Any] = []

    def write(value: bytes) -> Write[EventData]:
        found = envelope_from_json(value)
        stream_id = found.named_stream()
        made = found.id_of_key(stream_id, found.id)
        event_id = found.id if made is None else made
        event = EventData.from_json(found.type, found.data, found.metadata, event_id, found.tags)
        conditions.extend(found.conditions)
        expected = ANY_VERSION if found.expected_version is None else found.expected_version
        return Write(stream_id, [event], expected)

    writes = [each for _, each in read_values([out], f"the output of {name}", write)]
    return Reaction(writes, conditions or None)
