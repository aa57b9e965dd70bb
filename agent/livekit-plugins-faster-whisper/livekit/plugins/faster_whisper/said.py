"""What a stream knows of one utterance beside its audio: guesses, interim text, times."""

import asyncio
from dataclasses import dataclass, field

from livekit.agents import stt, utils
from livekit.agents.language import LanguageCode

from faster_whisper_engine.transcriber import Transcript

from .agreement import Agreement
from .segmenter import Utterance

# Interim text is refreshed this often, and takes no more than this share of the engine's time.
INTERIM_PERIOD_S = 1.0
INTERIM_SHARE = 0.5


@dataclass(slots=True, eq=False)
class Said:
    """One utterance on its way to a FINAL."""

    utterance: Utterance
    id: str = field(default_factory=lambda: utils.shortuuid("stt_"))
    agreement: Agreement = field(default_factory=Agreement)
    guess: "asyncio.Task[Transcript] | None" = None  # holds as long as nobody speaks on
    preflights: int = 0
    interim: "asyncio.Task[None] | None" = None
    interim_due_s: float = INTERIM_PERIOD_S  # of audio
    ended: bool = False

    def drop_guess(self) -> None:
        """The speaker went on: what was decoded is not all he says."""
        guess, self.guess = self.guess, None
        if guess is None:
            return
        if guess.done() and not guess.cancelled() and guess.exception() is None:
            self.agreement.update(guess.result().text)
        guess.cancel()

    def drop_interim(self) -> None:
        """Make room for something that matters more."""
        if self.interim is not None:
            self.interim.cancel()
            self.interim = None
            self.interim_due_s = self.utterance.duration_s + INTERIM_PERIOD_S

    def interim_due(self) -> bool:
        """Whether it is time for another look; never while the speaker pauses."""
        return (
            self.interim is None
            and self.utterance.silence_windows == 0
            and self.utterance.duration_s >= self.interim_due_s
        )

    def interim_took(self, took_s: float) -> None:
        """Plan the next look: a slow engine is asked less often."""
        self.interim = None
        wait_s = max(INTERIM_PERIOD_S - took_s, took_s / INTERIM_SHARE - took_s)
        self.interim_due_s = self.utterance.duration_s + wait_s

    def data(self, found: Transcript, text: str, offset_s: float) -> stt.SpeechData:
        """The framework's form of a result."""
        return stt.SpeechData(
            language=LanguageCode(found.language),
            text=text,
            start_time=offset_s + self.utterance.start_s,
            end_time=offset_s + self.utterance.speech_end_s,
            confidence=found.confidence,
        )
