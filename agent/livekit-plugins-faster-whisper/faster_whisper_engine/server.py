"""The engine as a process of its own: one model, one private Unix socket, many callers.

The socket appears when the model is loaded. Its folder belongs to this user alone (0700), which is
the whole of its access control.
"""

import asyncio
import contextlib
import json
import os
import signal
import threading
from concurrent.futures import Future
from pathlib import Path

from . import wire
from .scheduler import Scheduler, abandon
from .transcriber import AbandonedError, Transcript


class Connection:
    """One caller's end: several requests at a time, answered as they get done."""

    def __init__(
        self, scheduler: Scheduler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._scheduler, self._reader, self._writer = scheduler, reader, writer
        self._loop = asyncio.get_running_loop()
        self._running: dict[int, Future[Transcript]] = {}

    async def serve(self, hello: wire.Message) -> None:
        """Answer until the caller goes; what he asked for last is given up then."""
        self._writer.write(wire.pack(hello))
        try:
            while True:
                head = await self._reader.readexactly(wire.HEAD.size)
                json_bytes, audio_bytes = wire.lengths(head)
                message = json.loads(await self._reader.readexactly(json_bytes))
                self._answer(message, await self._reader.readexactly(audio_bytes))
        except (asyncio.IncompleteReadError, ConnectionError, wire.WireError):
            pass
        finally:
            for future in self._running.values():
                abandon(future)
            self._writer.close()

    def _answer(self, message: wire.Message, audio: bytes) -> None:
        operation, number = message["op"], message["id"]
        if operation == "transcribe":
            future = self._scheduler.submit(wire.to_request(message, audio))
            self._running[number] = future
            future.add_done_callback(lambda done: self._done_elsewhere(number, done))
        elif operation == "abandon":
            if number in self._running:
                abandon(self._running[number])
        elif operation == "ping":
            self._writer.write(wire.pack({"op": "pong", "id": number}))

    def _done_elsewhere(self, number: int, future: "Future[Transcript]") -> None:
        """Runs in a thread of the scheduler, or in ours."""
        self._loop.call_soon_threadsafe(self._done, number, future)

    def _done(self, number: int, future: "Future[Transcript]") -> None:
        self._running.pop(number, None)
        if self._writer.is_closing() or future.cancelled():
            return
        error = future.exception()
        if error is None:
            self._writer.write(wire.of_transcript(number, future.result()))
        else:
            dropped = isinstance(error, AbandonedError)
            answer = {"op": "error", "id": number, "dropped": dropped, "text": str(error)}
            self._writer.write(wire.pack(answer))


async def serve(path: Path, scheduler: Scheduler, *, model: str, until_stdin_ends: bool) -> None:
    """Listen on `path` until told to stop, or until the process that started us is gone."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    if until_stdin_ends:
        threading.Thread(target=_watch_stdin, args=(loop, stop), daemon=True).start()
    hello = {"op": "hello", "id": 0, "model": model, "pid": os.getpid()}

    async def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(
            asyncio.CancelledError
        ):  # the engine stops; asyncio would complain
            await Connection(scheduler, reader, writer).serve(hello)

    async with await asyncio.start_unix_server(welcome, path):
        await stop.wait()


def _watch_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """The parent holds the other end of our stdin; whatever way he dies, it closes."""
    while os.read(0, 4096):
        pass
    loop.call_soon_threadsafe(stop.set)
