"""The stack as another machine sees it, and both reports together: which firewall is it?"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.diagnosis import worlds
from tests.diagnosis.servers import Served, served
from tests.diagnosis.worlds import World
from voicestack.diagnosis import doctor

pytestmark = [pytest.mark.calls]
# SIP and calls need a whole stack: tests/diagnosis/test_lab.py has them.
ONLY = ["page outside", "ways outside"]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("outside")) as made:
        made.order(token=str(made.folder / "token"))
        yield made


def look(made: Served, **more: Any) -> dict[str, Any]:
    """From the other machine, as a browser that trusts the stack's authority."""
    root = made.folder / "state/caddy/pki/authorities/local/root.crt"
    given = {"token_file": str(made.folder / "token"), "authority": str(root)}
    return made.look_outside(only=ONLY, **given | more)


def unseen(report: dict[str, Any]) -> list[dict[str, str]]:
    """What could not be told, and what would."""
    return [unknown for check in report["checks"] for unknown in check["unknown"]]


def codes(report: dict[str, Any]) -> list[str]:
    return [f"{each['code']} {each['subject']}".strip() for each in report["findings"]]


OUTSIDE: Sequence[tuple[str, World, list[str]]] = [
    ("nothing", worlds.nothing, []),
    ("page dropped", worlds.blocked("iifname lan0 tcp dport 443"), ["OUT002"]),
    ("media UDP dropped", worlds.blocked("iifname lan0 udp dport 7882"), ["OUT003 udp"]),
    ("media TCP dropped", worlds.blocked("iifname lan0 tcp dport 7881"), ["OUT004 tcp"]),
    ("relay UDP dropped", worlds.blocked("iifname lan0 udp dport 3478"), ["OUT005 relay-udp"]),
    ("another address named", worlds.livekit("node_ip: [0-9.]+", "node_ip: 172.17.0.1"), ["ICE002"]),
    ("certificate expired", worlds.page_certificate("voice.example.test", (-9, -2)), ["TLS002"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("world", "expected"), [row[1:] for row in OUTSIDE], ids=[row[0] for row in OUTSIDE]
)
def test_what_a_browser_elsewhere_reaches(seen: Served, world: World, expected: list[str]) -> None:
    """Its code, and no other."""
    with world(seen):
        report = look(seen)
    assert unseen(report) == []
    assert codes(report) == expected


BAD_LINES: Sequence[tuple[str, World, list[str]]] = [
    ("two of three lost", worlds.bad_line(7882, lost=2, of=3), []),
    ("late and uneven", worlds.bad_line(7882, lost=0, of=1, delay_ms=60, jitter_ms=40), []),
    ("all lost", worlds.bad_line(7882, lost=1, of=1), ["OUT003 udp"]),
    ("relay: one of four lost", worlds.bad_line(3478, lost=1, of=4, delay_ms=20), []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("world", "expected"), [row[1:] for row in BAD_LINES], ids=[row[0] for row in BAD_LINES]
)
def test_a_bad_line_is_no_closed_port(seen: Served, world: World, expected: list[str]) -> None:
    """Some packets are lost anywhere; a port is called closed when none comes back."""
    with world(seen):
        assert codes(look(seen)) == expected


@pytest.mark.parametrize("kind", [worlds.FULL_CONE, worlds.SYMMETRIC])
def test_nat_is_no_fault(seen: Served, kind: str) -> None:
    """From behind a router all ways work; two worlds at once: its firewall lets no UDP out."""
    with worlds.behind_nat(kind)(seen):
        try:
            assert codes(look(seen, where=seen.lab.behind)) == []
            drops = "ip daddr 203.0.113.10 udp dport 7882 drop"
            with seen.lab.firewall(drops, where=seen.lab.outside, hook="forward"):
                assert codes(look(seen, where=seen.lab.behind)) == ["OUT003 udp"]
        finally:
            seen.dismiss(seen.lab.behind)


def test_an_unknown_authority_is_no_fault(seen: Served) -> None:
    """A machine that was not told to trust it says so, and what would decide."""
    report = seen.look_outside(only=["page outside"])
    assert (codes(report), report["exit_code"]) == ([], 2)
    assert "--ca" in unseen(report)[0]["decide"]


def test_a_token_of_another_stack_is_refused(seen: Served, tmp_path: Path) -> None:
    """No packet is sent, and the token is named."""
    other = tmp_path / "token"
    other.write_text("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl")
    assert codes(look(seen, token_file=str(other))) == ["OUT007"]


SINGLE = {"token that lets nobody join": ["OUT007"]}


def test_a_token_that_lets_nobody_join_is_refused(seen: Served, tmp_path: Path) -> None:
    """It is signed by this stack, and grants something else."""
    other = tmp_path / "token"
    seen.order(token=str(other), grants={"room_list": True})
    assert codes(look(seen, token_file=str(other))) == SINGLE["token that lets nobody join"]


MERGED: Sequence[tuple[str, World, list[str]]] = [
    ("firewall of the machine", worlds.blocked("iifname lan0 udp dport 7882"), ["FWL001 livekit_udp"]),
    ("firewall before it", worlds.blocked_before("udp dport 7882"), ["FWL002 livekit_udp"]),
    ("answers dropped", worlds.blocked_behind("udp sport 7882"), ["FWL003 livekit_udp"]),
    ("page: firewall of the machine", worlds.blocked("iifname lan0 tcp dport 443"), ["FWL001 https"]),
    ("page: firewall before it", worlds.blocked_before("tcp dport 443"), ["FWL002 https"]),
    ("another machine called", worlds.called_elsewhere, ["FWL004"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("world", "expected"), [row[1:] for row in MERGED], ids=[row[0] for row in MERGED]
)
def test_both_sides_tell_which_firewall(
    seen: Served,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    world: World,
    expected: list[str],
) -> None:
    """Packets at the network card, and the answers that leave it."""
    with world(seen):
        ending = seen.begin(checks="browsers", count=True)
        inside = ending()  # the looks of its own are over, it counts now
        assert inside == {"counting": True}
        outside = look(seen)
        seen.tell("")  # enough
        inside = ending()
    files = [tmp_path / "inside.json", tmp_path / "outside.json"]
    for file, report in zip(files, (inside, outside), strict=True):
        file.write_text(json.dumps(report))
    assert doctor.merged(*files, as_json=True) == 1
    assert codes(json.loads(capsys.readouterr().out)) == expected
