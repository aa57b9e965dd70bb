"""Warm transfer: the caller holds, somebody is told what it is about, and takes the call or not."""

import asyncio
import logging
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

from livekit import api, rtc
from livekit.agents import (
    Agent,
    AgentSession,
    BackgroundAudioPlayer,
    JobContext,
    UserInputTranscribedEvent,
    room_io,
)

from voice_agent import music, pipeline
from voice_agent.control import Control
from voice_agent.settings import AgentSettings
from voice_agent.wall import JOINED, ROLE, Wall, remove

log = logging.getLogger("voice_agent.warm")

# Marks a job whose caller goes on talking without us.
LEFT_TOGETHER = "left together"
ASKED_PREFIX = "asked-"
Answer = Literal["accepted", "declined", "no answer", "not possible"]

WAIT_TEXT = "One moment please, I ask whether somebody can take your call."
BRIEFING = (
    "Hello, I have a caller about {about}. Press 1 or say yes to take the call, 2 to decline."
)
AGAIN_TEXT = "Press 1 or say yes to take the call, press 2 to decline."
JOINING_TEXT = "Thank you. You are connected."
CONNECTED_TEXT = "Thank you for waiting, you are connected now."
SORRY_TEXT = "I am sorry, nobody can take your call right now. Can I take a message?"
# control lets it ring for 25 s (voicestack/outbound/transfer.py); what is later is lost.
PICK_UP_S = 30.0
# livekit-sip joins the room before it answers us.
DIAL_S = 5.0
# Each of two times: who has to say no to somebody in his office needs a moment.
DECIDE_S = 10.0
# Ringing, two questions with their answers, and what is said around them.
LONGEST_S = 90.0
# A sentence. The words are a language model's: whoever is called hears them once, and no more.
MOST_ABOUT_CHARS = 160
YES = re.compile(r"\b(yes|yeah|yep|sure|ok|okay|of course|put (him|her|them) through)\b", re.I)
NO = re.compile(r"\b(no|nope|not|can't|cannot|don't|busy|later)\b", re.I)
CLOSE_S = 2.0
_closing: set[asyncio.Task[None]] = set()
KEYS: dict[str, Answer] = {"1": "accepted", "2": "declined"}


async def warm(
    ctx: JobContext, session: AgentSession[None], settings: AgentSettings, to: str, about: str
) -> Answer:
    """Ask the target of this name; with `accepted` the two are connected and our job ends."""
    caller = session.room_io.linked_participant
    if caller is None:
        return "not possible"
    identity = f"{ASKED_PREFIX}{secrets.token_hex(4)}"
    asked = Asked(ctx.room, identity)
    wall = Wall(ctx, caller, identity)
    order = {"room": ctx.room.name, "to": to, "identity": identity}
    answer: Answer = "not possible"
    try:
        async with on_hold(ctx, session):
            await wall.up()
            if await _dialled(settings, order):
                answer = await _asked(ctx, wall, asked, about)
        if answer == "accepted":
            # Still behind the wall: the other side has been greeted already.
            await session.say(CONNECTED_TEXT, allow_interruptions=False)
    except (api.ServerError, TimeoutError) as error:
        log.warning("transfer failed", extra={"reason": str(error)})
        answer = "not possible"
    finally:
        asked.close()
        if answer != "accepted":
            await remove(ctx, identity)
        await wall.down(joined=answer == "accepted")
    if answer == "accepted":
        answer = await _joined(ctx, identity)
    log.info("somebody was asked to take the call", extra={"answer": answer})
    return answer


async def _asked(ctx: JobContext, wall: Wall, asked: "Asked", about: str) -> Answer:
    """Wait until somebody picks up, and for what he says to it."""
    if await asked.picked_up():
        return await _briefed(ctx, wall, asked, about)
    return "declined" if asked.refused else "no answer"


@asynccontextmanager
async def on_hold(ctx: JobContext, session: AgentSession[None]) -> AsyncIterator[None]:
    """Play music to the caller, and listen to nothing that he says to himself."""
    player = BackgroundAudioPlayer()
    await player.start(room=ctx.room)
    player.play(music.frames())
    session.input.set_audio_enabled(False)
    try:
        yield
    finally:
        session.input.set_audio_enabled(True)
        await player.aclose()


async def _dialled(settings: AgentSettings, order: dict[str, str]) -> bool:
    """Have control dial: it knows the numbers and the way out."""
    control = Control(settings)
    try:
        told = await control.post("/agent/transfer", order, timeout_s=DIAL_S) or {}
    finally:
        await control.close()
    if not told.get("dialled"):
        log.warning("target not dialled", extra={"reason": told.get("reason", "control is away")})
    return bool(told.get("dialled"))


async def _briefed(ctx: JobContext, wall: Wall, asked: "Asked", about: str) -> Answer:
    """Tell the one who picked up what it is about, and hear what he says to it."""
    before = wall.own_tracks()
    # Its own ears and mouth: what is said to the one is no part of the talk with the other.
    stages: pipeline.Pipeline = ctx.proc.userdata["pipeline"]
    briefing = AgentSession[None](
        stt=stages.stt, tts=stages.tts, turn_handling=pipeline.turn_handling()
    )
    await briefing.start(
        agent=Agent(instructions=""),
        room=ctx.room,
        room_options=room_io.RoomOptions(
            participant_identity=asked.identity,
            text_input=False,
            text_output=False,
            close_on_disconnect=False,
        ),
        record=False,
        session_host=False,  # the room has one: the session with the caller
    )
    try:
        wall.let_hear([await wall.new_track(before)])
        briefing.on("user_input_transcribed", asked.on_words)
        return await _decide(briefing, asked, BRIEFING.format(about=bounded(about)))
    finally:
        await _closed(briefing)


async def _closed(briefing: AgentSession[None]) -> None:
    """End the talk with the asked one; the caller is not kept waiting for it."""
    briefing.interrupt(force=True)
    closing = asyncio.create_task(briefing.aclose(), name="briefing closed")
    _closing.add(closing)
    closing.add_done_callback(_closing.discard)
    # Now and then it waits for the playing of what nobody hears any more (livekit-agents 1.8.9).
    await asyncio.wait({closing}, timeout=CLOSE_S)


async def _decide(briefing: AgentSession[None], asked: "Asked", text: str) -> Answer:
    for words in (text, AGAIN_TEXT):
        spoken = asyncio.create_task(_spoken(briefing, words))
        first: list[asyncio.Future[Any]] = [spoken, asked.answer]
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        spoken.cancel()
        await asyncio.wait({asked.answer}, timeout=DECIDE_S)
        if asked.answer.done():
            break
    answer = asked.answer.result() if asked.answer.done() else "no answer"
    if answer == "accepted":
        briefing.interrupt()
        await briefing.say(JOINING_TEXT, allow_interruptions=False)
    return answer


async def _spoken(briefing: AgentSession[None], words: str) -> None:
    await briefing.say(words)


async def _joined(ctx: JobContext, identity: str) -> Answer:
    """Go; control, told that the two belong together, ends the call when one of them hangs up."""
    request = api.UpdateParticipantRequest(
        room=ctx.room.name, identity=identity, attributes={ROLE: JOINED}
    )
    try:
        await ctx.api.room.update_participant(request)
    except api.ServerError as error:
        log.warning("transfer failed at its end", extra={"reason": str(error)})
        await remove(ctx, identity)
        return "declined"  # said yes and hung up
    ctx.proc.userdata[LEFT_TOGETHER] = True
    ctx.shutdown("transferred")
    return "accepted"


def end_room(ctx: JobContext) -> None:
    """End the call with our session, unless two people were left talking.

    A caller who hangs up ends the room, the job, and with it the line's occupation.
    """
    if not ctx.proc.userdata.get(LEFT_TOGETHER):
        ctx.delete_room()


class Asked:
    """The one who is asked: picks up, presses keys, says yes or no, hangs up."""

    def __init__(self, room: rtc.Room, identity: str) -> None:
        self.identity = identity
        self.refused = False
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._room = room
        self._active = asyncio.Event()
        self._gone = asyncio.Event()
        self._handlers = {
            "participant_connected": self._look,
            "participant_attributes_changed": lambda _changed, who: self._look(who),
            "participant_disconnected": self._on_gone,
            "sip_dtmf_received": self._on_key,
        }
        for event, handler in self._handlers.items():
            room.on(event, handler)  # type: ignore[arg-type]  # names of one table

    def close(self) -> None:
        """Hear nothing any more."""
        for event, handler in self._handlers.items():
            self._room.off(event, handler)  # type: ignore[arg-type]

    async def picked_up(self) -> bool:
        """Wait until the phone is off the hook; False when nobody picks up."""
        waits = [asyncio.create_task(each.wait()) for each in (self._active, self._gone)]
        try:
            await asyncio.wait(waits, timeout=PICK_UP_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return self._active.is_set() and not self._gone.is_set()

    def on_words(self, event: UserInputTranscribedEvent) -> None:
        """Take a word for an answer; a no outweighs a yes."""
        if event.is_final and (answer := meaning(event.transcript)):
            self._decide(answer)

    def _look(self, who: rtc.RemoteParticipant) -> None:
        if who.identity == self.identity and who.attributes.get("sip.callStatus") == "active":
            self._active.set()

    def _on_gone(self, who: rtc.RemoteParticipant) -> None:
        if who.identity == self.identity:
            self.refused = who.disconnect_reason == rtc.DisconnectReason.USER_REJECTED
            self._gone.set()
            self._decide("declined")

    def _on_key(self, event: rtc.SipDTMF) -> None:
        is_his = event.participant is not None and event.participant.identity == self.identity
        if is_his and event.digit in KEYS:
            self._decide(KEYS[event.digit])

    def _decide(self, answer: Answer) -> None:
        if not self.answer.done():
            self.answer.set_result(answer)


def meaning(words: str) -> Answer | None:
    """Tell what somebody meant who was asked whether he takes a call."""
    if NO.search(words):
        return "declined"
    return "accepted" if YES.search(words) else None


def bounded(about: str) -> str:
    """Make a clause of what the model says that the call is about."""
    clause = re.sub(r"\s+", " ", "".join(ch if ch.isprintable() else " " for ch in about)).strip()
    clause = clause[:MOST_ABOUT_CHARS].rstrip(" .,;:!?")
    return clause or "something that they did not tell me"
