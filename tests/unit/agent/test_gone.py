"""A caller whose leaving was lost ends his call all the same."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from voice_agent import gone


class Room:
    """A room of one, which tells of attributes."""

    def __init__(self) -> None:
        self.remote_participants: dict[str, Any] = {"sip_1": object()}
        self.changed: Any = None

    def on(self, _event: str, handler: Any) -> None:
        self.changed = handler

    def isconnected(self) -> bool:
        return True


class World:
    """One call; `ended` is set when its session is told to end."""

    def __init__(self) -> None:
        self.room, self.ended, self.stops = Room(), asyncio.Event(), []
        ctx: Any = SimpleNamespace(room=self.room, add_shutdown_callback=self.stops.append)
        session: Any = SimpleNamespace(shutdown=self._shutdown)
        gone.watch(ctx, session, "sip_1")

    def _shutdown(self, *, drain: bool) -> None:
        assert not drain  # nobody hears the rest
        self.ended.set()

    def tells(self, status: str, identity: str = "sip_1") -> None:
        self.room.changed({gone.ATTRIBUTE: status}, SimpleNamespace(identity=identity))


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gone, "LEFT_S", 0.01)


async def test_who_hung_up_and_is_still_shown_is_let_go() -> None:
    """livekit-server would keep him for 20 s."""
    world = World()
    world.tells(gone.HUNG_UP)
    await asyncio.wait_for(world.ended.wait(), 5)


@pytest.mark.parametrize(("status", "identity"), [("active", "sip_1"), (gone.HUNG_UP, "sip_warm")])
async def test_others_end_nothing(status: str, identity: str) -> None:
    """A call that is answered, and a colleague who hangs up."""
    world = World()
    world.tells(status, identity)
    await asyncio.sleep(0.05)
    assert not world.ended.is_set()


async def test_who_has_left_has_ended_it_himself() -> None:
    """As a rule; then the session closes by its own way, and a job that ends waits for nothing."""
    world = World()
    world.tells(gone.HUNG_UP)
    world.room.remote_participants.clear()
    await asyncio.sleep(0.05)
    assert not world.ended.is_set()
    world.room.remote_participants["sip_1"] = object()
    world.tells(gone.HUNG_UP)
    for stop in world.stops:
        await stop()
    await asyncio.sleep(0.05)
    assert not world.ended.is_set()
