"""Options of one `STT`, shared by its streams."""

from dataclasses import dataclass, field


@dataclass
class Options:
    """What may change while streams are open."""

    language: str | None
    hotwords: list[str] = field(default_factory=list)
    keyterms: list[str] = field(default_factory=list)  # set by the session
    interim_results: bool = True
    end_silence_s: float = 0.25

    def prompt(self) -> str:
        """Words to expect, as text before the utterance: the way Whisper can be biased."""
        words = dict.fromkeys([*self.hotwords, *self.keyterms])
        return ", ".join(words)
