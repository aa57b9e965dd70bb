"""The shared engine, seen from a job: over its socket, with a model of our own as last resort."""

import asyncio
import itertools
import json
import time
from pathlib import Path

from faster_whisper_engine import wire
from faster_whisper_engine.transcriber import Priority, Request, Transcript

from .engine import Engine, EngineError
from .log import logger

# The supervisor has a new engine up within two seconds on an idle machine; a caller who waits
# longer believes that the line is dead.
HEAL_S = 4.0
RETRY_S = 0.1
# After that a job decodes by itself, and asks this often whether the engine is back.
ABSENCE_S = 10.0
# The engine's loop answers a ping in a millisecond, however much is being decoded.
PING_S = 1.0
SILENCE_S = 3.0
HELLO_S = 1.0


class _GoneError(Exception):
    """The engine cannot be reached, or went away while it had our request."""


class RemoteEngine:
    """Asks the shared engine; outlives its death."""

    def __init__(self, path: Path, *, model: str, fallback: Engine) -> None:
        self._path, self._model, self._fallback = path, model, fallback
        self._link: _Link | None = None
        self._lock: asyncio.Lock | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._absent_until_s = 0.0
        self._other_model = False

    def prewarm(self) -> None:
        """Nothing to do: the engine has loaded its model before its socket appears."""

    async def transcribe(self, request: Request) -> Transcript:
        """Write down one stretch of speech, wherever that is possible now."""
        began_s = time.monotonic()
        while not self._other_model and time.monotonic() >= self._absent_until_s:
            try:
                found = await (await self._connected()).ask(request)
            except _GoneError as error:
                if request.priority is Priority.INTERIM:
                    raise EngineError(str(error)) from error
                self._note_absence(time.monotonic() - began_s, error)
                await asyncio.sleep(RETRY_S)
            else:
                self._absent_until_s = 0.0
                return found
        return await self._fallback.transcribe(request)

    def _note_absence(self, waited_s: float, error: _GoneError) -> None:
        """Wait a while for the engine's return; then, or if it was gone before, do without."""
        if self._absent_until_s == 0.0 and waited_s < HEAL_S:
            return
        if self._absent_until_s == 0.0:
            logger.warning(
                "shared whisper engine does not answer, decoding in this process",
                extra={"socket": str(self._path), "error": str(error)},
            )
        self._absent_until_s = time.monotonic() + ABSENCE_S

    async def _connected(self) -> "_Link":
        loop = asyncio.get_running_loop()
        if self._loop is not loop or self._lock is None:
            # A job has one loop; tests and thread executors bring others.
            self._loop, self._lock, self._link = loop, asyncio.Lock(), None
        async with self._lock:
            if self._link is None or self._link.gone:
                self._link = await _Link.open(self._path)
                self._other_model = self._link.model != self._model
                if self._other_model:
                    logger.warning(
                        "shared whisper engine has another model, decoding in this process",
                        extra={"shared": self._link.model, "wanted": self._model},
                    )
                    raise _GoneError("another model")
            return self._link


class _Link:
    """One connection, on one event loop."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, model: str
    ) -> None:
        self._reader, self._writer, self.model = reader, writer, model
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Transcript]] = {}
        self._heard_s = time.monotonic()
        self.gone = False
        self._task = asyncio.create_task(self._listen(), name="whisper-engine-link")

    @classmethod
    async def open(cls, path: Path) -> "_Link":
        """Connect and wait for the engine's hello."""
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(HELLO_S):
                reader, writer = await asyncio.open_unix_connection(path)
                hello, _ = await _receive(reader)
        except (OSError, EOFError, TimeoutError, wire.WireError) as error:
            if writer is not None:
                writer.close()
            raise _GoneError(f"no engine on {path}: {error or type(error).__name__}") from error
        logger.debug("connected to whisper engine", extra={"pid": hello["pid"]})
        return cls(reader, writer, hello["model"])

    async def ask(self, request: Request) -> Transcript:
        """Send a request and wait; the engine is given up when it falls silent."""
        number = next(self._numbers)
        future: asyncio.Future[Transcript] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._heard_s = time.monotonic()
        self._writer.write(wire.of_request(number, request))
        try:
            while not (await asyncio.wait({future}, timeout=PING_S))[0]:
                if time.monotonic() - self._heard_s > SILENCE_S:
                    self._lose("the engine fell silent")
                else:
                    self._writer.write(wire.pack({"op": "ping", "id": number}))
            return future.result()
        finally:
            if not future.done() and not self.gone:
                self._writer.write(wire.pack({"op": "abandon", "id": number}))
            self._waiting.pop(number, None)

    async def _listen(self) -> None:
        try:
            while True:
                message, _ = await _receive(self._reader)
                self._heard_s = time.monotonic()
                self._hear(message)
        except (OSError, EOFError, wire.WireError) as error:
            self._lose(f"the engine went away: {error or type(error).__name__}")

    def _hear(self, message: wire.Message) -> None:
        future = self._waiting.get(message["id"])
        if future is None or future.done():
            return
        if message["op"] == "result":
            future.set_result(wire.to_transcript(message))
        elif message["op"] == "error":
            reason = "dropped, it is behind" if message["dropped"] else message["text"]
            future.set_exception(EngineError(f"whisper engine: {reason}"))

    def _lose(self, reason: str) -> None:
        self.gone = True
        self._writer.close()
        self._task.cancel()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(_GoneError(reason))


async def _receive(reader: asyncio.StreamReader) -> tuple[wire.Message, bytes]:
    json_bytes, audio_bytes = wire.lengths(await reader.readexactly(wire.HEAD.size))
    message: wire.Message = json.loads(await reader.readexactly(json_bytes))
    return message, await reader.readexactly(audio_bytes)
