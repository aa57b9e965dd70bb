"""What must be said before anything else: that no human speaks, and that the call is recorded."""

import asyncio
import contextlib
import logging
import re
from collections.abc import Iterator

from livekit import rtc
from livekit.agents import AgentSession, ChatContext, ChatMessage, JobContext, StopResponse

from voice_agent import sounds
from voice_agent.recording import Recording
from voice_agent.settings import AgentSettings

log = logging.getLogger("voice_agent.opening")

ANNOUNCE_TEXT = "This call is recorded."
ASK_TEXT = "May we record this call? Please say yes or no, or press one for yes, two for no."
KEYS = {"1": True, "2": False}
# A caller who has heard the question begins to answer within some seconds, or never. It is also
# longer than his words need to be written down. On a noisy line he seems to speak for ever.
ANSWER_S, LONGEST_ANSWER_S = 6.0, 30.0
LOOK_S = 0.5
TRIES = 2
NO = re.compile(r"\b(no|nope|nah|not|don't|do not|never|rather not)\b", re.IGNORECASE)
YES = re.compile(r"\b(yes|yeah|yep|yup|sure|okay|ok|of course|fine|please do|go ahead)\b", re.I)

# True: yes. False: no. None: something else was said.
Answers = asyncio.Queue[bool | None]


def texts(settings: AgentSettings) -> list[str]:
    """What is said in every call, to be made before the first."""
    recording = {"announce": [ANNOUNCE_TEXT], "ask": [ASK_TEXT]}.get(settings.recording, [])
    return [settings.ai_disclosure, *recording] if settings.ai_disclosure else recording


def understood(text: str) -> bool | None:
    """Whether a caller agrees; whoever says both, as in "yes, no, rather not", does not."""
    if NO.search(text):
        return False
    return True if YES.search(text) else None


class Opening:
    """The first moments of one call."""

    def __init__(
        self, ctx: JobContext, session: AgentSession[None], settings: AgentSettings
    ) -> None:
        self._room, self._session, self._settings = ctx.room, session, settings
        wanted = settings.recording != "off"
        self._recording = Recording(ctx, session, settings) if wanted else None

    async def say(self) -> None:
        """Disclose, announce or ask; then record, if it may be."""
        if self._settings.ai_disclosure:
            await self._heard(self._settings.ai_disclosure)
        await self.say_again()

    async def say_again(self) -> None:
        """The same for an agent that takes over: what was agreed with the first died with it."""
        if self._recording is None:
            return
        if self._settings.recording == "announce":
            agreed = await self._heard(ANNOUNCE_TEXT)
        else:
            agreed = await self._asked()
        log.info("recording decided", extra={"agreed": agreed})
        if agreed:
            await self._recording.start()

    async def _heard(self, text: str) -> bool:
        """Say it to its end; False if it could not be: what nobody has heard gives no right."""
        speech = sounds.greet(self._session, self._settings, text, allow_interruptions=False)
        await speech
        return bool(speech.chat_items) and not speech.interrupted

    async def _asked(self) -> bool:
        """Only a yes is a yes; silence is none."""
        with self._answers() as answers:
            for _ in range(TRIES):
                if not await self._heard(ASK_TEXT):
                    return False
                if (answer := await self._answer(answers)) is not None:
                    return answer
        return False

    async def _answer(self, answers: Answers) -> bool | None:
        """The next answer; None when nobody has spoken for a while."""
        quiet_s = waited_s = 0.0
        while quiet_s < ANSWER_S and waited_s < LONGEST_ANSWER_S:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    return await answers.get()
            waited_s += LOOK_S
            quiet_s = 0.0 if self._session.user_state == "speaking" else quiet_s + LOOK_S
        return None

    @contextlib.contextmanager
    def _answers(self) -> Iterator[Answers]:
        """Hear keys and words; the agent itself does not reply to them."""
        answers = Answers()

        def on_key(event: rtc.SipDTMF) -> None:
            if event.digit in KEYS:
                answers.put_nowait(KEYS[event.digit])

        async def on_words(_context: ChatContext, new_message: ChatMessage) -> None:
            answers.put_nowait(understood(new_message.text_content or ""))
            raise StopResponse

        agent = self._session.current_agent
        self._room.on("sip_dtmf_received", on_key)
        setattr(agent, "on_user_turn_completed", on_words)  # noqa: B010 - a method is replaced
        try:
            yield answers
        finally:
            delattr(agent, "on_user_turn_completed")
            self._room.off("sip_dtmf_received", on_key)
