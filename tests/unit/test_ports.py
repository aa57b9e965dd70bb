"""Ports: one table, moved as a block, free of clashes, and the document that repeats it."""

import socket
from pathlib import Path

import pytest

from voicestack import ports, settings
from voicestack.errors import VoicestackError

ROOT = Path(__file__).parents[2]


def resolve(root: Path, **environ: str) -> ports.Ports:
    return ports.resolve(settings.load(root, environ=environ))


def test_defaults_and_single_ports(tmp_path: Path) -> None:
    """SIP and HTTPS are an operator's choice, the others stand in the table."""
    table = resolve(tmp_path, SIP_PORT="5070")
    assert (table["sip"], table["https"], table["livekit_http"]) == (5070, 8443, 7880)
    assert table.range("sip_rtp") == range(10000, 10200)
    assert table.range("sip") == range(5070, 5071)


def test_a_base_moves_everything_into_one_block(tmp_path: Path) -> None:
    """Two copies with bases 300 apart never meet."""
    table = resolve(tmp_path, STACK_PORT_BASE="20000", SIP_PORT="5070")
    used = [number for key in table for number in table.range(key)]
    assert len(used) == len(set(used))
    assert min(used) == 20000
    assert max(used) < 20000 + ports.BLOCK


def test_the_table_has_no_clash() -> None:
    """Neither by default nor in a block; keys are unique."""
    assert ports.clashes(ports.Ports({})) == []
    assert ports.clashes(ports.at_base(20000)) == []
    assert len(ports.BY_KEY) == len(ports.TABLE)


@pytest.mark.parametrize(
    ("number", "pairs"),
    [
        (7881, {("livekit_tcp", "sip")}),
        (7882, {("livekit_udp", "sip")}),
        (10199, {("sip", "sip_rtp")}),
        (10200, set()),
        (8443, {("sip", "https")}),
    ],
)
def test_clashes_are_seen_by_protocol_and_range(number: int, pairs: set[tuple[str, str]]) -> None:
    """SIP takes both protocols: it meets TCP, UDP and ranges alike."""
    found = ports.clashes(ports.Ports({"sip": number}))
    assert {(one, other) for one, other, _ in found} == pairs


def test_some_ports_exist_in_some_modes_only(tmp_path: Path) -> None:
    """A firewall rule for a port where nothing listens is a hole for later."""

    def unused(**environ: str) -> set[str]:
        values = {"STACK_PORT_BASE": "20000", "NODE_IP": "127.0.0.1", **environ}
        stack = settings.load(tmp_path, environ=values)
        there = [port for port in ports.TABLE if port.bind != "off"]
        assert not any(ports.in_use(port, stack) for port in ports.TABLE if port not in there)
        return {port.key for port in there if not ports.in_use(port, stack)}

    names = {"DOMAIN": "v.example.org", "TURN_DOMAIN": "t.example.org"}
    media = {port.key for port in ports.TABLE if port.service in {"egress", "ingress"}}
    assert unused() == {"http", "turn_tls", "registrar", "sip_tls", *media}
    assert unused(**names) == {"http", "registrar", "sip_tls", *media}
    switched = {"REGISTRAR": "on", "SIP_TLS": "on", "EGRESS": "on", "INGRESS": "on"}
    assert unused(**names, ACME_EMAIL="a@example.org", **switched) == set()
    loopback = {"http", "turn_tls", "turn_udp", "turn_relay", "livekit_tcp", "registrar", "sip_tls"}
    assert unused(LISTEN="loopback") == loopback | media


def test_udp_and_tcp_may_share_a_number() -> None:
    """They are different ports."""
    assert ports.clashes(ports.Ports({"https": 7882})) == []


def test_a_free_block_is_really_free() -> None:
    """A block with one port taken is not offered."""
    base = ports.free_base()
    with socket.create_server(("127.0.0.1", base + 7)):
        bases = range(base, base + 1)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ports, "FREE_BASES", bases)
            with pytest.raises(VoicestackError, match="are free"):
                ports.free_base()


def test_the_document_repeats_the_table() -> None:
    """docs/ports.md has one row for each entry, and no other."""
    rows = [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in (ROOT / "docs/ports.md").read_text().splitlines()
        if line.startswith("| `")
    ]
    assert [[cell.strip("`") for cell in row] for row in rows] == [
        ports.row(p) for p in ports.TABLE
    ]
