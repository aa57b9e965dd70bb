"""Decides who picked up, from words, pauses and beeps; touches nothing, and has no clock."""

from dataclasses import dataclass, field
from enum import Enum

from voice_agent.callee.words import Said, judge

# Whoever picks up and says nothing waits for us; most people say hello within a second.
FIRST_WORD_S = 2.2
# After "Hello?", or a question, people wait for an answer. After a longer greeting the beep of a
# voicemail may follow, up to so late, of which not a word was understood.
SHORT_SPEECH_S, SHORT_QUIET_S, LONG_QUIET_S = 2.5, 0.5, 2.7
# Two weak phrases are a voicemail's if nothing follows them, such as "Can I take a message?".
LIKELY_QUIET_S = 1.5
# On a busy machine words come late, and what follows them later still.
LIKELY_KNOWN_S = 0.7
# An assistant's sentence is over.
SCREEN_QUIET_S = 0.8
# Nobody greets for so long without a word that tells; or what writes it down has failed.
ENDLESS_S = 30.0
# People's telephones beep as well, when a call is recorded; a greeting is longer than "Hello?".
BEFORE_BEEP_S = 1.8


class Verdict(Enum):
    """Who it is."""

    PERSON = "person"
    VOICEMAIL = "voicemail"
    SCREENING = "screening"


@dataclass(slots=True)
class Callee:
    """What was heard so far. Times are seconds on any one clock."""

    answered_at: float
    finals: list[str] = field(default_factory=list)
    guess: str = ""  # of the sentence that is being said
    started_at: float | None = None  # of what is being said now
    quiet_since: float | None = None
    spoken_s: float = 0.0
    beeped: bool = False
    known_at: float | None = None  # when the words of the last sentence were understood

    @property
    def text(self) -> str:
        """All words."""
        return " ".join([*self.finals, self.guess]).strip()

    def speech_started(self, at: float) -> None:
        """Somebody speaks."""
        self.started_at = at
        self.quiet_since = None

    def words(
        self, text: str, ended_at: float, *, final: bool, known_at: float | None = None
    ) -> None:
        """Somebody was understood, up to a pause (a guess) or to his end."""
        if not final:
            self.guess = text
            return
        self.guess = ""
        self.finals += [text] if text else []
        begun_at = self.started_at if self.started_at is not None else ended_at
        self.spoken_s += max(0.0, ended_at - begun_at)
        self.started_at, self.quiet_since = None, ended_at
        self.known_at = known_at if known_at is not None else ended_at

    def beep(self) -> None:
        """A beep has ended."""
        self.beeped = True

    def verdict(self, now: float) -> Verdict | None:
        """Decide; None while it is too early."""
        said = judge(self.text)
        so_far_s = self.spoken_s + (now - self.started_at if self.started_at is not None else 0.0)
        if said is Said.VOICEMAIL or (self.beeped and so_far_s >= BEFORE_BEEP_S):
            return Verdict.VOICEMAIL
        if self.started_at is not None:
            if now - self.started_at <= ENDLESS_S:
                return None
            return Verdict.VOICEMAIL if said is Said.LIKELY else Verdict.PERSON
        if self.quiet_since is None:
            return Verdict.PERSON if now - self.answered_at >= FIRST_WORD_S else None
        known_s = now - (self.known_at if self.known_at is not None else self.quiet_since)
        return self._after_quiet(now - self.quiet_since, said, known_s)

    def _after_quiet(self, quiet_s: float, said: Said, known_s: float) -> Verdict | None:
        if said is Said.LIKELY:
            is_over = quiet_s >= LIKELY_QUIET_S and known_s >= LIKELY_KNOWN_S
            return Verdict.VOICEMAIL if is_over else None
        if said is Said.SCREENING:
            return Verdict.SCREENING if quiet_s >= SCREEN_QUIET_S else None
        waits = self.spoken_s <= SHORT_SPEECH_S or self.text.endswith("?")
        enough_s = SHORT_QUIET_S if waits and said is Said.PERSON else LONG_QUIET_S
        return Verdict.PERSON if quiet_s >= enough_s else None
