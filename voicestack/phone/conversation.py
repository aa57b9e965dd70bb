"""A whole call by script:

greeting, utterances, replies, and how long each took as the caller heard it.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from voicestack.phone import audio, measure
from voicestack.phone.call import Call, Heard, Said
from voicestack.phone.errors import CallEnded, CallRefused, NoAnswer, PhoneError
from voicestack.phone.phone import RING_TIMEOUT_S, Phone
from voicestack.phone.wire.g711 import RATE_HZ, Samples
from voicestack.phone.wire.sip import Address

# Quiet that ends the agent's turn when it is interrupted; pauses inside its sentences are shorter.
STOPPED_QUIET_S = 0.6
# The agent is given this long to stop before it counts as not stopped.
STOP_TIMEOUT_S = 5.0
_NOTHING: Samples = np.zeros(0, dtype=np.int16)


@dataclass(frozen=True, slots=True)
class Utterance:
    """Something to say; with `barge_in` it is said while the agent speaks."""

    label: str
    samples: Samples = field(repr=False)  # 8 kHz
    barge_in: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """How patient the caller is."""

    ring_timeout_s: float = RING_TIMEOUT_S
    greeting_timeout_s: float = 10.0
    reply_timeout_s: float = 15.0
    until_quiet_s: float = 1.2
    barge_in_after_s: float = 0.8  # of the agent's speech is heard before it is interrupted
    dtmf: str = ""  # keys to press after the greeting


@dataclass(frozen=True, slots=True)
class Turn:
    """One utterance and its reply. `latency_ms` is None when no reply came."""

    said: str
    latency_ms: float | None
    reply_s: float
    talked_over: bool  # the agent spoke before the caller had finished: the latency is negative
    barge_in_stop_ms: float | None  # None: no barge-in, or the agent did not stop
    samples: Samples = field(repr=False)
    heard: str | None = None  # None: not transcribed

    @property
    def answered(self) -> bool:
        """Whether a reply was heard."""
        return self.latency_ms is not None


@dataclass(frozen=True, slots=True)
class CallReport:
    """What one call showed. Times that were never reached are None."""

    number: str
    server: Address
    outcome: str  # completed, refused, no answer, failed, ended early
    reason: str
    hint: str = ""
    trying_ms: float | None = None
    ringing_ms: float | None = None
    answered_ms: float | None = None
    greeting_ms: float | None = None
    greeting: str | None = None
    greeting_samples: Samples = field(default_factory=lambda: _NOTHING, repr=False)
    turns: tuple[Turn, ...] = ()
    planned_turns: int = 0
    dtmf_received: str = ""
    lost_packets: int | None = None
    worst_late_ms: float | None = None  # of our own 20 ms clock: large on a busy machine
    recording: Path | None = None

    @property
    def ok(self) -> bool:
        """Completed, greeted and every turn answered."""
        replies = [turn for turn in self.turns if turn.answered]
        greeted = self.greeting_ms is not None or bool(replies)
        return self.outcome == "completed" and greeted and len(replies) == self.planned_turns

    @property
    def latencies_ms(self) -> list[float]:
        """Of the turns that were answered after the caller had finished."""
        return [t.latency_ms for t in self.turns if t.latency_ms is not None and not t.talked_over]

    def latency_percentile_ms(self, percent: float) -> float:
        """Over `latencies_ms`; not a number if there are none."""
        return measure.percentile(self.latencies_ms, percent)


Tell = Callable[[str], None]


def _silent(_: str) -> None:
    """Nobody watches."""


async def converse(
    server: Address,
    number: str,
    utterances: Sequence[Utterance],
    *,
    phone: Phone,
    plan: Plan | None = None,
    record_to: Path | None = None,
    tell: Tell = _silent,
) -> CallReport:
    """Hold the conversation and report on it, however it ends."""
    plan = plan or Plan()
    report = CallReport(number, server, "failed", "", planned_turns=len(utterances))
    try:
        call = await phone.dial(number, server=server, ring_timeout_s=plan.ring_timeout_s)
    except CallRefused as error:
        return dataclasses.replace(report, outcome="refused", reason=str(error), hint=error.hint)
    except NoAnswer as error:
        return dataclasses.replace(report, outcome="no answer", reason=str(error), hint=error.hint)
    except PhoneError as error:
        return dataclasses.replace(report, reason=str(error), hint=error.hint)
    timing = call.timing
    report = dataclasses.replace(
        report,
        trying_ms=timing.trying_ms,
        ringing_ms=timing.ringing_ms,
        answered_ms=timing.answered_ms,
    )
    tell(f"answered after {_ms(timing.answered_ms)}")
    async with call:
        talk = _Talk(call, plan, utterances, tell)
        await talk.run()
    return await asyncio.to_thread(_close, report, talk, record_to)


def _close(report: CallReport, talk: _Talk, record_to: Path | None) -> CallReport:
    media = talk.call.media
    if record_to is not None:
        record(talk.call, record_to)
    return dataclasses.replace(
        report,
        outcome=talk.outcome,
        reason=talk.call.end_reason or "",
        greeting_ms=talk.greeting_ms,
        greeting_samples=talk.greeting,
        turns=tuple(talk.turns),
        dtmf_received=talk.call.dtmf_received,
        lost_packets=audio.lost_packets(media.received),
        worst_late_ms=1000 * media.worst_late_s,
        recording=record_to,
    )


def record(call: Call, path: Path) -> None:
    """Write the call as a stereo WAV from its answer on: left the caller, right the agent."""
    start_at = call.timing.answered_at or call.timing.invite_at
    left = audio.place_sent(call.media.sent, start_at)
    right = audio.place_received(call.media.received, start_at)
    audio.write_wav(path, [left, right])


class _Talk:
    """The conversation inside an answered call."""

    def __init__(self, call: Call, plan: Plan, utterances: Sequence[Utterance], tell: Tell) -> None:
        self.call = call
        self.turns: list[Turn] = []
        self.greeting_ms: float | None = None
        self.greeting = _NOTHING
        self.outcome = "completed"
        self._plan = plan
        self._utterances = utterances
        self._tell = tell

    async def run(self) -> None:
        """Greeting, keys, then turn after turn."""
        try:
            await self._hear_greeting()
            if self._plan.dtmf:
                await self.call.send_dtmf(self._plan.dtmf)
            for index, utterance in enumerate(self._utterances):
                await self._turn(index, utterance)
        except CallEnded:
            self.outcome = "ended early"
        if self.call.ended.is_set() and len(self.turns) < len(self._utterances):
            self.outcome = "ended early"

    def _interrupted_next(self, index: int) -> bool:
        """Whether utterance `index` is said over what the agent says now."""
        return index < len(self._utterances) and self._utterances[index].barge_in

    async def _hear(self, since: float, timeout_s: float, *, interrupted: bool) -> Heard:
        """Hear the agent out, or only until it is time to interrupt it."""
        if not interrupted:
            return await self.call.listen(
                since=since, timeout_s=timeout_s, until_quiet_s=self._plan.until_quiet_s
            )
        first = await self.call.first_audio(since=since, timeout_s=timeout_s)
        if first is not None:
            await asyncio.sleep(self._plan.barge_in_after_s)
        samples = audio.heard_between(self.call.media.received, since, None)
        return Heard(first, self.call.media.meter.last_audio_after(since), samples)

    async def _hear_greeting(self) -> None:
        since = self.call.timing.answered_at or self.call.timing.invite_at
        heard = await self._hear(
            since, self._plan.greeting_timeout_s, interrupted=self._interrupted_next(0)
        )
        self.greeting = heard.samples
        if heard.first_audio_at is not None:
            self.greeting_ms = 1000 * (heard.first_audio_at - since)
        self._tell(f"greeting after {_ms(self.greeting_ms)}")

    async def _turn(self, index: int, utterance: Utterance) -> None:
        said = await self.call.say(utterance.samples)
        meter = self.call.media.meter
        since, stop_ms = said.speech_ended_at, None
        if utterance.barge_in:
            stopped_at = await self._stopped(said.speech_started_at)
            if stopped_at is not None:
                stop_ms = 1000 * (stopped_at - said.speech_started_at)
                since = max(since, stopped_at)
        talked_over = meter.is_loud_at(said.speech_ended_at) and not utterance.barge_in
        if talked_over:
            since = said.speech_started_at
        heard = await self._hear(
            since, self._plan.reply_timeout_s, interrupted=self._interrupted_next(index + 1)
        )
        turn = _turn_of(utterance, said, heard, talked_over=talked_over, stop_ms=stop_ms)
        self.turns.append(turn)
        self._tell(f"turn {index + 1}: reply after {_ms(turn.latency_ms)}")

    async def _stopped(self, after: float) -> float | None:
        """When the interrupted agent fell silent."""
        meter = self.call.media.meter
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                while not self.call.ended.is_set():
                    stopped = meter.audio_stopped_after(after, quiet_s=STOPPED_QUIET_S)
                    if stopped is not None:
                        return stopped
                    await self.call.media.next_frame()
        except TimeoutError:
            pass
        return None


def _turn_of(
    utterance: Utterance, said: Said, heard: Heard, *, talked_over: bool, stop_ms: float | None
) -> Turn:
    reply_s = 0.0
    if heard.first_audio_at is not None and heard.last_audio_at is not None:
        reply_s = heard.last_audio_at - heard.first_audio_at
    return Turn(
        said=utterance.label,
        latency_ms=heard.latency_ms(said),
        reply_s=reply_s,
        talked_over=talked_over,
        barge_in_stop_ms=stop_ms,
        samples=heard.samples,
    )


def with_text(report: CallReport, transcribe: Callable[[Samples], str]) -> CallReport:
    """Fill in what the agent said. Slow: call it when the call is over, in a thread."""
    turns = tuple(
        dataclasses.replace(turn, heard=transcribe(turn.samples) if turn.answered else "")
        for turn in report.turns
    )
    greeting = transcribe(report.greeting_samples) if report.greeting_ms is not None else None
    return dataclasses.replace(report, turns=turns, greeting=greeting)


def load_utterance(path: Path, *, barge_in: bool = False) -> Utterance:
    """A WAV file to be spoken."""
    return Utterance(path.name, audio.telephone_samples(path), barge_in)


def text_utterance(text: str, samples: Samples, rate_hz: int) -> Utterance:
    """Text with the voice that speaks it."""
    return Utterance(text, audio.resample(samples, rate_hz, RATE_HZ))


def _ms(value: float | None) -> str:
    return "none" if value is None else f"{value:.0f} ms"
