"""Who telephones in these tests, and what they do."""

import asyncio
import hashlib
from datetime import datetime
from typing import Any

from livekit import api
from livekit.protocol.models import ParticipantInfo

from tests.calls import world
from tests.fakes import FakeModels
from tests.speech import Utterance
from voicestack.lines.hours import DAYS
from voicestack.native.up import Stack
from voicestack.office import Office
from voicestack.phone import Call, Phone, audio
from voicestack.phone.wire.g711 import Samples

WITHIN_S = 20.0
OFFICE = "+15550123"
MENU, CLOSED, SHUT, SINGLE = (f"+155501{number:02}" for number in (3, 4, 5, 6))
BLOCKED = "+15105550199"
# Unlike any number that a log may hold by chance.
PIN = "735182946"
ANY = "callers: {from: [this-machine]}"


def lines(port: int) -> str:
    """The lines of these tests; `port` is where the carrier is."""
    pin = hashlib.sha256(f"{MENU}:{PIN}".encode()).hexdigest()
    day = DAYS[(datetime.now().weekday() + 3) % 7]
    closed = f'hours: "{day} 12:00-12:01"'
    mapped = "headers_to_attributes: {X-Customer: customer, X-Verstat: verstat}"
    return f"""\
version: 1
blocked: ["{BLOCKED}"]
lines:
  - {{number: "{world.NUMBER}", agent: support, {mapped}, {ANY}}}
  - {{number: "{MENU}", agent: menu, metadata: {{pin_sha256: "{pin}"}}, {ANY}}}
  - {{number: "{CLOSED}", {closed}, closed: "We are closed. Goodbye.", {ANY}}}
  - {{number: "{SHUT}", {closed}, {ANY}}}
  - {{number: "{SINGLE}", calls_per_caller: 1, {ANY}}}
outbound:
  trunks: [{{name: carrier, address: "127.0.0.1:{port}", caller: "+15550100"}}]
"""


async def dial(phone: Phone, stack: Stack, number: str = world.NUMBER, **more: Any) -> Call:
    """Call the agent."""
    return await phone.dial(number, server=world.server(stack), ring_timeout_s=20, **more)


async def ask(
    call: Call, models: FakeModels, utterance: Utterance, tool: str, arguments: str
) -> None:
    """Say something that the language model answers by calling a tool, until `models.tool` is none.

    Not before that has begun: the answer to an early transcript may be thrown away.
    """
    await call.listen()
    models.asked.clear()
    models.tool = (tool, arguments)
    await call.say(utterance.path)
    await asked(models, "user")


async def asked(models: FakeModels, role: str) -> list[dict[str, Any]]:
    """The first request whose last message is of this role."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            for messages in models.asked:
                if messages[-1]["role"] == role:
                    return messages
            await asyncio.sleep(0.05)


def heard(call: Call, since: float, until: float) -> Samples:
    """What came out of the receiver between two moments."""
    return audio.heard_between(list(call.media.received), since, until)


async def people(stack: Stack) -> list[ParticipantInfo]:
    """Everybody who is in a call now."""
    async with Office.with_settings(stack.settings).livekit() as client:
        found: list[ParticipantInfo] = []
        for room in (await client.room.list_rooms(api.ListRoomsRequest())).rooms:
            request = api.ListParticipantsRequest(room=room.name)
            found += (await client.room.list_participants(request)).participants
        return found


async def agent_gone(stack: Stack) -> None:
    """Wait until nobody is there but the two phones."""
    async with asyncio.timeout(WITHIN_S):
        while any(each.kind == ParticipantInfo.Kind.AGENT for each in await people(stack)):
            await asyncio.sleep(0.1)  # the API tells of no events
