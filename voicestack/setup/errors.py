"""Errors of the set-up; each has one way to be handled."""

from voicestack.errors import VoicestackError


class SetupError(VoicestackError):
    """A step could not be finished; running it again goes on from there."""


class ToolMissingError(SetupError):
    """A compiler or library of the distribution is not installed."""


class HubError(SetupError):
    """The model hub gave no usable file; another source may."""


class HubUnreachableError(HubError):
    """The model hub did not answer at all; asking it for the next file is pointless."""


class AlteredFileError(SetupError):
    """The bytes are not those that the manifest names."""
