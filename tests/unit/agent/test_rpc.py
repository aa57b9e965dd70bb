"""A page asks the agent over a real room: only the caller's own, in bounds, and answered."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from livekit import api, rtc
from tests.servers import KEY, SECRET, Servers, binary, servers

from voice_agent import rpc


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    if not binary("livekit-server").exists():
        pytest.skip("livekit-server is not built yet: make setup")
    with servers(tmp_path_factory.mktemp("rpc"), webhook_port=0) as stack:
        stack.start_redis()
        stack.start_livekit()
        yield stack


class Session:
    """What the methods use of a session."""

    agent_state, user_state = "listening", "speaking"

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.said: list[str] = []
        self.closing = False

    async def interrupt(self) -> None:
        if self.closing:
            raise RuntimeError("a notice is spoken")

    def generate_reply(self, *, user_input: str) -> None:
        self.asked.append(user_input)

    async def say(self, text: str, *, allow_interruptions: bool) -> None:
        assert not allow_interruptions
        self.said.append(text)


@pytest.fixture
async def joined(running: Servers) -> AsyncIterator[dict[str, rtc.Room]]:
    """The agent, the caller's page, and somebody else, in one room."""
    rooms = {name: rtc.Room() for name in ("agent", "page", "other")}
    for name, room in rooms.items():
        grants = api.VideoGrants(room_join=True, room="kitchen")
        made = api.AccessToken(KEY, SECRET).with_identity(name).with_grants(grants)
        await room.connect(running.url.replace("http", "ws"), made.to_jwt())
    yield rooms
    for room in rooms.values():
        await room.disconnect()


def asker(room: rtc.Room) -> Callable[..., Any]:
    async def ask(method: str, payload: str = "") -> Any:
        answer = await room.local_participant.perform_rpc(
            destination_identity="agent", method=f"voicestack.{method}", payload=payload
        )
        return json.loads(answer)

    return ask


async def test_what_a_page_may_ask(
    joined: dict[str, rtc.Room], monkeypatch: pytest.MonkeyPatch
) -> None:
    """State, a typed question, the end; too long, too often, not now and not you are refused."""
    session, ended = Session(), asyncio.Event()

    async def hang_up() -> None:
        ended.set()

    monkeypatch.setattr(rpc, "hang_up", hang_up)
    agent = joined["agent"]
    caller = type("Caller", (), {"identity": "page"})
    rpc.serve(type("Job", (), {"room": agent}), session, caller)  # type: ignore[arg-type]
    page, other = asker(joined["page"]), asker(joined["other"])

    async def refused(ask: Callable[..., Any], *question: str) -> int:
        with pytest.raises(rtc.RpcError) as error:
            await ask(*question)
        return int(error.value.code)

    async with asyncio.timeout(30):
        assert await page("state") == {"agent": "listening", "caller": "speaking"}
        assert [await refused(other, each, "x") for each in ("state", "text", "hang_up")] == [
            403
        ] * 3
        assert await refused(page, "text", "x" * (rpc.MOST_TEXT_CHARS + 1)) == 400
        assert await refused(page, "text", "  ") == 400
        assert await page("text", " When are you open? ") == {"taken": True}
        assert await refused(page, "text", "again") == 429
        monkeypatch.setattr(rpc, "TEXT_EVERY_S", 0)
        session.closing = True
        assert await refused(page, "text", "now") == 409
        assert await page("hang_up") == {"ending": True}
        await page("hang_up")
        await ended.wait()
    assert session.asked == ["When are you open?"]
    assert session.said == [rpc.GOODBYE_TEXT]


def test_the_page_is_told_of_every_method() -> None:
    """docs/page.md names them all."""
    text = (Path(__file__).parents[3] / "docs/page.md").read_text()
    for name in ("state", "text", "hang_up"):
        assert f"`voicestack.{name}`" in text
