"""What keeps an upgrade from being tried."""

from voicestack.errors import VoicestackError


class UnfitError(VoicestackError):
    """Something is wrong before anything was touched."""
