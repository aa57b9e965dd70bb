"""Faults of a running stack: exactly the cause is named, and the healthy stack is silent."""

import asyncio
import gc
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from tests.calls import world
from tests.diagnosis import answers, calls, faults, gateway
from tests.diagnosis.containers import as_containers
from tests.diagnosis.faults import Fault
from tests.diagnosis.patient import WITHOUT_EARS, Patient, only
from voicestack.diagnosis import borrowed, causes, checks, history, watch
from voicestack.diagnosis.legs import files
from voicestack.diagnosis.model import Unknown
from voicestack.diagnosis.report import Report
from voicestack.phone import Phone

pytestmark = pytest.mark.calls

# The figures are 5 s and 30 s on two idle cores; the machine of a test run may be busy.
QUICK_S, WHOLE_S, BROKEN_S = 20.0, 80.0, 120.0
MOST_RUNS = 20


async def test_a_healthy_stack_is_silent(patient: Patient) -> None:
    """Nothing is named and nothing stays unknown, run after run, each within its time."""
    for _ in range(MOST_RUNS):
        report = await patient.report()
        assert (report.findings, unseen(report), report.exit_code) == ((), [], 0)
        assert report.took_s < QUICK_S


def unseen(report: Report) -> list[Unknown]:
    """What could not be looked at."""
    return [unknown for result in report.results for unknown in result.unknowns]


async def test_a_healthy_stack_passes_the_whole_walk(patient: Patient) -> None:
    """With a call of its own: answered, greeted, a question understood and answered."""
    report = await patient.report(checks.ALL)
    unseen = [(r.check.name, r.unknowns) for r in report.results if r.state != "ok"]
    assert (report.findings, unseen) == ((), [])
    assert report.took_s < WHOLE_S


async def test_the_same_in_containers_is_silent(
    patient: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Secrets, configuration and logs come out of volumes; nothing of them stays behind."""
    memory = tmp_path / "memory"  # other tests look as well, at the same time
    memory.mkdir()
    monkeypatch.setattr(borrowed, "MEMORY", memory)
    with as_containers(patient, tmp_path):
        report = await patient.report(checks.ALL)
    assert [(r.check.name, r.findings, r.unknowns) for r in report.results if r.state != "ok"] == []
    assert report.exit_code == 0
    del report
    async with asyncio.timeout(20):  # a look that has ended may be put away a moment later
        while list(memory.iterdir()):
            gc.collect()
            await asyncio.sleep(0.1)


CONTAINED: Sequence[tuple[str, dict[str, tuple[str, str]], Fault, list[str]]] = [
    ("sip ended", {"sip": ("exited", "")}, faults.frozen("sip"), ["CON001 sip"]),
    ("ears unwell", {"agent": ("running", "unhealthy")}, faults.engine_unreachable, ["STT001"]),
    ("unwell for no known reason", {"tts": ("running", "unhealthy")}, faults.model("llm", "ok"), ["CON099 tts"]),
    ("language model", {}, faults.model("llm", "error"), ["LLM002"]),
    ("other configuration", {}, faults.edited(
        faults.config("sip.yaml"), lambda text: text.replace("nat_1_to_1_ip: 127.0.0.1", "nat_1_to_1_ip: 192.0.2.9")
    ), ["SET005 sip.yaml"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("says", "fault", "expected"), [row[1:] for row in CONTAINED], ids=[r[0] for r in CONTAINED]
)
async def test_a_fault_in_containers_is_named(
    patient: Patient,
    tmp_path: Path,
    says: dict[str, tuple[str, str]],
    fault: Fault,
    expected: list[str],
) -> None:
    """As in a stack of processes: what Docker says of it is told where nothing says more."""
    async with fault(patient):
        with as_containers(patient, tmp_path, says):
            assert await patient.codes() == expected


# Causes that ears, or the processes under them, have something to do with.
EARS = ("STT", "PRC", "SET008")


def line(text: str) -> Fault:
    """A lines file with this in place of the first line's agent."""
    return faults.lines_file(lambda before: before.replace("agent: receptionist", text, 1))


FAULTS: Sequence[tuple[str, Fault, list[str]]] = [
    # Redis
    ("another password", faults.redis_config("requirepass", "x" * 20, mended="the password"), ["RED002"]),
    ("paused", faults.redis_paused, ["RED001"]),
    ("replica", faults.redis_replica, ["RED003"]),
    ("out of memory", faults.redis_config("maxmemory", "1", mended="268435456"), ["RED004"]),
    ("forgets at restart", faults.redis_config("appendonly", "no", mended="yes"), ["RED006"]),
    ("evicts", faults.redis_config("maxmemory-policy", "allkeys-lru", mended="noeviction"), ["RED007"]),
    ("no more clients", faults.redis_config("maxclients", "1", mended="10000"), ["RED008"]),
    # processes and ports
    *((f"{name} frozen", faults.frozen(name), [f"PRC004 {name}"])
      for name in ("redis", "livekit", "sip", "control", "agent", "caddy", "supervisor")),
    *((f"{name} stopped", faults.stopped(name), [f"PRC003 {name}"])
      for name in ("sip", "control", "caddy")),
    ("port taken", faults.port_taken, ["PRT001 caddy"]),
    ("second gateway", gateway.second_gateway, ["PRT001 sip"]),
    # settings and files
    ("unknown variable", faults.env_file("AGENT_NAEM=receptionist\n"), ["SET001"]),
    ("bad port", faults.env_file("HTTPS_PORT=99999\n"), ["SET001"]),
    ("two bad values", faults.env_file("DRAIN_S=soon\nLOG_LEVEL=loud\n"), ["SET001"]),
    ("never started", faults.setting(STATE_DIR="/tmp/voicestack-nobody-was-here", STACK_PORT_BASE="1100"), ["SET002"]),
    ("open secret", faults.mode(faults.secret("livekit_api_secret"), 0o644), ["SET003"]),
    ("open folder of secrets", faults.mode(faults.secret(""), 0o755), ["SET003"]),
    ("no Redis password", faults.removed(faults.secret("redis_password")), ["SET004"]),
    ("short secret", faults.edited(faults.secret("control_secret"), lambda _: "short"), ["SET004"]),
    ("new API secret", faults.edited(faults.secret("livekit_api_secret"), lambda _: "n" * 43), ["SET005"]),
    ("new Redis password", faults.edited(faults.secret("redis_password"), lambda _: "n" * 43), ["SET005"]),
    ("sip on another Redis", faults.edited(
        faults.config("sip.yaml"), lambda text: text.replace("address: 127.0.0.1", "address: 127.0.0.2")
    ), ["SET005 sip.yaml"]),
    ("sip announces another address", faults.edited(
        faults.config("sip.yaml"), lambda text: text.replace("nat_1_to_1_ip: 127.0.0.1", "nat_1_to_1_ip: 192.0.2.9")
    ), ["SET005 sip.yaml"]),
    ("no Caddyfile", faults.removed(faults.config("Caddyfile")), ["SET005 Caddyfile"]),
    ("open configuration", faults.mode(faults.config("redis.conf"), 0o644), ["SET009 config/redis.conf"]),
    ("ear without weights", faults.setting(STT_MODEL="whisper-huge"), ["SET008 stt"]),
    ("no Caddy", faults.program_missing, ["SET007 caddy"]),
    ("lines: unknown key", line("agnet: receptionist"), ["SET006"]),
    ("lines: no YAML", faults.lines_file(lambda text: text + "\n  - {"), ["SET006"]),
    ("lines: number twice", faults.lines_file(lambda text: text.replace("0101", "0100")), ["SET006"]),
    ("lines: whole internet", faults.lines_file(lambda text: text.replace("this-machine", "0.0.0.0/0")), ["SET006"]),
    # lines in LiveKit
    ("trunk deleted", faults.trunk_deleted, ["LIN001 +15550100"]),
    ("rule deleted", faults.rule_deleted, ["LIN001 +15550100"]),
    ("callers changed", faults.trunk_changed(allowed_addresses=["203.0.113.0/24"]), ["LIN002 +15550100"]),
    ("number changed", faults.trunk_changed(numbers=["+15550177"]), ["LIN002 +15550100"]),
    ("foreign rule on our trunk", faults.foreign_rule(bound=True), ["LIN003"]),
    ("rule asks for no agent", gateway.rule_changed(gateway.asks_for_nobody), ["LIN002 +15550100"]),
    ("rule leads into one room", gateway.rule_changed(gateway.into_one_room), ["LIN002 +15550100"]),
    ("rule compares letters", gateway.rule_changed(gateway.other_format), ["LIN002 +15550100"]),
    ("rule open to all", faults.foreign_rule(bound=False), ["LIN004"]),
    # worker and clock
    ("worker that is not there", faults.line_asks_for("worker: nobody"), ["WRK003 lines.yaml:3"]),
    ("agent that there is not", faults.line_asks_for("agent: nobody"), ["WRK006 lines.yaml:3"]),
    ("worker never registered", faults.removed(lambda patient: patient.stack.mark("agent")), ["WRK001"]),
    ("second worker", faults.rival_worker, ["WRK005"]),
    ("all lines busy", faults.busy, ["WRK004"]),
    ("clock two minutes fast", faults.clock(120), ["CLK001"]),
    ("clock two minutes slow", faults.clock(-120), ["CLK001"]),
    # ears, mind, voice
    ("engine frozen", faults.engine_frozen, ["STT002"]),
    ("engine unreachable", faults.engine_unreachable, ["STT001"]),
    *((f"llm {how}", faults.model("llm", how), [f"LLM{number:03}"])
      for how, number in (("cut", 2), ("error", 2), ("hang", 3), ("slow", 4), ("page", 5), ("empty", 6),
                          ("unauthorized", 7), ("forbidden", 7), ("not-found", 8))),
    ("llm gone", faults.setting(LLM_URL="http://127.0.0.1:9/v1"), ["LLM001"]),
    *((f"tts {how}", faults.model("tts", how), [f"TTS{number:03}"])
      for how, number in (("error", 2), ("hang", 3), ("slow", 4), ("page", 5), ("empty", 6),
                          ("unauthorized", 7), ("not-found", 8), ("silent", 9), ("8k", 10), ("48k", 10),
                          ("swapped", 11), ("float", 11))),
    ("tts gone", faults.setting(TTS_URL="http://127.0.0.1:9/v1"), ["TTS001"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "expected"), [row[1:] for row in FAULTS], ids=[r[0] for r in FAULTS]
)
async def test_a_fault_is_named(patient: Patient, fault: Fault, expected: list[str]) -> None:
    """Its code, and no other: consequences stay quiet."""
    which = checks.QUICK if expected[0].startswith(EARS) else WITHOUT_EARS
    async with fault(patient):
        assert await patient.codes(which) == expected


PAIRS: Sequence[tuple[str, Fault, Fault, list[str]]] = [
    ("page and redis", faults.removed(faults.config("Caddyfile")), faults.redis_replica, ["SET005 Caddyfile", "RED003"]),
    ("redis and llm", faults.frozen("redis"), faults.model("llm", "error"), ["PRC004 redis", "LLM002"]),
    ("redis and tts", faults.redis_replica, faults.model("tts", "silent"), ["RED003", "TTS009"]),
    ("redis and caddy", faults.frozen("redis"), faults.frozen("caddy"), ["PRC004 redis", "PRC004 caddy"]),
    ("livekit and llm", faults.frozen("livekit"), faults.model("llm", "page"), ["PRC004 livekit", "LLM005"]),
    ("livekit and ear", faults.frozen("livekit"), faults.engine_unreachable, ["PRC004 livekit", "STT001"]),
    ("sip and llm", faults.frozen("sip"), faults.model("llm", "hang"), ["PRC004 sip", "LLM003"]),
    ("sip and lines", faults.frozen("sip"), faults.trunk_deleted, ["PRC004 sip", "LIN001 +15550100"]),
    ("sip and worker", faults.frozen("sip"), faults.rival_worker, ["PRC004 sip", "WRK005"]),
    ("control and tts", faults.frozen("control"), faults.model("tts", "8k"), ["PRC004 control", "TTS010"]),
    ("control and open rule", faults.frozen("control"), faults.foreign_rule(bound=False),
     ["PRC004 control", "LIN004"]),
    ("agent and lines", faults.frozen("agent"), faults.trunk_changed(numbers=["+15550178"]),
     ["PRC004 agent", "LIN002 +15550100"]),
    ("agent and llm", faults.frozen("agent"), faults.model("llm", "empty"), ["PRC004 agent", "LLM006"]),
    ("llm and tts", faults.model("llm", "error"), faults.model("tts", "error"), ["LLM002", "TTS002"]),
    ("ear and mind", faults.engine_unreachable, faults.model("llm", "slow"), ["STT001", "LLM004"]),
    ("lines file and tts", line("agnet: receptionist"), faults.model("tts", "page"), ["SET006", "TTS005"]),
    ("worker and lines", faults.rival_worker, faults.trunk_deleted, ["WRK005", "LIN001 +15550100"]),
    ("caddy and lines", faults.frozen("caddy"), faults.foreign_rule(bound=True), ["PRC004 caddy", "LIN003"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other", "expected"), [row[1:] for row in PAIRS], ids=[row[0] for row in PAIRS]
)
async def test_two_faults_are_both_named(
    patient: Patient, one: Fault, other: Fault, expected: list[str]
) -> None:
    """Neither hides the other, where neither is the other's consequence."""
    which = checks.QUICK if any(code.startswith(EARS) for code in expected) else WITHOUT_EARS
    async with other(patient), one(patient):
        assert sorted(await patient.codes(which)) == sorted(expected)


async def a_whole_walk_names(patient: Patient, fault: Fault, expected: list[str]) -> None:
    """With a call of its own, and in time."""
    async with fault(patient):
        report = await patient.report(checks.ALL)
    assert [finding.key for finding in report.findings] == expected
    assert report.took_s < BROKEN_S


CALLS: Sequence[tuple[str, Fault, list[str]]] = [
    # The probes of mind and voice are answered, calls are not: no row describes that.
    ("llm fails in calls only", faults.model("llm", "calls:error"), ["LLM099"]),
    ("tts fails in calls only", faults.model("tts", "calls:error"), ["TTS099"]),
    ("voice silent in calls only", faults.model("tts", "calls:silent"), ["AUD099"]),
    # The worker gives up before the stage does, so nobody writes down which one it was.
    ("llm hangs in calls only", faults.model("llm", "calls:hang"), ["AUD099"]),
]


@pytest.mark.parametrize(
    ("fault", "expected"), [row[1:] for row in CALLS], ids=[r[0] for r in CALLS]
)
async def test_what_no_row_describes_is_on_the_right_leg(
    patient: Patient, fault: Fault, expected: list[str]
) -> None:
    """The leg is named, the cause is called unknown, and the run ends in time."""
    assert all(causes.BY_CODE[code].title.endswith("cause unknown") for code in expected)
    await a_whole_walk_names(patient, fault, expected)


async def test_a_line_that_cannot_be_called_from_here(patient: Patient) -> None:
    """Not looked at is not healthy: exit code 2, with what would decide."""
    async with faults.lines_file(
        lambda text: text.replace("from: [this-machine]", "from: [127.0.0.6/32]")
    )(patient):
        await faults.lines_are_right(patient)
        report = await patient.report(checks.ALL)
    (unseen,) = [r for r in report.results if r.state == "unknown"]
    assert unseen.check.name == "call"
    assert unseen.unknowns[0].decide
    assert report.exit_code == 2
    await faults.lines_are_right(patient)


async def test_a_line_that_is_closed_is_no_fault(patient: Patient) -> None:
    """Control applies it without an agent; of the others one is called."""
    closed = f'hours: "{faults.another_hour()}"\n    callers:\n      from: [127.0.0.5/32]'
    async with faults.lines_file(
        lambda text: text.replace("callers:\n      from: [127.0.0.5/32]", closed)
    )(patient):
        await faults.control_has_looked(patient)
        await faults.lines_are_right(patient)
        assert await patient.codes(faults.LINES) == []
    await faults.lines_are_right(patient)


async def test_nobody_calls_a_closed_line(patient: Patient) -> None:
    """That it is not answered tells nothing."""
    async with faults.lines_file(
        lambda text: text.replace(
            "    callers:", f'    hours: "{faults.another_hour()}"\n    callers:'
        )
    )(patient):
        report = await patient.report(only("lines file", "call"))
    (result,) = [each for each in report.results if each.check.name == "call"]
    assert (result.findings, [each.why for each in result.unknowns]) == (
        (),
        ["every line that takes calls from this machine is closed at this hour"],
    )
    await faults.lines_are_right(patient)


async def test_a_call_in_progress_is_watched(patient: Patient) -> None:
    """Every leg of it is there while it is up, and it is gone afterwards."""
    _, context = await patient.examined((files.CHECKS[0], files.SECRETS_CHECK))
    # A hang-up can be lost: livekit-server then keeps an earlier call for 20 s.
    before = {each.room for each in await watch.calls_now(context)}
    async with Phone() as phone:
        call = await phone.dial(world.NUMBER, server=world.server(patient.stack))
        assert await call.first_audio(timeout_s=10) is not None
        (now,) = [each for each in await watch.calls_now(context) if each.room not in before]
        assert (now.callers, now.agents, now.agent_tracks, now.failed) == (1, 1, 1, ())
        assert now.answered
    async with asyncio.timeout(40):
        while [each for each in await watch.calls_now(context) if each.room == now.room]:
            await asyncio.sleep(0.2)


PAST: Sequence[tuple[str, str, list[str]]] = [
    (world.UNKNOWN_NUMBER, "plain", ["LIN006"]),
    (world.CLOSED_NUMBER, "plain", ["LIN007"]),
    (world.DIGEST_NUMBER, "plain", ["LIN008"]),
    (world.DIGEST_NUMBER, "wrong password", ["LIN008"]),
    (world.NUMBER, "G.729 only", ["MED002"]),
    (world.NUMBER, "private address", ["MED007"]),
    (world.NUMBER, "unknown payload", ["MED010"]),
]
PAST_CHECKS = (*files.CHECKS[:1], files.LINES_CHECK, *history.checks_of(""))


@pytest.mark.parametrize(("number", "kind", "expected"), PAST, ids=[f"{p[0]} {p[1]}" for p in PAST])
async def test_a_call_of_the_past_is_explained(
    patient: Patient, number: str, kind: str, expected: list[str]
) -> None:
    """From the logs alone, after the call."""
    await calls.place(patient, number, kind)
    assert await patient.codes(PAST_CHECKS) == expected


WALKS: Sequence[tuple[str, Fault, list[str]]] = [
    ("gateway cannot reach the server", gateway.started_with("(ws_url: ws://127.0.0.1):.*", r"\1:9"), ["SIP007"]),
    ("two agents in one room", gateway.second_agent, ["DSP006"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "expected"), [row[1:] for row in WALKS], ids=[r[0] for r in WALKS]
)
async def test_a_call_of_our_own_names_it(
    patient: Patient, fault: Fault, expected: list[str]
) -> None:
    """Every other leg looks right; the call shows it."""
    await a_whole_walk_names(patient, fault, expected)


# The room or the SDP of our own call, apart from the legs that would say it first or differently.
ANSWERS: Sequence[tuple[str, Fault, list[str]]] = [
    ("agent raises", answers.agent_raises, ["DSP003"]),
    ("process of the job frozen", answers.process_frozen, ["DSP004"]),
    ("agent without sound", answers.silent_agent, ["DSP005"]),
    ("gateway announces another address", answers.announces_elsewhere, ["MED001"]),
]


@pytest.mark.parametrize(
    ("fault", "expected"), [row[1:] for row in ANSWERS], ids=[r[0] for r in ANSWERS]
)
async def test_whoever_answers_wrongly_is_named(
    patient: Patient, fault: Fault, expected: list[str]
) -> None:
    """By a call of our own alone."""
    async with fault(patient):
        assert await patient.codes(only("lines file", "call")) == expected


# What a test of its own makes, and expects.
SINGLE = {
    "room that asks for no agent": ["DSP001"],
    "worker stopped": ["PRC003 agent"],
    "call without a worker": ["DSP002"],
    "REGISTER": ["SIP005"],
}


async def test_a_room_that_asks_for_no_agent(patient: Patient) -> None:
    """Trunk and rule apart, which would say it first."""
    without = gateway.unseen_by_control(gateway.rule_changed(gateway.asks_for_nobody))
    async with without(patient):
        assert (
            await patient.codes(only("lines file", "call")) == SINGLE["room that asks for no agent"]
        )


HISTORY: Sequence[tuple[str, Callable[[Patient], Awaitable[None]], list[str]]] = [
    ("no port for audio", gateway.place_without_port, ["SIP004"]),
    ("no ACK", gateway.never_acknowledged, ["MED009"]),
    ("phone goes silent", gateway.muted, ["MED008"]),
    ("job killed", gateway.killed_for_memory, ["DSP007"]),
    ("carrier refuses", gateway.carrier_refuses, ["SIP008"]),
    ("dropped, and nothing is wrong", gateway.dropped_for_no_reason, ["LIN099"]),
]


@pytest.mark.parametrize(
    ("happens", "expected"), [row[1:] for row in HISTORY], ids=[r[0] for r in HISTORY]
)
async def test_what_happened_is_explained(
    patient: Patient, happens: Callable[[Patient], Awaitable[None]], expected: list[str]
) -> None:
    """Afterwards, when all is well again, from the logs."""
    await happens(patient)
    assert await patient.codes(PAST_CHECKS) == expected


async def test_a_call_without_a_worker(patient: Patient) -> None:
    """While it is away its absence is named; of the call that came meanwhile, that nobody took it."""
    async with faults.stopped("agent")(patient):
        assert await patient.codes() == SINGLE["worker stopped"]
        await calls.place(patient, world.NUMBER, "plain")
    assert await patient.codes(PAST_CHECKS) == SINGLE["call without a worker"]


async def test_a_call_while_the_line_is_busy(patient: Patient) -> None:
    """The second caller's job is given to nobody."""
    async with faults.busy(patient):
        await calls.place(patient, world.NUMBER, "plain")
        assert await patient.codes(PAST_CHECKS) == ["DSP002"]


async def test_a_good_call_of_the_past_is_silent(patient: Patient) -> None:
    """Greeted, asked, answered: nothing to say, but of a phone that registers since then."""
    await calls.good(patient)
    assert await patient.codes(PAST_CHECKS) == []
    await gateway.register(patient)
    assert await patient.codes(PAST_CHECKS) == SINGLE["REGISTER"]


async def test_a_crashed_supervisor(patient: Patient) -> None:
    """Its services run on and are known as ours, Redis too. Last: nothing mends this but `up`."""
    os.kill(patient.pid("supervisor"), signal.SIGKILL)
    assert await patient.codes() == ["PRC002"]
