"""What went wrong, as a person needs it: seen, meaning, what to do."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in a file or a variable. `seen` never carries a secret."""

    where: str  # ".env:3", "environment", "sip/lines.yaml:12"
    name: str  # the variable or key; empty for a fault of the whole file
    seen: str
    must: str  # what it means, or must be
    fix: str

    @property
    def line(self) -> int:
        """The line number in `where`; 0 without one."""
        number = self.where.rpartition(":")[2]
        return int(number) if number.isdigit() else 0

    def __str__(self) -> str:
        subject = ": ".join(part for part in (self.where, self.name, self.seen) if part)
        return f"{subject}: {self.must}\n  hint: {self.fix}"


class VoicestackError(Exception):
    """Something that the operator can mend; `hint` says how."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def report(self) -> str:
        """The text that a script prints on stderr."""
        return f"error: {self}" + (f"\nhint: {self.hint}" if self.hint else "")


class FaultsError(VoicestackError):
    """All faults of one input, reported together."""

    subject = "input"

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        count = len(self.faults)
        listed = "\n".join(str(fault) for fault in self.faults)
        super().__init__(f"{count} fault{'s' * (count != 1)} in {self.subject}\n{listed}")


class SettingsError(FaultsError):
    """The settings are unfit; nothing may start."""

    subject = "the settings"


class LinesError(FaultsError):
    """The lines file is unfit; nothing was changed."""

    subject = "the lines file"


class CredentialsError(VoicestackError):
    """A generated secret is missing, too open or too short."""


class TokenError(VoicestackError):
    """A token that must not be minted was asked for."""


class ApplyError(VoicestackError):
    """LiveKit refused, or could not be asked for, the lines."""
