"""Files calls after their end: one at a time, when nobody is on the phone, and not for long."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpx
import structlog

from control.history import History
from control.outcome import SILENT, UNKNOWN, Outcome, parse, request

log = structlog.get_logger()

Said = Sequence[tuple[str, str]]
Told = Callable[[], Said]
Ask = Callable[[dict[str, Any]], Awaitable[str]]

# The last sentences of a call come after its end (agent/voice_agent/report.py, CLOSE_S).
SETTLE_S = 4.0
# A call that is up comes first. On a line that is never free, the question is put all the same.
PATIENCE_S = 60.0
LOOK_S = 0.5
# Longer than a small model on two busy cores needs for 1500 tokens.
LIMIT_S = 45.0
MOST_WAITING = 50


class Clerk:
    """A queue of calls that have ended."""

    def __init__(
        self,
        history: History,
        model: str,
        ask: Ask | None,
        busy: Callable[[], bool],
        *,
        settle_s: float = SETTLE_S,
        patience_s: float = PATIENCE_S,
        limit_s: float = LIMIT_S,
    ) -> None:
        self._history, self._model, self._ask, self._busy = history, model, ask, busy
        self._settle_s, self._patience_s, self._limit_s = settle_s, patience_s, limit_s
        self._queue: asyncio.Queue[tuple[str, Told, float]] = asyncio.Queue(MOST_WAITING)
        # What an earlier process had not done yet: its words are gone with it.
        history.unfiled(UNKNOWN)

    def take(self, room: str, said: Told) -> None:
        """File a call that has ended, with what was said until a moment later."""
        if self._ask is None:
            return
        try:
            self._queue.put_nowait((room, said, time.monotonic() + self._settle_s))
        except asyncio.QueueFull:
            log.warning("call not filed, too many wait", room=room)
            self._history.outcome(room, UNKNOWN, "")
        else:
            self._history.filing(room)

    async def run(self) -> None:
        """File for ever."""
        while True:
            room, said, settled_at_s = await self._queue.get()
            await asyncio.sleep(max(0.0, settled_at_s - time.monotonic()))
            found = await self.file(room, said())
            self._history.outcome(room, found.outcome, found.summary)

    async def file(self, room: str, said: Said) -> Outcome:
        """Ask the model, in bounded time; what it does not answer is unknown."""
        if not any(role == "user" for role, _ in said):
            return Outcome(SILENT)
        await self._quiet()
        if self._ask is None:
            return Outcome(UNKNOWN)
        try:
            async with asyncio.timeout(self._limit_s):
                return parse(await self._ask(request(self._model, said)))
        except Exception as error:  # a model that is down, slow or talks nonsense is no event
            log.warning("call not filed", room=room, reason=type(error).__name__)
            return Outcome(UNKNOWN)

    async def _quiet(self) -> None:
        waited_s = 0.0
        while self._busy() and waited_s < self._patience_s:
            await asyncio.sleep(LOOK_S)
            waited_s += LOOK_S


def asker(url: str, key: str) -> Ask:
    """Ask a server of the OpenAI API for one whole answer."""

    async def ask(body: dict[str, Any]) -> str:
        headers = {"authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(trust_env=False, timeout=LIMIT_S) as client:
            answer = await client.post(f"{url}/chat/completions", json=body, headers=headers)
            answer.raise_for_status()
            return str(answer.json()["choices"][0]["message"]["content"])

    return ask
