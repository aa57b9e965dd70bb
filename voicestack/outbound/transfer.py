"""Somebody is asked to take a call: whom the settings name, through the lines' first trunk."""

from google.protobuf.duration_pb2 import Duration
from livekit.protocol.sip import CreateSIPParticipantRequest, SIPOutboundConfig

from voicestack.outbound.dial import TRANSPORTS
from voicestack.outbound.rules import EMERGENCY, PREMIUM, Rules, Trunk

# What the one who is asked is told from callers by (agent/voice_agent/wall.py).
ROLE, ASKED, JOINED = "voicestack.role", "asked", "joined"
# Five rings; the caller listens to music meanwhile.
RING_S = 25


def targets(text: str | None) -> dict[str, str]:
    """Read TRANSFER_TARGETS: name=number or SIP address, separated by commas."""
    pairs = (each.split("=", 1) for each in (text or "").split(",") if "=" in each)
    return {name.strip(): place.strip() for name, place in pairs}


def unfit(place: str, rules: Rules) -> str | None:
    """Say why a target cannot be dialled; None: it can."""
    if place.startswith(("sip:", "sips:")):
        return None
    if EMERGENCY.fullmatch(place) or place.startswith(PREMIUM):
        return "emergency and premium numbers are never dialled"
    if not rules.trunks:
        return "no way out is configured: `outbound.trunks` in the lines file"
    return None


def request(
    place: str, rules: Rules, *, room: str, identity: str, caller: str, max_call_s: int
) -> CreateSIPParticipantRequest:
    """Dial a target into a room; `caller` is the number that a SIP address sees without a trunk."""
    config, user, shown = _way(place, rules.trunks[0] if rules.trunks else None, caller)
    return CreateSIPParticipantRequest(
        trunk=config,
        sip_number=shown,
        sip_call_to=user,
        room_name=room,
        participant_identity=identity,
        hide_phone_number=True,
        participant_attributes={ROLE: ASKED},
        ringing_timeout=Duration(seconds=RING_S),
        max_call_duration=Duration(seconds=max_call_s),
    )


def _way(place: str, trunk: Trunk | None, caller: str) -> tuple[SIPOutboundConfig, str, str]:
    scheme, _, address = place.partition(":")
    if scheme in {"sip", "sips"}:
        user, _, host = address.rpartition("@")
        host, _, parameters = host.partition(";")
        kind = "tls" if scheme == "sips" else parameters.removeprefix("transport=") or "udp"
        config = SIPOutboundConfig(hostname=host, transport=TRANSPORTS.get(kind, TRANSPORTS["udp"]))
        return config, user or host, trunk.caller if trunk else caller
    assert trunk is not None  # `unfit` refuses without one
    config = SIPOutboundConfig(hostname=trunk.address, transport=TRANSPORTS[trunk.transport])
    if trunk.digest is not None:
        config.auth_username, config.auth_password = trunk.digest.user, trunk.digest.password
    return config, place, trunk.caller
