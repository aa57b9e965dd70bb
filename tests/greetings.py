"""What picks up a call: voicemails, assistants that screen, and people, in many voices.

Synthesised on first use by what `make test` installs (espeak-ng, flite) and by the stack's own
Piper, then as it sounds over the phone; people are also the recordings of tests/speech.py, and
voicemails those of Asterisk, where Debian's packages asterisk-core-sounds-*-wav are installed.
"""

import hashlib
import itertools
import subprocess
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import soxr
from numpy.typing import NDArray

from tests import speech
from tests.speech import RATE_HZ, over_the_phone

Samples = NDArray[np.int16]
Kind = Literal["voicemail", "screening", "person"]
VOICEMAILS = Path(__file__).with_name("greetings_voicemail.txt")
SCREENINGS = Path(__file__).with_name("greetings_screening.txt")
PEOPLE = Path(__file__).with_name("greetings_people.txt")
# Program and voice. espeak's variants are other throats, flite's are recorded people.
VOICES = (
    *(("flite", name) for name in ("slt", "awb", "rms", "kal16")),
    *(("espeak", name) for name in ("en-us+m3", "en-us+f2", "en-gb+m7", "en-gb+f4", "en-us+f5")),
    *(("espeak", name) for name in ("en-gb-x-rp+m1", "en-us+m6", "en-gb-scotland+m2", "en-us+f3")),
    *(("piper", speed) for speed in ("0.85", "1.0", "1.2")),
)
# What telephone companies use: 0.15 to 0.9 s between 425 and 1400 Hz, some a moment later.
BEEPS = ((1000, 0.4, 0.6), (1400, 0.25, 0.3), (850, 0.8, 1.0), (440, 0.5, 0.5), (1004, 0.9, 1.5))

# Debian's asterisk-core-sounds-en-wav and its sisters; what app_voicemail plays, in its order.
PROMPTS = Path("/usr/share/asterisk/sounds")
MAILBOXES = (
    ("vm-theperson", "digits/2", "digits/0", "digits/4", "vm-isunavail", "vm-intro"),
    ("vm-theperson", "digits/7", "digits/1", "digits/5", "vm-isonphone", "vm-intro"),
    ("vm-nobodyavail", "vm-intro"),
    ("vm-intro",),
)


@dataclass(frozen=True, slots=True)
class Clip:
    """Somebody or something picks up; 16 kHz, as the agent hears it."""

    kind: Kind
    voice: str
    text: str
    samples: Samples
    speech_ends_s: float
    beep_ends_s: float | None = None


def texts(file: Path) -> list[str]:
    """A greeting a line; lines that begin with # are about it."""
    lines = [line.strip() for line in file.read_text().splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def synthesised(limit: int | None = None) -> Iterator[Clip]:
    """Every text, each by the next voice; voicemails beep, but for every sixth."""
    voices, beeps = itertools.cycle(VOICES), itertools.cycle(BEEPS)
    files: tuple[tuple[Kind, Path], ...] = (
        ("voicemail", VOICEMAILS), ("screening", SCREENINGS), ("person", PEOPLE),
    )  # fmt: skip
    for kind, file in files:
        for number, text in enumerate(texts(file)[:limit]):
            program, voice = next(voices)
            said = spoken(program, voice, text)
            speech_ends_s, ends_s = len(said) / RATE_HZ, None
            if kind == "voicemail" and number % 6 != 5:
                said, ends_s = with_beep(said, *next(beeps))
            yield Clip(
                kind, f"{program} {voice}", text, over_the_phone(said), speech_ends_s, ends_s
            )


def recorded() -> Iterator[Clip]:
    """People, recorded: every utterance alone."""
    for each in speech.utterances():
        samples = over_the_phone(each.samples())
        yield Clip("person", each.name, each.text, samples, each.speech_end_s)


def mailboxes(folder: Path = PROMPTS) -> Iterator[Clip]:
    """What Asterisk's mailboxes say, spoken by people, in every language that is installed."""
    for voice in sorted(each.parent for each in folder.glob("*/vm-intro.wav")):
        beep = _read(voice / "beep.wav")
        for names in MAILBOXES:
            pieces = [_read(voice / f"{name}.wav") for name in names]
            said = np.concatenate(pieces)
            whole = np.concatenate([said, beep])
            yield Clip(
                "voicemail", f"recorded {voice.name}", " ".join(names),
                over_the_phone(whole), len(said) / RATE_HZ, len(whole) / RATE_HZ,
            )  # fmt: skip


def with_beep(said: Samples, hz: int, lasts_s: float, after_s: float) -> tuple[Samples, float]:
    """Append a pause and a beep; and when it ends."""
    at_s = np.arange(int(lasts_s * RATE_HZ)) / RATE_HZ
    tone = (6000 * np.sin(2 * np.pi * hz * at_s)).astype(np.int16)
    pause = np.zeros(int(after_s * RATE_HZ), np.int16)
    whole = np.concatenate([said, pause, tone])
    return whole, len(whole) / RATE_HZ


def spoken(program: str, voice: str, text: str) -> Samples:
    """Have a program speak, or take what it said last time."""
    key = hashlib.sha256(f"{program} {voice} {text}".encode()).hexdigest()[:16]
    file = speech.cache_dir() / "greetings" / f"{key}.wav"
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        {"espeak": _espeak, "flite": _flite, "piper": _piper}[program](voice, text, part)
        part.replace(file)
    return _read(file)


def _read(file: Path) -> Samples:
    with wave.open(str(file)) as sound:
        samples = np.frombuffer(sound.readframes(sound.getnframes()), np.int16)
        rate_hz = sound.getframerate()
    resampled: Samples = soxr.resample(samples, rate_hz, RATE_HZ)
    return resampled


def _espeak(voice: str, text: str, file: Path) -> None:
    command = ["espeak-ng", "-v", voice, "-s", "155", "-w", str(file), text]
    subprocess.run(command, check=True, timeout=60, capture_output=True)


def _flite(voice: str, text: str, file: Path) -> None:
    command = ["flite", "-voice", voice, "-t", text, "-o", str(file)]
    subprocess.run(command, check=True, timeout=60, capture_output=True)


def _piper(speed: str, text: str, file: Path) -> None:
    from model_servers.tts import OUTPUT_RATE_HZ, Voice
    from voicestack import settings
    from voicestack.native.services import place

    stack = settings.load(speech.cache_dir(), environ={})
    model = place("tts", stack.tts_voice, speech.cache_dir().parent)
    pcm = b"".join(Voice(model).speak(text, float(speed)))
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(OUTPUT_RATE_HZ)
        out.writeframes(pcm)
