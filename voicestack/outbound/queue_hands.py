"""The hands of a queue: real rules, real calls, the real history."""

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from livekit import api

from voicestack.errors import VoicestackError
from voicestack.office import Office
from voicestack.outbound import after, attempt
from voicestack.outbound.attempt import Wish
from voicestack.outbound.dial import Outcome
from voicestack.outbound.queue_store import Row
from voicestack.outbound.rules import Rules


class QueueBusyError(VoicestackError):
    """Another process works at this queue."""


@dataclass(frozen=True, slots=True)
class OfficeHands:
    """What the runner does, done in this stack."""

    office: Office
    ring_s: int

    async def ready(self) -> None:
        """Say now that the stack is down, and not for each number."""
        async with self.office.livekit() as client:
            await client.room.list_rooms(api.ListRoomsRequest())

    def rules(self) -> Rules:
        """Read the rules anew: a number that was put on the do-not-call list is not called."""
        return attempt.rules_of(self.office)

    async def call(
        self, row: Row, rules: Rules, room: str, about_to_ring: Callable[[], None]
    ) -> Outcome:
        """Call, and wait for the end of the call."""
        wish = Wish(row.number, ring_s=self.ring_s, **json.loads(row.wish))
        order = attempt.order(self.office, wish, rules, room)
        return await attempt.call(
            self.office, order, lambda _: None, wait=True, about_to_ring=about_to_ring
        )

    async def found(self, room: str) -> Outcome | None:
        """Wait for the end of the call, and ask the history."""
        await after.until_ended(self.office, room)
        return await after.recorded(self.office, room)


@contextmanager
def locked(folder: Path, queue: str) -> Iterator[None]:
    """Be the only process at this queue; the kernel lets go when we die, however that happens."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / f"queue-{queue}.lock"
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise QueueBusyError(
                f"another process works at the queue {queue}",
                hint=f"`scripts/call_queue.py report {queue}` shows how far it is",
            ) from None
        yield
    finally:
        os.close(descriptor)
