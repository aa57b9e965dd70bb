"""The deploy itself: start beside, prove, switch, drain; back again when anything goes wrong."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

from voicestack.deploy import releases
from voicestack.deploy.releases import Deploy, Release, State
from voicestack.deploy.runtime import Look, Runtime
from voicestack.deploy.trial import Trial, prove, remove_lines
from voicestack.errors import VoicestackError
from voicestack.native.paths import Paths
from voicestack.office import Office, OfficeError
from voicestack.phone.conversation import CallReport, Utterance

# A worker imports for 8 s on two idle cores, and beside calls for longer.
START_S = 120.0
# A look costs the supervisor 20 ms, and calls have the machine.
POLL_S = 0.5
# A beat comes every second (voice_agent/heartbeat.py): what is older says nothing of now.
FRESH_S = 2.5
Result = Literal["deployed", "rolled back"]
DEPLOYED: Final = "deployed"
BACK: Final = "rolled back"


class DeployError(VoicestackError):
    """The new version is not on duty, or nothing could be done."""


@dataclass(frozen=True, slots=True)
class Proof:
    """One test call, as it is told of."""

    agent: str
    answered_ms: float | None
    greeting_ms: float | None
    reply_ms: list[float]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended, and which version has the calls now."""

    result: Result
    version: str  # that takes new calls now
    instead_of: str
    reason: str
    proofs: tuple[Proof, ...]
    took_s: float

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {**asdict(self), "proofs": [asdict(each) for each in self.proofs]}


@dataclass(frozen=True, slots=True)
class Manner:
    """What a test call says, whom it calls, and how long the old worker stays ready."""

    agents: Sequence[str]
    utterances: Sequence[Utterance]
    watch_s: float = 10.0


class Change:
    """One stack's workers, while one takes over from the other."""

    def __init__(
        self,
        office: Office,
        paths: Paths,
        runtime: Runtime,
        manner: Manner,
        tell: Callable[[str], None],
    ) -> None:
        self._office, self._paths, self._runtime = office, paths, runtime
        self._manner, self._say = manner, tell
        self._started_s = time.monotonic()
        self._proofs: list[Proof] = []

    async def to(self, release: Release) -> Outcome:
        """Bring a release on duty, or leave everything as it is."""
        state = releases.read(self._paths)
        old, new = state.on_duty, state.other
        await self._check(state)
        self._runtime.place(new, {**state.releases, new: release.name})
        under_way = Deploy("trial", new, release.name, state.previous)
        releases.write(self._paths, replace(state, deploy=under_way))
        try:
            await self._start(new, release)
            for agent in self._manner.agents:
                await self._prove(Trial(agent, new, release.version))
        except BaseException as error:
            self._tell(f"{release.version} is taken away again")
            await self._withdraw(new)
            if isinstance(error, VoicestackError):
                return self._outcome(BACK, release.version, str(error))
            raise
        switched = releases.switched(state, new, release.name)
        releases.write(self._paths, replace(switched, deploy=replace(under_way, phase="draining")))
        await self._runtime.switch(new)
        self._tell(f"new calls go to {release.version}")
        return await self.drain(old, new)

    async def drain(self, old: str, new: str) -> Outcome:
        """Let the calls of the old worker end; it takes over again if the new one dies."""
        watched_until_s = time.monotonic() + self._manner.watch_s
        born = await self._runtime.look(new)
        left: int | None = None
        while left != 0 or time.monotonic() < watched_until_s:
            if reason := await self._died(new, born):
                if (await self._runtime.look(old)).ready:
                    return await self.back(reason)
                self._tell(f"{reason}, and no other worker is there: it is waited for")
                born = await self._runtime.look(new)
            left = await self._told(old, left)
            await asyncio.sleep(POLL_S)
        return await self._finish(old, DEPLOYED, "")

    async def back(self, reason: str) -> Outcome:
        """Give new calls back to the worker that still has the old version; let the other end."""
        state = releases.read(self._paths)
        if state.deploy is None:
            raise DeployError("no deploy is under way", hint="--rollback starts the version before")
        gone, before = state.on_duty, state.deploy.before
        returned = replace(state, on_duty=state.other, previous=before)
        releases.write(self._paths, returned)
        await self._runtime.switch(returned.on_duty)
        self._tell(f"{reason}: new calls go to {self._version(returned)} again")
        return await self._let_end(gone, reason)

    async def _let_end(self, gone: str, reason: str) -> Outcome:
        """Wait for the calls of a worker that was on duty for a while."""
        left: int | None = None
        while left != 0:
            left = await self._told(gone, left)
            await asyncio.sleep(POLL_S)
        return await self._finish(gone, BACK, reason)

    async def recover(self) -> None:
        """Finish, or undo, what a deploy that died has left."""
        state = releases.read(self._paths)
        if state.deploy is None:
            return
        self._tell("an earlier deploy did not end: that first")
        await self._runtime.switch(state.on_duty)
        if state.deploy.phase == "trial":
            await self._withdraw(state.deploy.slot)
        elif state.on_duty == state.deploy.slot:
            await self.drain(state.other, state.on_duty)
        else:
            await self._let_end(state.other, "the earlier deploy was going back")

    async def abort(self) -> Outcome:
        """Undo a deploy that has not ended."""
        state = releases.read(self._paths)
        if state.deploy is None:
            raise DeployError("no deploy is under way", hint="--rollback starts the version before")
        version = releases.load(self._paths, state.deploy.release).version
        await self._runtime.switch(state.on_duty)
        if state.on_duty == state.deploy.slot:
            return await self.back("aborted")
        if state.deploy.phase == "draining":
            return await self._let_end(state.deploy.slot, "aborted")
        await self._withdraw(state.deploy.slot)
        return self._outcome(BACK, version, "aborted")

    async def _check(self, state: State) -> None:
        if not state.releases.get(state.on_duty):
            raise DeployError(
                "this stack was started by a version that could not deploy",
                hint="once: make down && make up",
            )
        if not (await self._runtime.look(state.on_duty)).ready:
            raise DeployError(
                "the worker on duty is not ready, so nothing can be moved from it",
                hint="`make doctor`; `make down && make up` starts the checkout's version",
            )

    async def _start(self, slot: str, release: Release) -> None:
        self._tell(f"starting {release.version} as {slot}")
        await self._runtime.start(slot)
        deadline = time.monotonic() + START_S
        life = ""
        while True:
            seen = await self._runtime.look(slot)
            worker = await self._worker(slot)
            if seen.ready and worker and worker["alive"] and worker["version"] == release.version:
                break
            life = life or (seen.life if seen.running else "")
            if life and (not seen.running or seen.life != life):
                raise self._no_start(slot, "died at its start")
            if time.monotonic() > deadline:
                raise self._no_start(slot, f"was not ready after {START_S:.0f} s")
            await asyncio.sleep(POLL_S)
        await self._runtime.promote(slot)
        self._tell(f"{release.version} is registered; it takes test calls only")

    def _no_start(self, slot: str, what: str) -> DeployError:
        return DeployError(
            f"the new worker {what}", hint=f"read {self._paths.logs / f'{slot}.log'}"
        )

    async def _prove(self, trial: Trial) -> None:
        self._tell(f"test call of {trial.agent}")
        report = await prove(self._office, trial, self._manner.utterances, self._tell)
        self._proofs.append(_proof(trial.agent, report))
        self._tell(f"test call of {trial.agent}: greeted and answered")

    async def _withdraw(self, slot: str) -> None:
        """Take away a worker that has no calls, and the line of its test call."""
        with contextlib.suppress(OfficeError):
            await remove_lines(self._office)
        await self._runtime.stop(slot)
        self._clear(slot)

    async def _finish(self, gone: str, result: Result, why: str) -> Outcome:
        state = releases.read(self._paths)
        other = self._version_of(state, gone)
        await self._runtime.stop(gone)
        self._clear(gone)
        self._tell(f"{other} has ended")
        return self._outcome(result, other, why)

    def _clear(self, slot: str) -> None:
        state = releases.read(self._paths)
        kept = releases.without(state.releases, (slot,))
        releases.write(self._paths, replace(state, releases=kept, deploy=None))
        releases.prune(self._paths)

    async def _died(self, slot: str, born: Look) -> str:
        """Why the worker of a slot cannot have calls; empty while it can."""
        seen = await self._runtime.look(slot)
        if not seen.running or seen.life != born.life:
            return "the new worker died"
        worker = await self._worker(slot)
        if worker is not None and not worker["alive"]:
            return "the new worker does not answer"
        return ""

    async def _worker(self, slot: str) -> dict[str, Any] | None:
        """The newest worker of a slot of this machine, as control knows it; None: nobody knows."""
        try:
            listed = (await self._office.control("/workers"))["workers"]
        except OfficeError:
            return None
        here = [w for w in listed if w["slot"] == slot and w["host"] == socket.gethostname()]
        return max(here, key=lambda worker: float(worker["started_at"]), default=None)

    async def _calls(self, slot: str) -> int | None:
        """How many calls a worker has; None while that is not known."""
        if not (await self._runtime.look(slot)).running:
            return 0
        worker = await self._worker(slot)
        if worker is None or worker["heard_s_ago"] > FRESH_S:
            return None
        return int(worker["calls"])

    async def _told(self, slot: str, before: int | None) -> int | None:
        """How many calls a worker has, said when it changes; as before while nobody knows."""
        calls = await self._calls(slot)
        if calls is None or calls == before:
            return before
        version = self._version_of(releases.read(self._paths), slot)
        self._tell(f"{calls} calls left with {version}")
        return calls

    def _version(self, state: State) -> str:
        return self._version_of(state, state.on_duty)

    def _version_of(self, state: State, slot: str) -> str:
        return releases.load(self._paths, state.releases[slot]).version

    def _outcome(self, result: Result, other: str, reason: str) -> Outcome:
        took_s = round(time.monotonic() - self._started_s, 1)
        version = self._version(releases.read(self._paths))
        return Outcome(result, version, other, reason, tuple(self._proofs), took_s)

    def _tell(self, text: str) -> None:
        self._say(f"{time.monotonic() - self._started_s:6.1f} s  {text}")


def _proof(agent: str, report: CallReport) -> Proof:
    return Proof(agent, report.answered_ms, report.greeting_ms, report.latencies_ms)
