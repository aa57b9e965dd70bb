"""What a phone can be told to do wrong, for tests and diagnosis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def _as_it_is(data: bytes) -> bytes:
    return data


@dataclass(frozen=True, slots=True)
class Faults:
    """A healthy phone has none of these."""

    sdp_address: str | None = None  # name another address for audio, as a phone behind NAT does
    formats: tuple[tuple[int, str], ...] | None = None  # offer these, e.g. ((18, "G729/8000"),)
    no_rtp: bool = False  # send no audio
    no_ack: bool = False  # never acknowledge the answer
    mangle_sip: Callable[[bytes], bytes] = _as_it_is  # spoil SIP on its way out
    mangle_rtp: Callable[[bytes], bytes] = _as_it_is  # spoil RTP on its way out
    refer: int = 200  # what becomes of a REFER: told by NOTIFY; 6xx is refused; 0 is not answered
