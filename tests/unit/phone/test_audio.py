"""Clips, resampling, and the stereo recording."""

import struct
import wave
from pathlib import Path

import numpy as np
import pytest

from voicestack.phone import PhoneError, audio
from voicestack.phone.media import Received, Sent
from voicestack.phone.wire import g711, rtp

LOUD = np.full(160, 8000, np.int16)


def packet(at: float, seq: int, timestamp: int, *, ssrc: int = 1, payload_type: int = 0):
    payload = g711.PCMU.encode(LOUD)
    return Received(at, rtp.Packet(payload_type, seq, timestamp % 2**32, ssrc, payload))


def loud_spans(track: np.ndarray) -> list[tuple[int, int]]:
    """Where the track is not silent, as (start, end)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (track != 0).astype(int), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def test_jitter_does_not_tear_words() -> None:
    """Packets of one stream lie end to end, whenever they came within reason."""
    arrivals = [10.0, 10.035, 10.041, 10.061, 10.13]
    received = [packet(at, n, 2**32 - 200 + 160 * n) for n, at in enumerate(arrivals)]
    assert loud_spans(audio.place_received(received, 9.0)) == [(8000, 8000 + 5 * 160)]


def test_lost_and_reordered_packets() -> None:
    """What is lost is silence; what comes late goes where it belongs."""
    received = [packet(10.0 + 0.02 * n, n, 160 * n) for n in (0, 1, 4, 3)]
    spans = loud_spans(audio.place_received(received, 10.0))
    assert spans == [(0, 320), (480, 800)]
    assert audio.lost_packets(received) == 1


def test_a_sender_that_restarts_its_clock() -> None:
    """Then the time of arrival decides."""
    received = [packet(1.0, 1, 160), packet(3.0, 2, 99_000_000), packet(5.0, 9, 0, ssrc=2)]
    starts = [start for start, _ in loud_spans(audio.place_received(received, 1.0))]
    assert starts == [0, 16000, 32000]


def test_packets_from_before_the_recording() -> None:
    """Early media is cut off at the start, not wrapped to the end."""
    received = [packet(0.99, 1, 0), packet(1.01, 2, 160)]
    assert loud_spans(audio.place_received(received, 1.0)) == [(0, 80 + 160)]


def test_keys_are_not_audio() -> None:
    """Telephone events leave no sound in the recording."""
    assert len(audio.place_received([packet(1.0, 1, 0, payload_type=101)], 1.0)) == 0


def test_both_sides_of_a_recording_are_aligned(tmp_path: Path) -> None:
    """Left the caller as sent, right the agent as received, on one clock."""
    sent = [Sent(5.0 + 0.02 * n + 0.003 * (n % 2), LOUD) for n in range(5)]
    sent += [Sent(7.0, LOUD)]
    received = [packet(6.0 + 0.02 * n, n, 160 * n) for n in range(5)]
    left = audio.place_sent(sent, 5.0)
    right = audio.place_received(received, 5.0)
    audio.write_wav(tmp_path / "new folder" / "call.wav", [left, right])
    with wave.open(str(tmp_path / "new folder" / "call.wav")) as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (2, 8000, 2)
        table = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    assert loud_spans(table[:, 0]) == [(0, 800), (16000, 16160)]
    assert loud_spans(table[:, 1]) == [(8000, 8800)]


def test_lost_packets_across_the_wrap() -> None:
    """65535 is followed by 0, copies count once, sources are told apart."""
    received = [packet(0.0, seq, 0) for seq in (65533, 65535, 0, 0, 2)]
    received += [packet(0.0, 500, 0, ssrc=2), packet(0.0, 501, 0, ssrc=2)]
    assert audio.lost_packets(received) == 2
    assert audio.lost_packets([]) == 0


@pytest.mark.parametrize(
    ("width", "frames"),
    [
        (1, struct.pack("4B", 128, 255, 0, 128)),
        (2, struct.pack("<4h", 0, 32512, -32768, 0)),
        (4, struct.pack("<4i", 0, 32512 << 16, -(2**31), 0)),
    ],
)
def test_wav_files_of_any_width(tmp_path: Path, width: int, frames: bytes) -> None:
    """8, 16 and 32 bits mean the same."""
    path = tmp_path / "clip.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(width)
        file.setframerate(8000)
        file.writeframes(frames)
    samples, rate = audio.read_wav(path)
    assert (list(samples), rate) == ([0, 32512, -32768, 0], 8000)


def test_channels_are_mixed_and_rates_converted(tmp_path: Path) -> None:
    """A stereo file at 48 kHz becomes telephone samples of the same length in time."""
    tone = (8000 * np.sin(2 * np.pi * 400 * np.arange(48000) / 48000)).astype(np.int16)
    audio.write_wav(tmp_path / "clip.wav", [tone, tone], 48000)
    samples = audio.telephone_samples(tmp_path / "clip.wav")
    assert len(samples) == pytest.approx(8000, abs=2)
    assert np.sqrt(np.mean(samples.astype(float) ** 2)) == pytest.approx(8000 / 2**0.5, rel=0.02)


@pytest.mark.parametrize("content", [None, b"", b"RIFF", b"text, not sound"])
def test_files_that_cannot_be_spoken(tmp_path: Path, content: bytes | None) -> None:
    """The error names the file and the way to convert it."""
    path = tmp_path / "clip.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PhoneError, match=r"clip\.wav cannot be spoken") as caught:
        audio.read_wav(path)
    assert "ffmpeg" in caught.value.hint
