"""Clips in, telephone samples out; packets in, what was heard out."""

from __future__ import annotations

import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soxr

from voicestack.phone.errors import PhoneError
from voicestack.phone.media import Received, Sent
from voicestack.phone.wire import g711
from voicestack.phone.wire.g711 import RATE_HZ, Samples
from voicestack.phone.wire.rtp import ahead

_BYTES_TO_DTYPE = {1: "u1", 2: "<i2", 4: "<i4"}
# Packets may come this much earlier or later than the sender's clock says before we believe that
# the sender restarted its clock: more than the jitter of a busy machine, less than a pause anyone
# would miss.
_REANCHOR_S = 0.12


def telephone_samples(speech: Path | Samples, rate_hz: int = RATE_HZ) -> Samples:
    """Samples at 8 kHz of a WAV file or of samples at `rate_hz`."""
    if isinstance(speech, Path):
        speech, rate_hz = read_wav(speech)
    return resample(speech, rate_hz, RATE_HZ)


def resample(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    """Convert the rate; clipped, not wrapped, where the filter overshoots."""
    if from_hz == to_hz:
        return samples
    resampled: Samples = soxr.resample(samples, from_hz, to_hz)
    return resampled


def read_wav(path: Path) -> tuple[Samples, int]:
    """Read PCM of 8, 16 or 32 bits; several channels are mixed."""
    try:
        with wave.open(str(path)) as file:
            width, channels, rate_hz = file.getsampwidth(), file.getnchannels(), file.getframerate()
            data = file.readframes(file.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        raise _unusable(path, str(error)) from error
    if width not in _BYTES_TO_DTYPE:
        raise _unusable(path, f"{8 * width}-bit samples")
    raw = np.frombuffer(data, dtype=_BYTES_TO_DTYPE[width]).astype(np.float64)
    full_scale = 2.0 ** (8 * width - 1)
    signed = raw - full_scale if width == 1 else raw
    mono = signed.reshape(-1, channels).mean(axis=1) * (32768 / full_scale)
    return np.clip(np.round(mono), -32768, 32767).astype(np.int16), rate_hz


def _unusable(path: Path, seen: str) -> PhoneError:
    return PhoneError(
        f"{path} cannot be spoken: {seen}",
        hint=f"give a PCM WAV file: ffmpeg -i {path.name} -ac 1 -c:a pcm_s16le speech.wav",
    )


def write_wav(path: Path, channels: Sequence[Samples], rate_hz: int = RATE_HZ) -> None:
    """Write 16-bit PCM, one column a channel; the shorter ones are filled with silence."""
    length = max((len(channel) for channel in channels), default=0)
    table = np.zeros((length, len(channels)), dtype="<i2")
    for column, channel in enumerate(channels):
        table[: len(channel), column] = channel
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(table.tobytes())


def place_received(received: Sequence[Received], start_at: float) -> Samples:
    """The far end's audio on our clock, beginning at `start_at`; lost packets leave silence.

    Within a stream the sender's timestamps place the packets, so jitter does not tear words; a
    packet that arrives far from where its timestamp puts it starts a new stream.
    """
    placed: list[tuple[int, Samples]] = []
    anchor: tuple[int, int, int] | None = None  # ssrc, timestamp, position
    for item in received:
        law = g711.LAWS.get(item.packet.payload_type)
        if law is None:
            continue
        position = arrived = round((item.at - start_at) * RATE_HZ)
        if anchor is not None and anchor[0] == item.packet.ssrc:
            step = (item.packet.timestamp - anchor[1] + 2**31) % 2**32 - 2**31
            if abs(anchor[2] + step - arrived) <= _REANCHOR_S * RATE_HZ:
                position = anchor[2] + step
        anchor = (item.packet.ssrc, item.packet.timestamp, position)
        placed.append((position, law.decode(item.packet.payload)))
    return _lay_out(placed)


def place_sent(sent: Sequence[Sent], start_at: float) -> Samples:
    """The caller's audio on our clock. Frames of one utterance follow each other without gaps."""
    placed: list[tuple[int, Samples]] = []
    following = 0
    for item in sent:
        position = round((item.at - start_at) * RATE_HZ)
        if placed and abs(position - following) <= _REANCHOR_S * RATE_HZ:
            position = following
        following = position + len(item.samples)
        placed.append((position, item.samples))
    return _lay_out(placed)


def _lay_out(placed: Sequence[tuple[int, Samples]]) -> Samples:
    length = max((position + len(samples) for position, samples in placed), default=0)
    track = np.zeros(max(0, length), dtype=np.int16)
    for position, samples in placed:
        cut = max(0, -position)
        start = position + cut
        track[start : start + len(samples) - cut] = samples[cut:]
    return track


def heard_between(received: Sequence[Received], start_at: float, end_at: float | None) -> Samples:
    """What was heard from `start_at` to `end_at` (to the end if None)."""
    inside = [
        item for item in received if item.at >= start_at and (end_at is None or item.at < end_at)
    ]
    return place_received(inside, start_at)


def lost_packets(received: Sequence[Received]) -> int:
    """How many packets never came, judged by gaps in the sequence numbers of each source."""
    lost = 0
    by_source: dict[int, set[int]] = {}
    newest: dict[int, int] = {}
    for item in received:
        ssrc, seq = item.packet.ssrc, item.packet.seq
        extended = newest.get(ssrc, seq)
        extended += ahead(seq, extended & 0xFFFF)
        newest[ssrc] = max(newest.get(ssrc, extended), extended)
        by_source.setdefault(ssrc, set()).add(extended)
    for numbers in by_source.values():
        lost += max(numbers) - min(numbers) + 1 - len(numbers)
    return lost
