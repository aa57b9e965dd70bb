"""`voicestack watch-room`: who comes and goes in a room, and what is said, as it happens."""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any

import typer
from livekit import api

from voicestack.cli.frame import FAILED, OK, UNFIT, AsJson, root
from voicestack.cli.rooms import room_of
from voicestack.errors import SettingsError, VoicestackError
from voicestack.office import Office

# Topic of captions (livekit-agents, types.py TOPIC_TRANSCRIPTION).
CAPTIONS = "lk.transcription"
IDENTITY = "watcher"
Tell = Callable[[str, dict[str, Any]], None]


def watch_room(
    room: Annotated[str, typer.Argument(help="name of the room")],
    for_s: Annotated[float, typer.Option("--for", help="seconds; 0: until it closes")] = 0.0,
    as_json: AsJson = False,
) -> None:
    """Watch a room unseen: who joins and leaves, and every sentence as a caption.

    With --json each event is one object on a line of its own.
    Exit code: 0 watched until the end, 1 there is no such room.

    \b
    Examples:
      scripts/watch_room.py call-_+15550100_x8dk2
      scripts/watch_room.py kitchen --for 60 --json
    """

    def tell(event: str, fields: dict[str, Any]) -> None:
        if as_json:
            print(json.dumps({"at": time.time(), "event": event, **fields}), flush=True)
        else:
            words = fields.pop("text", "") or " ".join(f"{k}={v}" for k, v in fields.items())
            print(f"{time.strftime('%H:%M:%S')}  {event:<10} {words}", flush=True)

    try:
        asyncio.run(_watch(Office.of(root()), room, for_s, tell))
    except VoicestackError as error:
        print(error.report(), file=sys.stderr)
        sys.exit(UNFIT if isinstance(error, SettingsError) else FAILED)
    except KeyboardInterrupt:
        pass
    sys.exit(OK)


async def _watch(office: Office, room: str, for_s: float, tell: Tell) -> None:
    # Loads a library of 30 MB: only for those who watch.
    from livekit import rtc
    from livekit.rtc.data_stream import StreamError

    async with office.livekit() as client:
        await room_of(client, room)  # joining would make it
    joined = rtc.Room()
    closed = asyncio.Event()
    tasks: set[asyncio.Task[None]] = set()

    async def caption(reader: Any, identity: str) -> None:
        try:
            text = await reader.read_all()
        except StreamError:  # whoever spoke is gone, and the sentence with him
            return
        if text.strip() and reader.info.attributes.get("lk.transcription_final") != "false":
            tell("said", {"identity": identity, "text": f"{identity}: {text}"})

    def on_captions(reader: Any, identity: str) -> None:
        task = asyncio.create_task(caption(reader, identity))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    joined.register_text_stream_handler(CAPTIONS, on_captions)
    joined.on("participant_connected", lambda who: tell("joined", {"identity": who.identity}))
    joined.on("participant_disconnected", lambda who: tell("left", {"identity": who.identity}))
    joined.on("disconnected", lambda *_: closed.set())
    await joined.connect(office.url.replace("http", "ws"), _token(office, room))
    tell("watching", {"room": room})
    for who in joined.remote_participants.values():
        tell("present", {"identity": who.identity})
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(for_s or None):
            await closed.wait()
            tell("closed", {"room": room})
    await joined.disconnect()


def _token(office: Office, room: str) -> str:
    """Unseen and mute: neither the caller nor the agent learns of it."""
    grants = api.VideoGrants(
        room_join=True, room=room, hidden=True, can_publish=False, can_publish_data=False
    )
    token = api.AccessToken(office.held.livekit_api_key, office.held.livekit_api_secret)
    made = token.with_identity(f"{IDENTITY}-{time.time_ns()}").with_grants(grants)
    return str(made.with_ttl(timedelta(minutes=1)).to_jwt())
