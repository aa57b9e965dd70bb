"""One engine process for all calls of a worker, started and kept alive by the worker itself.

Why not the framework's inference process (`_InferenceRunner`, livekit-agents 1.8.9): it answers one
request at a time for the whole worker (ipc/inference_proc_lazy_main.py awaits each before it reads
the next), is private, and is never started again when it dies (worker.py only turns its health
page to 503): all calls of that worker would stay deaf.
"""

import atexit
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from faster_whisper_engine import wire

from .log import logger

# Job processes inherit it, and find the engine by it.
SOCKET_VARIABLE = "LIVEKIT_FASTER_WHISPER_SOCKET"
# OpenMP's threads spin for the next piece of work by default; on a busy machine they then take from
# each other what they wait for: 650 ms in place of 450 for an utterance of 7 s, two cores.
ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE"}
# Pauses before another start; the last one repeats. A model that cannot be loaded is not hammered.
BACKOFF_S = (0.0, 0.5, 2.0, 10.0)
# An engine that ran this long was sound: the next start comes at once.
SOUND_S = 30.0
CHECK_S = 2.0
HELLO_S = 2.0
# A frozen engine is killed after this many checks without a hello; loading takes less.
MAX_MISSED = 4
STOP_S = 3.0


class SharedEngine:
    """The engine process and the thread that watches it."""

    def __init__(self, *, model: str, compute_type: str, threads: int, workers: int) -> None:
        # Unix sockets have short names (108 bytes), temporary folders private ones (0700).
        self._folder = Path(tempfile.mkdtemp(prefix="faster-whisper-"))
        self.path = self._folder / "engine.sock"
        self._command = [
            *(sys.executable, "-P", "-m", "faster_whisper_engine", "--until-stdin-ends"),
            *("--model", model, "--socket", str(self.path), "--compute-type", compute_type),
            *("--threads", str(threads), "--workers", str(workers)),
        ]
        self._owner = os.getpid()
        self._closing = threading.Event()
        self._process = self._start()
        self._watcher = threading.Thread(target=self._watch, name="whisper-engine", daemon=True)
        self._watcher.start()

    @property
    def pid(self) -> int:
        """Process id of the engine that runs now."""
        return self._process.pid

    def wait_ready(self, timeout_s: float) -> bool:
        """Wait until the model is loaded."""
        end_s = time.monotonic() + timeout_s
        while time.monotonic() < end_s:
            if self._says_hello():
                return True
            self._closing.wait(0.05)
        return False

    def close(self) -> None:
        """Stop the engine and remove its socket. Safe to call twice, and in a forked child."""
        if os.getpid() != self._owner or self._closing.is_set():
            return
        self._closing.set()
        self._stop()
        self._watcher.join(STOP_S)
        shutil.rmtree(self._folder, ignore_errors=True)
        if os.environ.get(SOCKET_VARIABLE) == str(self.path):
            del os.environ[SOCKET_VARIABLE]

    def _start(self) -> "subprocess.Popen[bytes]":
        # Its own group: a signal to ours must not take the ears from calls that drain. Not its own
        # session: the kernel shares the CPU out by session (sched(7), autogroup), and whoever put
        # the worker's first means its ears as well. Its stdin ends when we do, however we do.
        return subprocess.Popen(self._command, stdin=subprocess.PIPE, process_group=0)

    def _watch(self) -> None:
        failures = 0
        while not self._closing.is_set():
            started_s = time.monotonic()
            reason = self._until_it_fails()
            if self._closing.is_set():
                return
            failures = 0 if time.monotonic() - started_s > SOUND_S else failures + 1
            pause_s = BACKOFF_S[min(failures, len(BACKOFF_S) - 1)]
            logger.warning(
                "whisper engine is started again",
                extra={"reason": reason, "pid": self.pid, "pause_s": pause_s},
            )
            if self._closing.wait(pause_s):
                return
            self._process = self._start()

    def _until_it_fails(self) -> str:
        missed = 0
        while True:
            try:
                return f"exit status {self._process.wait(timeout=CHECK_S)}"
            except subprocess.TimeoutExpired:
                missed = 0 if self._says_hello() else missed + 1
            if missed >= MAX_MISSED:
                self._process.kill()
                self._process.wait()
                return "it did not answer"

    def _says_hello(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(HELLO_S)
                connection.connect(str(self.path))
                return len(connection.recv(wire.HEAD.size)) > 0
        except OSError:
            return False

    def _stop(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def use_shared_engine(
    *, model: str, compute_type: str = "int8", cpu_threads: int = 2, workers: int = 2
) -> SharedEngine | None:
    """Start one engine for this worker; every `STT` of it and of its jobs then uses it.

    Call it in the worker's main process before the server runs. In a job process, and when an
    engine is there already, it does nothing and returns None.
    """
    if multiprocessing.parent_process() is not None or SOCKET_VARIABLE in os.environ:
        return None
    engine = SharedEngine(
        model=model, compute_type=compute_type, threads=cpu_threads, workers=workers
    )
    os.environ[SOCKET_VARIABLE] = str(engine.path)
    atexit.register(engine.close)
    return engine


def shared_socket() -> Path | None:
    """Where the engine of this worker listens, if it has one."""
    path = os.environ.get(SOCKET_VARIABLE)
    return Path(path) if path else None
