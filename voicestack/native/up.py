"""Bring the stack up and say what happens: preflight, configuration, services, readiness."""

import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from voicestack import credentials
from voicestack.deploy import releases
from voicestack.errors import VoicestackError
from voicestack.native import leftovers
from voicestack.native.paths import Paths
from voicestack.native.render import render_all
from voicestack.native.services import KAMAILIO, Service, all_services, worker_environment
from voicestack.native.supervisor import NativeError, State, Supervisor
from voicestack.ports import Ports, resolve
from voicestack.settings import Settings
from voicestack.setup.page import client_file

# Models load and the worker imports within 15 s on two idle cores; a busy machine takes longer.
READY_TIMEOUT_S = 120.0
POLL_S = 0.1
BINARIES = ("redis-server", "livekit-server", "livekit-sip", "caddy", "process-compose")

Progress = Callable[[tuple[State, ...]], None]


class Stack:
    """One stack on this machine: its settings, ports, folders and services."""

    def __init__(self, settings: Settings, root: Path) -> None:
        self.settings = settings
        self.ports: Ports = resolve(settings)
        self.paths = Paths.of(settings, root)
        self.declared: tuple[Service, ...] = all_services(settings, self.ports, self.paths)

    @property
    def services(self) -> tuple[Service, ...]:
        """Those that are to run now: of the worker's two slots one, and both during a deploy."""
        idle = set(releases.SLOTS) - set(releases.read(self.paths).slots)
        return tuple(service for service in self.declared if service.name not in idle)

    @property
    def on_duty(self) -> str:
        """The slot whose worker takes new calls."""
        return releases.read(self.paths).on_duty

    def mark(self, slot: str) -> Path:
        """What a registered worker writes its id into."""
        return self.paths.run / f"{slot}-registered"

    def up(self, progress: Progress) -> float:
        """Start what is not running and wait until every service is ready; return the seconds."""
        started_s = time.monotonic()
        self.check_installed()
        with Supervisor(self.paths) as supervisor:
            if not supervisor.alive():
                self.prepare()
                supervisor.start()
            self.await_ready(supervisor, progress)
        return time.monotonic() - started_s

    def check_installed(self) -> None:
        """Refuse to start without the programs; model servers name missing weights themselves."""
        missing = [name for name in BINARIES if not shutil.which(self.paths.binary(name))]
        if self.settings.registrar == "on" and not shutil.which(KAMAILIO):
            missing.append("kamailio (REGISTRAR=on)")
        if not client_file(self.paths.cache).is_file():
            missing.append("livekit-client (the page)")
        if missing:
            raise NativeError(
                f"not installed: {', '.join(missing)}", hint="`make setup` installs what is missing"
            )

    def prepare(self) -> None:
        """Make folders, secrets and configuration; end what a crash has left behind."""
        self.paths.make()
        leftovers.end(leftovers.find(self.paths.state))
        for slot in releases.SLOTS:
            self.mark(slot).unlink(missing_ok=True)
        shutil.rmtree(self.paths.run / "lines", ignore_errors=True)
        secrets = credentials.ensure(self.settings)
        render_all(self.settings, self.ports, secrets, self.paths, self.declared)
        releases.fresh(self.paths, worker_environment(self.settings, self.paths))

    def await_ready(self, supervisor: Supervisor, progress: Progress) -> None:
        """Wait until a call would be answered."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline:
            states = self.of_services(supervisor.states())
            progress(states)
            if states and all(state.ready for state in states):
                return
            for state in states:
                # What it waited for ended before it was ready, and was started again meanwhile.
                if state.status == "Skipped":
                    supervisor.start_service(state.name)
            if not states and not supervisor.alive():
                raise NativeError(
                    "the supervisor ended", hint=f"read {self.paths.logs / 'supervisor.out'}"
                )
            time.sleep(POLL_S)
        raise self.not_ready(self.of_services(supervisor.states()))

    def of_services(self, states: tuple[State, ...]) -> tuple[State, ...]:
        """Leave out the slot that is empty."""
        names = {service.name for service in self.services}
        return tuple(state for state in states if state.name in names)

    def not_ready(self, states: tuple[State, ...]) -> NativeError:
        """Name the first service, in call order, that is not ready: the others wait for it."""
        by_name = {state.name: state for state in states}
        waiting = [s.name for s in self.services if s.name in by_name and not by_name[s.name].ready]
        first = by_name[waiting[0]] if waiting else None
        detail = f"{first.status.lower()}, {first.restarts} restarts" if first else "no state known"
        name = first.name if first else "supervisor"
        return NativeError(
            f"not ready after {READY_TIMEOUT_S:.0f} s: {', '.join(waiting)}; {name} is {detail}",
            hint=f"read {self.paths.logs / f'{name}.log'}",
        )

    def down(self, *, now: bool = False) -> bool:
        """Stop everything; calls may end first unless `now`. False: nothing was running."""
        with Supervisor(self.paths) as supervisor:
            running = supervisor.alive()
            if running and not now:
                self.stop_workers(supervisor)
                supervisor.stop(timeout_s=self.settings.drain_s + 60)
        found = leftovers.find(self.paths.state)
        leftovers.end(found)
        self.paths.remove_short()
        return running or bool(found)

    def stop_workers(self, supervisor: Supervisor) -> None:
        """During a deploy: both workers side by side, before what their calls need.

        process-compose 1.64.1 lets a service wait for one of those that depend on it, not for all
        (project_runner.go, runningProcessesReverseDependencies): the models could end too soon.
        """
        try:
            slots = releases.read(self.paths).slots
        except VoicestackError:
            slots = releases.SLOTS
        if len(slots) > 1:
            with ThreadPoolExecutor(len(slots)) as pool:
                list(pool.map(lambda slot: supervisor.stop_service(slot, self.stop_s), slots))

    @property
    def stop_s(self) -> float:
        """How long a worker may take to stop: its calls may end first."""
        return self.settings.drain_s + 30.0
