"""`subscribe`: a command for each event, once, in order, by one process at a time."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from evstore import EventData, Metadata, connect
from evstore.model.consumers import slot_of
from tests.support.daemons import freeze
from tests.support.sentences import names
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.command import Command

EVENT_ID = "0198e5c4-7a2b-7c3d-8e4f-0123456789ab"


@pytest.fixture
def store(evstore: Command) -> Command:
    """Order-1 at 1 and 2, Order-2 at 3, Invoice-1 at 4."""
    with connect(evstore.url) as made:
        made.initialize()
        for stream, kind, data in (("Order-1", "Placed", 1), ("Order-1", "Paid", 2), ("Order-2", "Placed", 3)):
            made.append(stream, [EventData(kind, data)])
        made.append("Invoice-1", [EventData("Sent", 4)], metadata=Metadata("c-4"))
    return evstore


def positions(text: bytes) -> list[int]:
    return [json.loads(line)["globalPosition"] for line in text.splitlines()]


def shell(script: str) -> tuple[str, ...]:
    return ("--", "sh", "-c", script)


def position(store: Command, name: str = "mailer") -> int:
    found: int = json.loads(store.ok("consumers", "show", name).out)["globalPosition"]
    return found


# --- what a command gets ---


def test_a_command_gets_each_event_as_it_is_printed_elsewhere(store: Command) -> None:
    done = store.ok("subscribe", "mailer", "Order", "--once", "--", "cat")
    assert done.out == store.ok("replay", "Order").out
    assert store.ok("subscribe", "mailer", "Order", "--once", "--", "cat").out == b""
    store.ok("append", "Order-3", "-t", "Placed", "-d", "5", "-q")
    assert positions(store.ok("subscribe", "mailer", "Order", "--once", "--", "cat").out) == [5]


def test_variables_name_the_event_in_hand(store: Command) -> None:
    script = (
        'cat > /dev/null; echo "$EVSTORE_STREAM_ID $EVSTORE_EVENT_TYPE $EVSTORE_GLOBAL_POSITION $EVSTORE_EVENT_ID"'
    )
    events = [json.loads(line) for line in store.ok("replay", "--all").lines]
    done = store.ok("subscribe", "mailer", "--all", "--once", *shell(script))
    assert done.lines == [f"{e['streamId']} {e['type']} {e['globalPosition']} {e['id']}" for e in events]


@pytest.mark.sqlite_only("what a command gets is the same whatever the store is")
def test_a_batch_of_several_comes_without_variables_of_one(store: Command) -> None:
    script = 'echo "$(wc -l) ${EVSTORE_EVENT_ID:-none}"'
    env = {"EVSTORE_EVENT_ID": "outer"}
    done = store("subscribe", "mailer", "--all", "--once", "--batch", "3", *shell(script), env=env)
    last = json.loads(store.ok("replay", "--all", "--last", "1").out)["id"]
    assert [line.split() for line in done.lines] == [["3", "none"], ["1", last]]


@pytest.mark.sqlite_only("what a command gets is the same whatever the store is")
def test_a_command_need_not_read_its_input(store: Command) -> None:
    store.ok("append", "Order-9", "-t", "Large", "-", "-q", stdin=json.dumps("x" * 300_000).encode())
    assert store.ok("subscribe", "mailer", "--all", "--once", "--", "true").out == b""
    assert position(store) == 5


@pytest.mark.sqlite_only("the line is understood before a store is opened")
def test_words_of_the_command_are_its_own(store: Command) -> None:
    done = store.ok("subscribe", "mailer", "Invoice", "--once", "--", "printf", "%s|", "--db", "--", "-h", "a b")
    assert done.out == b"--db|--|-h|a b|"


@pytest.mark.sqlite_only("the library's tests begin everywhere on every store")
@pytest.mark.parametrize(("start", "expected"), [("beginning", [1, 2, 3, 4]), ("end", []), ("3", [4])])
def test_a_new_name_begins_where_it_is_told(store: Command, start: str, expected: list[int]) -> None:
    words = ("subscribe", "mailer", "--all", "--once", "--start")
    assert positions(store.ok(*words, start, "--", "cat").out) == expected
    assert positions(store.ok(*words, "beginning", "--", "cat").out) == []


# --- failure ---


def test_the_checkpoint_stays_before_an_event_that_keeps_failing(store: Command) -> None:
    fails = 'echo "$EVSTORE_GLOBAL_POSITION"; test "$EVSTORE_GLOBAL_POSITION" != 3'
    words = ("subscribe", "mailer", "--all", "--once", "--retries", "2", "--backoff", "1ms")
    done = store(*words, *shell(fails))
    assert (done.code, done.lines) == (8, ["1", "2", "3", "3", "3"])
    *notes, error, hint = done.err.splitlines()
    assert [note.partition(",")[0] for note in notes] == [
        "note: sh exited with 1; 2 tries are left",
        "note: sh exited with 1; 1 try is left",
    ]
    event = json.loads(store.ok("replay", "--all", "--from", "3", "-n", "1").out)
    assert names(error, event["id"], "Order-2", "position 3", "mailer", "exited with 1")
    assert hint.startswith("hint: ")
    assert position(store) == 2
    assert store.ok(*words, *shell("echo $EVSTORE_GLOBAL_POSITION")).lines == ["3", "4"]


@pytest.mark.sqlite_only("how errors are printed is the same whatever the store is")
def test_errors_as_json_say_at_which_event(store: Command) -> None:
    words = ("subscribe", "mailer", "--all", "--once", "--retries", "0", "--errors", "json")
    error = json.loads(store(*words, "--", "false").err)["error"]
    assert (error["code"], error["exitCode"], error["class"]) == ("handler_failed", 8, "HandlerFailedError")
    assert (error["name"], error["globalPosition"], error["streamId"]) == ("mailer", 1, "Order-1")


@pytest.mark.sqlite_only("how a command ended is the same whatever the store is")
def test_a_command_that_a_signal_ended_has_failed(store: Command) -> None:
    done = store("subscribe", "mailer", "--all", "--once", "--retries", "0", *shell("kill -9 $$"))
    assert done.code == 8
    assert names(done.err, "SIGKILL")


def test_a_parked_event_holds_back_the_later_events_of_its_stream(store: Command) -> None:
    words = ("subscribe", "mailer", "--all", "--once", "--retries", "0", "--on-failure", "park")
    done = store.ok(*words, *shell('echo "$EVSTORE_GLOBAL_POSITION"; test "$EVSTORE_GLOBAL_POSITION" != 1'))
    assert done.lines == ["1", "3", "4"]
    shown = json.loads(store.ok("consumers", "show", "mailer").out)
    (parked,) = shown["parkedEvents"]
    assert (shown["parked"], shown["globalPosition"], shown["lag"]) == (1, 4, 0)
    assert (parked["streamId"], parked["globalPosition"], parked["state"]) == ("Order-1", 1, "parked")
    assert names(parked["reason"], "sh exited with 1")
    receipt = json.loads(store.ok("consumers", "retry", "mailer", parked["id"]).out)
    assert receipt == {"name": "mailer", "id": parked["id"], "state": "retry"}
    assert store.ok(*words, *shell('echo "$EVSTORE_GLOBAL_POSITION"')).lines == ["1", "2"]
    assert json.loads(store.ok("consumers", "show", "mailer").out)["parkedEvents"] == []


@pytest.mark.sqlite_only("how notes are printed is the same whatever the store is")
def test_it_is_noted_that_an_event_is_parked_and_how_to_retry_it(store: Command) -> None:
    words = ("subscribe", "the mailer", "--all", "--once", "--retries", "0", "--on-failure", "park")
    done = store.ok(*words, "--batch", "3", *shell("! grep -q Paid"))
    (parked,) = json.loads(store.ok("consumers", "show", "the mailer").out)["parkedEvents"]
    note, hint = done.err.splitlines()
    assert names(note, "note", parked["id"], "Order-1", "position 2", "parked", "sh exited with 1")
    assert hint == f"hint: evstore consumers retry 'the mailer' {parked['id']}"
    store.ok("consumers", "retry", "the mailer", parked["id"])
    assert store.ok(*words, "--quiet", *shell("false")).err == ""


def test_a_dropped_event_is_left_out(store: Command) -> None:
    words = ("subscribe", "mailer", "--all", "--once", "--retries", "0", "--on-failure", "park")
    store.ok(*words, *shell('test "$EVSTORE_GLOBAL_POSITION" != 1'))
    (parked,) = json.loads(store.ok("consumers", "show", "mailer").out)["parkedEvents"]
    store.ok("consumers", "drop", "mailer", parked["id"])
    assert store.ok(*words, *shell('echo "$EVSTORE_GLOBAL_POSITION"')).lines == ["2"]


@pytest.mark.sqlite_only("the line is understood before a store is opened")
def test_a_command_that_cannot_be_started_is_a_fault_of_the_line_and_not_retried(store: Command) -> None:
    for command in ("no-such-command", "./absent", str(store.folder)):
        done = store("subscribe", "mailer", "--all", "--once", "--", command)
        assert done.code == 2, done
        assert names(done.err, f"cannot start {command}")
    assert store("consumers", "show", "mailer").code == 3


@pytest.mark.sqlite_only("how a command ended is the same whatever the store is")
def test_a_command_that_is_gone_meanwhile_is_not_retried(store: Command) -> None:
    tool = store.folder / "tool"
    tool.write_text("#!/no/such/interpreter\n")
    tool.chmod(0o755)
    done = store("subscribe", "mailer", "--all", "--once", "--on-failure", "park", "--", "./tool")
    assert done.code == 2
    assert names(done.err, "cannot start ./tool")
    assert json.loads(store.ok("consumers", "show", "mailer").out)["parked"] == 0


# --- usage ---


@pytest.mark.sqlite_only("what the flags mean is found out before a store is opened")
@pytest.mark.parametrize(
    ("words", "facts"),
    [
        (("mailer",), ["CATEGORY", "--all"]),
        (("mailer", "Order", "--all"), ["--all"]),
        ((), ["NAME"]),
        (("mailer", "--all", "--batch", "0"), ["--batch", "0"]),
        (("mailer", "--all", "--retries", "-1"), ["--retries"]),
        (("mailer", "--all", "--on-failure", "skip"), ["--on-failure", "skip"]),
        (("mailer", "--all", "--if-held", "wait"), ["--if-held", "wait"]),
        (("mailer", "--all", "--ack", "yes"), ["--ack", "yes"]),
        (("mailer", "--all", "--start", "now"), ["--start", "now"]),
        (("mailer", "--all", "--member", "5/4"), ["--member", "5"]),
        (("mailer", "--all", "--member", "1"), ["--member", "I/N"]),
        (("mailer", "--all", "--backoff", "soon"), ["--backoff", "soon"]),
        (("mailer", "--all", "--append"), ["--append", "COMMAND"]),
        (("mailer", "--all", "--append", "--batch", "2", "--", "cat"), ["--append", "--batch"]),
        (("mailer", "--all", "--ack", "printed", "--", "cat"), ["--ack", "COMMAND"]),
        (("mailer", "--all", "--fields", "id", "--", "cat"), ["--fields", "COMMAND"]),
        (("mailer", "--all", "--"), ["--"]),
    ],
)
def test_what_does_not_go_together_is_refused(store: Command, words: tuple[str, ...], facts: list[str]) -> None:
    done = store("subscribe", *words)
    assert (done.code, done.out) == (2, b""), done
    assert names(done.err, *facts)
    assert store.ok("consumers").out == b""


@pytest.mark.sqlite_only("how notes are printed is the same whatever the store is")
def test_a_stream_in_the_place_of_a_category_leads_to_its_category(store: Command) -> None:
    done = store.ok("subscribe", "mailer", "Order-1", "--once", "--", "true")
    assert names(done.err, "note", 'did you mean "Order"?')


@pytest.mark.sqlite_only("names are judged before a store is asked")
def test_a_name_is_one_that_an_event_type_could_have(store: Command) -> None:
    assert store("subscribe", "a\tb", "--all", "--once", "--", "true").code == 5
    assert store("subscribe", "x" * 256, "--all", "--once", "--", "true").code == 5


def test_another_filter_is_refused_unless_it_is_to_be_kept(store: Command) -> None:
    store.ok("subscribe", "mailer", "Order", "--once", "--", "true")
    done = store("subscribe", "mailer", "Invoice", "--once", "--", "true")
    assert done.code == 2
    assert names(done.err, "mailer", "Order", "Invoice", "--refilter")
    store.ok("append", "Invoice-1", "-t", "Sent", "-d", "5", "-q")
    done = store.ok("subscribe", "mailer", "Invoice", "--refilter", "--once", "--", "cat")
    assert positions(done.out) == [5]
    store.ok("subscribe", "mailer", "Invoice", "--once", "--", "true")


# --- without a command ---


def test_without_a_command_events_are_printed_and_nothing_moves(store: Command) -> None:
    for _ in range(2):
        assert positions(store.ok("subscribe", "mailer", "Order", "--once").out) == [1, 2, 3]
    assert store("consumers", "show", "mailer").code == 3
    store.ok(
        "subscribe",
        "mailer",
        "Order",
        "--once",
        "--retries",
        "0",
        "--on-failure",
        "park",
        *shell("test $EVSTORE_GLOBAL_POSITION != 1"),
    )
    store.ok("append", "Order-1", "-t", "Placed", "-d", "5", "-q")
    store.ok("append", "Order-2", "-t", "Placed", "-d", "6", "-q")
    assert positions(store.ok("subscribe", "mailer", "Order", "--once").out) == [6]


def test_what_is_printed_counts_as_handled_where_that_is_said(store: Command) -> None:
    words = ("subscribe", "mailer", "--all", "--once", "--ack", "printed")
    assert positions(store.ok(*words, "--batch", "3").out) == [1, 2, 3, 4]
    assert store.ok(*words).out == b""


@pytest.mark.sqlite_only("how events are printed is the same whatever the store is")
def test_printed_events_have_the_fields_that_are_asked_for(store: Command) -> None:
    done = store.ok("subscribe", "mailer", "Order", "--once", "--fields", "globalPosition,type", "-F", "tsv")
    assert done.lines == ["1\tPlaced", "2\tPaid", "3\tPlaced"]


@pytest.mark.sqlite_only("how events are printed is the same whatever the store is")
def test_batches_that_are_printed_are_one_array_or_one_table(store: Command) -> None:
    words = ("subscribe", "--all", "--once", "--ack", "printed", "--batch", "3")
    array = store.ok(*words, "mailer", "-F", "json")
    assert [event["globalPosition"] for event in json.loads(array.out)] == [1, 2, 3, 4]
    assert json.loads(store.ok(*words, "mailer", "-F", "json").out) == []
    head, *rows = store.ok(*words, "other", "-F", "table", "--fields", "globalPosition,type").lines
    assert head.split() == ["globalPosition", "type"]
    assert [row.split()[0] for row in rows] == ["1", "2", "3", "4"]


# --- appending ---

REACT = 'read -r _; echo "{\\"streamId\\":\\"Mail-$EVSTORE_GLOBAL_POSITION\\",\\"type\\":\\"Sent\\",\\"data\\":$EVSTORE_GLOBAL_POSITION}"'


def test_what_a_command_prints_is_appended_with_its_cause(store: Command) -> None:
    store.ok("subscribe", "mailer", "Order", "Invoice", "--once", "--append", *shell(REACT))
    mails = [json.loads(line) for line in store.ok("replay", "Mail").lines]
    events = [json.loads(line) for line in store.ok("replay", "Order", "Invoice").lines]
    assert [mail["data"] for mail in mails] == [1, 2, 3, 4]
    assert [mail["metadata"] for mail in mails] == [
        {**({"correlationId": "c-4"} if event["data"] == 4 else {}), "causationId": event["id"]}
        for event in events
    ]
    assert store.ok("subscribe", "mailer", "Order", "Invoice", "--once", "--append", *shell(REACT)).out == b""
    assert len(store.ok("replay", "Mail").lines) == 4


def test_a_command_may_print_nothing_or_several_envelopes(store: Command) -> None:
    script = 'test $EVSTORE_GLOBAL_POSITION = 1 && echo \'{"streamId":"A-1","type":"T","data":1}{"streamId":"A-2","type":"T","data":2}\'; true'
    store.ok("subscribe", "mailer", "Order", "--once", "--append", *shell(script))
    assert [json.loads(line)["streamId"] for line in store.ok("replay", "A").lines] == ["A-1", "A-2"]
    assert position(store) >= 3


@pytest.mark.parametrize(
    ("printed", "fact"),
    [
        ('{"type":"T","data":1}', 'missing "streamId"'),
        ("no json", "not valid JSON"),
        ('{"streamId":"A-1","type":"T","data":1,"more":1}', 'unknown key "more"'),
        ('{"streamId":"Order-1","type":"T","data":1,"expectedVersion":9}', "Order-1"),
    ],
)
def test_output_that_cannot_be_appended_is_a_failure_of_the_command(
    store: Command, printed: str, fact: str
) -> None:
    before = store.ok("replay", "--all").out
    words = ("subscribe", "mailer", "Order", "--once", "--append", "--retries", "1", "--backoff", "1ms")
    done = store(*words, "--", "echo", printed)
    assert done.code == 8, done
    assert names(done.err, fact, "1 try is left")
    assert store.ok("replay", "--all").out == before
    assert position(store) == 0


def test_output_of_a_command_that_failed_is_not_appended(store: Command) -> None:
    store("subscribe", "mailer", "Order", "--once", "--append", "--retries", "0", *shell(f"{REACT}; false"))
    assert store.ok("replay", "Mail").out == b""


# --- one at a time ---


def started(store: Command, *words: str) -> Callable[[], None]:
    """A subscriber at work, and a function that ends it."""
    process = store.start("subscribe", *words)

    def end() -> None:
        process.terminate()
        process.communicate(timeout=30)

    return end


def test_a_second_process_is_told_at_once_who_works(store: Command) -> None:
    end = started(store, "mailer", "Order", "--", "sh", "-c", "cat > /dev/null")
    try:
        wait_for(lambda: store("consumers", "show", "mailer").code == 0 and position(store) >= 3)
        begin = time.monotonic()
        done = store("subscribe", "mailer", "Order", "--once", "--", "true")
        assert time.monotonic() - begin < 5
        assert done.code == 9
        assert names(done.err, "mailer", "--if-held skip")
        skipped = store.ok("subscribe", "mailer", "Order", "--once", "--if-held", "skip", "--", "echo")
        assert skipped.out == b""
        assert names(skipped.err, "mailer")
        assert json.loads(store.ok("consumers", "show", "mailer").out)["holder"]
        for action in (("remove",), ("reset", "--to", "start")):
            refused = store("consumers", action[0], "mailer", *action[1:])
            assert refused.code == 9
            assert "--if-held" not in refused.err  # a flag of subscribe alone
    finally:
        end()
    # What is given back is free at once; a server that is too busy to take it back frees it after ten seconds.
    wait_for(lambda: store("subscribe", "mailer", "Order", "--once", "--", "true").code == 0)


@pytest.mark.sqlite_only("where the hold is a lock on a file, which a command inherits")
def test_a_command_whose_consumer_was_killed_keeps_the_hold_until_it_ends(store: Command) -> None:
    gate = store.folder / "gate"
    process = store.start(
        "subscribe",
        "mailer",
        "Order",
        *shell("touch begun; while [ ! -e gate ]; do sleep 0.02; done"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for((store.folder / "begun").exists)
    process.kill()
    process.wait(30)
    assert store("subscribe", "mailer", "Order", "--once", "--", "true").code == 9
    gate.touch()
    wait_for(lambda: store("subscribe", "mailer", "Order", "--once", "--", "true").code == 0)


@pytest.mark.sqlite_only("where a holder that is stopped still has its lock")
def test_a_holder_that_is_stopped_is_not_replaced(store: Command) -> None:
    process = store.start("subscribe", "mailer", "Order", "--", "true")
    wait_for(lambda: store("consumers", "show", "mailer").code == 0 and position(store) >= 3)
    freeze(process.pid)
    assert store("subscribe", "mailer", "Order", "--once", "--", "true").code == 9
    process.send_signal(signal.SIGCONT)
    process.terminate()
    process.communicate(timeout=30)


@pytest.mark.sqlite_only("where the hold is exact: on PostgreSQL a lease of a stopped process runs out")
def test_of_processes_that_begin_together_one_has_a_command_at_work_also_while_it_is_stopped(
    store: Command,
) -> None:
    script = "mkdir at-work || touch two; while [ ! -e gate ]; do sleep 0.02; done; rmdir at-work"
    words = ("subscribe", "mailer", "Order", *shell(script))
    racing = [store.start(*words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(4)]
    try:
        wait_for(lambda: len([each for each in racing if each.poll() == 9]) == 3)
        (holder,) = [each for each in racing if each.poll() is None]
        wait_for((store.folder / "at-work").exists)
        freeze(holder.pid)
        assert store(*words).code == 9
        (store.folder / "gate").touch()  # its command ends meanwhile
        wait_for(lambda: not (store.folder / "at-work").exists())
        assert store(*words).code == 9
        holder.send_signal(signal.SIGCONT)
        wait_for(lambda: position(store) >= 3)
    finally:
        for each in racing:
            each.send_signal(signal.SIGCONT)
            each.terminate()
            each.wait(30)
    assert not (store.folder / "two").exists()


def test_members_share_the_streams_and_take_what_comes_free(store: Command) -> None:
    streams = [f"Part-{n}" for n in range(12)]
    lines = "".join(json.dumps({"streamId": s, "type": "T", "data": 1}) + "\n" for s in streams)
    store.ok("append", "--many", "-", "-q", stdin=lines.encode())
    halves = {i: [s for s in streams if slot_of(s) % 2 == i] for i in (0, 1)}
    for i in (0, 1):
        done = store.ok("subscribe", "parts", "Part", "--member", f"{i + 1}/2", "--once", "--", "cat")
        assert [json.loads(line)["streamId"] for line in done.lines] == halves[i]
    assert store.ok("subscribe", "parts", "Part", "--once", "--", "cat").out == b""
    shown = json.loads(store.ok("consumers", "show", "parts").out)
    assert (shown["members"], len(shown["slots"])) == (True, 64)


# --- signals ---


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_waiting_subscriber_ends_by_the_signal_at_once(store: Command, number: signal.Signals) -> None:
    process = store.start("subscribe", "mailer", "Order", "--", "true")
    wait_for(lambda: store("consumers", "show", "mailer").code == 0 and position(store) >= 3)
    process.send_signal(number)
    assert process.communicate(timeout=30) == (b"", b"")
    assert process.returncode == -number
    assert position(store) >= 3


def test_a_signal_is_passed_on_and_a_batch_that_ends_well_is_done(store: Command) -> None:
    script = (
        'trap "echo passed; touch passed" TERM; touch begun; while [ ! -e gate ]; do sleep 0.02; done; echo done'
    )
    process = store.start("subscribe", "mailer", "Order", *shell(script))
    wait_for((store.folder / "begun").exists)
    process.send_signal(signal.SIGTERM)
    wait_for((store.folder / "passed").exists)
    (store.folder / "gate").touch()
    out, _ = process.communicate(timeout=30)  # a shell may say on stderr which of its children was terminated
    assert (out, process.returncode) == (b"passed\ndone\n", -signal.SIGTERM)
    assert position(store) == 1


def test_a_batch_that_the_signal_cut_short_is_given_back(store: Command) -> None:
    process = store.start("subscribe", "mailer", "Order", "--on-failure", "park", *shell("touch begun; sleep 60"))
    wait_for((store.folder / "begun").exists)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=30) == (b"", b"")
    assert process.returncode == -signal.SIGTERM
    shown = json.loads(store.ok("consumers", "show", "mailer").out)
    assert (shown["globalPosition"], shown["parked"]) == (0, 0)
    assert positions(store.ok("subscribe", "mailer", "Order", "--once", "--", "cat").out) == [1, 2, 3]


@pytest.mark.sqlite_only("who passes a signal on asks no store")
def test_a_signal_reaches_a_command_that_is_stopped(store: Command) -> None:
    """As by the terminal, where it asks for a password: it has a process group of its own, in the background."""
    process = store.start("subscribe", "mailer", "Order", *shell("echo $$ > pid; kill -STOP $$; touch went-on"))
    told = store.folder / "pid"
    pid = wait_for(lambda: told.exists() and told.read_text().strip())
    state = ("ps", "-o", "stat=", "-p", pid)
    wait_for(lambda: subprocess.run(state, capture_output=True, check=True).stdout.startswith(b"T"))
    process.send_signal(signal.SIGTERM)
    try:
        assert process.communicate(timeout=30) == (b"", b"")
    except subprocess.TimeoutExpired:
        os.kill(int(pid), signal.SIGKILL)
        raise
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGTERM
    assert not (store.folder / "went-on").exists()


@pytest.mark.sqlite_only("a wait for a retry asks no store")
def test_a_signal_ends_the_wait_for_a_retry(store: Command) -> None:
    process = store.start("subscribe", "mailer", "Order", "--backoff", "60s", *shell("touch begun; false"))
    wait_for((store.folder / "begun").exists)
    assert process.stderr is not None
    assert b"3 tries are left" in process.stderr.readline()
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGTERM


def test_a_reader_that_leaves_ends_a_subscriber_that_prints(store: Command) -> None:
    process = store.start("subscribe", "mailer", "Order", "--ack", "printed")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["globalPosition"] == 1
    process.stdout.close()
    assert process.stderr is not None
    assert (process.stderr.read(), process.wait(30)) == (b"", -signal.SIGPIPE)
    process.stderr.close()


# --- following ---


def test_a_subscriber_hands_on_what_comes(store: Command) -> None:
    process = store.start("subscribe", "mailer", "Order", "--", "cat")
    try:
        assert process.stdout is not None
        for expected in (1, 2, 3):
            assert json.loads(process.stdout.readline())["globalPosition"] == expected
        store.ok("append", "Order-3", "-t", "Placed", "-d", "5", "-q")
        assert json.loads(process.stdout.readline())["globalPosition"] == 5
        store.ok("consumers", "wait", "mailer", "--position", "5", "--within", "20s")
    finally:
        process.terminate()
        process.communicate(timeout=30)


@pytest.mark.sqlite_only("the other file is SQLite's")
def test_effects_in_another_sqlite_file_follow_the_recipe(store: Command) -> None:
    script = "import sqlite3,sys,json\nc=sqlite3.connect('sums.db')\nc.execute('CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY)')\nfor line in sys.stdin: c.execute('INSERT OR IGNORE INTO seen VALUES (?)',(json.loads(line)['id'],))\nc.commit()"
    store.ok("subscribe", "sums", "--all", "--once", "--batch", "100", "--", sys.executable, "-c", script)
    with sqlite3.connect(store.folder / "sums.db") as found:
        assert found.execute("SELECT count(*) FROM seen").fetchone() == (4,)
    assert os.path.exists(store.folder / "sums.db")


def test_consumers_move_with_an_export_that_has_them(store: Command) -> None:
    words = ("--all", "--once", "--retries", "0", "--on-failure", "park")
    store.ok("subscribe", "mailer", *words, *shell("test $EVSTORE_GLOBAL_POSITION != 2"))
    store.ok("subscribe", "parts", "Order", "--member", "1/2", "--once", "--", "true")
    exported = store.ok("export", "--consumers").out
    assert len(exported.splitlines()) == 6
    assert store.ok("export").out == b"".join(exported.splitlines(keepends=True)[:4])
    other = ("--db", "sqlite:other.db")
    store.ok(*other, "init")
    for _ in range(2):  # the second time they are there
        store.ok(*other, "import", "-", stdin=exported)
    assert store.ok(*other, "export", "--consumers").out == exported
    held_back = store.ok(*other, "subscribe", "mailer", "--all", "--once", "--", "cat")
    assert held_back.out == b""
    store.ok(*other, "append", "Order-2", "-t", "Placed", "-d", "5", "-q")
    assert positions(store.ok(*other, "subscribe", "mailer", "--all", "--once", "--", "cat").out) == [5]


@pytest.mark.sqlite_only("a line is judged before a store is asked")
@pytest.mark.parametrize(
    "change",
    [
        {"checkpoints": [{"slot": 0, "globalPosition": 1, "eventId": "x"}]},
        {"checkpoints": [{"slot": 0, "globalPosition": 1, "eventId": None}]},
        {"checkpoints": [{"slot": 0, "globalPosition": -1, "eventId": None}]},
        {"checkpoints": [{"slot": 0, "globalPosition": "1", "eventId": None}]},
        {"checkpoints": [{"slot": 7, "globalPosition": 0, "eventId": None}]},
        {"checkpoints": []},
        {"name": ""},
        {"name": "projection:orders@1"},
        {"categories": "Order"},
        {"parked": [{"eventId": "x", "reason": "no", "state": "parked", "parkedUs": 1}]},
        {"parked": [{"eventId": EVENT_ID, "reason": "no", "state": "lost", "parkedUs": 1}]},
        {"parked": [{"eventId": EVENT_ID, "reason": "no", "state": "parked"}]},
    ],
    ids=str,
)
def test_a_line_that_is_no_consumer_is_bad_input(store: Command, change: dict[str, object]) -> None:
    nothing = {"slot": 0, "globalPosition": 0, "eventId": None}
    good = {"name": "mailer", "categories": None, "types": None, "checkpoints": [nothing], "parked": []}
    done = store("import", "-", stdin=json.dumps({"consumer": {**good, **change}}, separators=(",", ":")).encode())
    assert done.code == 5, done
    assert store.ok("consumers").out == b""
    store.ok("import", "-", stdin=json.dumps({"consumer": good}, separators=(",", ":")).encode())
    assert json.loads(store.ok("consumers").out)["name"] == "mailer"


def test_a_checkpoint_of_another_log_is_not_imported(store: Command) -> None:
    store.ok("subscribe", "mailer", "--all", "--once", "--", "true")
    *_, consumer = store.ok("export", "--consumers").out.splitlines(keepends=True)
    store.ok("--db", "sqlite:other.db", "init")
    done = store("--db", "sqlite:other.db", "import", "-", stdin=consumer)
    assert done.code == 5
    assert names(done.err, "mailer", "position 4", "another log")
    assert store.ok("--db", "sqlite:other.db", "consumers").out == b""
