"""What a person sees of `make up`, `make status` and `make down`."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from voicestack.deploy.releases import SLOTS
from voicestack.native.services import Service
from voicestack.native.supervisor import NativeError, State, Supervisor
from voicestack.native.up import Progress, Stack
from voicestack.ports import authority


def down(stack: Stack, *, now: bool) -> dict[str, Any]:
    """Stop the stack."""
    started_s = time.monotonic()
    was_running = stack.down(now=now)
    text = "stack stopped" if was_running else "nothing was running"
    return {"text": text, "stopped": was_running, "took_s": time.monotonic() - started_s}


def log_files(stack: Stack, service: str) -> list[Path]:
    """Return the log of one service, or of all, in call order."""
    names = [each.name for each in stack.declared]
    if service and service not in names:
        raise NativeError(f"no service {service!r}", hint=f"one of: {', '.join(names)}")
    # Each slot of the worker has a log of its own.
    wanted = SLOTS if service == SLOTS[0] else (service,) if service else names
    files = [stack.paths.logs / f"{name}.log" for name in names if name in wanted]
    if not any(file.exists() for file in files):
        raise NativeError(f"no logs in {stack.paths.logs}", hint="`make up` starts the stack")
    return [file for file in files if file.exists()]


def status(stack: Stack) -> dict[str, Any]:
    """Each service's state."""
    with Supervisor(stack.paths) as supervisor:
        states = {state.name: state for state in supervisor.states()}
    if not states:
        return {"text": "the stack is down", "services": [], "failed": True}
    rows = [states[each.name] for each in stack.services if each.name in states]
    listed = [
        f"{row.name:<8} {'ready' if row.ready else row.status.lower():<12}"
        f" restarts {row.restarts:<3} pid {row.pid}"
        for row in rows
    ]
    failing = [row.name for row in rows if not row.ready]
    return {
        "text": "\n".join(listed),
        "services": [asdict(row) for row in rows],
        "failed": bool(failing),
    }


def up(stack: Stack) -> dict[str, Any]:
    """Start the stack, with progress on stderr; say where it can be reached."""
    with _progress(stack.services) as progress:
        took_s = stack.up(progress)
    places = endpoints(stack)
    listed = "\n".join(f"  {name:<8} {place}" for name, place in places.items())
    return {"text": f"ready in {took_s:.1f} s\n{listed}", "took_s": took_s, "endpoints": places}


def endpoints(stack: Stack) -> dict[str, str]:
    """Where the stack can be reached."""
    node, ports = stack.settings.node_ip, stack.ports
    return {
        "phone": f"sip:+15550100@{node}:{ports['sip']}",
        "browser": f"https://{authority(stack.settings)}",
        "password": f"cat {stack.paths.secrets / 'page_password'}",
        "api": f"http://127.0.0.1:{ports['livekit_http']}",
        "logs": str(stack.paths.logs),
    }


@contextmanager
def _progress(services: tuple[Service, ...]) -> Iterator[Progress]:
    """Show a table that fills on a terminal, one line per service elsewhere."""
    console = Console(stderr=True)
    started_s = time.monotonic()
    ready_at_s: dict[str, float] = {}

    def note(states: tuple[State, ...]) -> list[State]:
        fresh = [state for state in states if state.ready and state.name not in ready_at_s]
        for state in fresh:
            ready_at_s[state.name] = time.monotonic() - started_s
        return fresh

    if not console.is_terminal:

        def lines(states: tuple[State, ...]) -> None:
            for state in note(states):
                print(f"{state.name:<8} ready {ready_at_s[state.name]:5.1f} s", file=sys.stderr)

        yield lines
        return
    with Live(console=console, refresh_per_second=10, transient=True) as live:

        def table(states: tuple[State, ...]) -> None:
            note(states)
            live.update(_table(services, states, ready_at_s))

        yield table


def _table(
    services: tuple[Service, ...], states: tuple[State, ...], ready_at_s: dict[str, float]
) -> Table:
    by_name = {state.name: state for state in states}
    table = Table("service", "state", "seconds", box=None)
    for service in services:
        state = by_name.get(service.name)
        ready = service.name in ready_at_s
        word = "ready" if ready else state.status.lower() if state else "waiting"
        seconds = f"{ready_at_s[service.name]:.1f}" if ready else ""
        table.add_row(service.name, word, seconds)
    return table
