"""What the gateway tells of a re-INVITE that holds, and what the agent does about it."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from tests.servers import Servers, gateway
from tests.unit.agent.scripted import dialling, joined, until

from voice_agent import hold

pytestmark = pytest.mark.calls

NUMBER = "+15550178"
# The gateway takes a phone that sends nothing for so long for dead; 15 s in the stack.
MEDIA_TIMEOUT_S = 2


@pytest.fixture
def running(tmp_path: Any) -> Iterator[Servers]:
    short = f"{MEDIA_TIMEOUT_S}s"
    with gateway(tmp_path, media_timeout=short, media_timeout_initial=short) as stack:
        yield stack


async def test_a_held_phone_is_not_taken_for_dead(running: Servers) -> None:
    """Told in an attribute, whichever way it holds; a phone that is silent unheld is let go."""
    async with dialling(running, NUMBER) as (room, ringing), joined(running, room) as agent:
        await agent.hum(440)
        call = await ringing
        (who,) = agent.room.remote_participants.values()
        # Until then the gateway arms its clock anew: nobody holds in the moment of the answer.
        await until(lambda: who.attributes.get("sip.callStatus") == "active")
        for way in ("sendonly", "inactive", "0.0.0.0"):
            await call.hold(way)
            await until(lambda: who.attributes.get(hold.ATTRIBUTE) == "true")
            await asyncio.sleep(1.5 * MEDIA_TIMEOUT_S)
            assert not call.ended.is_set(), way
            await call.resume()
            await until(lambda: who.attributes.get(hold.ATTRIBUTE) == "false")
        assert await call.first_audio(timeout_s=5) is not None
        call.media.held = True  # silent, and not on hold
        async with asyncio.timeout(10 * MEDIA_TIMEOUT_S):
            await call.ended.wait()


class Session:
    """Notes what becomes of its ears and mouth."""

    def __init__(self) -> None:
        self.input, self.output = Switch(), Switch()
        self.interrupted = 0

    def interrupt(self, *, force: bool) -> None:
        self.interrupted += force


class Switch:
    on = True

    def set_audio_enabled(self, enabled: bool) -> None:
        self.on = enabled


class Limits:
    paused = 0

    def pause(self) -> None:
        self.paused += 1

    def resume(self) -> None:
        self.paused -= 1


async def test_on_hold_nothing_is_said_or_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told twice it counts once; a hold that is forgotten ends the call."""
    ended = asyncio.Event()

    async def hang_up() -> None:
        ended.set()

    monkeypatch.setattr(hold, "hang_up", hang_up)
    session, limits = Session(), Limits()
    held = hold.Hold(session, limits)  # type: ignore[arg-type]
    held.set(held=True)
    held.set(held=True)
    assert (session.input.on, session.output.on, limits.paused, session.interrupted) == (
        False, False, 1, 1,
    )  # fmt: skip
    held.set(held=False)
    held.set(held=False)
    assert (session.input.on, session.output.on, limits.paused) == (True, True, 0)
    monkeypatch.setattr(hold, "LONGEST_S", 0.05)
    held.set(held=True)
    async with asyncio.timeout(5):
        await ended.wait()
    await held.stop()
