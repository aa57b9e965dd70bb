"""A person who is none: the first seconds of a talk show it by sure words, or by a beep."""

from dataclasses import dataclass

from voice_agent.callee.beep import Beep
from voice_agent.callee.judge import Verdict
from voice_agent.callee.words import Said, judge

# A machine that was taken for a person shows itself by then.
DOUBT_S = 12.0
# "Hello, this is Peter." is shorter than what a mailbox says before its beep.
GREETING_WORDS = 6


@dataclass(slots=True)
class Doubt:
    """What is said by somebody whom we took for a person; `heard` is what he said before."""

    heard: str
    beeped: bool = False

    def words(self, text: str) -> Verdict | None:
        """Hear a sentence; the better verdict, if it gives one."""
        self.heard = f"{self.heard} {text}".strip()
        found = {Said.VOICEMAIL: Verdict.VOICEMAIL, Said.SCREENING: Verdict.SCREENING}
        return found.get(judge(text, talking=True))

    def beep(self, beep: Beep) -> Verdict | None:
        """Hear a beep: after a greeting it is a mailbox's, unless it tells of a recording."""
        is_greeting = len(self.heard.split()) >= GREETING_WORDS
        self.beeped = is_greeting and not beep.of_a_recorder
        return Verdict.VOICEMAIL if self.beeped else None
