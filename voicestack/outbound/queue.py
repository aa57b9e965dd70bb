"""A queue of calls: one after the other, in its hours, again where that helps, each number once.

Nothing is held in memory that a kill could lose (queue_store.py): starting again goes on.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from voicestack.errors import VoicestackError
from voicestack.outbound import policy as policies
from voicestack.outbound.dial import Outcome, new_room
from voicestack.outbound.policy import OURS, Brake, Policy
from voicestack.outbound.queue_store import Attempt, QueueStore, Row
from voicestack.outbound.rules import Refusal, Rules, judge

# The clock may be set and a laptop may sleep: what is waited for is looked at again after this.
LOOK_S = 30.0
UNTIL_TOLD = float("inf")
# A wait that is worth a word.
TELL_S = 5.0
# The lines file has a fault, or the server is away: the call itself is not to blame.
TROUBLE_S = 60.0


class Hands(Protocol):
    """What really happens, for tests to replace."""

    def rules(self) -> Rules:
        """Read the rules as they are now."""

    async def call(
        self, row: Row, rules: Rules, room: str, about_to_ring: Callable[[], None]
    ) -> Outcome:
        """Call to the end of the call."""

    async def found(self, room: str) -> Outcome | None:
        """Wait for the end of a call that another process began; None if nobody knows it."""


@dataclass(slots=True)
class Runner:
    """One process works at a queue at a time (cli/call_queue.py has the lock)."""

    queue: str
    store: QueueStore
    hands: Hands
    policy: Policy
    tell: Callable[[str], None]
    clock: Callable[[], float] = time.time
    brake: Brake = field(init=False)
    _changed: asyncio.Event = field(init=False, default_factory=asyncio.Event)
    _up: int = field(init=False, default=0)
    _last_at: float = field(init=False, default=float("-inf"))
    _told: str = field(init=False, default="")

    def __post_init__(self) -> None:
        self.brake = Brake(self.policy)

    async def run(self) -> None:
        """Go on where the last process stopped, until nothing is left to do."""
        async with asyncio.TaskGroup() as calls:
            for attempt in self.store.open_attempts(self.queue):
                self._up += 1
                calls.create_task(self._settle(attempt), name=f"settle {attempt.room}")
            while (row := await self._due()) is not None:
                self._up += 1
                self._last_at = self.clock()
                # Opened here and not in the task: the next look must not find it waiting.
                begun = self._begin(row)
                if begun is None:
                    self._up -= 1
                    continue
                calls.create_task(self._call(row, *begun), name=f"call {begun[0].room}")

    async def _due(self) -> Row | None:
        """Wait for the next call that may be made now; None when there will be none."""
        while not self.brake.stopped:
            self._changed.clear()
            first = self.store.next(self.queue)
            if first is None and not self._up:
                return None
            wait_s, why = self._wait(first)
            if first is not None and wait_s <= 0:
                return first[0]
            if why != self._told and wait_s > TELL_S:
                self.tell(f"waiting: {why}")
            self._told = why
            await self._sleep(min(wait_s, LOOK_S))
        return None

    def _wait(self, first: tuple[Row, float] | None) -> tuple[float, str]:
        now = self.clock()
        waits = [
            (policies.opens_in_s(self.policy.windows, datetime.fromtimestamp(now)), "the window"),
            (self.brake.paused_until - now, "a pause after failures"),
            (self._last_at + self.policy.pace_s - now, "the pace"),
            (UNTIL_TOLD if self._up >= self.policy.at_once else 0.0, "calls that are up"),
            (UNTIL_TOLD if first is None else first[1] - now, "the next try"),
        ]
        return max(waits)

    async def _sleep(self, wait_s: float) -> None:
        try:
            async with asyncio.timeout(wait_s):
                await self._changed.wait()
        except TimeoutError:
            pass

    def _begin(self, row: Row) -> tuple[Attempt, Rules] | None:
        """Judge and reserve; what is refused is noted and never dialled."""
        try:
            rules = self.hands.rules()
        except VoicestackError as error:
            self.tell(f"not now: {error}")
            self.store.postpone(self.queue, row.number, TROUBLE_S, str(error).splitlines()[0])
            return None
        now = datetime.fromtimestamp(self.clock())
        begun = self.store.begin(
            self.queue, row.number, new_room(), lambda facts: judge(row.number, rules, facts, now)
        )
        if isinstance(begun, Attempt):
            return begun, rules
        self._refused(row, begun, policies.postponed_s(begun, rules, now))
        return None

    def _refused(self, row: Row, why: Refusal, wait_s: float | None) -> None:
        self._last_at = float("-inf")  # nothing was sent: the next number need not wait
        if wait_s is None:
            self.store.refuse(self.queue, row.number, why.reason)
            self.tell(f"row {row.row}: refused, {why.code}")
        else:
            self.store.postpone(self.queue, row.number, wait_s, why.reason)
            self.tell(f"row {row.row}: not now, {why.reason}")

    async def _call(self, row: Row, attempt: Attempt, rules: Rules) -> None:
        rang = asyncio.Event()

        def about_to_ring() -> None:
            self.store.rings(attempt)
            rang.set()

        outcome: Outcome | None
        try:
            outcome = await self.hands.call(row, rules, attempt.room, about_to_ring)
        except VoicestackError as error:
            self.tell(f"row {row.row}: {error}")
            outcome = Outcome("failed", attempt.room, sip_reason=str(error).splitlines()[0])
            if rang.is_set():  # the request may have arrived, whatever became of its answer
                outcome = await self.hands.found(attempt.room)
        self._ended(row.row, attempt, outcome)

    async def _settle(self, attempt: Attempt) -> None:
        """Find out what became of an attempt whose process was killed."""
        if not attempt.rang:
            self.store.never_rang(self.queue, attempt)
            self._ended_one()
            return
        self.tell("looking for a call that was up when the last run ended")
        self._ended(0, attempt, await self.hands.found(attempt.room))

    def _ended(self, row: int, attempt: Attempt, outcome: Outcome | None) -> None:
        if outcome is None:
            reason = "the run was killed while it dialled, and nobody knows what came of it"
            self.store.finish_attempt(
                self.queue, attempt, "unknown", state="unknown", reason=reason
            )
            self.tell(f"row {row}: unknown, not dialled again")
            self._ended_one()
            return
        result = outcome.result
        seen = self.store.seen(self.queue, attempt.number, result) + 1
        again_s = policies.again_in_s(self.policy, result, seen)
        self.store.finish_attempt(
            self.queue, attempt, result, state="done" if again_s is None else "waiting",
            wait_s=again_s or 0.0, sip_code=outcome.sip_code, reason=outcome.sip_reason,
        )  # fmt: skip
        later = "" if again_s is None else f", again in {again_s:.0f} s"
        self.tell(f"row {row}: {result}{later}")
        if self.brake.note(result, self.clock()):
            self.tell(f"{self.policy.pause_after} failures in a row: pause")
        self._ended_one()

    def _ended_one(self) -> None:
        self._up -= 1
        self._changed.set()


def summary(calls: list[dict[str, object]]) -> dict[str, int]:
    """Count the calls by what became of them: the result of those that are done, else the state."""
    counts: dict[str, int] = {}
    for each in calls:
        word = str(each["result"] if each["state"] == "done" else each["state"])
        counts[word] = counts.get(word, 0) + 1
    return counts


def is_well(calls: list[dict[str, object]]) -> bool:
    """True if every call has its answer, from the other side or from our rules."""
    over = all(each["state"] in {"done", "refused", "withdrawn"} for each in calls)
    return over and not any(each["state"] == "done" and each["result"] in OURS for each in calls)
