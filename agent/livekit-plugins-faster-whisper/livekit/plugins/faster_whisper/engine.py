"""Where decoding happens, seen from a stream: `await engine.transcribe(request)`.

Cancelling the await gives the request up. Every fault of an engine is an `EngineError`.
"""

import asyncio
import threading
from typing import Protocol

from faster_whisper_engine import weights
from faster_whisper_engine.scheduler import Scheduler, abandon
from faster_whisper_engine.transcriber import AbandonedError, Request, Transcriber, Transcript
from faster_whisper_engine.whisper import Whisper

from .log import logger


class EngineError(Exception):
    """The engine cannot answer now; the same request may be sent again."""


class Engine(Protocol):
    """Something that writes speech down."""

    async def transcribe(self, request: Request) -> Transcript:
        """Write down one stretch of speech."""
        ...

    def prewarm(self) -> None:
        """Begin to load or connect; returns at once."""
        ...


class LocalEngine:
    """A model in this process, loaded once, in a thread, at first use."""

    def __init__(
        self, model: str, *, compute_type: str = "int8", threads: int = 2, workers: int = 2
    ) -> None:
        self._name, self._compute_type = model, compute_type
        self._threads, self._workers = threads, workers
        self._lock = threading.Lock()
        self._scheduler: Scheduler | None = None

    def load(self) -> Scheduler:
        """Load the model, or wait for the thread that does. Takes about a second."""
        with self._lock:
            if self._scheduler is None:
                model = Whisper(
                    weights.folder(self._name),
                    compute_type=self._compute_type,
                    threads=self._threads,
                    workers=self._workers,
                )
                self._scheduler = Scheduler(Transcriber(model), threads=self._workers)
                logger.debug("whisper loaded", extra={"model": self._name})
            return self._scheduler

    def prewarm(self) -> None:
        """Load in a thread of its own."""
        threading.Thread(target=self._try_load, name="whisper-load", daemon=True).start()

    def _try_load(self) -> None:
        try:
            self.load()
        except Exception:  # said here; the first request meets it again and reports it
            logger.exception("whisper could not be loaded", extra={"model": self._name})

    async def transcribe(self, request: Request) -> Transcript:
        """Write down one stretch of speech."""
        scheduler = self._scheduler
        try:
            if scheduler is None:
                scheduler = await asyncio.to_thread(self.load)
            future = scheduler.submit(request)
        except Exception as error:
            raise EngineError(f"whisper could not be started: {error}") from error
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            abandon(future)
            raise
        except AbandonedError as error:
            raise EngineError("the request was dropped: the engine is behind") from error
        except Exception as error:
            raise EngineError(f"whisper failed: {error}") from error


_local: dict[tuple[str, str, int, int], LocalEngine] = {}
_local_lock = threading.Lock()


def local_engine(
    model: str, *, compute_type: str = "int8", threads: int = 2, workers: int = 2
) -> LocalEngine:
    """The one engine of this process for these parameters."""
    key = model, compute_type, threads, workers
    with _local_lock:
        return _local.setdefault(
            key, LocalEngine(model, compute_type=compute_type, threads=threads, workers=workers)
        )
