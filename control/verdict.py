"""What a call needs, judged from what was seen of its room; touches nothing."""

from dataclasses import dataclass
from enum import Enum

# A caller who hears nothing but ringing tries elsewhere: busy is an answer, within 3 s.
BUSY_S = 2.5
# How long an offer may take to be accepted before another is made in its place. A worker answers
# within 0.1 s; one that has just started may need longer, and a caller who is on the line waits.
RETRY_S, PATIENT_RETRY_S = 0.7, 2.5
# A worker that died is back and registered within 8 s on two busy cores; longer silence is no call.
GIVE_UP_S = 20.0
# An agent that is alone ends its job within a second; one that does not holds a line.
GHOST_S = 10.0


@dataclass(frozen=True, slots=True)
class Job:
    """One agent's job in the room. `alive`: None if its worker tells us nothing."""

    id: str
    agent_identity: str
    alive: bool | None


@dataclass(frozen=True, slots=True)
class Dispatch:
    """A request for an agent, and the jobs that came of it."""

    id: str
    agent: str
    metadata: str
    jobs: tuple[Job, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """A room at one moment. `callers`: phones and pages, not agents and not observers."""

    callers: tuple[str, ...]
    ringing: bool  # a phone that we have not answered yet
    agents: tuple[str, ...]
    dispatches: tuple[Dispatch, ...]
    joined: bool = False  # a person whom an agent has asked is talking to the caller
    coming: bool = False  # a worker has a job here that the server does not list yet

    @property
    def dead(self) -> frozenset[str]:
        """Agents that are listed, but whose process is gone."""
        jobs = [job for each in self.dispatches for job in each.jobs]
        return frozenset(job.agent_identity for job in jobs if job.alive is False)

    @property
    def attended(self) -> bool:
        """True if an agent is there or on its way, or people talk to each other."""
        jobs = [job for each in self.dispatches for job in each.jobs]
        on_their_way = self.coming or any(job.alive for job in jobs)
        people_talk = len(self.callers) > 1 and not self.ringing
        return people_talk or on_their_way or any(one not in self.dead for one in self.agents)


class Verdict(Enum):
    """What to do now."""

    WAIT = "wait"
    DISPATCH = "ask for an agent again"
    BUSY = "let the caller hear busy"
    END = "end the call"
    OVER = "end a transferred call that one side has left"
    GHOST = "remove the room that nobody is in"


@dataclass(slots=True)
class Memory:
    """What was seen of the room before."""

    alone_since: float | None = None
    asked_at: float | None = None
    empty_since: float | None = None
    silent_since: float | None = None
    had_agent: bool = False
    joined: bool = False
    wanted: Dispatch | None = None  # whom to ask for, also when the server has forgotten


def judge(facts: Facts, memory: Memory, now: float) -> Verdict:
    """Decide, and keep in `memory` since when things are as they are."""
    if facts.dispatches:
        memory.wanted = facts.dispatches[-1]
    memory.joined |= facts.joined
    if memory.joined:  # no agent is wanted any more
        return Verdict.WAIT if len(facts.callers) > 1 else Verdict.OVER
    if not facts.callers:
        return _empty(facts, memory, now)
    memory.empty_since = None
    memory.had_agent |= facts.attended
    if facts.attended or (memory.wanted is None and not facts.ringing):
        memory.alone_since = memory.asked_at = None
        return Verdict.WAIT
    if memory.alone_since is None:
        memory.alone_since = now
        # At first the room's own dispatch is just under way, also for a browser, which never rings;
        # later, the agent was lost.
        is_new = not memory.had_agent and not any(each.jobs for each in facts.dispatches)
        memory.asked_at = now if facts.ringing or is_new else None
    if now - memory.alone_since >= (BUSY_S if facts.ringing else GIVE_UP_S):
        return Verdict.BUSY if facts.ringing else Verdict.END
    retry_s = RETRY_S if facts.ringing else PATIENT_RETRY_S
    if memory.wanted and (memory.asked_at is None or now - memory.asked_at >= retry_s):
        memory.asked_at = now
        return Verdict.DISPATCH
    return Verdict.WAIT


def _empty(facts: Facts, memory: Memory, now: float) -> Verdict:
    memory.alone_since = memory.asked_at = None
    if not facts.agents:
        memory.empty_since = None  # the server closes it by itself
        return Verdict.WAIT
    if memory.empty_since is None:
        memory.empty_since = now
    return Verdict.GHOST if now - memory.empty_since >= GHOST_S else Verdict.WAIT
