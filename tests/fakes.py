"""A model endpoint that fails on purpose: the other side of the agent's HTTP clients."""

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

Mode = Literal["ok", "hang", "error", "garbage", "empty", "slow", "cut"]

# What the fake voice says: a tone, so that a reply can be told from the apology, which is speech.
TONE_HZ = 1000
TONE_S = 1.0
RATE_HZ = 24_000
REPLY = "Yes, we are open on Monday."
SLOW_S = 2.5


@dataclass
class FakeModels:
    """An OpenAI-compatible chat and speech server whose modes can be changed while it runs."""

    llm: Mode = "ok"
    tts: Mode = "ok"
    port: int = 0
    replies: list[str] = field(default_factory=list)  # said instead of REPLY, in order
    filed: str = "{}"  # answered to a question that is not streamed
    tool: tuple[str, str] | None = None  # name and arguments: called instead, for each question
    then: tuple[str, str] | None = None  # called once, after the first result of a tool
    spoken: list[str] = field(default_factory=list)  # what the voice was given
    tones: dict[str, int] = field(default_factory=dict)  # what is said of these words sounds so
    asked: list[list[dict[str, Any]]] = field(default_factory=list)  # messages of each request
    released: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Base URL of both servers."""
        return f"http://127.0.0.1:{self.port}/v1"

    async def chat(self, request: Request) -> Response:
        """POST /v1/chat/completions."""
        body = await request.json()
        self.asked.append(body["messages"])
        if self.llm == "error":
            return JSONResponse({"error": {"message": "out of memory"}}, status_code=500)
        if self.llm == "garbage":
            return Response("<html>502 Bad Gateway</html>", media_type="text/html")
        if not body.get("stream"):
            return await self._whole()
        return StreamingResponse(self._tokens(), media_type="text/event-stream")

    async def _whole(self) -> Response:
        """What control asks after a call."""
        if self.llm == "hang":
            await self.released.wait()
        content = "" if self.llm == "empty" else self.filed
        return JSONResponse({"choices": [{"message": {"role": "assistant", "content": content}}]})

    async def _tokens(self) -> AsyncIterator[str]:
        if self.llm == "hang":
            await self.released.wait()
        if self.llm == "slow":
            await asyncio.sleep(SLOW_S)
        if (called := self._called(self.asked[-1][-1]["role"])) is not None:
            name, arguments = called
            call = {"name": name, "arguments": arguments}
            yield event({"tool_calls": [{"index": 0, "id": "call_1", "type": "function",
                                          "function": call}]})  # fmt: skip
            yield event({}, "tool_calls")
            yield "data: [DONE]\n\n"
            return
        reply = self.replies.pop(0) if self.replies else REPLY
        words = [] if self.llm == "empty" else reply.split(" ")
        for index, word in enumerate(words):
            if self.llm == "cut" and index == 2:
                raise ConnectionResetError("the model server died")
            yield event({"role": "assistant", "content": (" " if index else "") + word})
        yield event({}, "stop")
        yield "data: [DONE]\n\n"

    def _called(self, role: str) -> tuple[str, str] | None:
        """Return the tool that is called after a question, or after a tool's result."""
        if role == "user":
            return self.tool
        called = self.then if role == "tool" else None
        self.then = self.then if called is None else None
        return called

    async def speech(self, request: Request) -> Response:
        """POST /v1/audio/speech."""
        text = (await request.json())["input"]
        self.spoken.append(text)
        if self.tts == "error":
            return JSONResponse({"error": {"message": "no such voice"}}, status_code=500)
        if self.tts == "garbage":
            return Response("not sound", media_type="text/plain")
        # A sentence comes in pieces (voice_agent/clauses.py).
        piece = text.strip()
        hz = next((hz for words, hz in self.tones.items() if piece in words), TONE_HZ)
        return StreamingResponse(self._sound(hz), media_type="audio/pcm")

    async def _sound(self, hz: int) -> AsyncIterator[bytes]:
        if self.tts == "hang":
            await self.released.wait()
        if self.tts == "slow":
            await asyncio.sleep(SLOW_S)
        if self.tts != "empty":
            times = np.arange(int(TONE_S * RATE_HZ)) / RATE_HZ
            yield (8000 * np.sin(2 * np.pi * hz * times)).astype(np.int16).tobytes()


def event(delta: dict[str, Any], finish: str | None = None) -> str:
    """One piece of a streamed answer."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    body = {"id": "fake", "object": "chat.completion.chunk", "created": 0, "model": "fake"}
    return f"data: {json.dumps({**body, 'choices': [choice]})}\n\n"


@contextlib.contextmanager
def serving() -> Iterator[FakeModels]:
    """Run the fake on a free port, in a thread with a loop of its own."""
    fake = FakeModels()
    with listening(fake.chat, fake.speech) as fake.port:
        yield fake


Endpoint = Callable[[Request], Awaitable[Response]]


@contextlib.contextmanager
def listening(chat: Endpoint, speech: Endpoint) -> Iterator[int]:
    """Serve both endpoints of the OpenAI API until left; the port."""
    app = Starlette(
        routes=[
            Route("/v1/chat/completions", chat, methods=["POST"]),
            Route("/v1/audio/speech", speech, methods=["POST"]),
        ]
    )
    config = uvicorn.Config(app, log_level="critical", access_log=False)
    config.timeout_graceful_shutdown = 1
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    # Connections are taken by the kernel from here on, whether uvicorn has begun or not.
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)
