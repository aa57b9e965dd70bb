"""An upgrade from beginning to end, whatever the stack runs in."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from voicestack.errors import VoicestackError
from voicestack.upgrade import journal
from voicestack.upgrade.errors import UnfitError
from voicestack.upgrade.git import Checkout
from voicestack.upgrade.journal import Journal

Tell = Callable[[str], None]
Move = Callable[[], None]


class Runtime(Protocol):
    """What runs the stack: Docker Compose, or the native supervisor."""

    def check(self) -> None:
        """Refuse unless all runs and there is room; touches nothing."""

    def backup(self, target: Path) -> None:
        """Write a backup."""

    def keep(self) -> dict[str, str]:
        """Keep what runs now for the way back; says where."""

    def replace(self, move: Move, drain_s: int) -> None:
        """Go to the new version: calls end first, then it runs."""

    def back(self, move: Move, kept: dict[str, str]) -> None:
        """Go to the old version at once."""

    def accept(self) -> None:
        """Place a call, ask a question; raises unless both are answered."""


@dataclass(frozen=True, slots=True)
class Order:
    """What the operator wants."""

    ref: str = ""
    dry_run: bool = False
    call: bool = True
    drain_s: int = 600


@dataclass(frozen=True, slots=True)
class Report:
    """What became of it."""

    outcome: str  # upgraded, nothing new, dry run, rolled back
    old: str
    new: str
    files: int = 0
    backup: str = ""
    reason: str = ""


def upgrade(checkout: Checkout, runtime: Runtime, order: Order, backup: Path, tell: Tell) -> Report:
    """Check, call, back up, replace, call again; whatever fails leads back to the old version."""
    refuse_unfinished(checkout)
    if problem := checkout.fetch():
        tell(f"attention: no news could be fetched: {problem}")
    old, new = checkout.head(), checkout.target(order.ref)
    if old == new:
        return Report("nothing new", checkout.describe(old), checkout.describe(new))
    checkout.check_way(old, new)
    names = (checkout.describe(old), checkout.describe(new), checkout.changed(old, new))
    tell(f"from {names[0]} to {names[1]}: {names[2]} files")
    before(runtime, order, tell)
    if order.dry_run:
        return Report("dry run", *names)
    tell(f"backup: {backup}")
    runtime.backup(backup)
    log = Journal(old, new, str(backup), kept=runtime.keep()).at(checkout.folder, "begun")
    try:
        tell("the new version is made ready; calls in progress may end")
        runtime.replace(lambda: checkout.move(new), order.drain_s)
        log.at(checkout.folder, "replaced")
        if order.call:
            tell("acceptance call")
            runtime.accept()
    except (VoicestackError, KeyboardInterrupt) as error:
        reason = str(error) or "interrupted"
        tell(f"attention: {reason}\nback to {names[0]}")
        go_back(checkout, runtime, log, call=order.call)
        return Report("rolled back", *names, backup=str(backup), reason=reason)
    log.at(checkout.folder, "done")
    return Report("upgraded", *names, backup=str(backup))


def before(runtime: Runtime, order: Order, tell: Tell) -> None:
    """A stack that does not answer now cannot be judged afterwards."""
    try:
        runtime.check()
        if order.call:
            tell("a call before anything changes")
            runtime.accept()
    except VoicestackError as error:
        raise UnfitError(
            f"before the upgrade: {error}",
            hint=error.hint or "mend this first; --without-call trusts health checks alone",
        ) from error


def refuse_unfinished(checkout: Checkout) -> None:
    """One that was cut short has left something between two versions."""
    last = journal.read(checkout.folder)
    if last and last.stage in {"begun", "replaced"}:
        raise UnfitError(
            f"an upgrade to {last.new[:12]} was cut short", hint="scripts/upgrade.py --rollback"
        )


def rollback(checkout: Checkout, runtime: Runtime, *, call: bool, tell: Tell) -> Report:
    """Undo the last upgrade, finished or not."""
    last = journal.read(checkout.folder)
    if last is None or last.stage == "back":
        raise UnfitError("there is no upgrade to undo", hint="scripts/upgrade.py makes one")
    tell(f"back to {checkout.describe(last.old)}")
    go_back(checkout, runtime, last, call=call)
    old, new = checkout.describe(last.old), checkout.describe(last.new)
    return Report("rolled back", old, new, backup=last.backup, reason="asked for")


def go_back(checkout: Checkout, runtime: Runtime, log: Journal, *, call: bool) -> None:
    """The old version again; if it does not answer either, say so with all that is known."""
    try:
        runtime.back(lambda: checkout.move(log.old), log.kept)
        if call:
            runtime.accept()
    except VoicestackError as error:
        raise VoicestackError(
            f"the old version does not answer either: {error}",
            hint=f"scripts/sanity_check.py; what was there before is in {log.backup}",
        ) from error
    log.at(checkout.folder, "back")
