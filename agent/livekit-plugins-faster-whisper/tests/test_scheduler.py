"""Who decodes first."""

import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from scripted import transcript

from faster_whisper_engine.scheduler import Scheduler, abandon
from faster_whisper_engine.transcriber import AbandonedError, Priority, Request, Transcript

FINAL, PREFLIGHT, INTERIM = Priority.FINAL, Priority.PREFLIGHT, Priority.INTERIM
WAIT_S = 10.0


class HeldTranscriber:
    """Holds each request until the test lets it go, and notes the order."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.started = threading.Semaphore(0)
        self.go = threading.Semaphore(0)

    def transcribe(self, request: Request, abandoned: Callable[[], bool]) -> Transcript:
        """Wait for the test; the prompt names the request."""
        self.order.append(request.prompt)
        self.started.release()
        assert self.go.acquire(timeout=WAIT_S)
        if abandoned():
            raise AbandonedError
        return transcript(request.prompt)


@pytest.fixture
def held() -> HeldTranscriber:
    """A transcriber in the test's hand."""
    return HeldTranscriber()


@pytest.fixture
def one(held: HeldTranscriber) -> Iterator[Scheduler]:
    """A scheduler with a single thread."""
    scheduler = Scheduler(held, threads=1)  # type: ignore[arg-type]
    yield scheduler
    scheduler.close()
    held.go.release(100)


def request(name: str, priority: Priority) -> Request:
    """A request that the transcriber knows by its prompt."""
    return Request(np.zeros(10, np.int16), priority, prompt=name)


def test_the_most_urgent_goes_first(one: Scheduler, held: HeldTranscriber) -> None:
    """Finals before early results before interim text; first come, first served among equals."""
    futures = [one.submit(request("running", INTERIM))]
    assert held.started.acquire(timeout=WAIT_S)
    futures += [
        one.submit(request(name, priority))
        for name, priority in [("i", INTERIM), ("p1", PREFLIGHT), ("p2", PREFLIGHT), ("f", FINAL)]
    ]
    held.go.release(5)
    assert [future.result(WAIT_S).text for future in futures] == ["running", "i", "p1", "p2", "f"]
    assert held.order == ["running", "f", "p1", "p2", "i"]


def test_old_interims_are_dropped_when_the_engine_is_behind(
    one: Scheduler, held: HeldTranscriber
) -> None:
    """Interim text that comes late is worth nothing; finals are never dropped."""
    running = one.submit(request("running", FINAL))
    assert held.started.acquire(timeout=WAIT_S)
    interims = [one.submit(request(f"i{number}", INTERIM)) for number in range(4)]
    with pytest.raises(AbandonedError):
        interims[0].result(WAIT_S)
    with pytest.raises(AbandonedError):
        interims[1].result(WAIT_S)
    held.go.release(3)
    assert running.result(WAIT_S).text == "running"
    assert interims[3].result(WAIT_S).text == "i3"


def test_interims_leave_a_thread_to_those_who_wait(held: HeldTranscriber) -> None:
    """With two threads one interim runs at a time, and a final starts at once."""
    scheduler = Scheduler(held, threads=2)  # type: ignore[arg-type]
    for name in ("i1", "i2"):
        scheduler.submit(request(name, INTERIM))
    assert held.started.acquire(timeout=WAIT_S)
    final = scheduler.submit(request("f", FINAL))
    assert held.started.acquire(timeout=WAIT_S)
    assert held.order == ["i1", "f"]
    held.go.release(3)
    assert final.result(WAIT_S).text == "f"
    scheduler.close()


def test_what_nobody_waits_for_is_given_up(one: Scheduler, held: HeldTranscriber) -> None:
    """A waiting request never starts, a running one stops at its next step."""
    running = one.submit(request("running", PREFLIGHT))
    assert held.started.acquire(timeout=WAIT_S)
    waiting = one.submit(request("waiting", PREFLIGHT))
    abandon(running)
    abandon(waiting)
    held.go.release(2)
    with pytest.raises(AbandonedError):
        running.result(WAIT_S)
    assert waiting.cancelled()
    assert held.order == ["running"]


def test_a_closed_scheduler_refuses(held: HeldTranscriber) -> None:
    """Whoever waits is told, and so is whoever comes."""
    scheduler = Scheduler(held, threads=1)  # type: ignore[arg-type]
    scheduler.submit(request("running", FINAL))
    assert held.started.acquire(timeout=WAIT_S)
    waiting = scheduler.submit(request("waiting", FINAL))
    scheduler.close()
    with pytest.raises(RuntimeError, match="closed"):
        waiting.result(WAIT_S)
    with pytest.raises(RuntimeError, match="closed"):
        scheduler.submit(request("late", FINAL))
    held.go.release()
