"""Session descriptions of one G.711 audio stream (RFC 4566, RFC 3264)."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address

from aiosipua.sdp import MediaDescription, parse_sdp

from voicestack.phone.errors import MalformedError
from voicestack.phone.wire import g711

# The payload type that most phones and livekit-sip use for RFC 4733 at 8 kHz.
DTMF_PAYLOAD_TYPE = 101
_DTMF = "telephone-event"
_ANSWER_TO = {"sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}


@dataclass(frozen=True, slots=True)
class Media:
    """What the other side's description says about its audio."""

    address: IPv4Address
    port: int
    law: g711.Law
    dtmf_payload_type: int | None
    direction: str = "sendrecv"

    @property
    def wants_audio(self) -> bool:
        """Whether we may send: not on hold (RFC 3264 8.4; 0.0.0.0 before it), nor if refused."""
        held = self.direction not in ("sendrecv", "recvonly") or self.address.is_unspecified
        return self.port != 0 and not held


def build(
    address: str,
    port: int,
    *,
    formats: tuple[tuple[int, str], ...],
    direction: str = "sendrecv",
    version: int = 1,
) -> str:
    """Describe our audio: `formats` are pairs of payload type and rtpmap, best first."""
    lines = [
        "v=0",
        f"o=- {port} {version} IN IP4 {address}",
        "s=-",
        f"c=IN IP4 {address}",
        "t=0 0",
        f"m=audio {port} RTP/AVP {' '.join(str(number) for number, _ in formats)}",
        *(f"a=rtpmap:{number} {mapping}" for number, mapping in formats),
        *(f"a=fmtp:{number} 0-15" for number, mapping in formats if mapping.startswith(_DTMF)),
        "a=ptime:20",
        f"a={direction}",
    ]
    return "\r\n".join(lines) + "\r\n"


def formats_of(laws: tuple[g711.Law, ...], dtmf: int | None) -> tuple[tuple[int, str], ...]:
    """The formats of an offer or answer with these laws and, unless None, telephone events."""
    formats = tuple((law.payload_type, f"{law.name}/{g711.RATE_HZ}") for law in laws)
    return formats if dtmf is None else (*formats, (dtmf, f"{_DTMF}/{g711.RATE_HZ}"))


def answer_direction(offered: str) -> str:
    """The direction that answers an offered one (RFC 3264 6.1)."""
    return _ANSWER_TO.get(offered, "sendrecv")


def read(text: str) -> Media:
    """Read a description; raise MalformedError where no G.711 audio can be had from it."""
    try:
        message = parse_sdp(text)
    except (ValueError, IndexError) as error:
        raise MalformedError(f"the SDP cannot be read: {error}") from error
    audio = message.audio
    connection = (audio and audio.connection) or message.connection
    if audio is None or connection is None:
        raise MalformedError("the SDP names no audio stream with an address")
    try:
        address = IPv4Address(connection.address)
    except AddressValueError as error:
        raise MalformedError(f"the SDP's address is not IPv4: {connection.address}") from error
    if not 0 <= audio.port <= 0xFFFF:
        raise MalformedError(f"the SDP's port is out of range: {audio.port}")
    direction = _direction(audio, message.attributes)
    return Media(address, audio.port, _law(audio), _dtmf(audio), direction)


def _law(audio: MediaDescription) -> g711.Law:
    """The first G.711 law in the order of the format list."""
    for codec in audio.codecs:
        law = g711.BY_NAME.get(codec.encoding_name.upper())
        if law is not None and codec.payload_type == law.payload_type:
            return law
    raise MalformedError(f"the SDP offers no G.711, only formats {' '.join(audio.formats)}")


def _dtmf(audio: MediaDescription) -> int | None:
    for codec in audio.codecs:
        if codec.encoding_name.lower() == _DTMF and codec.clock_rate == g711.RATE_HZ:
            return codec.payload_type
    return None


def _direction(audio: MediaDescription, session: dict[str, list[str]]) -> str:
    for attributes in (audio.attributes, session):
        for direction in ("sendrecv", "sendonly", "recvonly", "inactive"):
            if direction in attributes:
                return direction
    return "sendrecv"
