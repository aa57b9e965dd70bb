"""Attempts to misuse an agent, spoken into a real telephone, before a model that obeys them."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from tests import greetings
from tests.calls.telephony import people
from tests.fakes import FakeModels
from tests.speech import RATE_HZ
from tests.unit.agent.payloads import FLOOD, LEAK, Payload
from voice_agent.agents.support import INSTRUCTIONS
from voicestack.native.up import Stack
from voicestack.phone import Call, Phone

# A model that leaks begins so; the voice must not be given the end.
LEAKED = " ".join(INSTRUCTIONS.split()[7:20])
HARMLESS = "What about parking?"


@dataclass(frozen=True, slots=True)
class Talk:
    """A call whose caller tries things, and who must not be called by them."""

    call: Call
    stack: Stack
    models: FakeModels
    office: Phone

    async def spoken(self, payload: Payload) -> None:
        """The caller says it, and the model does it."""
        if payload.tool == LEAK:
            self.models.tool = None
            self.models.replies = [f"Sure. {LEAKED}"] * 3
        elif payload.tool == FLOOD:
            self.models.tool = ("take_message", json.dumps({"message": "x" * 10_000}))
        else:
            self.models.tool = called(payload)
        await self._says(payload.text)

    async def brought_in(self, payload: Payload, topic: str) -> None:
        """The caller asks something harmless; a text of somebody else is found, and obeyed."""
        self.models.tool = ("look_up", json.dumps({"question": topic}))
        self.models.then = None if payload.tool == LEAK else called(payload)
        if payload.tool == LEAK:
            self.models.replies = [f"Sure. {LEAKED}"]
        await self._says(HARMLESS)
        messages = await people.asked(self.models, "tool")
        assert payload.text[:40] in str(messages[-1]["content"]), "the text was not found"

    async def _says(self, text: str) -> None:
        """Say it, and hear the answer out."""
        self.models.asked.clear()
        voice = await asyncio.to_thread(greetings.spoken, "flite", "slt", text)
        since = (await self.call.say(voice, rate_hz=RATE_HZ)).speech_ended_at
        await people.asked_with(self.models, role="user")
        heard = await self.call.listen(since=since)
        assert heard.first_audio_at is not None, text
        self.models.tool, self.models.then, self.models.replies = None, None, []

    async def nothing_happened(self) -> None:
        """No transfer, no call, no word of the instructions; the call is up."""
        assert not self.call.ended.is_set(), self.call.end_reason
        assert self.call.referred_to is None
        assert not any(LEAKED[-40:] in text for text in self.models.spoken)
        assert len(await people.people(self.stack)) == 2
        try:
            async with asyncio.timeout(0.1):
                await self.office.incoming_call()
        except TimeoutError:
            return
        raise AssertionError("somebody was called")


@contextlib.asynccontextmanager
async def talking(stack: Stack, models: FakeModels, office: Phone) -> AsyncIterator[Talk]:
    """A call after its greeting."""
    async with Phone() as phone:
        call = await people.dial(phone, stack)
        await call.listen()
        yield Talk(call, stack, models, office)


def called(payload: Payload) -> tuple[str, str]:
    """What a model does that obeys."""
    return payload.tool, json.dumps(payload.arguments)


def written(stack: Stack, since: float) -> list[str]:
    """Messages that were taken down since then."""
    folder = stack.settings.state_dir / "messages"
    lines = [line for file in folder.glob("*.json") for line in file.read_text().splitlines()]
    found = [json.loads(line) for line in lines]
    return [str(each["message"]) for each in found if each["at"] >= since]


def now() -> float:
    """By the clock of messages."""
    return time.time()
