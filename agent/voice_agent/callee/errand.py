"""What a call that we place is about, by the job's metadata (voicestack/outbound/attempt.py)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from livekit import rtc

from voice_agent.settings import AgentSettings

KEY = "outbound"


@dataclass(frozen=True, slots=True)
class Errand:
    """Texts that are spoken; empty where nothing was said."""

    opening: str = ""
    purpose: str = ""
    message: str = ""

    @classmethod
    def of(cls, metadata: str, settings: AgentSettings) -> "Errand":
        """Read it; what is not there comes from the settings."""
        try:
            values = json.loads(metadata or "{}")
        except ValueError:
            values = {}
        given = values.get(KEY) if isinstance(values, Mapping) else None
        said = given if isinstance(given, Mapping) else {}
        texts = {name: str(said.get(name) or "") for name in ("opening", "purpose", "message")}
        return cls(**{**texts, "message": texts["message"] or settings.voicemail_message})

    def first_words(self, greeting: str, business: str) -> str:
        """What a person hears first."""
        if self.opening:
            return self.opening
        return f"Hello, this is {business}. {self._about}" if self.purpose else greeting

    def who_and_why(self, business: str) -> str:
        """What an assistant that screens calls is told."""
        return f"This is {business}. {self._about or 'I would like to talk to them in person.'}"

    def note(self) -> str:
        """What the language model must know of a call that it did not get but made."""
        return f"You placed this call yourself. {self._about}".strip()

    @property
    def _about(self) -> str:
        return f"I am calling about {self.purpose}." if self.purpose else ""


def is_called(who: rtc.RemoteParticipant) -> bool:
    """True if we placed this call, and the other side has picked it up."""
    return who.attributes.get("voicestack.direction") == "outbound"
