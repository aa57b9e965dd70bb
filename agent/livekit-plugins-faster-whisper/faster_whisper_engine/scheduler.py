"""A few threads that decode, most urgent first. Used in the engine process and in-process alike."""

import heapq
import itertools
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field

from .transcriber import AbandonedError, Priority, Request, Transcriber, Transcript

# Interim text beyond one a stream is stale before it is read; more than this waiting means that
# the machine is behind, and the oldest are dropped.
MAX_WAITING_INTERIMS = 2


@dataclass(order=True)
class _Job:
    key: tuple[int, int]
    request: Request = field(compare=False)
    future: "Future[Transcript]" = field(compare=False)


class Scheduler:
    """Runs requests by priority, FIFO within one. Interim text never takes the last thread."""

    def __init__(self, transcriber: Transcriber, *, threads: int = 2) -> None:
        self._transcriber = transcriber
        self._waiting: list[_Job] = []
        self._changed = threading.Condition()
        self._number = itertools.count()
        self._closed = False
        self._interims_running = 0
        self._max_interims = max(1, threads - 1)
        self._threads = [
            threading.Thread(target=self._work, name=f"whisper-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, request: Request) -> "Future[Transcript]":
        """Queue a request. Cancel the future when nobody waits any more."""
        future: Future[Transcript] = Future()
        job = _Job((request.priority, next(self._number)), request, future)
        with self._changed:
            if self._closed:
                raise RuntimeError("the engine is closed")
            if request.priority is Priority.INTERIM:
                self._drop_old_interims()
            heapq.heappush(self._waiting, job)
            self._changed.notify()
        return future

    def close(self) -> None:
        """Stop the threads; what waits is refused. What runs is left to finish by itself."""
        with self._changed:
            self._closed = True
            waiting, self._waiting = self._waiting, []
            self._changed.notify_all()
        for job in waiting:
            _refuse(job.future, RuntimeError("the engine was closed"))

    def _drop_old_interims(self) -> None:
        interims = [job for job in self._waiting if job.request.priority is Priority.INTERIM]
        for job in sorted(interims)[: len(interims) - MAX_WAITING_INTERIMS + 1]:
            _refuse(job.future, AbandonedError())
            self._waiting.remove(job)
        heapq.heapify(self._waiting)

    def _work(self) -> None:
        while (job := self._take()) is not None:
            try:
                self._run(job)
            finally:
                self._done(job)

    def _take(self) -> _Job | None:
        with self._changed:
            while not self._closed:
                if self._waiting and self._may_run(self._waiting[0]):
                    job = heapq.heappop(self._waiting)
                    self._interims_running += job.request.priority is Priority.INTERIM
                    return job
                self._changed.wait()
            return None

    def _may_run(self, job: _Job) -> bool:
        return (
            job.request.priority is not Priority.INTERIM
            or self._interims_running < self._max_interims
        )

    def _done(self, job: _Job) -> None:
        with self._changed:
            self._interims_running -= job.request.priority is Priority.INTERIM
            self._changed.notify()

    def _run(self, job: _Job) -> None:
        if not job.future.set_running_or_notify_cancel():
            return
        try:
            # A running future cannot be cancelled; `abandon` marks it instead.
            result = self._transcriber.transcribe(job.request, lambda: is_abandoned(job.future))
        except AbandonedError:
            job.future.set_exception(AbandonedError())
        except BaseException as error:
            job.future.set_exception(error)
        else:
            job.future.set_result(result)


def _refuse(future: "Future[Transcript]", error: Exception) -> None:
    """End a waiting request. Not by `cancel`: whoever awaits it would take that for his own."""
    if future.set_running_or_notify_cancel():
        future.set_exception(error)


def abandon(future: "Future[Transcript]") -> None:
    """Give a request up: out of the queue, or, when it runs, at its next step."""
    if not future.cancel():
        future.abandoned = True  # type: ignore[attr-defined]


def is_abandoned(future: "Future[Transcript]") -> bool:
    """Tell whether `abandon` was called."""
    return getattr(future, "abandoned", False)
