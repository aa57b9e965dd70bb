"""What goes over the engine's socket: a head of two lengths, JSON, then samples.

Client to engine: `transcribe` (with samples), `abandon`, `ping`. Engine to client: `hello` once,
then `result`, `error` or `pong`, in any order.
"""

import json
import struct
from dataclasses import asdict
from typing import Any

import numpy as np

from .transcriber import Priority, Request, Transcript

HEAD = struct.Struct("!II")
# Both ends are ours; a larger number is a stranger on the socket.
MAX_JSON_BYTES = 64 * 1024
MAX_AUDIO_BYTES = 60 * 16_000 * 2

Message = dict[str, Any]


class WireError(Exception):
    """The other end does not speak this protocol."""


def pack(message: Message, audio: bytes = b"") -> bytes:
    """Make the bytes of one message."""
    text = json.dumps(message).encode()
    return HEAD.pack(len(text), len(audio)) + text + audio


def lengths(head: bytes) -> tuple[int, int]:
    """Read the lengths of JSON and samples."""
    json_bytes, audio_bytes = HEAD.unpack(head)
    if json_bytes > MAX_JSON_BYTES or audio_bytes > MAX_AUDIO_BYTES:
        raise WireError(f"a message of {json_bytes} + {audio_bytes} bytes is not ours")
    return json_bytes, audio_bytes


def of_request(number: int, request: Request) -> bytes:
    """Make the message that asks for a transcript."""
    message = {
        "op": "transcribe",
        "id": number,
        "priority": int(request.priority),
        "language": request.language,
        "prompt": request.prompt,
    }
    return pack(message, request.samples.tobytes())


def to_request(message: Message, audio: bytes) -> Request:
    """Read the message that asks for a transcript."""
    return Request(
        samples=np.frombuffer(audio, np.int16),
        priority=Priority(message["priority"]),
        language=message["language"],
        prompt=message["prompt"],
    )


def of_transcript(number: int, transcript: Transcript) -> bytes:
    """Make the message that answers."""
    return pack({"op": "result", "id": number, "transcript": asdict(transcript)})


def to_transcript(message: Message) -> Transcript:
    """Read the answer."""
    return Transcript(**message["transcript"])
