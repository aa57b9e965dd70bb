"""Conversations on the telephone: a real call to the running stack, spoken by its own voice."""

import asyncio
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

from voicestack.lines.desk import Desk
from voicestack.native import calllog
from voicestack.office import Office
from voicestack.phone import Phone, PhoneError, voices
from voicestack.phone.audio import resample
from voicestack.phone.call import Call
from voicestack.phone.wire.g711 import RATE_HZ, Samples
from voicestack.rehearsal.result import Done, Played
from voicestack.rehearsal.scenario import Scenario, ScenarioError, Turn, faults

LOOPBACK = "127.0.0.1"
# A reply waits for a model that may be slow, and for a tool.
REPLY_S = 30.0
# Pauses inside a reply are shorter; a tool may run between two parts of it.
QUIET_S = 2.0

Transcribe = Callable[[Samples], str]


async def play(office: Office, agent: str, scenario: Scenario, transcribe: Transcribe) -> Played:
    """Call the agent's line and hold one conversation."""
    number = number_of(office, agent)
    played = Played(scenario.name, "spoken")
    says = [await _spoken(office, turn.says) if turn.says else None for turn in scenario.turns]
    log = office.settings.state_dir / "logs" / "agent.log"
    begin = log.stat().st_size if log.exists() else 0
    heard: list[tuple[Turn, Samples, list[str]]] = []
    try:
        async with Phone(local_ip=LOOPBACK) as phone:
            call = await phone.dial(number, server=(LOOPBACK, office.ports["sip"]))
            await call.listen()
            for turn, samples in zip(scenario.turns, says, strict=True):
                before = len(tools_called(log, begin))
                reply = await _turn(call, turn, samples)
                heard.append((turn, reply, tools_called(log, begin)[before:]))
    except PhoneError as error:
        played.error = error.report().replace("\n", " ")
    for turn, reply, calls in heard:
        text = await asyncio.to_thread(transcribe, reply) if len(reply) else ""
        found = faults(turn, text, calls)
        played.turns.append(Done(turn.says or f"({turn.keys})", text, calls, found))
    return played


async def _turn(call: Call, turn: Turn, samples: Samples | None) -> Samples:
    if samples is not None:
        await call.say(samples)
    else:
        await call.send_dtmf(turn.keys)
    return (await call.listen(until_quiet_s=QUIET_S, timeout_s=REPLY_S)).samples


async def _spoken(office: Office, text: str) -> Samples:
    settings = office.settings
    url = settings.tts_url or f"http://{LOOPBACK}:{office.ports['tts']}/v1"
    key = settings.tts_api_key_file.read_text().strip() if settings.tts_api_key_file else ""
    model, voice = settings.tts_model, settings.tts_voice
    samples = await voices.speak(url, text, model=model, voice=voice, api_key=key)
    return resample(samples, voices.TTS_RATE_HZ, RATE_HZ)


def tools_called(log: Path, begin: int) -> list[str]:
    """Names of the tools that ran since then; nobody else may call meanwhile."""
    if not log.exists():
        return []
    entries = [each for each in calllog.read(log, begin) if each.phrase == "tool called"]
    return [str(each.fields.get("tool")) for each in entries]


def number_of(office: Office, agent: str) -> str:
    """Return a number of this agent that this machine may call without a password."""
    for line in Desk.of_settings(office.settings).lines:
        open_ = any(
            each == "this-machine" or (not isinstance(each, str) and IPv4Address(LOOPBACK) in each)
            for each in line.sources
        )
        if line.agent == agent and open_ and line.digest is None:
            return line.number
    raise ScenarioError(
        f"no line leads from this machine to {agent}",
        hint=f"add `agent: {agent}` with callers {{from: [this-machine]}} to sip/lines.yaml",
    )
