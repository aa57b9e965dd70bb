"""Other programs' output, line by line, without leaving them behind."""

import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

STOP_TIMEOUT_S = 10.0


class Child:
    """A program under way."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def lines(self) -> Iterator[str]:
        """Give each line of stdout and stderr as it comes."""
        assert self._process.stdout is not None
        yield from map(str.rstrip, self._process.stdout)

    def exit_code(self) -> int:
        """Wait for the end."""
        return self._process.wait()


@contextmanager
def running(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Iterator[Child]:
    """Run a program; when this one is interrupted, so is the program."""
    process = subprocess.Popen(
        command,
        env=None if env is None else dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    try:
        yield Child(process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)  # Go and pip clean up and end their own children
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
