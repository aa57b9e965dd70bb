"""What came of a scenario."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Done:
    """One turn."""

    said: str
    heard: str
    calls: list[str]
    faults: list[str]


@dataclass(slots=True)
class Played:
    """One conversation; `error`: it could not be held."""

    name: str
    way: str  # text or spoken
    turns: list[Done] = field(default_factory=list)
    error: str = ""

    @property
    def ok(self) -> bool:
        """Whether all came as it had to."""
        return not self.error and not any(turn.faults for turn in self.turns)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {**asdict(self), "ok": self.ok}

    def as_text(self) -> str:
        """For people: one line, and below it what went wrong."""
        lines = [f"{'ok  ' if self.ok else 'FAIL'}  {self.way:6}  {self.name}"]
        if self.error:
            lines.append(f"        {self.error}")
        for turn in self.turns:
            if turn.faults:
                lines += [f"        caller: {turn.said}", f"        agent:  {turn.heard or '-'}"]
                lines += [f"        {fault}" for fault in turn.faults]
        return "\n".join(lines)
