"""Faults of calls: phones, carriers, the gateway itself, and the job that answers."""

import asyncio
import contextlib
import os
import re
import signal
import socket
from collections.abc import AsyncIterator, Callable

from livekit import api
from livekit.protocol.sip import (
    CreateSIPOutboundTrunkRequest,
    CreateSIPParticipantRequest,
    DeleteSIPTrunkRequest,
    ListSIPDispatchRuleRequest,
    SIPDispatchRuleInfo,
    SIPOutboundTrunkInfo,
)

from tests.calls import world
from tests.diagnosis import calls, faults
from tests.diagnosis.faults import Fault
from tests.diagnosis.patient import Patient
from voicestack.diagnosis import evidence, logs
from voicestack.diagnosis.webrtc.signal import Door, joined
from voicestack.native.supervisor import Supervisor
from voicestack.phone import Phone, PhoneError
from voicestack.phone.faults import Faults
from voicestack.phone.wire.sip import Dialog

# A carrier's answer to an INVITE of ours (RFC 3261 21.4.4).
FORBIDDEN = 403
FOREIGN = "+15105550123"


# -- the gateway, started otherwise than its file says


def started_with(pattern: str, text: str) -> Fault:
    """livekit-sip runs with something else; its file was put back afterwards."""

    @contextlib.asynccontextmanager
    async def broken(patient: Patient) -> AsyncIterator[None]:
        path = patient.stack.paths.config / "sip.yaml"
        before = path.read_text()
        after = re.sub(pattern, text, before)
        assert after != before, "the configuration reads otherwise now"
        with Supervisor(patient.stack.paths) as supervisor:
            try:
                path.write_text(after)
                await restarted(patient, supervisor)
                path.write_text(before)
                yield
            finally:
                path.write_text(before)
                await restarted(patient, supervisor)

    return broken


async def restarted(patient: Patient, supervisor: Supervisor) -> None:
    """livekit-sip, stopped and started."""
    await asyncio.to_thread(faults.stop_service, supervisor, "sip")
    supervisor.start_service("sip")
    await asyncio.to_thread(patient.up)


@contextlib.asynccontextmanager
async def second_gateway(patient: Patient) -> AsyncIterator[None]:
    """Another livekit-sip, of nobody's, has the port of ours."""
    async with faults.stopped("sip")(patient):
        paths = patient.stack.paths
        with (patient.folder / "second.log").open("wb") as log:
            second = await asyncio.create_subprocess_exec(
                paths.binary("livekit-sip"), "--config", str(paths.config / "sip.yaml"),
                stdout=log, stderr=log, env={"PATH": os.environ["PATH"]},
            )  # fmt: skip
        try:
            await until_it_answers(patient)
            yield
        finally:
            second.kill()
            await second.wait()


async def until_it_answers(patient: Patient) -> None:
    async with asyncio.timeout(20), Phone() as phone:
        while True:
            with contextlib.suppress(PhoneError):
                await phone.options(world.server(patient.stack))
                return
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def no_port_for_audio(patient: Patient) -> AsyncIterator[None]:
    """Every port of the gateway's range is in use."""
    with contextlib.ExitStack() as held:
        for port in patient.stack.ports.range("sip_rtp"):
            taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            held.callback(taken.close)
            with contextlib.suppress(OSError):  # a call that has just ended still has one
                taken.bind(("0.0.0.0", port))
        yield


# -- what calls do


async def place_without_port(patient: Patient) -> None:
    async with no_port_for_audio(patient):
        await calls.place(patient, world.NUMBER, "plain")


async def register(patient: Patient) -> None:
    """A softphone that registers, at the port that takes calls."""
    async with Phone(user="desk") as phone:
        server = world.server(patient.stack)
        dialog = Dialog.outgoing(user="desk", number="desk", server=server, contact=phone.address)
        answer = await phone.begin(dialog.request("REGISTER"), server).final_response()
        assert answer.response.status_code == 405


async def never_acknowledged(patient: Patient) -> None:
    """The address in the answer's Contact leads nowhere: no ACK comes, and no audio either."""
    async with written_down(patient), Phone(faults=Faults(no_ack=True, no_rtp=True)) as phone:
        call = await phone.dial(world.NUMBER, server=world.server(patient.stack))
        async with asyncio.timeout(30):
            await call.ended.wait()


async def muted(patient: Patient) -> None:
    """A phone whose user is muted: it stops to send."""
    impatient = started_with("media_timeout: 15s", "media_timeout: 2s")
    async with impatient(patient), written_down(patient), Phone() as phone:
        call = await faults.until_answered(patient, phone)
        await call.first_audio(timeout_s=10)
        call.media.held = True  # no silence is sent either
        async with asyncio.timeout(20):
            await call.ended.wait()


async def carrier_refuses(patient: Patient) -> None:
    """A call of ours, to a carrier that does not know our number."""
    async with Phone(takes_calls=True) as carrier, faults.client(patient) as livekit:
        host, port = carrier.address
        trunk = SIPOutboundTrunkInfo(
            name="carrier", address=f"{host}:{port}", numbers=["+15550100"]
        )
        made = await livekit.sip.create_outbound_trunk(CreateSIPOutboundTrunkRequest(trunk=trunk))
        asked = CreateSIPParticipantRequest(
            sip_trunk_id=made.sip_trunk_id, sip_call_to=FOREIGN, room_name="out",
            participant_identity="callee", wait_until_answered=True,
        )  # fmt: skip
        try:
            dialing = asyncio.create_task(livekit.sip.create_sip_participant(asked, timeout=20))
            (await carrier.incoming_call()).refuse(FORBIDDEN)
            with contextlib.suppress(api.ServerError):
                await dialing
        finally:
            await livekit.sip.delete_trunk(DeleteSIPTrunkRequest(sip_trunk_id=made.sip_trunk_id))
            with contextlib.suppress(api.ServerError):
                await livekit.room.delete_room(api.DeleteRoomRequest(room="out"))


async def killed_for_memory(patient: Patient) -> None:
    """What the kernel does to the largest process when memory ends."""
    seen = deaths(patient)
    async with written_down(patient), Phone() as phone:
        call = await faults.until_answered(patient, phone)
        await call.first_audio(timeout_s=10)
        os.kill(job_pid(patient), signal.SIGKILL)
        async with asyncio.timeout(30):
            while deaths(patient) == seen:
                await asyncio.sleep(0.05)


def deaths(patient: Patient) -> int:
    return world.log_text(patient.stack, "agent").count(evidence.DIED)


def job_pid(patient: Patient) -> int:
    """The process that answered the newest call."""
    lines = logs.read(patient.stack.paths.logs / "agent.log")
    return int([line["pid"] for line in lines if line.get("message") == "call answered"][-1])


@contextlib.asynccontextmanager
async def written_down(patient: Patient) -> AsyncIterator[None]:
    """Until the gateway has written how the call of the block ended, and the line is free."""
    before = world.log_text(patient.stack, "sip").count("SIP call ended")
    yield
    async with asyncio.timeout(40):
        while world.log_text(patient.stack, "sip").count("SIP call ended") == before:
            await asyncio.sleep(0.05)
        while await patient.codes(faults.WORKER):
            await asyncio.sleep(0.3)


async def dropped_for_no_reason(patient: Patient) -> None:
    """The rule was away for the moment of the call; all is right when somebody asks."""
    async with unseen_by_control(faults.rule_deleted)(patient):
        await calls.place(patient, world.NUMBER, "plain")


# -- rules and agents


def rule_changed(change: Callable[[SIPDispatchRuleInfo], None]) -> Fault:
    """Somebody edits the rule of the number that tests call, with another tool."""

    @faults.mended_by_control
    @contextlib.asynccontextmanager
    async def broken(patient: Patient) -> AsyncIterator[None]:
        await faults.control_has_looked(patient)
        async with faults.client(patient) as livekit:
            rules = await livekit.sip.list_dispatch_rule(ListSIPDispatchRuleRequest())
            (rule,) = (each for each in rules.items if each.name.endswith(world.NUMBER))
            change(rule)
            await livekit.sip.update_dispatch_rule(rule.sip_dispatch_rule_id, rule)
            yield

    return broken


def asks_for_nobody(rule: SIPDispatchRuleInfo) -> None:
    """A named agent comes only where it is asked for."""
    rule.room_config.ClearField("agents")


def into_one_room(rule: SIPDispatchRuleInfo) -> None:
    """Every caller into a room that is there already: its agent was asked for long ago."""
    rule.rule.dispatch_rule_direct.room_name = "lobby"


def other_format(rule: SIPDispatchRuleInfo) -> None:
    """Trunks compare digits, rules compare letters: this never matches."""
    rule.inbound_numbers[:] = ["1 (510) 555-0123"]


def unseen_by_control(fault: Fault) -> Fault:
    """Control would put it right within seconds."""

    @contextlib.asynccontextmanager
    async def broken(patient: Patient) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            # Left in the order of its making: control runs again before it is waited for.
            await stack.enter_async_context(fault(patient))
            await stack.enter_async_context(faults.frozen("control")(patient))
            yield

    return broken


@contextlib.asynccontextmanager
async def second_agent(patient: Patient) -> AsyncIterator[None]:
    """Somebody dispatches an agent into each new room, which has one already."""

    async def join() -> None:
        while not (found := await rooms_of_calls(patient) - before):
            await asyncio.sleep(0.05)
        token = agents_token(patient, found.pop())
        async with joined(Door(f"ws://127.0.0.1:{patient.stack.ports['livekit_http']}"), token):
            await asyncio.Event().wait()

    before = await rooms_of_calls(patient)
    joining = asyncio.create_task(join())
    try:
        yield
    finally:
        joining.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await joining


async def rooms_of_calls(patient: Patient) -> set[str]:
    async with faults.client(patient) as livekit:
        found = await livekit.room.list_rooms(api.ListRoomsRequest())
    return {each.name for each in found.rooms if each.name.startswith("call-")}


def agents_token(patient: Patient, room: str) -> str:
    key = faults.credentials.read(patient.stack.settings)
    grants = api.VideoGrants(room_join=True, room=room, agent=True)
    made = api.AccessToken(key.livekit_api_key, key.livekit_api_secret).with_kind("agent")
    return made.with_identity("second-agent").with_grants(grants).to_jwt()
