"""What the caller's page may ask of the agent while they talk (LiveKit RPC); phones have keys."""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable

from livekit import rtc
from livekit.agents import AgentSession, JobContext

from voice_agent.agents.desk import hang_up

log = logging.getLogger("voice_agent.rpc")

# What somebody types into a page; the protocol takes 15 KiB.
MOST_TEXT_CHARS = 1000
# A page that sends more is a program: each text is a question to the language model.
TEXT_EVERY_S = 1.0
GOODBYE_TEXT = "Goodbye."
# Codes of our own; those below 1000 are free for applications, the protocol's begin at 1400.
NOT_ALLOWED, UNFIT, TOO_OFTEN, NOT_NOW = 403, 400, 429, 409

Answer = Callable[[str], Awaitable[dict[str, object]]]


def serve(ctx: JobContext, session: AgentSession[None], caller: rtc.RemoteParticipant) -> None:
    """Answer the caller's page, and nobody else in the room."""
    calls = Calls(session)
    methods: dict[str, Answer] = {
        "voicestack.state": calls.state,
        "voicestack.text": calls.text,
        "voicestack.hang_up": calls.hang_up,
    }
    for name, act in methods.items():
        ctx.room.local_participant.register_rpc_method(name, _for(caller.identity, name, act))


class Calls:
    """The methods; each takes a text and answers JSON."""

    def __init__(self, session: AgentSession[None]) -> None:
        self._session = session
        self._text_at_s = float("-inf")
        self._ending: asyncio.Task[None] | None = None

    async def state(self, _payload: str) -> dict[str, object]:
        """What the agent and the caller do now."""
        return {"agent": self._session.agent_state, "caller": self._session.user_state}

    async def text(self, payload: str) -> dict[str, object]:
        """Take a typed text for said; the agent answers aloud."""
        text = payload.strip()
        if not 1 <= len(text) <= MOST_TEXT_CHARS:
            raise rtc.RpcError(UNFIT, f"a text has 1 to {MOST_TEXT_CHARS} characters")
        now_s = time.monotonic()
        if now_s - self._text_at_s < TEXT_EVERY_S:
            raise rtc.RpcError(TOO_OFTEN, f"one text every {TEXT_EVERY_S:g} s")
        self._text_at_s = now_s
        try:
            # What the agent says now may be a notice that must be heard to its end.
            await self._session.interrupt()
            self._session.generate_reply(user_input=text)
        except RuntimeError as error:
            raise rtc.RpcError(NOT_NOW, "not now") from error
        return {"taken": True}

    async def hang_up(self, _payload: str) -> dict[str, object]:
        """End the call; the answer is on its way while the agent says goodbye."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._end(), name="hang up")
        return {"ending": True}

    async def _end(self) -> None:
        try:
            await self._session.say(GOODBYE_TEXT, allow_interruptions=False)
        except RuntimeError:
            log.info("call ended before the goodbye")
            return
        await hang_up()


def _for(caller: str, name: str, act: Answer) -> Callable[[rtc.RpcInvocationData], Awaitable[str]]:
    async def answer(asked: rtc.RpcInvocationData) -> str:
        if asked.caller_identity != caller:
            log.warning("rpc refused", extra={"method": name, "by": asked.caller_identity})
            raise rtc.RpcError(NOT_ALLOWED, "only the caller's page may ask")
        return json.dumps(await act(asked.payload))

    return answer
