"""One row of the table of causes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """A code, where it lies, and what to tell about it."""

    code: str
    leg: str
    title: str  # what is seen
    means: str
    do: str
