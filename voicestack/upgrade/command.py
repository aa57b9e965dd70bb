"""`scripts/upgrade.py`: arguments in, an upgrade, a report and an exit code out."""

import argparse
import json
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from voicestack.errors import VoicestackError
from voicestack.host import runtime
from voicestack.host.compose import Compose
from voicestack.upgrade import flow
from voicestack.upgrade.containers import Containers
from voicestack.upgrade.errors import UnfitError
from voicestack.upgrade.git import Checkout
from voicestack.upgrade.native import Native

DONE, FAILED, UNFIT = 0, 1, 2
BACKUPS = ".state/backups"
ABOUT = """Go to a new version; calls in progress end first.

Checks, a call, a backup; then the new version, and a call again. If that one is not answered, the
old version comes back by itself."""
EXAMPLES = """exit code: 0 the new version answers (or nothing is new), 1 it does not and the old
one is back, 2 nothing was tried

examples:
  scripts/upgrade.py --dry-run
  scripts/upgrade.py v0.2.0
  scripts/upgrade.py --runtime native --json
  scripts/upgrade.py --rollback"""


def main(arguments: Sequence[str] | None, folder: Path) -> int:
    """Do what the arguments say with the stack of a checkout."""
    options = parser().parse_args(arguments)
    # A terminal that goes away must not leave the stack between two versions.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        report = act(options, folder)
    except VoicestackError as error:
        tell(error.report())
        return UNFIT if isinstance(error, UnfitError) else FAILED
    print(json.dumps(asdict(report)) if options.json else text(report))
    return FAILED if report.outcome == "rolled back" and not options.rollback else DONE


def act(options: argparse.Namespace, folder: Path) -> flow.Report:
    """Upgrade, or undo one."""
    checkout = Checkout(folder)
    where: flow.Runtime = (
        Containers(Compose(folder), tell)
        if runtime.chosen(options.runtime, folder) == runtime.COMPOSE
        else Native(folder, tell)
    )
    if options.rollback:
        return flow.rollback(checkout, where, call=options.call, tell=tell)
    order = flow.Order(options.ref, options.dry_run, options.call, options.drain_s)
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    return flow.upgrade(checkout, where, order, folder / BACKUPS / f"{stamp}.backup", tell)


def parser() -> argparse.ArgumentParser:
    """Describe the options."""
    made = argparse.ArgumentParser(
        prog="upgrade",
        description=ABOUT,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "ref", nargs="?", default="", help="version; default: the newest of the branch"
    )
    runtime.add_option(made)
    made.add_argument("--dry-run", action="store_true", help="check and call, change nothing")
    made.add_argument("--rollback", action="store_true", help="undo the last upgrade")
    made.add_argument(
        "--without-call", dest="call", action="store_false", help="trust health checks alone"
    )
    made.add_argument(
        "--drain-s", type=int, default=flow.Order().drain_s, metavar="S",
        help="seconds that calls in progress may last (default: %(default)s)",
    )  # fmt: skip
    made.add_argument("--json", action="store_true", help="one JSON object on stdout")
    return made


def text(report: flow.Report) -> str:
    """The report for people."""
    about = f"{report.outcome}: {report.old} -> {report.new}"
    return f"{about}; before it: {report.backup}" if report.backup else about


def tell(words: str) -> None:
    """Progress goes to stderr: stdout is the report."""
    print(words, file=sys.stderr, flush=True)
