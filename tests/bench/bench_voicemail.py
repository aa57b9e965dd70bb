"""Measure who is taken for whom: voicemails, screening assistants and people, heard in real time.

Run `make bench-voicemail`. Every clip goes through the real detector: voice activity, Whisper, the
phrases, the beep detector, on the clock. What is measured is what people feel: were they taken for
a machine, and how long after their first words was it clear that they are none.
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from livekit import rtc
from livekit.plugins import faster_whisper

from tests import greetings, speech
from tests.bench import machine
from tests.greetings import Clip
from tests.speech import RATE_HZ
from voice_agent.callee.doubt import DOUBT_S, Doubt
from voice_agent.callee.ears import LOOK_S, Ears
from voice_agent.callee.judge import Callee, Verdict

FRAME = RATE_HZ // 50
# Somebody who has greeted waits.
AFTER_S = 5.0
# Speech recognition that falls behind is a measurement of the machine.
AT_ONCE = 3


@dataclass(frozen=True, slots=True)
class Found:
    """One clip, and what it was taken for."""

    kind: str
    voice: str
    text: str
    heard: str
    verdict: str
    late: bool  # a machine that was taken for a person at first
    decided_ms: int | None  # after the end of the clip's speech; people wait for this
    has_beep: bool
    beeped: bool


async def frames(samples: greetings.Samples) -> AsyncIterator[rtc.AudioFrame]:
    """A clip and silence, in real time."""
    whole = np.concatenate([samples, np.zeros(int(AFTER_S * RATE_HZ), np.int16)])
    started = time.monotonic()
    for number, first in enumerate(range(0, len(whole) - FRAME + 1, FRAME)):
        await asyncio.sleep(max(0.0, started + number * 0.02 - time.monotonic()))
        piece = whole[first : first + FRAME]
        yield rtc.AudioFrame(piece.tobytes(), RATE_HZ, 1, FRAME)


async def hear(recogniser: faster_whisper.STT, clip: Clip) -> Found:
    """Let the detector hear one clip to its end."""
    started = time.monotonic()
    ears = Ears(recogniser, Callee(started))
    listening = asyncio.create_task(ears.listen(frames(clip.samples)))
    verdict = await ears.verdict()
    decided_s = time.monotonic() - started
    shown = await doubted(ears, listening) if verdict is Verdict.PERSON else None
    await listening
    return Found(
        clip.kind, clip.voice, clip.text, ears.callee.text,
        (shown or verdict).value, shown is not None,
        round(1000 * (decided_s - clip.speech_ends_s)),
        has_beep=clip.beep_ends_s is not None, beeped=ears.callee.beeped,
    )  # fmt: skip


async def doubted(ears: Ears, listening: asyncio.Task[None]) -> Verdict | None:
    """What shows itself while we talk to somebody (voice_agent/callee/pick_up.py, `_doubted`)."""
    doubt, words, beeps = Doubt(ears.callee.text), len(ears.callee.finals), len(ears.beeps)
    until = time.monotonic() + DOUBT_S
    while time.monotonic() < until and not listening.done():
        shown = [doubt.words(text) for text in ears.callee.finals[words:]]
        shown += [doubt.beep(beep) for beep in ears.beeps[beeps:]]
        words, beeps = len(ears.callee.finals), len(ears.beeps)
        if verdict := next(filter(None, shown), None):
            return verdict
        await asyncio.sleep(LOOK_S)
    return None


async def hear_all(recogniser: faster_whisper.STT, clips: Iterable[Clip]) -> list[Found]:
    """Several at once, each in real time."""
    free = asyncio.Semaphore(AT_ONCE)

    async def one(clip: Clip) -> Found:
        async with free:
            return await hear(recogniser, clip)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(clip)) for clip in clips]
    return [task.result() for task in tasks]


def share(found: list[Found], kind: str, verdict: str) -> float:
    """How many of a kind were taken for this, in percent."""
    those = [each for each in found if each.kind == kind]
    return round(100 * sum(each.verdict == verdict for each in those) / len(those), 1)


def report(found: list[Found]) -> dict[str, object]:
    """The figures."""
    people = [each for each in found if each.kind == "person"]
    machines = [each for each in found if each.kind == "voicemail"]
    waits = [each.decided_ms for each in people if each.decided_ms is not None]
    return {
        "machine": asdict(machine.look()),
        "voicemails": len(machines),
        "of_these_recorded": sum("recorded" in each.voice for each in machines),
        "voicemails_detected_percent": share(found, "voicemail", "voicemail"),
        "of_these_late": sum(each.late for each in machines),
        "screenings": sum(each.kind == "screening" for each in found),
        "screenings_detected_percent": share(found, "screening", "screening"),
        "people": len(people),
        "people_taken_for_voicemail_percent": share(found, "person", "voicemail"),
        "people_taken_for_screening_percent": share(found, "person", "screening"),
        "people_wait_median_ms": statistics.median(waits),
        "beeps": sum(each.has_beep for each in found),
        "beeps_missed": sum(each.has_beep and not each.beeped for each in found),
        "beeps_that_were_none": sum(each.beeped and not each.has_beep for each in found),
        "voices": len({each.voice for each in found}),
        "wrong": [asdict(each) for each in found if each.verdict != each.kind],
    }


def main() -> None:
    """Print the figures, and what went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write everything here")
    parser.add_argument("--prompts", type=Path, default=greetings.PROMPTS, help="of Asterisk")
    parser.add_argument("--only", default="", help="clips with this in their text or voice")
    parser.add_argument("--limit", type=int, help="so many texts of each kind")
    given = parser.parse_args()
    model = speech.cache_dir().parent / "models" / "whisper-base"
    recogniser = faster_whisper.STT(model=str(model), interim_results=False)
    recogniser.prewarm()
    people = list(greetings.recorded())[: given.limit]
    mailboxes = list(greetings.mailboxes(given.prompts))[: given.limit]
    clips = [*greetings.synthesised(given.limit), *people, *mailboxes]
    clips = [each for each in clips if given.only in f"{each.voice} {each.text}"]
    found = asyncio.run(hear_all(recogniser, clips))
    if not given.only:
        print(json.dumps(report(found), indent=1))
    if given.json:
        given.json.write_text(json.dumps([asdict(each) for each in found], indent=1))


if __name__ == "__main__":
    main()
