"""One deploy at a time, and a way to stop the one that runs."""

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from voicestack.deploy.change import DeployError
from voicestack.native.paths import Paths


@contextlib.contextmanager
def alone(paths: Paths, *, wait_s: float) -> Iterator[None]:
    """Hold the lock of deploys; a command that died holds nothing."""
    paths.run.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _lock_file(paths).open("a+") as file:
        deadline = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise DeployError(
                        "another deploy is under way", hint="wait for it, or --abort"
                    ) from None
                time.sleep(0.1)
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def interrupt(paths: Paths) -> None:
    """Ctrl-C to the deploy that runs, if one does: it cleans up after itself."""
    with contextlib.suppress(OSError, ValueError), _lock_file(paths).open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.kill(int(file.read()), signal.SIGINT)


def _lock_file(paths: Paths) -> Path:
    return paths.run / "deploy.lock"
