"""`voicestack calls`, `dispatch`, `hangup`: what was, who comes, what ends."""

import asyncio
import time
from typing import Annotated, Any
from urllib.parse import quote

import typer
from livekit import api
from livekit.protocol.models import ParticipantInfo

from voicestack.cli.export import export
from voicestack.cli.frame import (
    FAILED,
    OK,
    Answer,
    AsJson,
    UsageError,
    ask,
    group,
    metadata,
    table,
)  # fmt: skip
from voicestack.cli.recording import recording
from voicestack.cli.rooms import participants_of, room_of
from voicestack.lines.wanted import request_for
from voicestack.office import Office

LOOK_S = 0.05

app = group("""Show the call history.

\b
Examples:
  scripts/calls.py list --limit 50
  scripts/calls.py list --outcome message
  scripts/calls.py export --format csv > calls.csv
  scripts/calls.py show SCL_krGFbvaZouvF --json""")


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="how many, newest first")] = 20,
    outcome: Annotated[str, typer.Option(help="only these, such as message (CALL_SUMMARY)")] = "",
    as_json: AsJson = False,
) -> None:
    """List the newest calls: when, line, caller, agent, result, outcome, seconds, median turn."""

    async def act(office: Office) -> Answer:
        data = await office.control(f"/calls?limit={limit}&outcome={quote(outcome)}")
        headers = ["at", "line", "caller", "agent", "result", "outcome", "s", "turns", "ms"]
        text = table(headers, [_row(each) for each in data["calls"]], empty="no calls yet")
        return Answer(data, text)

    ask(act, as_json=as_json)


@app.command()
def show(
    call: Annotated[str, typer.Argument(help="id of the call (SCL_…) or its room")],
    as_json: AsJson = False,
) -> None:
    """Show one call: each turn's latencies, and the words if they are kept."""

    async def act(office: Office) -> Answer:
        data = await office.control(f"/calls/{call}")
        lines = [table(["field", "value"], [[k, data[k]] for k in FIELDS], empty="")]
        names = ["stt_ms", "turn_ms", "llm_first_token_ms", "tts_first_audio_ms", "total_ms"]
        turns = [[turn.get(name) for name in names] for turn in data["turns"]]
        lines.append(table([n.removesuffix("_ms") for n in names], turns, empty="no turns"))
        tools = [[t["name"], "ok" if t["ok"] else "failed", t["ms"]] for t in data["tools"]]
        lines.append(table(["tool", "went", "ms"], tools, empty="no tools"))
        lines += [f"{each['role']:<10} {each['text']}" for each in data["words"]]
        return Answer(data, "\n".join(lines))

    ask(act, as_json=as_json)


FIELDS = (
    *("room", "call", "direction", "line", "caller", "agent", "version", "agents"),
    *("result", "outcome", "summary"),
)
app.command()(export)
app.command()(recording)


def dispatch(
    room: Annotated[str, typer.Argument(help="name of the room; made if it is not there")],
    agent: Annotated[str, typer.Option(help="name of the agent")] = "receptionist",
    worker: Annotated[str, typer.Option(help="the worker that hosts it; default: ours")] = "",
    meta: Annotated[str, typer.Option("--metadata", help="JSON that the agent gets")] = "",
    wait_s: Annotated[float, typer.Option(help="how long the agent may take to come")] = 5.0,
    as_json: AsJson = False,
) -> None:
    """Send an agent into a room and wait until it is there.

    Exit code: 0 it came, 1 it did not.

    \b
    Examples:
      scripts/dispatch.py kitchen
      scripts/dispatch.py kitchen --agent sales --metadata '{"customer": 17}' --json
    """

    async def act(office: Office) -> Answer:
        asked = request_for(agent, worker or office.settings.agent_name, metadata(meta))
        request = api.CreateAgentDispatchRequest(
            agent_name=asked.agent_name, room=room, metadata=asked.metadata
        )
        started = time.monotonic()
        async with office.livekit() as client:
            made = await client.agent_dispatch.create_dispatch(request)
            came = await _comes(client, room, made.id, wait_s)
        took_ms = round(1000 * (time.monotonic() - started))
        data = {"dispatch": made.id, "room": room, "agent": agent, "came": came, "took_ms": took_ms}
        text = f"{agent} is in {room} after {took_ms} ms" if came else "no agent came"
        why = [] if came else [f"no {agent} came in {wait_s:g} s; `scripts/list_workers.py` tells"]
        return Answer(data, text, OK if came else FAILED, why)

    ask(act, as_json=as_json)


async def _comes(client: api.LiveKitAPI, room: str, dispatch_id: str, wait_s: float) -> bool:
    """Wait until the agent of this dispatch is among those in the room."""
    try:
        async with asyncio.timeout(wait_s):
            while True:
                dispatches = await client.agent_dispatch.list_dispatch(room)
                ours = {
                    job.state.participant_identity
                    for each in dispatches
                    if each.id == dispatch_id
                    for job in each.state.jobs
                }
                request = api.ListParticipantsRequest(room=room)
                people = (await client.room.list_participants(request)).participants
                if ours & {p.identity for p in people if p.kind == ParticipantInfo.Kind.AGENT}:
                    return True
                await asyncio.sleep(LOOK_S)  # the API tells of no events
    except TimeoutError:
        return False


def hangup(
    room: Annotated[str, typer.Argument(help="room of the call")] = "",
    all_: Annotated[bool, typer.Option("--all", help="every call that is up")] = False,
    as_json: AsJson = False,
) -> None:
    """End a call, or all of them; phones hear it at once.

    Exit code: 0 ended, also if none was up with --all; 1 there is no such call.

    \b
    Examples:
      scripts/hangup.py call-_+15550100_x8dk2
      scripts/hangup.py --all --json
    """

    async def act(office: Office) -> Answer:
        if bool(room) == all_:
            raise UsageError("give a room, or --all", hint="`scripts/rooms.py list` shows them")
        async with office.livekit() as client:
            rooms = [room] if room else await _rooms_with_phones(client)
            for each in rooms:
                await room_of(client, each)
                await client.room.delete_room(api.DeleteRoomRequest(room=each))
        text = f"ended: {', '.join(rooms)}" if rooms else "no call was up"
        return Answer({"ended": rooms}, text)

    ask(act, as_json=as_json)


async def _rooms_with_phones(client: api.LiveKitAPI) -> list[str]:
    rooms = [each.name for each in (await client.room.list_rooms(api.ListRoomsRequest())).rooms]
    sip = ParticipantInfo.Kind.SIP
    return [
        each for each in rooms if any(p.kind == sip for p in await participants_of(client, each))
    ]


def _row(call: dict[str, Any]) -> list[object]:
    totals = sorted(turn["total_ms"] for turn in call["turns"] if "total_ms" in turn)
    end = call["ended_at"] or time.time()
    return [
        time.strftime("%m-%d %H:%M:%S", time.localtime(call["started_at"])),
        call["line"],
        call["caller"],
        call["agent"],
        call["result"] or "up",
        call["outcome"],
        round(end - call["started_at"]),
        len(call["turns"]),
        totals[len(totals) // 2] if totals else None,
    ]
