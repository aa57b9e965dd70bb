"""Further workers on the servers of a stack: a developer's, another machine's, an impatient one."""

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from voicestack.native.services import worker_environment
from voicestack.native.up import Stack


@contextlib.contextmanager
def worker(
    stack: Stack, folder: Path, *mode: str, host: str = "", **settings: str
) -> Iterator[Path]:
    """Run one, as on another machine if `host` is given; its log."""
    folder.mkdir()
    environment = worker_environment(stack.settings, stack.paths)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    more = {"STATE_DIR": str(folder), "AGENT_HEALTH_PORT": str(port), "MAX_CALLS": "1", **settings}
    command = [str(stack.paths.python), "-m", "voice_agent", *mode]
    if host:
        command = [*named(host), *command]
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=stack.paths.root,
            env={"PATH": os.environ["PATH"], **environment, **more},
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        yield log
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def named(host: str) -> list[str]:
    """What begins a command on a machine of this name: a namespace, root or not (unshare(1))."""
    own_user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    name_it = f'hostname {host} && exec "$@"'
    return ["unshare", "--uts", *own_user, "sh", "-c", name_it, "sh"]
