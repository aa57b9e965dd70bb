"""`voicestack call-queue`: agents call the numbers of a list."""

import csv
import io
import os
import re
import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from voicestack.cli.frame import (
    FAILED,
    OK,
    Answer,
    AsJson,
    UsageError,
    ask,
    finish,
    group,
    metadata,
    root,
    table,
)  # fmt: skip
from voicestack.errors import VoicestackError
from voicestack.office import Office
from voicestack.outbound import attempt, policy, queue_file
from voicestack.outbound.attempt import Wish
from voicestack.outbound.ledger import file_of
from voicestack.outbound.policy import Policy
from voicestack.outbound.queue import Runner, is_well, summary
from voicestack.outbound.queue_hands import OfficeHands, locked
from voicestack.outbound.queue_store import QueueStore
from voicestack.settings import load

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

app = group("""Have agents call the numbers of a list: paced, in their hours, each number once.

A run that was killed goes on when it is started again. Whoever may have been called when it was
killed, and of whom the history knows nothing, is `unknown` and not called again; `redial` does.

\b
Examples:
  scripts/call_queue.py run customers.csv --window 'mon-fri 09:00-17:00' --report done.csv
  scripts/call_queue.py report customers --json
  scripts/call_queue.py redial customers""")

Queue = Annotated[str, typer.Argument(help="name of the queue: the file's, without .csv")]
ReportFile = Annotated[Path | None, typer.Option("--report", help="write the result as CSV")]


@app.command()
def run(
    file: Annotated[Path, typer.Argument(help="CSV with a column `number`")],
    queue: Annotated[str, typer.Option(help="name; default: the file's")] = "",
    agent: Annotated[str, typer.Option(help="who speaks, where the row does not say")] = "",
    meta: Annotated[str, typer.Option("--metadata", help="JSON that the agent gets")] = "",
    trunk: Annotated[str, typer.Option(help="name of a trunk; default: the first")] = "",
    purpose: Annotated[str, typer.Option(help="why we call, for call screening")] = "",
    message: Annotated[str, typer.Option(help="left after the beep of a voicemail")] = "",
    ring_s: Annotated[int, typer.Option(min=5, max=80, help="how long it may ring")] = 30,
    at_once: Annotated[int, typer.Option(min=1, max=90, help="calls at a time")] = 1,
    pace_s: Annotated[float, typer.Option(min=0, help="seconds from one dial to the next")] = 5,
    window: Annotated[list[str] | None, typer.Option(help="'mon-fri 09:00-17:00'")] = None,
    retry: Annotated[list[str] | None, typer.Option(help="'busy=3x300': tries x seconds")] = None,
    pause_after: Annotated[int, typer.Option(min=1, help="failures in a row")] = 5,
    pause_s: Annotated[float, typer.Option(min=0, help="how long such a pause is")] = 300,
    report_file: ReportFile = None,
    as_json: AsJson = False,
) -> None:
    """Work through a list, or go on where the last run was stopped.

    Columns: number, and if wanted agent, trunk, opening, purpose, message; every other column is
    metadata for the agent. sip/lines.yaml says who may be called and when, for every single call.

    Exit code: 0 every call has its answer, 1 some failed on our side or are unknown, or the run
    stopped itself; 2 the list, the arguments or the settings are unfit.

    \b
    Examples:
      scripts/call_queue.py run customers.csv --agent sales --at-once 2 --report done.csv
      scripts/call_queue.py run customers.csv --retry 'no answer=2x7200' --message 'Please call.'
    """

    async def act(office: Office) -> Answer:
        hands = OfficeHands(office, ring_s)
        await hands.ready()
        how = Policy(at_once, pace_s, _windows(window), policy.retries(retry or ()), pause_after,
                     pause_s)  # fmt: skip
        if at_once > office.settings.max_calls:
            most = office.settings.max_calls
            raise UsageError(
                f"{at_once} calls at once, MAX_CALLS is {most}", hint="raise MAX_CALLS"
            )
        wish = Wish("", agent, metadata(meta), trunk, ring_s, "", purpose, message)
        rows = queue_file.read(file, wish)
        attempt.order(office, wish, attempt.rules_of(office))  # no trunk: said before any call
        name = _name(queue or file.stem)
        ledger = file_of(office.settings.state_dir)
        with locked(ledger.parent, name), closing(QueueStore(ledger)) as store:
            store.load(name, rows)
            runner = Runner(name, store, hands, how, _tell)
            try:
                await runner.run()
            except* VoicestackError as errors:
                raise errors.exceptions[0] from None
            stopped = ["the run stopped itself: pauses did not help"] * runner.brake.stopped
            return _answer(store, name, report_file, stopped)

    ask(act, as_json=as_json)


@app.command()
def report(queue: Queue, report_file: ReportFile = None, as_json: AsJson = False) -> None:
    """Show how far a queue is; it may be running.

    Exit code: 0 every call has its answer, 1 not yet or not all.

    \b
    Example: scripts/call_queue.py report customers --report done.csv
    """

    def once() -> Answer:
        with _store() as store:
            _known(store, queue)
            return _answer(store, queue, report_file, [])

    finish(once, as_json=as_json)


@app.command()
def redial(queue: Queue, as_json: AsJson = False) -> None:
    """Let those be called again whose last attempt ended in a crash, nobody knows how.

    \b
    Example: scripts/call_queue.py redial customers
    """

    def once() -> Answer:
        with _store() as store:
            _known(store, queue)
            count = store.redial_unknown(queue)
            return Answer({"queue": queue, "waiting": count}, f"{count} wait for the next run")

    finish(once, as_json=as_json)


@app.command()
def forget(queue: Queue, as_json: AsJson = False) -> None:
    """Remove a queue with its numbers and results; a list of that name then starts anew.

    \b
    Example: scripts/call_queue.py forget customers
    """

    def once() -> Answer:
        with _store() as store:
            _known(store, queue)
            folder = file_of(load(root()).state_dir).parent
            with locked(folder, queue):
                count = store.forget(queue)
            return Answer({"queue": queue, "forgotten": count}, f"{count} calls are forgotten")

    finish(once, as_json=as_json)


def _store() -> closing[QueueStore]:
    return closing(QueueStore(file_of(load(root()).state_dir)))


def _known(store: QueueStore, queue: str) -> None:
    if queue not in (known := store.queues()):
        listed = ", ".join(known) or "none"
        raise UsageError(f"there is no queue {queue}", hint=f"queues: {listed}")


def _name(text: str) -> str:
    if NAME.fullmatch(text) is None:
        raise UsageError(f"{text!r} is no name for a queue", hint="letters, digits, . _ -; --queue")
    return text


def _windows(texts: list[str] | None) -> tuple[policy.Window, ...]:
    return tuple(policy.window(text) for text in texts or ())


def _answer(store: QueueStore, queue: str, file: Path | None, attention: list[str]) -> Answer:
    calls = store.calls(queue)
    counts = summary(calls)
    if unknown := counts.get("unknown"):
        attention = [*attention, f"{unknown} unknown: `scripts/call_queue.py redial {queue}`"]
    if file is not None:
        _write(file, calls)
    told = ", ".join(f"{count} {word}" for word, count in sorted(counts.items()))
    rows = [[c["number"], c["state"], c["result"], c["sip_code"], c["tries"], c["reason"]]
            for c in calls]  # fmt: skip
    headers = ["number", "state", "result", "code", "tries", "reason"]
    text = f"{table(headers, rows, empty='the list is empty')}\n{len(calls)} calls: {told}"
    well = is_well(calls) and not attention
    data = {"queue": queue, "finished": well, "counts": counts, "calls": calls}
    return Answer(data, text, OK if well else FAILED, attention)


def _write(file: Path, calls: list[dict[str, Any]]) -> None:
    """A report names people's numbers: it is the operator's alone."""
    text = io.StringIO()
    writer = csv.DictWriter(text, calls[0].keys() if calls else ["number"])
    writer.writeheader()
    writer.writerows(calls)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", newline="") as out:
        out.write(text.getvalue())


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
