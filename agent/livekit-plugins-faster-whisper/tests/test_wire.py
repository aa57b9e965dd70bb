"""What goes over the engine's socket."""

import json

import numpy as np
import pytest
from scripted import transcript

from faster_whisper_engine import wire
from faster_whisper_engine.transcriber import Priority, Request


def unpacked(data: bytes) -> tuple[wire.Message, bytes]:
    """Take a message apart as the other end does."""
    size = wire.HEAD.size
    json_bytes, audio_bytes = wire.lengths(data[:size])
    assert len(data) == size + json_bytes + audio_bytes
    return json.loads(data[size : size + json_bytes]), data[size + json_bytes :]


def test_a_request_arrives_as_it_was_sent() -> None:
    """Samples, priority, language and prompt."""
    sent = Request(np.arange(-5, 5, dtype=np.int16), Priority.PREFLIGHT, None, "Ärger, 東京")
    message, audio = unpacked(wire.of_request(7, sent))
    got = wire.to_request(message, audio)
    assert message["id"] == 7
    assert got.samples.tolist() == sent.samples.tolist()
    assert (got.priority, got.language, got.prompt) == (sent.priority, sent.language, sent.prompt)


def test_a_transcript_arrives_as_it_was_sent() -> None:
    """All of it."""
    sent = transcript("Ten of clubs.", language_prob=0.98)
    message, _ = unpacked(wire.of_transcript(1, sent))
    assert wire.to_transcript(message) == sent


def test_a_stranger_is_not_believed() -> None:
    """Lengths beyond any message of ours end the connection."""
    with pytest.raises(wire.WireError):
        wire.lengths(b"GET / HT")
