"""Cuts a stream of 32 ms windows, each with its probability of speech, into utterances.

Pure: no audio library, no clock but the samples themselves. The stream reacts to what `push`
returns: an utterance started, paused (time to guess), resumed, ended.
"""

from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto

from faster_whisper_engine.whisper import RATE_HZ

WINDOW_SAMPLES = 512
WINDOW_S = WINDOW_SAMPLES / RATE_HZ
# The framework's own thresholds for Silero (livekit-agents 1.8.9, inference/vad.py).
SPEECH_ON, SPEECH_OFF = 0.5, 0.35
# One window may be a click; two are 64 ms.
MIN_SPEECH_WINDOWS = 2
# Soft consonants start before the detector is sure.
PREFIX_WINDOWS = 10
# One window of silence is time to guess: the words of 32 recordings were as right with 32 ms of
# silence at their end as with 64 or 150, clean and over the phone, and only one pause in eight
# is over before a second window.
GUESS_WINDOWS = 1
# A speaker who goes on and on is cut at the first pause after this ...
LONG_S = 20.0
LONG_PAUSE_WINDOWS = 2
# ... and without a pause here, where the window was least like speech: Whisper hears 30 s at most.
MAX_S = 28.0
CUT_SEARCH_S = 5.0


class Change(Enum):
    """What one window did to the utterance."""

    STARTED = auto()
    PAUSED = auto()
    RESUMED = auto()
    ENDED = auto()  # `Segmenter.ended` has the utterance


@dataclass(slots=True)
class Utterance:
    """One stretch of speech, still growing or over."""

    start: int  # sample number in the stream
    audio: bytearray = field(default_factory=bytearray)
    probabilities: list[float] = field(default_factory=list)
    silence_windows: int = 0  # at its end
    continues: bool = False  # cut out of running speech: the one before it belongs to it
    pauses: int = 0

    @property
    def duration_s(self) -> float:
        """Length of the audio."""
        return len(self.audio) / 2 / RATE_HZ

    @property
    def start_s(self) -> float:
        """Start on the stream's clock."""
        return self.start / RATE_HZ

    @property
    def speech_end_s(self) -> float:
        """End of the last window with speech, on the stream's clock."""
        return self.start_s + self.duration_s - self.silence_windows * WINDOW_S

    @property
    def speech_s(self) -> float:
        """How much of it is speech."""
        return sum(each >= SPEECH_OFF for each in self.probabilities) * WINDOW_S

    @property
    def paused(self) -> bool:
        """Whether the speaker is silent just now, long enough to guess."""
        return self.silence_windows >= GUESS_WINDOWS

    def add(self, window: bytes, probability: float) -> None:
        """Append one window."""
        self.audio += window
        self.probabilities.append(probability)


class Segmenter:
    """State of one stream."""

    def __init__(self, *, end_silence_s: float) -> None:
        self._end_windows = max(GUESS_WINDOWS + 1, round(end_silence_s / WINDOW_S))
        self._recent: deque[tuple[bytes, float]] = deque(maxlen=PREFIX_WINDOWS)
        self._speech_windows = 0
        self._clock = 0  # samples seen
        self.current: Utterance | None = None
        self.ended: deque[Utterance] = deque()

    @property
    def clock_s(self) -> float:
        """Time on the stream's clock."""
        return self._clock / RATE_HZ

    def push(self, window: bytes, probability: float) -> list[Change]:
        """Take one window of 16-bit samples and its probability of speech."""
        self._clock += WINDOW_SAMPLES
        if self.current is None:
            return self._outside(window, probability)
        return self._inside(self.current, window, probability)

    def cut(self) -> bool:
        """End the utterance here, whatever is being said. False if there is none."""
        if self.current is None:
            return False
        self._end(self.current)
        return True

    def _outside(self, window: bytes, probability: float) -> list[Change]:
        self._recent.append((window, probability))
        self._speech_windows = self._speech_windows + 1 if probability >= SPEECH_ON else 0
        if self._speech_windows < MIN_SPEECH_WINDOWS:
            return []
        self._begin(Utterance(start=self._clock - len(self._recent) * WINDOW_SAMPLES))
        return [Change.STARTED]

    def _begin(self, utterance: Utterance) -> None:
        for window, probability in self._recent:
            utterance.add(window, probability)
        self._recent.clear()
        self.current = utterance

    def _inside(self, now: Utterance, window: bytes, probability: float) -> list[Change]:
        now.add(window, probability)
        if probability > SPEECH_OFF:
            was_paused = now.paused
            now.silence_windows = 0
            changes = [Change.RESUMED] if was_paused else []
            return changes + self._cut_if_endless(now)
        now.silence_windows += 1
        if now.silence_windows >= self._end_windows or self._may_be_cut(now):
            self._end(now)
            return [Change.ENDED]
        if now.silence_windows == GUESS_WINDOWS:
            now.pauses += 1
            return [Change.PAUSED]
        return []

    def _may_be_cut(self, now: Utterance) -> bool:
        return now.duration_s >= LONG_S and now.silence_windows >= LONG_PAUSE_WINDOWS

    def _end(self, utterance: Utterance) -> None:
        self.current = None
        self._speech_windows = 0
        self.ended.append(utterance)

    def _cut_if_endless(self, now: Utterance) -> list[Change]:
        """Split where speech is least likely; the rest goes on as a new utterance."""
        if now.duration_s < MAX_S:
            return []
        search = int(CUT_SEARCH_S / WINDOW_S)
        tail = now.probabilities[-search:]
        keep = len(now.probabilities) - search + tail.index(min(tail)) + 1
        rest = Utterance(start=now.start + keep * WINDOW_SAMPLES, continues=True)
        rest.audio = now.audio[keep * WINDOW_SAMPLES * 2 :]
        rest.probabilities = now.probabilities[keep:]
        del now.audio[keep * WINDOW_SAMPLES * 2 :], now.probabilities[keep:]
        self._end(now)
        self.current = rest
        return [Change.ENDED, Change.STARTED]
