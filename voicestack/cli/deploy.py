"""`voicestack deploy-agent`: a new version of the agent, without cutting a call."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from voicestack.cli.frame import FAILED, OK, ROOT, Answer, AsJson, UsageError, finish, root
from voicestack.deploy import lock, releases
from voicestack.deploy.change import DEPLOYED, Change, DeployError, Manner, Outcome
from voicestack.deploy.containers import Containers
from voicestack.deploy.runtime import Native, Runtime
from voicestack.host import runtime
from voicestack.host.compose import Compose
from voicestack.lines.desk import Desk
from voicestack.native.paths import Paths
from voicestack.native.services import worker_environment
from voicestack.native.up import Stack
from voicestack.office import Office
from voicestack.phone import first_call
from voicestack.settings import Settings, load

ABORTED_S = 60.0
Make = Callable[[], Awaitable[releases.Release]]


def deploy_agent(
    source: Annotated[Path, typer.Option("--from", help="checkout to take the code from")] = ROOT,
    rollback: Annotated[bool, typer.Option("--rollback", help="the version before")] = False,
    abort: Annotated[bool, typer.Option("--abort", help="undo a deploy that runs or died")] = False,
    status: Annotated[bool, typer.Option("--status", help="only show what is there")] = False,
    speech: Annotated[
        str, typer.Option(help="what the test call asks: text, or a WAV file")
    ] = first_call.FIRST_QUESTION,
    greeting_only: Annotated[
        bool, typer.Option("--greeting-only", help="the test call asks nothing")
    ] = False,
    watch_s: Annotated[
        float, typer.Option(min=0, help="the old worker stays ready for at least this long")
    ] = 10.0,
    as_json: AsJson = False,
) -> None:
    """Replace the agent's worker by the checkout's version; no call is cut, none is refused.

    The new worker starts beside the old one and takes a test call. Only then new calls go to it;
    the old one ends when its calls have. If the test call fails or the new worker dies, everything
    is as before. Exit code: 0 done, 1 rolled back or nothing to do, 2 arguments or settings unfit.

    \b
    Examples:
      scripts/deploy_agent.py
      scripts/deploy_agent.py --from ../voicestack-1.2 --json
      scripts/deploy_agent.py --rollback
      scripts/deploy_agent.py --abort
      RUNTIME=compose scripts/deploy_agent.py
    """
    if rollback + abort + status > 1:
        finish(_one_of_them, as_json=as_json)
    if status:
        finish(_status, as_json=as_json)
    order = _Order(source, rollback, abort, speech, greeting_only, watch_s)
    finish(order.run, as_json=as_json)


class _Order:
    """The arguments."""

    def __init__(
        self, source: Path, rollback: bool, abort: bool, speech: str, silent: bool, watch_s: float
    ) -> None:
        self._source, self._rollback, self._abort = source.resolve(), rollback, abort
        self._speech, self._silent, self._watch_s = speech, silent, watch_s
        self._conf = load(root())
        self._paths = _paths(self._conf)

    def run(self) -> Answer:
        """Do it alone, with what the stack's settings say."""
        paths = self._paths
        if self._abort:
            lock.interrupt(paths)
        with lock.alone(paths, wait_s=ABORTED_S if self._abort else 0):
            try:
                outcome = asyncio.run(self._act())
            except KeyboardInterrupt:
                if releases.read(paths).deploy:
                    _tell("stopped; calls go on. Again: the same command. Back: --abort")
                raise
        good = outcome.result == DEPLOYED or self._rollback or self._abort
        text = f"{outcome.version} is on duty ({outcome.result} in {outcome.took_s:.0f} s)"
        if not good:
            text = f"rolled back, {outcome.version} is on duty: {outcome.reason}"
        return Answer(outcome.as_json(), text, OK if good else FAILED)

    async def _act(self) -> Outcome:
        if _contained():
            return await self._in_containers()
        native = Native(Stack(self._conf, ROOT))
        if not await native.alive():
            raise DeployError("the stack is down", hint="`make up` starts the checkout's version")
        return await self._change(native, Office.with_settings(self._conf), self._made)

    async def _in_containers(self) -> Outcome:
        containers = Containers(Compose(ROOT), self._paths.state, self._conf.drain_s)
        if not await containers.alive():
            raise DeployError("the stack is down", hint="docker compose up --detach --wait")
        office = await containers.office(self._conf)
        await containers.adopt(self._paths, office)

        async def made() -> releases.Release:
            release = await self._made()
            _tell(f"building the image of {release.version}")
            await containers.build(release.name, release.version, self._source)
            return release

        return await self._change(containers, office, made)

    async def _made(self) -> releases.Release:
        environment = worker_environment(self._conf, self._paths)
        return await asyncio.to_thread(releases.make, self._paths, self._source, environment)

    async def _change(self, workers: Runtime, office: Office, make: Make) -> Outcome:
        paths = self._paths
        change = Change(office, paths, workers, await self._manner(office), _tell)
        state = releases.read(paths)
        if self._abort:
            return await change.abort()
        if self._rollback and state.deploy and state.on_duty == state.deploy.slot:
            return await change.back("asked for")
        await change.recover()
        release = _previous(paths) if self._rollback else await make()
        if not _contained():  # an image has its own
            _same_packages(paths, release)
        return await change.to(release)

    async def _manner(self, office: Office) -> Manner:
        conf = office.settings
        manner = Manner(_agents(conf), (), self._watch_s)
        if self._silent or self._abort:
            return manner
        said = await first_call.utterance(conf, office.ports, self._speech)
        return replace(manner, utterances=(said,))


def _contained() -> bool:
    return runtime.chosen(None, ROOT) == runtime.COMPOSE


def _paths(conf: Settings) -> Paths:
    """With containers the state is in volumes: a folder is the host's part of it."""
    state = conf.state_dir / ("compose" if _contained() else "")
    return replace(Paths.of(conf, ROOT), state=state)


def _agents(conf: Settings) -> list[str]:
    """Every agent that a line asks our worker for, its own name first."""
    lines = Desk.of_settings(conf).lines
    asked = {line.agent for line in lines if (line.worker or line.agent) == conf.agent_name}
    return sorted(asked, key=lambda name: (name != conf.agent_name, name)) or [conf.agent_name]


def _previous(paths: Paths) -> releases.Release:
    name = releases.read(paths).previous
    if not name:
        raise DeployError("there is no version before", hint=f"ls {paths.releases}")
    return releases.load(paths, name)


def _same_packages(paths: Paths, release: releases.Release) -> None:
    state = releases.read(paths)
    now = releases.load(paths, state.releases.get(state.on_duty, ""))
    if now.packages != release.packages:
        raise UsageError(
            "the version wants other Python packages, and both workers share one .venv",
            hint="make down && make up",
        )


def _status() -> Answer:
    paths = _paths(load(root()))
    state = releases.read(paths)
    names = sorted(
        (each.parent.name for each in paths.releases.glob("*/release.json")), reverse=True
    )
    on_duty = state.releases.get(state.on_duty)
    data = {
        "on_duty": on_duty,
        "slot": state.on_duty,
        "previous": state.previous or None,
        "deploy": state.deploy.phase if state.deploy else None,
        "releases": names,
    }
    lines = [f"{'*' if name == on_duty else ' '} {name}" for name in names]
    if state.deploy:
        lines.append(f"a deploy has not ended: {state.deploy.phase}")
    return Answer(data, "\n".join(lines) or "no release yet", OK if names else FAILED)


def _one_of_them() -> Answer:
    raise UsageError("--rollback, --abort and --status exclude each other", hint="give one")


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
