"""Sound across the media server: two WebRTC clients of kind STANDARD, a tone each way."""

import asyncio
import contextlib
import json
import sys
from dataclasses import dataclass

from livekit import api

from voicestack.diagnosis import rooms
from voicestack.diagnosis.legs.ways import LEG, room_name
from voicestack.diagnosis.model import CannotTellError, Check, Context, Finding, Verdict
from voicestack.diagnosis.webrtc import tones

# A join and a second of sound take 1.5 s; the client's own limits add up to this.
LIMIT_S = 12.0


@dataclass(frozen=True, slots=True)
class Facts:
    """What came of it."""

    joined: bool
    heard_hz: tuple[float | None, ...] = ()
    error: str = ""


async def look(context: Context) -> Facts:
    """Run both clients in a process of their own, which ends with this look."""
    room = room_name()
    held = context.secrets
    tokens = [
        api.AccessToken(held.livekit_api_key, held.livekit_api_secret)
        .with_identity(f"{room}-{who}")
        .with_grants(api.VideoGrants(room_join=True, room=room))
        .to_jwt()
        for who in "ab"
    ]
    asked = {"url": f"ws://127.0.0.1:{context.ports['livekit_http']}", "tokens": tokens}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", tones.__name__, cwd=context.root,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        said, complaint = await process.communicate(json.dumps(asked).encode())
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await rooms.forget(context, room)
    try:
        found = json.loads(said)
    except ValueError as error:
        last = complaint.decode(errors="replace").strip().rpartition("\n")[2]
        raise CannotTellError(f"the WebRTC client ended: {last}") from error
    return Facts(found["joined"], tuple(found["heard_hz"]), found["error"])


def judge(facts: Facts) -> Verdict:
    """Joined, heard, and heard as it was played."""
    if not facts.joined:
        return [Finding("SND001", facts.error or "the client could not join")]
    if all(heard is None for heard in facts.heard_hz):
        return [Finding("SND002", "both clients are in the room, no track of the other came")]
    pairs = list(zip(facts.heard_hz, reversed(tones.TONES_HZ), strict=True))
    if any(not heard for heard, _ in pairs):
        return [Finding("SND002", "a track came, and it is silent")]
    for heard, played in pairs:
        if heard is not None and abs(heard - played) > tones.TOLERANCE_HZ:
            return [Finding("SND099", f"{played:.0f} Hz were played, {heard:.0f} Hz heard")]
    return []


CHECK = Check(
    "sound", LEG, "two clients hear each other", look, judge, needs=("ways",), limit_s=LIMIT_S
)
