"""Evidence before the judges: one cause each, and every cause of the table has its evidence."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from voicestack.diagnosis import causes, judge_call, lastwords, merge, outside, outside_ways
from voicestack.diagnosis import history as past
from voicestack.diagnosis.evidence import CallLog, Counters
from voicestack.diagnosis.legs import (
    containers,
    files,
    hearing,
    lines,
    names,
    page,
    processes,
    redis_,
    server,
    sip,
    sound,
    speaking,
    thinking,
    tls,
    ways,
    worker,
)
from voicestack.diagnosis.model import Finding, Unknown, Verdict
from voicestack.diagnosis.rooms import Job, Room
from voicestack.diagnosis.webrtc.signal import Candidate
from voicestack.diagnosis.webrtc.ways import Way
from voicestack.lines.plan import Step

PACKAGE = Path(causes.__file__).parent
NODE = "127.0.0.1"

RUNS = processes.ServiceFacts(
    "Running", ready=True, age_s=60.0, listener=processes.Listener(True, "")
)
UP = server.Facts(200, "OK", 0.0, 200, "{}", "", devkey_accepted=False)
WORKS = worker.Facts(200, "OK", "receptionist", 0, "AW_1", {"AW_1": "receptionist"}, max_calls=2)
NAME = names.Name("voice.example.org", "DOMAIN", ("203.0.113.9",))
ADDRESS = Candidate("udp", "192.168.7.2", 7882)
KINDS = ("udp", "tcp", "relay-udp", "relay-tls")
BROWSER = ways.Facts(
    "192.168.7.2", KINDS, candidates=(ADDRESS, replace(ADDRESS, protocol="tcp")),
    ways=tuple(Way(kind, mapped="192.168.7.2") for kind in KINDS),
)  # fmt: skip
THERE = outside.Page(outside.Reached(True, ""), tls.Facts(True, left=0.5), 0.2)
FAR = outside_ways.Facts("192.168.7.2", (ADDRESS,), tuple(Way(kind) for kind in KINDS))
BROWSER_JUDGES = (ways.judge, ways.judge_tcp, ways.judge_relay, ways.judge_relay_tls)
SPOKEN = speaking.Sound(thinking.Facts(), -20.0, 2.2, 0.08)
COUNTED = Counters(300, 0, 300, 300, 300, 1, 90_000)
LOG = CallLog(
    "a@b", "SCL_1", "call-1", source=NODE, callee="+15550100", trunk="ST_1", counters=COUNTED
)
OURS = CallLog(call_id="SCL_2", room="out", outbound=True)
ROOM = Room("call-1", 1, (Job("receptionist", "AW_1", failed=False),), 1, 1, 1)
HEALTHY = judge_call.Facts(
    "answered", None, "", NODE, NODE, 300, True, True, room=ROOM, log=LOG, own_worker="AW_1"
)
RINGS = replace(HEALTHY, outcome="no answer", greeted=None, replied=None, packets=None)
DEAF = replace(HEALTHY, replied=False)


def counted(**fields: int) -> CallLog:
    return replace(LOG, counters=replace(COUNTED, **fields))


def contained(**fields: Any) -> containers.Facts:
    runs = containers.Container("sip", "running", "healthy")
    over = containers.Container("setup", "exited")
    return containers.Facts((over, replace(runs, **fields)))


def found(code: str, subject: str = "") -> dict[str, str]:
    return {"code": code, "seen": "x", "subject": subject}


CLOSED = found("OUT001")
COUNTS = {"sip": {"arrived": 0, "answered": 0}}


def judge_merged(told: tuple[dict[str, Any], dict[str, Any]]) -> Verdict:
    """Reports with little in them: findings, and what a merge needs besides."""
    notes = ({"address": "203.0.113.9"}, {"outside": True, "addresses": ["203.0.113.9"]})
    reports = [
        {"findings": each.pop("findings", []), "notes": note | each, "checks": [], "took_s": 0.1}
        for each, note in zip(map(dict, told), notes, strict=True)
    ]
    results = merge.merge(*reversed(reports)).results
    return [each for result in results for each in (*result.findings, *result.unknowns)]


def with_way(kind: str, failed: str = "", **fields: Any) -> ways.Facts:
    tried = tuple(
        replace(each, failed=failed, **fields) if each.kind == kind else each
        for each in BROWSER.ways
    )
    return replace(BROWSER, ways=tried)


def service(name: str, **fields: Any) -> processes.Facts:
    return processes.Facts(True, 9, {"redis": RUNS, name: replace(RUNS, **fields)})


Row = tuple[Callable[[Any], Verdict], Any, list[str]]
ROWS: Sequence[Row] = [
    # containers
    (containers.judge, containers.Facts(), []),
    (containers.judge, contained(), []),
    (containers.judge, contained(state="exited", exit_code=1), ["CON001 sip"]),
    (containers.judge, contained(state="restarting"), ["CON001 sip"]),
    (containers.judge, contained(health="unhealthy"), []),
    (processes.judge, processes.of_containers(contained().containers), []),
    (processes.judge, processes.of_containers(contained(health="unhealthy").containers), []),
    (processes.judge, processes.of_containers(contained(state="exited").containers), ["PRC003 sip"]),
    (processes.judge_ready, processes.ReadyFacts(("sip",), contained=True), ["CON099 sip"]),
    (containers.judge, contained(health="starting"), ["unknown"]),
    # what lies on disk
    (files.judge_settings, files.SettingsFacts(()), []),
    (files.judge_settings, files.SettingsFacts((".env:1: A: is no setting",)), ["SET001"]),
    (files.judge_secrets, files.SecretsFacts(made=True), []),
    (files.judge_secrets, files.SecretsFacts(made=False), ["SET002"]),
    (files.judge_secrets, files.SecretsFacts(True, "x has mode 0644", too_open=True), ["SET003"]),
    (files.judge_secrets, files.SecretsFacts(True, "x is missing"), ["SET004"]),
    (files.judge_config, files.ConfigFacts((), {}, ()), []),
    (files.judge_config, files.ConfigFacts((), {"sip.yaml": ("password",)}, ()), ["SET005 sip.yaml"]),
    (files.judge_config, files.ConfigFacts((), {"sip.yaml": ("password",), "redis.conf": ("requirepass",)}, ()),
     ["SET005"]),
    (files.judge_config, files.ConfigFacts(("Caddyfile",), {}, ()), ["SET005 Caddyfile"]),
    (files.judge_config, files.ConfigFacts((), {"sip.yaml": ("nat_1_to_1_ip",)}, (), "192.0.2.1"), ["SET010"]),
    (files.judge_config, files.ConfigFacts((), {}, ("sip.yaml",)), ["SET009 config/sip.yaml"]),
    (files.judge_lines, files.LinesFacts(("lines.yaml:3: agnet",)), ["SET006"]),
    (files.judge_installed, files.InstalledFacts(("caddy",), {}), ["SET007 caddy"]),
    (files.judge_installed, files.InstalledFacts((), {"llm": Path("x.gguf")}), ["SET008 llm"]),
    (files.judge_disk, files.DiskFacts(10**9, None), []),
    (files.judge_disk, files.DiskFacts(10**6, 10**6), ["DSK001"]),
    (files.judge_disk, files.DiskFacts(10**9, 3), ["DSK002"]),
    # processes
    (processes.judge, service("sip"), []),
    (processes.judge, processes.Facts(False, 0, {}), ["PRC001"]),
    (processes.judge, processes.Facts(False, 4, {}), ["PRC002"]),
    (processes.judge, service("sip", status="Completed", listener=None), ["PRC003 sip"]),
    (processes.judge, service("sip", status="Restarting", listener=None), ["PRC003 sip"]),
    (processes.judge, service("sip", frozen=True), ["PRC004 sip"]),
    (processes.judge, processes.Facts(False, 9, supervisor_frozen=77), ["PRC004 supervisor"]),
    (processes.judge, service("sip", listener=None), ["PRC005 sip"]),
    (processes.judge, service("sip", listener=None, age_s=1.0), ["PRC005 sip"]),
    (processes.judge, service("sip", listener=processes.Listener(False, "nc (pid 7)")), ["PRT001 sip"]),
    (processes.judge, service("sip", status="Restarting", listener=processes.Listener(False, "nc")),
     ["PRT001 sip"]),
    (processes.judge, processes.Facts(True, 1, {
        "redis": replace(RUNS, status="Completed", listener=None),
        "livekit": replace(RUNS, status="Pending", listener=None, after=("redis",)),
        "control": replace(RUNS, status="Pending", listener=None, after=("livekit",)),
    }), ["PRC003 redis"]),
    (processes.judge, service("sip", status="Restarting", listener=None, ended=lastwords.Ended("SET011", "x")),
     ["SET011 sip"]),
    (processes.judge, service("livekit", listener=None, ended=lastwords.Ended("ICE006", "x")), ["ICE006 livekit"]),
    (processes.judge, service("livekit", listener=None, ended=lastwords.Ended("RLY009", "x")), ["RLY009 livekit"]),
    (processes.judge_ready, processes.ReadyFacts(("agent",)), ["PRC099 agent"]),
    # Redis
    (redis_.judge, redis_.Facts(info={"role": "master"}, config={}), []),
    (redis_.judge, redis_.Facts("TimeoutError", "Timeout reading"), ["RED001"]),
    (redis_.judge, redis_.Facts("ConnectionError", "Connection refused"), ["RED001"]),
    (redis_.judge, redis_.Facts("AuthenticationError", "invalid username-password"), ["RED002"]),
    (redis_.judge, redis_.Facts(info={"role": "slave"}), ["RED003"]),
    (redis_.judge, redis_.Facts(info={}, write_error="OOM command not allowed"), ["RED004"]),
    (redis_.judge, redis_.Facts(info={}, write_error="MISCONF Errors writing to the AOF"), ["RED005"]),
    (redis_.judge, redis_.Facts(info={"aof_last_write_status": "err"}), ["RED005"]),
    (redis_.judge, redis_.Facts(info={}, config={"appendonly": "no"}), ["RED006"]),
    (redis_.judge, redis_.Facts(info={}, config={"maxmemory-policy": "allkeys-lru"}), ["RED007"]),
    (redis_.judge, redis_.Facts("ConnectionError", "max number of clients reached"), ["RED008"]),
    (redis_.judge, redis_.Facts("InvalidResponse", "Protocol Error: b'HTTP/1.1'"), ["RED009"]),
    # TLS
    (tls.judge, (tls.Facts(True, left=0.8),), []),
    (tls.judge, (tls.Facts(False, text="record layer failure"),), ["TLS001"]),
    (tls.judge, (tls.Facts(True, tls.EXPIRED),), ["TLS002"]),
    (tls.judge, (tls.Facts(True, tls.NOT_YET),), ["TLS003"]),
    (tls.judge, (tls.Facts(True, tls.HOST),), ["TLS004"]),
    (tls.judge, (tls.Facts(True, 18),), ["TLS005"]),
    (tls.judge, (tls.Facts(True, left=0.05),), ["TLS006"]),
    (tls.judge, (tls.Facts(True, 77),), ["TLS099"]),
    (tls.judge, (tls.Facts(True), tls.Facts(True, tls.EXPIRED, subject="page")), ["TLS002 page"]),
    (tls.judge, (tls.Facts(True), tls.Facts(False, subject="relay")), ["TLS001 relay"]),
    (tls.judge, (tls.Facts(True, tls.EXPIRED), tls.Facts(True, tls.EXPIRED, subject="page")), ["TLS002"]),
    (tls.judge, (tls.Facts(False), tls.Facts(False, subject="page")), ["TLS001"]),
    # names
    (names.judge, names.Facts("203.0.113.9", (NAME,)), []),
    (names.judge, names.Facts("203.0.113.9", (replace(NAME, addresses=()),)), ["DNS001 DOMAIN"]),
    (names.judge, names.Facts("203.0.113.9", (replace(NAME, addresses=("203.0.113.8",)),)), ["DNS002 DOMAIN"]),
    (names.judge, names.Facts("203.0.113.9", (replace(NAME, addresses=("203.0.113.9", "203.0.113.8")),)),
     ["DNS002 DOMAIN"]),
    (names.judge, names.Facts("203.0.113.9", (replace(NAME, addresses=("2001:db8::1",)),)), ["DNS002 DOMAIN"]),
    (names.judge, names.Facts("203.0.113.9", (
        replace(NAME, addresses=("203.0.113.9", "2001:db8::1"), dead_v6=("2001:db8::1",)),
    )), ["DNS003 DOMAIN"]),
    (names.judge, names.Facts("203.0.113.9", (replace(NAME, addresses=("203.0.113.9", "2001:db8::1")),)), []),
    (names.judge, names.Facts("203.0.113.9", (replace(NAME, addresses=("127.0.1.1",)),)), ["unknown"]),
    (names.judge, names.Facts("203.0.113.9", (replace(NAME, addresses=None),)), ["unknown"]),
    # livekit-server
    (server.judge, UP, []),
    (server.judge_clock, UP, []),
    (server.judge_clock, replace(UP, skew_s=-90.0), ["CLK001"]),
    (server.judge, replace(UP, status=None, text="ReadTimeout"), ["SRV001"]),
    (server.judge, replace(UP, api_status=None, text="ReadTimeout"), ["SRV001"]),
    (server.judge, replace(UP, api_status=401, api_text="invalid API key"), ["SRV002"]),
    (server.judge, replace(UP, status=406, text="Not Ready"), ["SRV003"]),
    (server.judge, replace(UP, status=404, text="nginx"), ["SRV004"]),
    (server.judge, replace(UP, text="<html>"), ["SRV004"]),
    (server.judge, replace(UP, sip_text="sip not connected (redis required)"), ["SRV005"]),
    (server.judge, replace(UP, devkey_accepted=True), ["SRV006"]),
    (server.judge, replace(UP, api_status=500), ["SRV099"]),
    # browsers
    *((judge, BROWSER, []) for judge in BROWSER_JUDGES),
    (ways.judge, replace(BROWSER, error="HTTP 401"), ["WEB001"]),
    (ways.judge, replace(BROWSER, candidates=()), ["ICE001"]),
    (ways.judge, with_way("udp", "not named"), ["ICE001 udp"]),
    (ways.judge, replace(BROWSER, candidates=(ADDRESS, replace(ADDRESS, address="172.17.0.1"))), ["ICE002"]),
    (ways.judge, replace(BROWSER, expected="203.0.113.9"), ["ICE002"]),
    (ways.judge, replace(BROWSER, public=True), ["ICE003"]),
    (ways.judge, with_way("udp", "answer"), ["ICE004 udp"]),
    (ways.judge, replace(BROWSER, strangers=("stun:stun.example.org",)), ["ICE007 stun"]),
    (ways.judge_tcp, with_way("tcp", "connect"), ["ICE005"]),
    (ways.judge_tcp, with_way("tcp", "answer"), ["ICE005"]),
    (ways.judge_tcp, with_way("tcp", "not named"), ["ICE005"]),
    *((ways.judge_relay, with_way("relay-udp", failed), [code]) for failed, code in (
        ("not named", "RLY001 relay-udp"), ("allocate", "RLY002 relay-udp"), ("credentials", "RLY003 relay"),
        ("permission", "RLY004 relay"), ("answer", "RLY005 relay"),
    )),
    *((ways.judge_relay_tls, with_way("relay-tls", failed), [code]) for failed, code in (
        ("not named", "RLY001 relay-tls"), ("allocate", "RLY008 relay-tls"), ("connect", "RLY008 relay-tls"),
        ("tls", "RLY008 relay-tls"),
    )),
    (ways.judge_relay, replace(with_way("relay-udp", "answer"), behind_nat=True), ["unknown"]),
    (ways.judge_relay, with_way("relay-udp", open_to=("127.0.0.1",)), ["RLY006 relay"]),
    (ways.judge_relay_tls, with_way("relay-tls", mapped="127.0.0.1"), ["RLY007 relay-tls"]),
    (page.judge, page.Facts(200), []),
    (page.judge, page.Facts(None, "ReadTimeout"), ["WEB002"]),
    (page.judge, page.Facts(502), ["WEB002"]),
    (page.judge, page.Facts(200, join_error="HTTP 400 instead of a WebSocket"), ["WEB003"]),
    (sound.judge, sound.Facts(True, (1_000.0, 600.0)), []),
    (sound.judge, sound.Facts(False, error="ConnectError"), ["SND001"]),
    (sound.judge, sound.Facts(True, (None, None)), ["SND002"]),
    (sound.judge, sound.Facts(True, (1_000.0, 0.0)), ["SND002"]),
    (sound.judge, sound.Facts(True, (1_000.0, None)), ["SND002"]),
    (sound.judge, sound.Facts(True, (2_000.0, 1_200.0)), ["SND099"]),
    # from another machine
    (outside.judge_sip, outside.Reached(True, "200"), []),
    (outside.judge_sip, outside.Reached(False, "no answer"), ["OUT001"]),
    (outside.judge_page, THERE, []),
    (outside.judge_page, outside.Page(outside.Reached(False, "refused")), ["OUT002"]),
    (outside.judge_page, replace(THERE, skew_s=-90.0), ["CLK001"]),
    (outside.judge_page, replace(THERE, shaken=tls.Facts(True, tls.EXPIRED)), ["TLS002"]),
    (outside.judge_page, replace(THERE, shaken=tls.Facts(True, 19)), ["unknown"]),
    (outside.judge_page, replace(THERE, shaken=tls.Facts(True, 19), own_authority=True), ["TLS005"]),
    (outside_ways.judge, FAR, []),
    *((outside_ways.judge, replace(FAR, ways=(Way(kind, failed, "x"),)), [code]) for kind, failed, code in (
        ("udp", "answer", "OUT003 udp"), ("tcp", "connect", "OUT004 tcp"), ("relay-udp", "allocate", "OUT005 relay-udp"),
        ("relay-tls", "connect", "OUT006 relay-tls"), ("relay-udp", "permission", "RLY004 relay-udp"),
        ("relay-tls", "tls", "RLY008 relay-tls"),
    )),
    (outside_ways.judge, replace(FAR, ways=(Way("udp", "answer", "x"), Way("relay-udp", "answer", "x"))),
     ["OUT003 udp"]),
    (outside_ways.judge, replace(FAR, candidates=(replace(ADDRESS, address="172.17.0.2"),),
     ways=(Way("udp", "answer"),)), ["ICE002"]),
    (outside_ways.judge, replace(FAR, status=401, error="HTTP 401"), ["OUT007"]),
    (outside_ways.judge, replace(FAR, error="HTTP 502"), ["WEB003"]),
    # both machines together
    *((judge_merged, told, codes) for told, codes in (
        (({}, {}), []),
        (({"packets": COUNTS}, {"findings": [CLOSED]}), ["FWL002 sip"]),
        (({"packets": {"sip": {"arrived": 3, "answered": 0}}}, {"findings": [CLOSED]}), ["FWL001 sip"]),
        (({"packets": {"sip": {"arrived": 3, "answered": 3}}}, {"findings": [CLOSED]}), ["FWL003 sip"]),
        (({"packets": COUNTS}, {"findings": [CLOSED], "addresses": ["203.0.113.8"]}), ["FWL004"]),
        (({}, {"findings": [CLOSED]}), ["unknown"]),
        (({"findings": [found("PRC003", "sip")]}, {"findings": [CLOSED]}), ["PRC003 sip"]),
        (({"findings": [found("LLM002")]}, {"findings": [found("MED003")]}), ["LLM002", "MED003"]),
        (({}, {"findings": [found("MED003"), found("XYZ001")]}), ["MED003"]),
    )),
    # worker
    (worker.judge, WORKS, []),
    (worker.judge, replace(WORKS, status=503, text="failed to connect to livekit"), ["WRK001"]),
    (worker.judge, replace(WORKS, own_id=""), ["WRK001"]),
    (worker.judge, replace(WORKS, status=None, text="ReadTimeout"), ["WRK002"]),
    (worker.judge, replace(WORKS, wanted={"lines.yaml:3": ("nobody", "sales")}), ["WRK003 lines.yaml:3"]),
    (worker.judge, replace(WORKS, wanted={"l:3": ("receptionist", "my-sales")}, hosted=frozenset({"my_sales"})), []),
    (worker.judge, replace(WORKS, wanted={"l:3": ("receptionist", "nobody")}, hosted=frozenset({"sales"})),
     ["WRK006 l:3"]),
    (worker.judge, replace(WORKS, active=2), ["WRK004"]),
    (worker.judge, replace(WORKS, registered={"AW_1": "receptionist", "AW_2": "receptionist"}), ["WRK005"]),
    # The second is ours: a deploy.
    (worker.judge, replace(WORKS, beside=frozenset({"AW_2"}), registered={"AW_1": "receptionist", "AW_2": "receptionist"}), []),
    (worker.judge, replace(WORKS, registered={"AW_1": "receptionist", "AW_2": "other"}), []),
    (worker.judge, replace(WORKS, registered=None), ["unknown"]),
    (worker.judge, replace(WORKS, status=503, text="inference process not running"), ["WRK099"]),
    # ears, mind, voice
    (hearing.judge, hearing.Facts(True, text=hearing.SENTENCE), []),
    (hearing.judge, hearing.Facts(False), ["STT001"]),
    (hearing.judge, hearing.Facts(True, late=True), ["STT002"]),
    (hearing.judge, hearing.Facts(True, text="you"), ["STT003"]),
    (hearing.judge, hearing.Facts(True, error="out of memory"), ["STT004"]),
    (thinking.judge, thinking.Facts(took_s=0.3), []),
    (thinking.judge, thinking.Facts(took_s=3.0), ["LLM004"]),
    (speaking.judge, SPOKEN, []),
    (speaking.judge, replace(SPOKEN, level_db=-90.0), ["TTS009"]),
    (speaking.judge, replace(SPOKEN, speech_s=0.7), ["TTS010"]),
    (speaking.judge, replace(SPOKEN, speech_s=6.0), ["TTS010"]),
    (speaking.judge, replace(SPOKEN, crossings=0.5), ["TTS011"]),
    # SIP and lines
    (sip.judge, sip.Facts(200), []),
    (sip.judge, sip.Facts(None, text="no answer"), ["SIP001"]),
    (sip.judge, sip.Facts(200, "Asterisk PBX 20"), ["SIP002"]),
    (lines.judge, lines.Facts(), []),
    (lines.judge, lines.Facts((Step("create", "trunk", "+1"), Step("create", "rule", "+1"))), ["LIN001 +1"]),
    (lines.judge, lines.Facts((Step("replace", "trunk", "+1", "ST", ("numbers",)),)), ["LIN002 +1"]),
    (lines.judge, lines.Facts((Step("create", "trunk", "+1"),), conflicts=("theirs",)), ["LIN003"]),
    (lines.judge, lines.Facts(open_rules=("theirs",)), ["LIN004"]),
    (lines.judge, lines.Facts(control="not applied yet"), ["LIN005"]),
    (lines.judge, lines.Facts(error="cannot be reached"), ["LIN005"]),
    (lines.judge, lines.Facts((Step("delete", "trunk", "+1", "ST"),)), ["LIN009 +1"]),
    # a call of our own
    (judge_call.judge, HEALTHY, []),
    *((judge_call.judge, replace(RINGS, outcome="refused", status=status), [code])
      for status, code in ((400, "MED002"), (401, "LIN008"), (405, "SIP005"), (407, "LIN008"), (488, "MED002"),
                           (500, "SIP004"), (503, "SIP003"), (600, "SIP099"))),
    (judge_call.judge, replace(RINGS, outcome="refused", status=486, log=replace(LOG, no_worker=True)), ["DSP002"]),
    (judge_call.judge, replace(RINGS, outcome="refused", status=486, log=None), ["SIP099"]),
    (judge_call.judge, replace(RINGS, log=None, room=None), ["SIP006"]),
    (judge_call.judge, replace(RINGS, log=replace(LOG, room="", trunk="")), ["LIN099"]),
    (judge_call.judge, replace(RINGS, room=replace(ROOM, dispatches=0)), ["DSP001"]),
    (judge_call.judge, replace(RINGS, room=replace(ROOM, jobs=())), ["DSP002"]),
    (judge_call.judge, replace(RINGS, room=replace(ROOM, jobs=(Job("receptionist", "AW_2", failed=False),))),
     ["WRK005"]),
    (judge_call.judge, replace(RINGS, room=replace(ROOM, jobs=(Job("receptionist", "AW_1", failed=True),))),
     ["DSP003"]),
    (judge_call.judge, replace(RINGS, room=replace(ROOM, agents=0, agent_tracks=0)), ["DSP004"]),
    (judge_call.judge, replace(RINGS, room=replace(ROOM, agent_tracks=0)), ["DSP005"]),
    (judge_call.judge, RINGS, ["DSP099"]),
    (judge_call.judge, replace(HEALTHY, room=replace(ROOM, agents=2)), ["DSP006"]),
    (judge_call.judge, replace(HEALTHY, sdp_address="172.17.0.2"), ["MED001"]),
    (judge_call.judge, replace(HEALTHY, outcome="unusable", text="no G.711"), ["MED002"]),
    (judge_call.judge, replace(DEAF, packets=0, greeted=False), ["MED003"]),
    (judge_call.judge, replace(DEAF, log=counted(packets_in=0, frames_in=0, published=0)), ["MED004"]),
    (judge_call.judge, replace(DEAF, packets=0, log=counted(packets_in=0, frames_in=0, published=0)),
     ["MED005"]),
    (judge_call.judge, replace(DEAF, log=counted(published=0)), ["MED099"]),
    (judge_call.judge, replace(DEAF, packets=0, log=replace(LOG, destination="192.168.77.1:4000")),
     ["MED007"]),
    (judge_call.judge, replace(DEAF, log=replace(LOG, reason="media-timeout")), ["MED008"]),
    (judge_call.judge, replace(DEAF, log=replace(LOG, reason="no-ack")), ["MED009"]),
    (judge_call.judge, replace(DEAF, log=counted(frames_in=0, published=0)), ["MED010"]),
    (judge_call.judge, replace(DEAF, packets=0, log=None), ["MED099"]),
    (judge_call.judge, replace(DEAF, greeted=False), ["AUD001"]),
    (judge_call.judge, replace(DEAF, cut=True), ["AUD003"]),
    (judge_call.judge, DEAF, ["AUD099"]),
    (judge_call.judge, replace(HEALTHY, log=replace(LOG, died="exited with -9")), ["DSP007"]),
    (judge_call.judge, replace(RINGS, outcome="refused", status=486, log=replace(LOG, reason="participant-failed")),
     ["SIP007"]),
    *((judge_call.judge, replace(HEALTHY, log=replace(LOG, failed_stages=(stage,))), [code])
      for stage, code in (("stt", "STT099"), ("llm", "LLM099"), ("tts", "TTS099"), ("reply", "AUD099"))),
    (judge_call.judge, replace(HEALTHY, log=replace(LOG, failed_stages=("reply",), early_failures=("tts",))),
     ["TTS099"]),
    # a call of the past
    (past.judge, past.Past(replace(LOG, accepted=True, turns=2)), []),
    (past.judge, past.Past(replace(LOG, room="", reason="flood"), "LIN006"), ["LIN006"]),
    (past.judge, past.Past(replace(LOG, room="", reason="flood"), "LIN007"), ["LIN007"]),
    (past.judge, past.Past(replace(LOG, room="", reason="flood")), ["LIN099"]),
    (past.judge, past.Past(replace(LOG, room="", challenged=True)), ["LIN008"]),
    (past.judge, past.Past(replace(LOG, reason="no-common-codec")), ["MED002"]),
    (past.judge, past.Past(replace(LOG, reason="media-failed")), ["SIP004"]),
    (past.judge, past.Past(replace(LOG, no_worker=True)), ["DSP002"]),
    (past.judge, past.Past(replace(LOG, job_worker="AW_1", job_error="boom")), ["DSP003"]),
    (past.judge, past.Past(LOG), ["DSP002"]),
    (past.judge, past.Past(replace(LOG, reason="participant-failed", shut_out="refused")), ["SIP007"]),
    *((past.judge, past.Past(replace(OURS, refused=f"sip status: {status}: x")), codes)
      for status, codes in ((403, ["SIP008"]), (407, ["SIP008"]), (503, ["SIP008"]), (486, []), (603, []))),
    (past.judge, past.Past(replace(OURS, refused="sip request timed out")), ["unknown"]),
    (past.judge_registering, 0, []),
    (past.judge_registering, 3, ["SIP005"]),
    (past.judge, past.Past(replace(LOG, job_worker="AW_1")), ["DSP099"]),
    (past.judge, past.Past(replace(LOG, accepted=True, destination="192.168.77.1:9")), ["MED007"]),
    (past.judge, past.Past(replace(LOG, accepted=True, turns=1, destination="192.168.77.1:9"), to_source=True), []),
    (past.judge, past.Past(replace(LOG, accepted=True)), ["unknown"]),
    (past.judge, past.Past(replace(counted(packets_in=0, frames_in=0, published=0), accepted=True)), ["MED004"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("judge", "facts", "expected"), ROWS, ids=[f"{i} {row[2]}" for i, row in enumerate(ROWS)]
)
def test_evidence_has_one_cause(
    judge: Callable[[Any], Verdict], facts: Any, expected: list[str]
) -> None:
    """The code, the subject, and nothing besides."""
    verdict = judge(facts)
    found = [each.key if isinstance(each, Finding) else "unknown" for each in verdict]
    assert found == expected
    assert all(each.why for each in verdict if isinstance(each, Unknown))


@pytest.mark.parametrize(
    ("number", "kind"), list(enumerate(["unreachable", "broken", "late", "stranger", "empty"]))
)
def test_model_servers_fail_alike(number: int, kind: str) -> None:
    """The same code of both families for the same failure."""
    code = ("001", "002", "003", "005", "006")[number]
    (finding,) = thinking.judge_server("TTS", thinking.Facts(kind))
    assert finding.code == f"TTS{code}"


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("room_config", "nobody comes"),
        ("rule", "there already"),
        ("inbound_numbers", "letter by letter"),
    ],
)
def test_a_changed_rule_is_told_in_words(field: str, words: str) -> None:
    """One code, as one thing mends it; what it does to callers differs."""
    facts = lines.Facts((Step("replace", "rule", "+1", "SDR_1", (field,)),))
    (finding,) = lines.judge(facts)
    assert isinstance(finding, Finding)
    assert finding.key == "LIN002 +1"
    assert words in finding.seen


def test_every_cause_can_be_named() -> None:
    """No row of the table without evidence in these tests, no code in the code without a row."""
    here = "".join(path.read_text() for path in Path(__file__).parent.glob("*.py"))
    tested = set(re.findall(r"[A-Z]{3}\d{3}", here))
    # The two families of model servers are made by number.
    tested |= {f"{family}{n:03}" for family in ("LLM", "TTS") for n in range(1, 9)}
    assert set(causes.BY_CODE) - tested == set()
    used = set(
        re.findall(r'"([A-Z]{3}\d{3})"', "".join(p.read_text() for p in PACKAGE.rglob("*.py")))
    )
    assert used - set(causes.BY_CODE) == set()


def test_codes_are_unique_and_lie_on_a_leg() -> None:
    """A code is never used twice."""
    assert len(causes.TABLE) == len(causes.BY_CODE)
    assert {cause.leg for cause in causes.TABLE} <= set(causes.LEGS)


def test_the_page_is_the_table() -> None:
    """docs/findings.md is rendered from the causes."""
    page = Path(__file__).parents[2] / "docs" / "findings.md"
    assert page.read_text() == causes.render()
