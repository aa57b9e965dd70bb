"""process-compose as our supervisor: start it, ask it, stop it.

process-compose (Go module, v1.64.1) has readiness probes, ordering, restarts, a log per process and
an API on a Unix socket; supervisord has no readiness, systemd is not everywhere (docs/decisions/).
"""

import contextlib
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from voicestack.errors import VoicestackError
from voicestack.native.paths import Paths

# Names of variables that children may inherit; everything else of the operator's shell stays out.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "USER", "LOGNAME")
# Marks every process of a stack, grandchildren too: leftovers are found by it (leftovers.py).
MARK = "VOICESTACK_STATE"
SOCKET_TIMEOUT_S = 10.0
REQUEST_TIMEOUT_S = 5.0
# Only root may go below 0 (setpriority(2)); for others the write fails and nothing changes.
PRIORITY_NICE = -10


class NativeError(VoicestackError):
    """The native runtime could not do what was asked."""


@dataclass(frozen=True, slots=True)
class State:
    """What the supervisor says of one service."""

    name: str
    status: str  # "Pending", "Running", "Restarting", "Completed", …
    ready: bool
    restarts: int
    exit_code: int
    pid: int


class Supervisor:
    """One stack's process-compose."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        transport = httpx.HTTPTransport(uds=str(paths.socket))
        self._client = httpx.Client(
            transport=transport, base_url="http://supervisor", timeout=REQUEST_TIMEOUT_S
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._client.close()

    def start(self) -> None:
        """Start the supervisor in a session of its own: it outlives the terminal."""
        command = [
            self._paths.binary("process-compose"),
            *("--config", str(self._paths.supervisor_file)),
            *("--unix-socket", str(self._paths.socket)),
            *("--log-file", str(self._paths.logs / "supervisor.log")),
            "--tui=false",
            "--ordered-shutdown",
            "--disable-dotenv",
            "--keep-project",
            "up",
        ]
        output = (self._paths.logs / "supervisor.out").open("ab")
        with output:
            process = subprocess.Popen(
                command,
                env=clean_environment(self._paths),
                cwd=self._paths.root,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        (self._paths.run / "supervisor.pid").write_text(f"{process.pid}\n")
        put_phone_first(process.pid)
        self._await_socket(process)

    def _await_socket(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + SOCKET_TIMEOUT_S
        while time.monotonic() < deadline:
            if process.poll() is not None:
                break
            if self.alive():
                return
            time.sleep(0.05)
        raise NativeError(
            "the supervisor did not start",
            hint=f"read {self._paths.logs / 'supervisor.out'}",
        )

    def alive(self) -> bool:
        """True while the supervisor answers."""
        try:
            return self._client.get("/live").is_success
        except httpx.HTTPError:
            return False

    def states(self) -> tuple[State, ...]:
        """What runs, in no order; empty when the supervisor does not answer."""
        try:
            answer = self._client.get("/processes").raise_for_status().json()
        except httpx.HTTPError:
            return ()
        return tuple(_state(entry) for entry in answer["data"])

    def state(self, name: str) -> State | None:
        """One of them; None when the supervisor does not answer, or has no such service.

        It adds up the memory of all that a service has started, so all at once are dear.
        """
        try:
            answer = self._client.get(f"/process/{name}")
        except httpx.HTTPError:
            return None
        return _state(answer.json()) if answer.is_success else None

    def start_service(self, name: str) -> None:
        """Start one that does not run."""
        with contextlib.suppress(httpx.HTTPError):  # asked again at the next look
            self._client.post(f"/process/start/{name}")

    def stop_service(self, name: str, timeout_s: float) -> None:
        """Stop one, and wait until it has ended; one that does not run is fine."""
        try:
            self._client.patch(f"/process/stop/{name}", timeout=timeout_s)
        except httpx.HTTPError as error:
            raise NativeError(
                f"{name} could not be stopped ({type(error).__name__})",
                hint=f"read {self._paths.logs / 'supervisor.log'}",
            ) from error

    def stop(self, timeout_s: float) -> None:
        """Stop every service, those that others need last, and the supervisor itself."""
        try:
            self._client.post("/project/stop", timeout=timeout_s)
        except httpx.TimeoutException as error:
            raise NativeError(
                f"the services had not ended after {timeout_s:.0f} s",
                hint="a call may still be up: `make down NOW=1` hangs up",
            ) from error
        except httpx.HTTPError:
            pass  # it closes the socket when it is done
        deadline = time.monotonic() + SOCKET_TIMEOUT_S
        while self.alive() and time.monotonic() < deadline:
            time.sleep(0.05)


def put_phone_first(pid: int) -> None:
    """Give the session of `pid` the CPU before others, as far as this user may.

    Where the kernel groups processes by session (sched(7), "The autogroup feature"), `nice` only
    decides among our own: a compiler in another session would get half of the machine all the same.
    Measured on two busy cores: turns as heard 2.3 times as fast.
    """
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(PRIORITY_NICE))


def _state(entry: dict[str, object]) -> State:
    return State(
        name=str(entry["name"]),
        status=str(entry["status"]),
        ready=entry.get("is_ready") == "Ready",
        restarts=int(str(entry.get("restarts", 0))),
        exit_code=int(str(entry.get("exit_code", 0))),
        pid=int(str(entry.get("pid", 0))),
    )


def clean_environment(paths: Paths) -> dict[str, str]:
    """Keep what a process needs to run at all, and the stack's mark."""
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {**kept, "TMPDIR": str(paths.short), MARK: str(paths.state), "PYTHONUNBUFFERED": "1"}
