"""How a setting is described; .env.example and the settings themselves read it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Var:
    """What .env.example says of a variable, and who reads it."""

    group: str
    must: str  # completes "NAME must be ..."
    readers: tuple[str, ...]
    default: str = ""  # in words, where the default is found at start
    unit: str = ""
