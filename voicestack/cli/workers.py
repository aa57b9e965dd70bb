"""`voicestack workers`, `voicestack agents`: who answers, and how the calls are."""

import time
from collections.abc import Iterable
from typing import Any

from livekit import api
from livekit.protocol.models import ParticipantInfo

from voicestack.cli.frame import FAILED, OK, Answer, AsJson, Watch, ask, table
from voicestack.lines.desk import Desk
from voicestack.lines.wanted import called_number
from voicestack.office import Office


def list_workers(as_json: AsJson = False, watch: Watch = False) -> None:
    """List the workers: agent, version, host, calls, since when.

    livekit-server has no list of workers: this is what they tell `control`, and one that died stays
    listed for ten minutes. Exit code: 0 at least one is alive, 1 none is.

    \b
    Examples:
      scripts/list_workers.py
      scripts/list_workers.py --json | jq '.workers[] | select(.alive)'
    """

    async def act(office: Office) -> Answer:
        data = await office.control("/workers")
        workers = data["workers"]
        code = OK if any(each["alive"] for each in workers) else FAILED
        headers = ["agent", "version", "host", "calls", "up", "state", "worker"]
        text = table(headers, [_row(each) for each in workers], empty="no worker was heard")
        return Answer(data, text, code, data["attention"])

    ask(act, as_json=as_json, watch=watch)


def check_agent_status(as_json: AsJson = False, watch: Watch = False) -> None:
    """Show the calls that are up, and whether every line has a worker with a free place.

    Exit code: 0 every agent of the lines file has a worker, 1 one has none.

    \b
    Examples:
      scripts/check_agent_status.py --watch
      scripts/check_agent_status.py --json | jq .capacity
    """
    ask(_status, as_json=as_json, watch=watch)


async def _status(office: Office) -> Answer:
    desk = Desk.of_settings(office.settings)
    known = await office.control("/workers")
    talks = (await office.control("/talks"))["talks"]
    calls = await _calls(office, talks)
    alive = [each for each in known["workers"] if each["alive"]]
    wanted = {line.worker or line.agent for line in desk.lines}
    agents = {
        name: {
            "workers": sum(each["agent"] == name for each in alive),
            "capacity": _capacity(each for each in alive if each["agent"] == name),
            "calls": sum(each["calls"] for each in alive if each["agent"] == name),
        }
        for name in sorted(wanted | {each["agent"] for each in alive})
    }
    missing = sorted(name for name in wanted if not agents[name]["workers"])
    data: dict[str, Any] = {
        "calls": calls,
        "agents": agents,
    }
    data["capacity"] = sum(each["capacity"] for each in agents.values())
    data["free"] = sum(max(0, each["capacity"] - each["calls"]) for each in agents.values())
    attention = [*known["attention"], *(f"no worker is there for {name}" for name in missing)]
    return Answer(data, _text(data), FAILED if missing else OK, attention)


def _capacity(workers: Iterable[dict[str, Any]]) -> int:
    """Two workers of one machine, as a deploy has them, share its lines."""
    hosts: dict[str, int] = {}
    for each in workers:
        hosts[each["host"]] = max(hosts.get(each["host"], 0), each["capacity"])
    return sum(hosts.values())


async def _calls(office: Office, talks: dict[str, Any]) -> list[dict[str, Any]]:
    calls = []
    async with office.livekit() as client:
        for room in (await client.room.list_rooms(api.ListRoomsRequest())).rooms:
            request = api.ListParticipantsRequest(room=room.name)
            people = (await client.room.list_participants(request)).participants
            calls += [_call(room.name, each, talks) for each in people if _calls_us(each)]
    return calls


def _calls_us(who: ParticipantInfo) -> bool:
    return who.kind in {ParticipantInfo.Kind.SIP, ParticipantInfo.Kind.STANDARD}


def _call(room: str, who: ParticipantInfo, talks: dict[str, Any]) -> dict[str, Any]:
    talk = talks.get(room, {})
    return {
        "room": room,
        "number": who.attributes.get("sip.trunkPhoneNumber") or called_number(room) or None,
        "agent": talk.get("agent"),
        "seconds": max(0, round(time.time() - who.joined_at)),
        "state": who.attributes.get("sip.callStatus") or "active",
        "last_turn_ms": talk.get("last_turn", {}).get("total_ms"),
    }


def _text(data: dict[str, Any]) -> str:
    rows = [
        [c["number"], c["agent"], c["seconds"], c["state"], c["last_turn_ms"], c["room"]]
        for c in data["calls"]
    ]
    headers = ["number", "agent", "seconds", "state", "turn ms", "room"]
    calls = table(headers, rows, empty="no calls")
    agents = [[name, a["workers"], a["calls"], a["capacity"]] for name, a in data["agents"].items()]
    summary = table(["agent", "workers", "calls", "capacity"], agents, empty="no agents")
    return f"{calls}\n\n{summary}\n{data['free']} of {data['capacity']} lines are free"


def _row(worker: dict[str, Any]) -> list[object]:
    state = "draining" if worker["draining"] else "alive"
    if not worker["on_duty"]:
        state = "draining" if worker["calls"] else "standby"
    return [
        worker["agent"],
        worker["version"],
        worker["host"],
        f"{worker['calls']}/{worker['capacity']}",
        f"{worker['up_s'] // 60} min",
        state if worker["alive"] else f"gone {worker['heard_s_ago']:.0f} s ago",
        worker["worker"],
    ]
