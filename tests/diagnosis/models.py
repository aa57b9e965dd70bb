"""Model servers of the diagnosis tests: they answer properly until they are told not to."""

import asyncio
import contextlib
import io
import wave
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from tests import fakes
from voicestack.diagnosis.legs.thinking import QUESTION
from voicestack.phone import audio
from voicestack.phone.wire.g711 import Samples

RATE_HZ = 24_000
REPLY = "Yes, we are open on Monday."
# "I am sorry, something went wrong on my side": real speech, as long as the probe's sentence.
SPEECH_FILE = Path(__file__).parents[2] / "agent/voice_agent/data/apology.wav"
SPEECH_S = 2.3
SLOW_S = 2.6
STATUS = {"error": 500, "unauthorized": 401, "forbidden": 403, "not-found": 404}


def speech() -> Samples:
    samples, rate_hz = audio.read_wav(SPEECH_FILE)
    return audio.resample(samples, rate_hz, RATE_HZ)[: int(SPEECH_S * RATE_HZ)]


@dataclass
class Models:
    """`llm` and `tts` are modes; a mode that begins with `calls:` spares the probe."""

    llm: str = "ok"
    tts: str = "ok"
    port: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def chat(self, request: Request) -> Response:
        probe = (await request.json())["messages"] == [QUESTION]
        mode = self._mode(self.llm, probe=probe)
        if answer := await self._refusal(mode):
            return answer
        return StreamingResponse(self._tokens(mode), media_type="text/event-stream")

    async def _tokens(self, mode: str) -> AsyncIterator[str]:
        if mode == "cut":
            raise ConnectionResetError("the model server died")
        words = [] if mode == "empty" else REPLY.split(" ")
        for index, word in enumerate(words):
            yield fakes.event({"role": "assistant", "content": (" " if index else "") + word})
        yield fakes.event({}, "stop")
        yield "data: [DONE]\n\n"

    async def speak(self, request: Request) -> Response:
        body = await request.json()
        mode = self._mode(self.tts, probe="opening hours" in body["input"])
        if answer := await self._refusal(mode):
            return answer
        samples = _spoiled(mode)
        if body.get("response_format") == "wav":
            return Response(_wav(samples), media_type="audio/wav")
        return Response(samples.tobytes(), media_type="audio/pcm")

    async def _refusal(self, mode: str) -> Response | None:
        if mode in STATUS:
            return JSONResponse({"error": {"message": mode}}, status_code=STATUS[mode])
        if mode == "page":
            return Response("<html>502 Bad Gateway</html>", media_type="text/html")
        if mode == "hang":
            await self.released.wait()
        if mode == "slow":
            await asyncio.sleep(SLOW_S)
        return None

    @staticmethod
    def _mode(mode: str, *, probe: bool) -> str:
        kind, _, rest = mode.rpartition(":")
        return "ok" if kind == "calls" and probe else rest


def _spoiled(mode: str) -> Samples:
    samples = speech()
    if mode == "empty":
        return samples[:0]
    if mode == "silent":
        return np.zeros_like(samples)
    if mode == "8k":
        return audio.resample(samples, RATE_HZ, 8_000)
    if mode == "48k":
        return audio.resample(samples, RATE_HZ, 48_000)
    if mode == "swapped":
        return samples.byteswap()
    if mode == "float":
        floats = (samples / 32768).astype("<f4").tobytes()
        return np.frombuffer(floats, np.int16).copy()
    return samples


def _wav(samples: Samples) -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(samples.tobytes())
    return made.getvalue()


@contextlib.contextmanager
def serving() -> Iterator[Models]:
    """On a free port, in a thread with a loop of its own."""
    models = Models()
    with fakes.listening(models.chat, models.speak) as models.port:
        yield models
