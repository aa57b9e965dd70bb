"""How much of what goes wrong elsewhere is put in here: rows of the fault catalogue, and pairs.

Upstream's threads and sources name some ninety faults (F-01 to F-115 in the design notes). Each of
these is made by the tests named beside it, of which each expects one code, and no other.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest

from tests.diagnosis import test_lab, test_looks, test_outside, test_stack, test_start, test_ways
from voicestack.diagnosis import causes

Codes = frozenset[str]
CATALOGUE: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "F-01": ("DNS name missing or elsewhere", ("ways: DOMAIN unknown", "ways: DOMAIN elsewhere",)),
    "F-02": ("AAAA record, service on IPv4 alone", ("ways: AAAA that leads nowhere",)),
    "F-03": ("certificate not issued or not renewed, port taken", ("stack: port taken", "ways: page's certificate expired", "ways: page's certificate not renewed",)),
    "F-04": ("authority that nobody knows", ("ways: authority made anew",)),
    "F-06": ("TLS spoken to a plain port", ("ways: plain HTTP on the HTTPS port",)),
    "F-07": ("proxy strips Upgrade", ("ways: upgrade stripped",)),
    "F-09": ("relay's name not routed", ("ways: relay's name not routed",)),
    "F-10": ("other key or secret", ("ways: another API secret",)),
    "F-11": ("clock", ("stack: clock two minutes fast", "stack: clock two minutes slow",)),
    "F-12": ("token with wrong grants", ("single: token that lets nobody join",)),
    "F-13": ("configuration refused", ("start: unknown key",)),
    "F-14": ("--dev in production", ("ways: key of the examples",)),
    "F-15": ("Redis absent, other password, other Redis", ("ways: no Redis", "stack: another password", "stack: sip on another Redis",)),
    "F-16": ("Redis away under a running server", ("stack: paused",)),
    "F-20": ("UDP blocked, by which firewall", ("ways: media UDP dropped", "merged: firewall of the machine", "merged: firewall before it",)),
    "F-21": ("container's address announced", ("ways: another address named",)),
    "F-22": ("STUN unreachable at the start", ("start: STUN unreachable",)),
    "F-23": ("node_ip overridden by STUN", ("ways: address by STUN, another one",)),
    "F-28": ("ICE over TCP closed", ("ways: media TCP dropped",)),
    "F-29": ("relay without ports", ("start: relay without port",)),
    "F-30": ("relay refuses the server", ("ways: relay denies the server",)),
    "F-31": ("relay's end cannot be reached", ("ways: relay's own end dropped",)),
    "F-32": ("relay not named to browsers", ("ways: no relay",)),
    "F-33": ("relay's TLS without certificate", ("start: relay without certificate",)),
    "F-34": ("relay behind loopback", ("ways: relay over loopback",)),
    "F-37": ("STUN of strangers", ("ways: STUN server of a stranger",)),
    "F-39": ("rule without trunk", ("stack: rule open to all",)),
    "F-40": ("SIP port unreachable", ("inside: sip", "from outside: sip",)),
    "F-41": ("REGISTER", ("single: REGISTER",)),
    "F-42": ("no trunk or rule matches", ("past: +15550199 plain", "stack: trunk deleted",)),
    "F-44": ("number in another format in the rule", ("stack: rule compares letters",)),
    "F-45": ("source not allowed", ("past: +15550101 plain",)),
    "F-46": ("trunks or rules in conflict", ("stack: foreign rule on our trunk",)),
    "F-47": ("digest", ("past: +15550102 plain", "past: +15550102 wrong password",)),
    "F-49": ("no common codec", ("past: +15550100 G.729 only",)),
    "F-51": ("no ACK", ("history: no ACK",)),
    "F-53": ("livekit-sip not running", ("stack: sip stopped", "stack: sip frozen",)),
    "F-54": ("carrier refuses our call", ("history: carrier refuses",)),
    "F-56": ("two gateways", ("stack: second gateway",)),
    "F-60": ("RTP towards the gateway closed", ("inside: to the gateway",)),
    "F-61": ("SDP answer with a wrong address", ("answer: gateway announces another address",)),
    "F-62": ("caller's SDP is private", ("past: +15550100 private address",)),
    "F-63": ("RTP closed both ways", ("inside: from the gateway, to the gateway",)),
    "F-64": ("ports for audio used up", ("history: no port for audio",)),
    "F-65": ("payload that was not agreed", ("past: +15550100 unknown payload",)),
    "F-67": ("phone stops to send", ("history: phone goes silent",)),
    "F-68": ("gateway cannot reach the media server", ("walk: gateway cannot reach the server",)),
    "F-80": ("no worker", ("single: worker stopped",)),
    "F-81": ("worker up, never registered", ("stack: worker never registered",)),
    "F-82": ("nobody asks for the agent", ("stack: rule asks for no agent", "single: room that asks for no agent",)),
    "F-83": ("another worker's name", ("stack: worker that is not there",)),
    "F-84": ("room was there before", ("stack: rule leads into one room",)),
    "F-85": ("worker is full", ("stack: all lines busy",)),
    "F-86": ("call came while no worker was there", ("single: call without a worker",)),
    "F-87": ("second worker of the same name", ("stack: second worker",)),
    "F-88": ("two agents in one room", ("walk: two agents in one room",)),
    "F-89": ("job taken, its process never comes", ("answer: process of the job frozen",)),
    "F-90": ("job's code ends with an error", ("answer: agent raises",)),
    "F-94": ("job killed", ("history: job killed",)),
    "F-100": ("weights absent", ("stack: ear without weights",)),
    "F-101": ("model's address leads nowhere", ("stack: llm gone", "stack: tts gone",)),
    "F-103": ("ears too slow", ("stack: engine frozen",)),
    "F-104": ("language model slow or hanging", ("stack: llm slow", "stack: llm hang",)),
    "F-105": ("voice empty or silent", ("stack: tts empty", "stack: tts silent",)),
    "F-107": ("voice in a wrong format", ("stack: tts 48k", "stack: tts swapped", "stack: tts float",)),
    "F-113": ("codecs switched off", ("sound: no codec for sound",)),
    "F-114": ("disk full", ("single: disk full",)),
}  # fmt: skip


def rows(table: str, found: Iterable[Sequence[Any]]) -> dict[str, Codes]:
    """What each row of a table expects: its name is the first of it, codes the last."""
    return {
        f"{table}: {name_of(row)}": frozenset(code.split()[0] for code in row[-1]) for row in found
    }


def name_of(row: Sequence[Any]) -> str:
    """The name of a row; calls of the past have two parts, firewalls several."""
    first = row[0]
    if not isinstance(first, str):
        return ", ".join(first)
    return f"{first} {row[1]}" if first.startswith("+") else first


MADE: Mapping[str, Codes] = {
    **rows("stack", test_stack.FAULTS),
    **rows("walk", test_stack.WALKS),
    **rows("unknown", test_stack.CALLS),
    **rows("answer", test_stack.ANSWERS),
    **rows("past", test_stack.PAST),
    **rows("history", test_stack.HISTORY),
    **rows("start", test_start.LIVEKIT),
    **rows("ways", test_ways.WORLDS),
    **rows("sound", test_ways.SOUND),
    **rows("outside", test_outside.OUTSIDE),
    **rows("merged", test_outside.MERGED),
    **rows("inside", test_lab.CLOSED_INSIDE),
    **rows("from outside", test_lab.CLOSED_OUTSIDE),
    **rows(
        "single",
        [*test_stack.SINGLE.items(), *test_outside.SINGLE.items(), *test_looks.SINGLE.items()],
    ),
}


def test_sixty_rows_are_made() -> None:
    """Faults of the catalogue, each counted once however many ways it is made in."""
    assert len(CATALOGUE) >= 60


@pytest.mark.parametrize("row", CATALOGUE)
def test_each_is_named_by_one_code(row: str) -> None:
    """In every test that makes it, and docs/findings.md explains the code."""
    _, tests = CATALOGUE[row]
    for test in tests:
        assert len(MADE[test]) == 1, test
        assert MADE[test] <= causes.BY_CODE.keys()


def test_fifteen_pairs_are_made_and_named() -> None:
    """Of faults that do not follow from each other."""
    assert len(test_stack.PAIRS) + len(test_ways.PAIRS) >= 15
