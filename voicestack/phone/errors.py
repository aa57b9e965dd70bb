"""What may go wrong on the phone, each with what to do about it."""

from __future__ import annotations

from voicestack.errors import VoicestackError


class PhoneError(VoicestackError):
    """Something a caller of the phone may want to handle."""


class MalformedError(PhoneError):
    """A message or description that cannot be used."""


class NoAnswer(PhoneError):  # noqa: N818 - an outcome of dialling, not a fault
    """Nobody picked up in time, or nothing answered at all."""


class CallRefused(PhoneError):  # noqa: N818 - an outcome of dialling, not a fault
    """The far end said no."""

    def __init__(self, status: int, reason: str, *, hint: str = "") -> None:
        super().__init__(f"the call was refused: {status} {reason}".rstrip(), hint=hint)
        self.status = status
        self.reason = reason


class CallFailedError(PhoneError):
    """The call was answered in a way that cannot carry audio."""


class CallEnded(PhoneError):  # noqa: N818 - an outcome of a call, not a fault
    """The call is over, so nothing more can be said or sent."""
