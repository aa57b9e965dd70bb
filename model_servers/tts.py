"""Piper as an OpenAI-compatible speech server: `python -m model_servers.tts`.

Piper is GPL-3.0-or-later and is imported by this process alone.
"""

import asyncio
import io
import os
import sys
import threading
import uuid
import wave
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import uvicorn
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

# What OpenAI's `pcm` format means: 24 kHz, signed 16 bit, mono.
OUTPUT_RATE_HZ = 24_000
# A spoken reply never comes near this; more is a runaway or an attack.
MAX_INPUT_CHARS = 4000
# A chunk that a caller can start to hear: 100 ms.
CHUNK_SAMPLES = OUTPUT_RATE_HZ // 10
# -40 dBFS: Piper's pauses are far below, the softest first sounds of words above.
LEAD_LEVEL = 328
LEAD_KEPT_SAMPLES = OUTPUT_RATE_HZ // 100

Samples = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class TtsSettings:
    """What the server needs to know; read once from the environment that the runtime gives it."""

    voice_file: Path
    port: int
    workers: int

    @classmethod
    def from_env(cls) -> "TtsSettings":
        """Read TTS_VOICE_FILE, TTS_PORT, TTS_WORKERS."""
        return cls(
            voice_file=Path(os.environ["TTS_VOICE_FILE"]),
            port=int(os.environ["TTS_PORT"]),
            workers=int(os.environ.get("TTS_WORKERS", "2")),
        )


class Voice:
    """One Piper voice, spoken in chunks of 16-bit samples at 24 kHz."""

    def __init__(self, file: Path) -> None:
        from piper import PiperVoice

        self._piper: Any = PiperVoice.load(file)
        self._piper.session = _patient_session(file)
        self._rate_hz = int(self._piper.config.sample_rate)

    def speak(self, text: str, speed: float) -> Iterator[bytes]:
        """Yield PCM as Piper makes it: one chunk run per sentence."""
        from piper import SynthesisConfig

        config = SynthesisConfig(length_scale=1.0 / speed)
        resampler = soxr.ResampleStream(self._rate_hz, OUTPUT_RATE_HZ, 1, dtype="int16")
        spoken = False
        for chunk in self._piper.synthesize(text, syn_config=config):
            samples = resampler.resample_chunk(chunk.audio_int16_array)
            yield from _pieces(samples if spoken else without_lead(samples))
            spoken = True
        yield from _pieces(resampler.resample_chunk(np.zeros(0, np.int16), last=True))


def _patient_session(file: Path) -> Any:
    """Load the network anew, with threads that sleep while they wait.

    ONNX Runtime's spin by default, on cores that are just then wanted by the caller's next words.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def without_lead(samples: Samples) -> Samples:
    """Cut the silence off that Piper begins with: 30 to 60 ms that a caller would wait."""
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > LEAD_LEVEL)
    return samples[max(0, int(loud[0]) - LEAD_KEPT_SAMPLES) :] if len(loud) else samples


def _pieces(samples: Samples) -> Iterator[bytes]:
    for start in range(0, len(samples), CHUNK_SAMPLES):
        yield samples[start : start + CHUNK_SAMPLES].tobytes()


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """The body of POST /v1/audio/speech (OpenAI API reference, "Create speech")."""

    text: str
    speed: float
    audio_format: str

    @classmethod
    def parse(cls, body: Any) -> "SpeechRequest":
        """Raise ValueError with what is wrong and what would be right."""
        if not isinstance(body, dict) or not isinstance(body.get("input"), str):
            raise ValueError("`input` must be the text to speak")
        if len(body["input"]) > MAX_INPUT_CHARS:
            raise ValueError(f"`input` has {len(body['input'])} characters, at most 4000 allowed")
        audio_format = body.get("response_format", "wav")
        if audio_format not in ("pcm", "wav"):
            raise ValueError(f"`response_format` is {audio_format!r}, must be pcm or wav")
        speed = body.get("speed", 1.0)
        if not isinstance(speed, int | float) or not 0.25 <= speed <= 4.0:
            raise ValueError(f"`speed` is {speed!r}, must be 0.25 to 4.0")
        return cls(body["input"], float(speed), audio_format)


class SpeechServer:
    """The HTTP side: one thread pool of speakers, cancelled when the caller stops listening."""

    def __init__(self, voice: Voice, workers: int) -> None:
        self._voice = voice
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="piper")

    async def speech(self, request: Request) -> Response:
        """POST /v1/audio/speech."""
        try:
            wanted = SpeechRequest.parse(await request.json())
        except ValueError as error:
            return JSONResponse({"error": {"message": str(error)}}, status_code=400)
        if wanted.audio_format == "pcm":
            return StreamingResponse(
                self._stream(wanted),
                media_type="audio/pcm",
                # Names the request in the client's logs (OpenAI API, "Debugging requests").
                headers={"X-Request-Id": uuid.uuid4().hex},
            )
        pcm = b"".join([piece async for piece in self._stream(wanted)])
        return Response(_wav(pcm), media_type="audio/wav")

    async def health(self, _: Request) -> Response:
        """GET /health: the voice is loaded before the server listens."""
        return JSONResponse({"status": "ok"})

    async def _stream(self, wanted: SpeechRequest) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        unwanted = threading.Event()

        def put(item: bytes | Exception | None) -> None:
            loop.call_soon_threadsafe(pieces.put_nowait, item)

        def work() -> None:
            try:
                for piece in self._voice.speak(wanted.text, wanted.speed):
                    if unwanted.is_set():
                        return
                    put(piece)
                put(None)
            except Exception as error:
                put(error)

        loop.run_in_executor(self._pool, work)
        try:
            while (item := await pieces.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            unwanted.set()


def _wav(pcm: bytes) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(OUTPUT_RATE_HZ)
        file.writeframes(pcm)
    return buffer.getvalue()


def app(voice: Voice, workers: int) -> Starlette:
    """The application, with the voice warm."""
    server = SpeechServer(voice, workers)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        for _piece in voice.speak("One, two.", 1.0):
            pass
        yield

    return Starlette(
        lifespan=lifespan,
        routes=[
            Route("/v1/audio/speech", server.speech, methods=["POST"]),
            Route("/health", server.health),
        ],
    )


def main() -> int:
    """Serve until SIGTERM; exit 2 when the voice is missing."""
    settings = TtsSettings.from_env()
    if not settings.voice_file.is_file():
        print(f"error: no Piper voice at {settings.voice_file}", file=sys.stderr)
        print("hint: `make setup` fetches it", file=sys.stderr)
        return 2
    server = app(Voice(settings.voice_file), settings.workers)
    uvicorn.run(server, host="127.0.0.1", port=settings.port, log_level="warning", access_log=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
