"""Which workers and jobs live, by what they tell."""

from typing import Any

from control.messages import Beat
from control.workers import LAUNCH_S, SILENT_S, Workers


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def beat(worker: str = "AW_1", *jobs: tuple[str, str], **changes: Any) -> Beat:
    fields: dict[str, Any] = {
        "worker": worker,
        "agent": "receptionist",
        "host": "here",
        "pid": 1,
        "health_port": 7893,
        "version": "1",
        "started_at": 1.0,
        "capacity": 2,
        "draining": False,
        "jobs": [{"job": job, "room": room} for job, room in jobs],
    }
    return Beat.model_validate(fields | changes)


def test_a_job_that_vanishes_from_a_beat_is_dead() -> None:
    """Its room is named, so that it is looked at now."""
    workers = Workers(Clock())
    assert workers.take(beat("AW_1", ("AJ_1", "a"), ("AJ_2", "b"))) == set()
    assert workers.has_job("AW_1", "AJ_1", 60) is True
    assert workers.take(beat("AW_1", ("AJ_2", "b"))) == {"a"}
    assert workers.has_job("AW_1", "AJ_1", 1) is False
    assert workers.has_job("AW_1", "AJ_2", 60) is True


def test_a_job_just_given_is_on_its_way() -> None:
    """Until it would have been in a beat."""
    workers = Workers(Clock())
    workers.take(beat())
    assert workers.has_job("AW_1", "AJ_1", 0.1) is True
    assert workers.has_job("AW_1", "AJ_1", LAUNCH_S + 1) is False


def test_a_job_given_before_the_first_beat_is_on_its_way() -> None:
    """Its worker has registered a moment ago."""
    workers = Workers(Clock())
    assert workers.has_job("AW_1", "AJ_1", 0.1) is True
    assert workers.has_job("AW_1", "AJ_1", LAUNCH_S + 1) is None


def test_workers_tell_the_jobs_of_a_room() -> None:
    """Those who live."""
    clock = Clock()
    workers = Workers(clock)
    workers.take(beat("AW_1", ("AJ_1", "a"), ("AJ_2", "b")))
    assert workers.jobs_in("a") == {"AJ_1"}
    clock.now += SILENT_S + 0.1
    assert workers.jobs_in("a") == set()


def test_a_silent_worker_is_gone() -> None:
    """And its jobs with it; of a worker that never beat nothing is known."""
    clock = Clock()
    workers = Workers(clock)
    workers.take(beat("AW_1", ("AJ_1", "a")))
    clock.now += SILENT_S + 0.1
    assert workers.has_job("AW_1", "AJ_1", 60) is False
    assert workers.has_job("AW_9", "AJ_1", 60) is None
    (row,) = workers.listed()
    assert (row["alive"], row["calls"]) == (False, 1)


def test_a_restarted_worker_replaces_the_one_before() -> None:
    """Two cannot share a port: what was there died, and nobody waits for its silence."""
    workers = Workers(Clock())
    workers.take(beat("AW_1", ("AJ_1", "a")))
    assert workers.take(beat("AW_2", started_at=2.0)) == {"a"}
    assert workers.has_job("AW_1", "AJ_1", 60) is False
    assert workers.take(beat("AW_2", started_at=2.0)) == set()


def test_rivals_are_named() -> None:
    """A developer's worker under a production name takes callers away."""
    workers = Workers(Clock())
    workers.take(beat("AW_1"))
    workers.take(beat("AW_2", host="laptop", agent="receptionist-dev"))
    assert workers.rivals() == []
    workers.take(beat("AW_3", host="laptop", health_port=1))
    (text,) = workers.rivals()
    assert "receptionist" in text
    assert "here, laptop" in text
