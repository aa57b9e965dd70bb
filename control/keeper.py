"""Keeps LiveKit's trunks and rules as the lines file says, whatever happens to Redis."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import structlog
from watchfiles import Change, awatch

from voicestack import credentials, ports
from voicestack.errors import ApplyError, Fault, LinesError
from voicestack.lines.apply import switchboard
from voicestack.lines.model import Defaults, Line, Phone
from voicestack.lines.parse import parse
from voicestack.lines.phones import parse as parse_phones
from voicestack.lines.plan import Plan
from voicestack.lines.wanted import Networks, networks, wanted
from voicestack.registrar import table
from voicestack.settings import Settings

log = structlog.get_logger()

# Lines that Redis lost are back within this time and a moment; the promise is 30 s.
RECONCILE_S = 10.0
# livekit-server starts in a tenth of a second: ask often at first, then spare the log.
RETRY_FIRST_S, RETRY_MOST_S = 0.25, 5.0
# An answer older than this says nothing about now.
STALE_S = 3 * RECONCILE_S
# Editors write a file in several steps; what comes within this time is one change.
DEBOUNCE_MS = 200


@dataclass(frozen=True, slots=True)
class Source:
    """Where lines come from and where they go to."""

    file: Path
    secrets: Path
    url: str
    key: str
    secret: str = field(repr=False)
    defaults: Defaults
    networks: Callable[[], Networks]
    registrar: Path | None = None  # folder of the tables of who may register

    @classmethod
    def of(cls, settings: Settings, held: credentials.Credentials) -> "Source":
        """From the settings of the stack."""
        return cls(
            file=settings.lines_file,
            secrets=held.directory,
            url=f"http://127.0.0.1:{ports.resolve(settings)['livekit_http']}",
            key=held.livekit_api_key,
            secret=held.livekit_api_secret,
            defaults=Defaults(
                agent=settings.agent_name, max_call_minutes=settings.max_call_minutes
            ),
            networks=lambda: networks(loopback=settings.listen == "loopback"),
            registrar=table.folder(settings) if settings.registrar == "on" else None,
        )


class Keeper:
    """Reads the file, applies it, and says how things stand."""

    def __init__(
        self,
        source: Source,
        *,
        reconcile_s: float = RECONCILE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._reconcile_s = reconcile_s
        self._clock = clock
        self._lock = asyncio.Lock()
        self._wake = asyncio.Event()
        self._lines: tuple[Line, ...] | None = None  # the last good ones
        self._faults: tuple[Fault, ...] = ()
        self._applied_at: float | None = None
        self._error: str | None = "not applied yet"
        self._warnings: tuple[str, ...] = ()
        self._deaf: tuple[str, ...] = ()

    async def run(self) -> None:
        """Apply for ever: at the start, when woken, and every few seconds."""
        retry_s = RETRY_FIRST_S
        while True:
            with contextlib.suppress(ApplyError):  # logged, and said by `status`
                await self.apply()
            fine = self._error is None
            pause_s = self._reconcile_s if fine else min(retry_s, self._reconcile_s)
            retry_s = RETRY_FIRST_S if fine else min(retry_s * 2, RETRY_MOST_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._wake.wait()
            self._wake.clear()

    async def watch(self) -> None:
        """Wake up when the file changes; the folder is watched, as editors replace the file."""
        file = self._source.file.resolve()

        def is_ours(_change: Change, path: str) -> bool:
            return Path(path).name == file.name

        try:
            async for _ in awatch(
                file.parent, watch_filter=is_ours, debounce=DEBOUNCE_MS, recursive=False
            ):
                self._wake.set()
        except (OSError, RuntimeError) as error:  # no such folder, no inotify watch left
            log.warning("lines file is not watched", reason=str(error), read_every_s=RECONCILE_S)

    async def apply(self) -> Plan:
        """Read the file and make LiveKit agree with it."""
        async with self._lock:
            await asyncio.to_thread(self._read)
            if self._lines is None:
                self._note_error("no good lines file was seen yet")
                raise ApplyError("no good lines file was seen yet", hint="mend its faults")
            try:
                plan = await self._apply(self._lines)
            except ApplyError as error:
                self._note_error(str(error), hint=error.hint)
                raise
            self._note_success(plan)
            return plan

    async def apply_now(self) -> Plan:
        """The same on demand; after a failure the loop tries again soon, not at its next round."""
        try:
            return await self.apply()
        except ApplyError:
            self._wake.set()
            raise

    def status(self) -> dict[str, object]:
        """How things stand, for /ready."""
        stale = self._applied_at is None or self._clock() - self._applied_at > STALE_S
        error = self._error or ("the last answer of livekit is too old" if stale else None)
        return {
            "ready": error is None,
            "missing": [error] if error else [],
            "lines": len(self._lines or ()),
            "lines_file": "bad" if self._faults else "ok",
            "faults": [str(fault) for fault in self._faults],
            "warnings": list(self._warnings),
        }

    @property
    def lines(self) -> tuple[Line, ...]:
        """The last good lines."""
        return self._lines or ()

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What is wrong with the file now."""
        return self._faults

    def _read(self) -> None:
        """Take the file if it is good; else keep what we have and log each new fault."""
        source = self._source
        try:
            lines = parse(source.file, secrets=source.secrets, defaults=source.defaults)
            phones = parse_phones(source.file, secrets=source.secrets)
        except LinesError as error:
            if error.faults != self._faults:
                self._faults = error.faults
                _log_faults(error.faults)
            return
        if self._faults or lines != self._lines:
            log.info("lines file read", lines=len(lines))
        self._lines, self._faults = lines, ()
        if source.registrar is not None:
            _tell_registrar(phones, source.registrar)

    async def _apply(self, lines: tuple[Line, ...]) -> Plan:
        source = self._source
        now = await asyncio.to_thread(source.networks)
        self._deaf = tuple(
            f"line {line.number}: its sources stand for no network here, so nobody may call it"
            for line in lines
            if line.sources and not now.stand_for(line.sources)
        )
        async with switchboard(source.url, source.key, source.secret) as board:
            clock = datetime.now()
            return await board.apply([wanted(line, now, clock) for line in lines])

    def _note_error(self, text: str, *, hint: str = "") -> None:
        if text != self._error:
            log.warning("lines not applied", reason=text, hint=hint)
        self._error = text

    def _note_success(self, plan: Plan) -> None:
        for step in plan.steps:
            log.info(
                "line changed",
                verb=step.verb,
                kind=step.kind,
                line=step.number,
                fields=",".join(step.fields),
            )
        warnings = (*plan.warnings, *self._deaf)
        for text in set(warnings) - set(self._warnings):
            log.warning("lines need attention", reason=text)
        if self._error is not None:
            log.info("lines applied", lines=len(self._lines or ()), changes=len(plan.steps))
        self._warnings, self._error, self._applied_at = warnings, None, self._clock()


def _tell_registrar(phones: tuple[Phone, ...], folder: Path) -> None:
    """It looks at its tables by itself; without them it lets nobody register."""
    try:
        if table.write(phones, folder):
            log.info("phones may register", phones=len(phones))
    except OSError as error:
        log.warning(
            "the registrar's tables cannot be written", folder=str(folder), reason=str(error)
        )


def _log_faults(faults: tuple[Fault, ...]) -> None:
    for fault in faults:
        log.error(
            "lines file is bad",
            where=fault.where,
            key=fault.name,
            seen=fault.seen,
            must=fault.must,
            hint=fault.fix,
        )
