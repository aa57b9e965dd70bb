"""Speech recognition in real time, through the framework's own stream interface."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from livekit import rtc
from livekit.agents import stt
from numpy.typing import NDArray

from tests.speech import RATE_HZ, Utterance, over_the_phone

FRAME_SAMPLES = RATE_HZ // 50  # 20 ms, as RTP brings it
LEAD_S = 0.3
# Long enough for a slow recogniser to finish before its input ends.
TAIL_S = 4.0
# A line without speech is not digitally silent: -66 dB of noise.
LINE_NOISE = 16.0
LAG_PERIOD_S = 0.005


@dataclass(slots=True)
class Take:
    """One utterance, as one recogniser heard it. Times are after the end of speech."""

    utterance: Utterance
    finals: list[str] = field(default_factory=list)
    final_ms: float | None = None  # the last one
    preflights: list[str] = field(default_factory=list)
    preflight_ms: float | None = None  # of the one that held
    interims: list[str] = field(default_factory=list)
    loop_lag_ms: float = 0.0

    @property
    def text(self) -> str:
        """All that was said."""
        return " ".join(self.finals)


async def listen(recogniser: stt.STT[Any], utterance: Utterance) -> Take:
    """Say one utterance in real time over a telephone line; note what comes back and when."""
    stream = recogniser.stream()
    samples = on_the_line(utterance)
    take = Take(utterance)
    began_s = time.perf_counter()
    end_s = began_s + LEAD_S + utterance.speech_end_s
    saying = asyncio.create_task(_say(stream, samples, began_s, take))
    async for event in stream:
        _note(take, event, (time.perf_counter() - end_s) * 1000)
        # An utterance may be cut at its pauses: what comes before its end is not the last.
        if take.final_ms is not None and take.final_ms > 0 and take.finals:
            break
    saying.cancel()
    await asyncio.wait({saying})
    await stream.aclose()
    return take


def on_the_line(utterance: Utterance) -> NDArray[np.int16]:
    """The utterance as it comes out of a telephone, with the line's noise around it."""
    spoken = over_the_phone(utterance.samples())
    whole = np.zeros(len(spoken) + int((LEAD_S + TAIL_S) * RATE_HZ), np.float32)
    first = int(LEAD_S * RATE_HZ)
    whole[first : first + len(spoken)] = spoken
    whole += np.random.default_rng(0).normal(0, LINE_NOISE, len(whole))
    return whole.clip(-32768, 32767).astype(np.int16)


async def _say(
    stream: stt.RecognizeStream, samples: NDArray[np.int16], began_s: float, take: Take
) -> None:
    for first in range(0, len(samples) - FRAME_SAMPLES, FRAME_SAMPLES):
        due_s = began_s + (first + FRAME_SAMPLES) / RATE_HZ
        wait_s = due_s - time.perf_counter()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
            late_ms = (time.perf_counter() - due_s) * 1000
            take.loop_lag_ms = max(take.loop_lag_ms, late_ms)
        frame = samples[first : first + FRAME_SAMPLES]
        stream.push_frame(rtc.AudioFrame(frame.tobytes(), RATE_HZ, 1, FRAME_SAMPLES))
    stream.end_input()


def _note(take: Take, event: stt.SpeechEvent, after_end_ms: float) -> None:
    if not event.alternatives:
        return
    text = event.alternatives[0].text
    if event.type is stt.SpeechEventType.FINAL_TRANSCRIPT:
        take.finals.append(text)
        take.final_ms = after_end_ms
    elif event.type is stt.SpeechEventType.PREFLIGHT_TRANSCRIPT:
        take.preflights.append(text)
        take.preflight_ms = after_end_ms
    elif event.type is stt.SpeechEventType.INTERIM_TRANSCRIPT:
        take.interims.append(text)
