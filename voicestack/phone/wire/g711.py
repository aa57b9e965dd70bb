"""G.711:

16-bit samples to mu-law and A-law bytes and back, as numpy table look-ups (ITU-T G.711).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]

RATE_HZ = 8000
# RFC 3551 4.2: 20 ms is the default packet time of telephony.
FRAME_S = 0.02
FRAME_SAMPLES = 160

# ITU-T G.191 software tools, ulaw_compress: the bias that makes the segments of mu-law start at
# powers of two.
_ULAW_BIAS = 0x84


def _ulaw_decode(byte: int) -> int:
    byte = ~byte & 0xFF
    magnitude = (((byte & 0x0F) << 3) + _ULAW_BIAS) << ((byte >> 4) & 7)
    return _ULAW_BIAS - magnitude if byte & 0x80 else magnitude - _ULAW_BIAS


def _alaw_decode(byte: int) -> int:
    byte ^= 0x55  # G.711 table 1a: even bits are inverted on the line
    segment, step = (byte >> 4) & 7, (byte & 0x0F) << 4
    magnitude = step + 8 if segment == 0 else (step + 0x108) << (segment - 1)
    return magnitude if byte & 0x80 else -magnitude


def _encode_table(decoded: Samples, decode: Callable[[int], int]) -> npt.NDArray[np.uint8]:
    """For each 16-bit sample the byte whose decoded value lies nearest."""
    # Where two bytes decode alike (mu-law has +0 and -0) the positive one wins, as encoders do.
    order = sorted(range(256), key=lambda byte: (decode(byte), byte))
    levels = decoded[order].astype(np.int32)
    unique, last = np.unique(levels[::-1], return_index=True)
    byte_of = np.array(order[::-1], dtype=np.uint8)[last]
    middles = (unique[1:] + unique[:-1] + 1) // 2
    samples = np.arange(-32768, 32768)
    nearest = byte_of[np.searchsorted(middles, samples, side="right")]
    return np.roll(nearest, -32768)  # indexed by the sample's two's complement


@dataclass(frozen=True, slots=True, eq=False)
class Law:
    """One of the two companding laws."""

    name: str
    payload_type: int  # RFC 3551 table 4
    silence: int
    _decode: Samples
    _encode: npt.NDArray[np.uint8]

    def encode(self, samples: Samples) -> bytes:
        """Compress samples to one byte each."""
        return self._encode[samples.view(np.uint16)].tobytes()

    def decode(self, payload: bytes) -> Samples:
        """Expand bytes to samples."""
        return self._decode[np.frombuffer(payload, dtype=np.uint8)]


def _law(name: str, payload_type: int, decode: Callable[[int], int]) -> Law:
    decoded = np.array([decode(byte) for byte in range(256)], dtype=np.int16)
    encoded = _encode_table(decoded, decode)
    return Law(name, payload_type, int(encoded[0]), decoded, encoded)


PCMU = _law("PCMU", 0, _ulaw_decode)
PCMA = _law("PCMA", 8, _alaw_decode)
LAWS = {law.payload_type: law for law in (PCMU, PCMA)}
BY_NAME = {law.name: law for law in (PCMU, PCMA)}
