"""What `scripts/sanity_check.py` does: run the checks, show them, exit."""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path

from rich.console import Console

from voicestack import credentials, settings
from voicestack.diagnosis import (
    bundle,
    causes,
    checks,
    history,
    merge,
    outside,
    packets,
    patience,
    redact,
    watch,
)
from voicestack.diagnosis.explain import explain
from voicestack.diagnosis.legs import containers, files
from voicestack.diagnosis.model import CannotTellError, Check, Context, Result
from voicestack.diagnosis.outside import Target
from voicestack.diagnosis.report import (
    COULD_NOT_LOOK,
    FAULT,
    HEALTHY,
    Report,
    console,
    progress_line,
    show,
)
from voicestack.diagnosis.runner import run
from voicestack.errors import VoicestackError
from voicestack.settings import Settings


@dataclass(frozen=True, slots=True)
class Order:
    """The arguments of the script."""

    quick: bool = False
    as_json: bool = False
    past_call: str | None = None  # None: no call of the past; "": the last one
    bundle: Path | None = None
    outside: Target | None = None  # look at this host from here
    count_s: float = 0.0  # afterwards, count packets at the network card for so long
    watch: bool = False


class BundleError(VoicestackError):
    """The support bundle could not be written."""


async def examine(
    root: Path,
    which: Sequence[Check],
    *,
    load: Callable[[], Settings] | None = None,
    progress: Callable[[Result], None] = lambda _: None,
    clock: Callable[[], float] = time.time,
) -> tuple[Report, Context]:
    """Look at the stack of `root`; safe on one that is half dead, or not there."""
    started_s = time.monotonic()
    context = Context(root, load or (lambda: settings.load(root)), clock)
    results = await run(which, context, progress)
    took_s = time.monotonic() - started_s
    return Report(tuple(results), took_s, secrets_of(context)), context


def secrets_of(context: Context) -> tuple[str, ...]:
    """What no output may hold."""
    if context.stack is None:
        return ()
    conf = context.stack.settings
    keys = (each for each in (conf.llm_api_key_file, conf.tts_api_key_file) if each)
    return redact.secrets_in((credentials.directory_of(conf), *keys))


def diagnose(root: Path, order: Order) -> int:
    """Examine and print; progress goes to stderr, the report to stdout."""
    talk = console(stderr=True)

    def progress(result: Result) -> None:
        talk.print(progress_line(result))

    if order.watch:
        return _watch(root, as_json=order.as_json)
    with patience.at_most(patience.MOST_S + order.count_s):
        report, context = patience.run(_examined(root, order, progress, talk))
    _print(report, as_json=order.as_json)
    if order.bundle is not None:
        _write_bundle(order.bundle, report, context)
        talk.print(f"written: {order.bundle} (secrets and numbers are hidden; read it first)")
    return report.exit_code


def _print(report: Report, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(report.as_json()))
    else:
        show(report, console())


async def _examined(
    root: Path, order: Order, progress: Callable[[Result], None], talk: Console
) -> tuple[Report, Context]:
    """The report, with what a merge needs besides."""
    report, context = await examine(root, _which(order), progress=progress)
    if order.outside is not None:
        return replace(report, notes=await outside.notes_of(order.outside)), context
    if context.stack is None:
        return report, context
    notes: dict[str, object] = {"address": str(context.settings.node_ip)}
    if order.count_s:
        talk.print(f"counting packets for {order.count_s:g} s: look from outside now")
        try:
            notes["packets"] = await packets.count(context, lambda: asyncio.sleep(order.count_s))
        except CannotTellError as error:
            talk.print(f"{error}: {error.unknown.decide}")
    return replace(report, notes=notes), context


def merged(one: Path, other: Path, *, as_json: bool) -> int:
    """Judge two reports together."""
    report = merge.merge(merge.read(one), merge.read(other))
    _print(report, as_json=as_json)
    return report.exit_code


def _watch(root: Path, *, as_json: bool) -> int:
    async def until_interrupted() -> int:
        report, context = await examine(
            root, (*files.CHECKS[:1], *containers.CHECKS, files.SECRETS_CHECK)
        )
        if report.exit_code == HEALTHY:
            await watch.watch(context, as_json=as_json)
        show(report, console())
        return COULD_NOT_LOOK

    with contextlib.suppress(KeyboardInterrupt):
        return asyncio.run(until_interrupted())
    return HEALTHY


def _which(order: Order) -> tuple[Check, ...]:
    if order.outside is not None:
        return outside.checks_of(order.outside)
    if order.past_call is not None:
        return (
            *files.CHECKS[:1], *containers.CHECKS, files.LINES_CHECK,
            *history.checks_of(order.past_call),
        )  # fmt: skip
    return checks.QUICK if order.quick else checks.ALL


def _write_bundle(path: Path, report: Report, context: Context) -> None:
    try:
        bundle.write(path, report, context.stack)
    except OSError as error:
        raise BundleError(
            f"{path} cannot be written ({error.strerror})", hint="name a file that is not there yet"
        ) from error


def explain_call(root: Path, callee: str, caller: str, source: str, *, as_json: bool) -> int:
    """Say, without asking any server, which clause of the lines file lets a call in or not."""
    try:
        address = IPv4Address(source)
    except AddressValueError as error:
        raise VoicestackError(
            f"--source {source!r} is no IPv4 address", hint="for instance --source 192.0.2.7"
        ) from error
    which = (*files.CHECKS[:1], files.LINES_CHECK)
    report, context = asyncio.run(examine(root, which))
    if report.findings:
        show(report, console())
        return COULD_NOT_LOOK
    told = explain(context.lines, callee, address, loopback=context.settings.listen == "loopback")
    verdict = "let in" if told.accepted else f"not let in: {told.code}"
    if told.accepted and told.code:
        verdict += f", if the phone can do what {told.code} asks"
    if as_json:
        clauses = [{"clause": c.name, "holds": c.holds, "why": c.why} for c in told.clauses]
        facts = {"accepted": told.accepted, "code": told.code, "clauses": clauses}
        print(redact.redact(json.dumps(facts)))
        return HEALTHY if told.accepted else FAULT
    out = console()
    for clause in told.clauses:
        out.print(
            redact.redact(f"{'yes' if clause.holds else 'no ':>4}  {clause.name}: {clause.why}")
        )
    if caller:
        out.print(" yes  caller: the number of the caller decides nothing here, its address does")
    out.print(f"      {verdict}")
    if told.code:
        out.print(f"      {causes.BY_CODE[told.code].do}")
    return HEALTHY if told.accepted else FAULT
