"""Who is there to answer: the workers that beat, and whether a job of theirs still lives."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from control.messages import Beat, Job

# Six beats. A machine that stalls must not bring a second agent into a call that goes on.
SILENT_S = 6.0
# Whoever asks who was here wants to see a worker that died a moment ago.
FORGET_S = 600.0
# A job that was given to a worker is in its next beat but one.
LAUNCH_S = 5.0


@dataclass(slots=True)
class Known:
    """A worker, and which of its jobs were ever seen."""

    beat: Beat
    heard_at: float
    seen: set[str]
    replaced: bool = False  # another worker runs where it ran: it is gone


class Workers:
    """The table of workers, by their beats."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[str, Known] = {}

    def take(self, beat: Beat) -> set[str]:
        """Note a beat; return the rooms whose agent may be gone since the last one."""
        now = self._clock()
        before = self._known.get(beat.worker)
        jobs = {each.job for each in beat.jobs}
        gone = {job.room for job in (before.beat.jobs if before else ()) if job.job not in jobs}
        for other in self._known.values():
            same_place = other.beat.place == beat.place and other.beat.worker != beat.worker
            if same_place and other.beat.started_at <= beat.started_at and not other.replaced:
                other.replaced = True
                gone |= {job.room for job in other.beat.jobs}
        self._known[beat.worker] = Known(beat, now, jobs | (before.seen if before else set()))
        for worker in [w for w, known in self._known.items() if now - known.heard_at > FORGET_S]:
            del self._known[worker]
        return gone

    def lives(self, known: Known) -> bool:
        """True while a worker is heard."""
        return not known.replaced and self._clock() - known.heard_at < SILENT_S

    def has_job(self, worker: str, job: str, age_s: float) -> bool | None:
        """Whether a worker still works at a job; None for a worker that never beat.

        One that has just registered may get a job before its first beat is here.
        """
        known = self._known.get(worker)
        if known is None:
            return True if age_s < LAUNCH_S else None
        if not self.lives(known):
            return False
        if any(each.job == job for each in known.beat.jobs):
            return True
        return job not in known.seen and age_s < LAUNCH_S

    def heard(self) -> set[str]:
        """Rooms whose caller is heard; another has hung up, and livekit has not noticed yet."""
        return {job.room for job in self._jobs() if job.heard}

    def attended(self) -> set[str]:
        """Rooms in which a living worker has a job."""
        return {job.room for job in self._jobs()}

    def jobs_in(self, room: str) -> set[str]:
        """Jobs in a room, in the words of those who do them."""
        return {job.job for job in self._jobs() if job.room == room}

    def busy(self) -> bool:
        """True while a worker has a call."""
        return any(True for _ in self._jobs())

    def _jobs(self) -> Iterator[Job]:
        living = (known.beat for known in self._known.values() if self.lives(known))
        return (job for beat in living for job in beat.jobs)

    def listed(self) -> list[dict[str, object]]:
        """Every worker for people and programs, those of one agent together."""
        now, wall = self._clock(), time.time()
        rows = [
            {
                **known.beat.model_dump(exclude={"jobs"}),
                "alive": self.lives(known),
                "heard_s_ago": round(now - known.heard_at, 1),
                "up_s": round(wall - known.beat.started_at),
                "calls": len(known.beat.jobs),
                "rooms": [each.room for each in known.beat.jobs],
            }
            for known in self._known.values()
        ]
        return sorted(rows, key=lambda row: (str(row["agent"]), -float(str(row["started_at"]))))

    def rivals(self) -> list[str]:
        """Agents that workers of several machines answer for: the classic trap of development."""
        hosts: dict[str, set[str]] = {}
        for known in self._known.values():
            if self.lives(known):
                hosts.setdefault(known.beat.agent, set()).add(known.beat.host)
        return [
            f"agent {agent} is answered by workers of {len(names)} machines: "
            f"{', '.join(sorted(names))}; calls go to any of them"
            for agent, names in sorted(hosts.items())
            if len(names) > 1
        ]
