"""The first words of a call; where we placed it: listen, then talk, leave a message, or explain.

Whoever picks up speaks first. A person is greeted after that; a voicemail gets the message after
its beep, if there is one; an assistant is told who calls and why, and what follows is heard anew.
"""

import asyncio
import logging

import numpy as np
from livekit import rtc
from livekit.agents import AgentSession, JobContext, UserInputTranscribedEvent

from voice_agent import sounds, takeover
from voice_agent.agents.desk import hang_up
from voice_agent.callee import ears as hearing
from voice_agent.callee.beep import BeepDetector
from voice_agent.callee.doubt import DOUBT_S, Doubt
from voice_agent.callee.ears import Ears
from voice_agent.callee.errand import Errand, is_called
from voice_agent.callee.judge import Callee, Verdict
from voice_agent.callee.words import Said, judge
from voice_agent.opening import Opening
from voice_agent.pipeline import Pipeline
from voice_agent.report import CallReport
from voice_agent.settings import AgentSettings

log = logging.getLogger("voice_agent.callee")

# For voicestack/outbound/after.py.
PICKED_UP_BY = "voicestack.picked_up_by"
# A greeting is over by then, or there is no beep.
BEEP_S, NO_BEEP_QUIET_S = 45.0, 3.0
# Mailboxes begin to record when the beep is over, some a moment later.
AFTER_BEEP_S = 0.3
# The last word of a message is still on its way when the agent has said it.
ON_ITS_WAY_S = 0.8
# Assistants ring their owner for so long.
SCREENED_S = 45.0


class PickUp:
    """One call, from its answer to its conversation."""

    def __init__(
        self, ctx: JobContext, session: AgentSession[None], stages: Pipeline,
        *, settings: AgentSettings, report: CallReport, opening: Opening,
    ) -> None:  # fmt: skip
        self._ctx, self._session, self._stages = ctx, session, stages
        self._settings, self._report, self._opening = settings, report, opening
        self._errand = Errand.of(ctx.job.metadata, settings)
        self._doubting: asyncio.Task[None] | None = None

    async def answered(self, caller: rtc.RemoteParticipant) -> None:
        """Wait until the phone is off the hook."""
        # A conversation would answer a ring-back tone, or a machine's greeting.
        self._session.input.set_audio_enabled(not is_called(caller))
        await until_answered(self._ctx.room, caller)

    async def first_words(self, caller: rtc.RemoteParticipant, greeting: str) -> bool:
        """Say what comes first; False if there is nobody to talk to."""
        track = None
        if is_called(caller) and not (await self._report.earlier()).replaces:
            track = await hearing.track_of(self._ctx.room, caller)
        if track is None:
            self._session.input.set_audio_enabled(True)
            await takeover.first_words(
                self._session, self._settings, greeting, self._report, self._opening
            )
            return True
        self._report.answered()
        person = await self._listen_first(track)
        if person is None:
            return False
        await self._talk(track, person, greeting)
        return True

    async def _listen_first(self, track: rtc.Track) -> str | None:
        """Hear who it is, and deal with machines; the words of a person."""
        async with hearing.hearing(track, self._stages.stt) as ears:
            verdict = await ears.verdict()
            log.info(
                "picked up", extra={"by": verdict.value, "words": len(ears.callee.text.split())}
            )
            return await self._settled(verdict, ears)

    async def _settled(self, verdict: Verdict, ears: Ears) -> str | None:
        """Explain, or leave a message; the words of the person who is there in the end."""
        if verdict is Verdict.SCREENING:
            verdict = await self._explain(ears)
        if verdict is Verdict.VOICEMAIL:
            await self._leave_message(ears)
        if verdict is not Verdict.PERSON:
            return None
        await self._tell(Verdict.PERSON)
        return ears.callee.text

    async def _talk(self, track: rtc.Track, said: str, greeting: str) -> None:
        """Greet a person, and go on doubting for a while; once."""
        agent, is_first = self._session.current_agent, self._doubting is None
        if self._errand.purpose and is_first:
            await agent.update_instructions(f"{agent.instructions}\n{self._errand.note()}")
        if said:
            context = agent.chat_ctx.copy()
            context.add_message(role="user", content=said)
            await agent.update_chat_ctx(context)
        self._session.input.set_audio_enabled(True)
        if is_first:
            self._doubting = asyncio.create_task(self._doubted(track, said, greeting), name="doubt")
            await self._opening.say()
        words = self._errand.first_words(greeting, self._settings.business_name)
        sounds.greet(self._session, self._settings, words)

    async def _doubted(self, track: rtc.Track, said: str, greeting: str) -> None:
        """Hear whether it is a machine after all, and do what it should have been done."""
        doubt = Doubt(said)
        try:
            async with asyncio.timeout(DOUBT_S):
                verdict = await self._shown(track, doubt)
        except TimeoutError:
            return
        log.info("it is no person after all", extra={"by": verdict.value})
        self._session.input.set_audio_enabled(False)
        self._session.interrupt(force=True)
        async with hearing.hearing(track, self._stages.stt) as ears:
            if doubt.beeped:
                ears.beeped.set()
            person = await self._settled(verdict, ears)
        if person is not None:
            await self._talk(track, person, greeting)

    async def _shown(self, track: rtc.Track, doubt: Doubt) -> Verdict:
        """Wait for words or a beep that no person makes."""
        shown: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()

        def on(verdict: Verdict | None) -> None:
            if verdict is not None and not shown.done():
                shown.set_result(verdict)

        def on_words(event: UserInputTranscribedEvent) -> None:
            if event.is_final:
                on(doubt.words(event.transcript))

        async def beeps() -> None:
            detector = BeepDetector()
            async with hearing.frames_of(track) as frames:
                async for frame in frames:
                    if beep := detector.push(np.frombuffer(frame.data, np.int16)):
                        on(doubt.beep(beep))

        self._session.on("user_input_transcribed", on_words)
        listening = asyncio.create_task(beeps(), name="late beeps")
        try:
            return await shown
        finally:
            listening.cancel()
            self._session.off("user_input_transcribed", on_words)

    async def _leave_message(self, ears: Ears) -> None:
        await self._tell(Verdict.VOICEMAIL)
        if self._errand.message:
            beeped = await self._beep(ears)
            log.info("leaving a message", extra={"beep": beeped})
            words = f"{self._settings.ai_disclosure} {self._errand.message}".strip()
            await self._session.say(words, allow_interruptions=False, add_to_chat_ctx=True)
            await asyncio.sleep(ON_ITS_WAY_S)
        await self._report.settled()
        await hang_up()

    async def _beep(self, ears: Ears) -> bool:
        """Wait for the beep, or for the end of a greeting that has none."""
        beep = asyncio.create_task(ears.beeped.wait(), name="beep")
        quiet = asyncio.create_task(ears.quiet(NO_BEEP_QUIET_S), name="no beep")
        try:
            both = (beep, quiet)
            await asyncio.wait(both, timeout=BEEP_S, return_when=asyncio.FIRST_COMPLETED)
            if beep.done():
                await asyncio.sleep(AFTER_BEEP_S)
            return beep.done()
        finally:
            beep.cancel()
            quiet.cancel()

    async def _explain(self, ears: Ears) -> Verdict:
        """Say who calls and why, then wait for whoever comes."""
        await self._tell(Verdict.SCREENING)
        await self._say_why()
        loop = asyncio.get_running_loop()
        until, again = loop.time() + SCREENED_S, True
        while loop.time() < until:
            ears.callee = Callee(loop.time())
            verdict = await ears.verdict()
            said = judge(ears.callee.text)
            if verdict is Verdict.VOICEMAIL or said is Said.PERSON:
                return verdict
            if said is Said.SCREENING and again:
                await self._say_why()
                again = False
        log.info("the assistant let nobody through")
        await self._report.settled()
        await hang_up()
        return Verdict.SCREENING

    async def _say_why(self) -> None:
        words = self._errand.who_and_why(self._settings.business_name)
        await self._session.say(words, allow_interruptions=False, add_to_chat_ctx=True)

    async def _tell(self, verdict: Verdict) -> None:
        """Let the history and whoever waits for the call know."""
        word = {Verdict.PERSON: "answered", Verdict.SCREENING: "screened"}.get(verdict, "voicemail")
        self._report.result(word)
        await self._ctx.room.local_participant.set_attributes({PICKED_UP_BY: verdict.value})


async def until_answered(room: rtc.Room, caller: rtc.RemoteParticipant) -> None:
    """Wait until the phone is off the hook: words spoken before are lost."""
    answered = asyncio.Event()

    def check(*_: object) -> None:
        if caller.attributes.get("sip.callStatus", "active") == "active":
            answered.set()

    room.on("participant_attributes_changed", check)
    check()
    await answered.wait()
    room.off("participant_attributes_changed", check)
    log.info("call answered", extra={"kind": rtc.ParticipantKind.Name(caller.kind)})
