"""Browsers' ways to the media server: real packets, real relays, real firewalls; one cause each."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.diagnosis import worlds
from tests.diagnosis.servers import ACME, Served, served
from tests.diagnosis.worlds import World

pytestmark = [pytest.mark.calls]


@pytest.fixture(scope="module")
def browsers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("browsers")) as made:
        yield made


def codes(report: dict[str, Any]) -> list[str]:
    """What was named; what could not be seen is shown with the failure."""
    unseen = [f"{c['check']}: {u['why']}" for c in report["checks"] for u in c["unknown"]]
    assert unseen == []
    return [f"{each['code']} {each['subject']}".strip() for each in report["findings"]]


def test_healthy_ways_are_silent(browsers: Served) -> None:
    """Four ways, names, certificates, the page and two clients who hear each other."""
    for _ in range(20):
        report = browsers.look()
        assert codes(report) == []
    report = browsers.look("sound")
    assert codes(report) == []
    assert {c["state"] for c in report["checks"]} == {"ok"}
    assert report["took_s"] < 20


@pytest.mark.parametrize(
    "mode",
    [
        {"LISTEN": "loopback", "NODE_IP": "", "DOMAIN": "", "TURN_DOMAIN": ""},
        {"DOMAIN": "", "TURN_DOMAIN": ""},
        ACME,
    ],
    ids=["loopback", "lan", "public"],
)
def test_other_modes_are_silent(tmp_path: Path, mode: dict[str, str]) -> None:
    """With the ways, names and certificates that each of them has."""
    with served(tmp_path, **mode) as made:
        if "ACME_EMAIL" in mode:
            made.until_certified()
        for _ in range(5):
            assert codes(made.look()) == []
        assert codes(made.look("sound")) == []


# RFC 7983 7: the first byte after UDP's header tells a DTLS record from an answer of ICE.
DTLS = "udp dport 7882 @th,64,8 20-63"
UDP, TCP = worlds.blocked("udp dport 7882"), worlds.blocked("tcp dport 7881")
WORLDS: Sequence[tuple[str, World, list[str]]] = [
    # a firewall on the machine
    ("media UDP dropped", UDP, ["ICE004 udp"]),
    ("answers of media UDP dropped", worlds.blocked("udp sport 7882"), ["ICE004 udp"]),
    ("media TCP dropped", TCP, ["ICE005"]),
    ("relay UDP dropped", worlds.blocked("udp dport 3478"), ["RLY002 relay-udp"]),
    ("relay's own end dropped", worlds.blocked("udp dport 10300-10359"), ["RLY005 relay"]),
    ("relay behind Caddy dropped", worlds.blocked("tcp dport 5349"), ["RLY008 relay-tls"]),
    # addresses and relays that the server names
    ("another address named", worlds.livekit("node_ip: [0-9.]+", "node_ip: 172.17.0.1"), ["ICE002"]),
    ("no TCP", worlds.livekit("tcp_port: 7881", "tcp_port: 0"), ["ICE005"]),
    ("no relay", worlds.livekit("turn:\n  enabled: true", "turn:\n  enabled: false"),
     ["RLY001 relay-udp", "RLY001 relay-tls"]),
    ("no relay over TLS", worlds.livekit("  tls_port: 5349\n", ""), ["RLY001 relay-tls"]),
    ("relay denies the server", worlds.livekit("deny_peer_cidrs:\n.*?::/0\n",
     "deny_peer_cidrs: [\"0.0.0.0/0\"]\n"), ["RLY004 relay"]),
    ("relay open to all", worlds.livekit("  deny_peer_cidrs:\n.*?::/0\n", ""), ["RLY006 relay"]),
    ("no address named", worlds.livekit(r'includes: \["[0-9./]+"\]', 'includes: ["192.0.2.7/32"]'), ["ICE001"]),
    ("private address on a public stack", worlds.set_to(ACME_EMAIL="ops@example.test"), ["ICE003"]),
    ("address by STUN, another one", worlds.by_stun("203.0.113.99", "\n  skip_external_ip_validation: true"),
     ["ICE002"]),
    ("STUN server of a stranger", worlds.livekit("use_external_ip: false",
     'use_external_ip: false\n  stun_servers: ["stun.example.test:3478"]'), ["ICE007 stun"]),
    ("another server's relay", worlds.other_relay, ["RLY003 relay"]),
    # livekit-server itself
    ("another API secret", worlds.edited("livekit-keys.yaml", "livekit", ": .*", f": {'n' * 43}"), ["SRV002"]),
    ("key of the examples", worlds.edited("livekit-keys.yaml", "livekit", r"\Z", "devkey: secret\n"), ["SRV006"]),
    ("no Redis", worlds.livekit("redis:\n.*?\nroom:", "room:"), ["SRV005"]),
    ("frozen server", worlds.frozen("livekit"), ["SRV001"]),
    ("stranger on the API's port", worlds.instead_of("livekit", 7880), ["SRV004"]),
    ("rooms are made by nobody", worlds.livekit("room:\n", "room:\n  auto_create: false\n"), ["WEB001"]),
    # Caddy, page
    ("relay over loopback", worlds.both(
        worlds.livekit(r'  bind_addresses: \["203[^\n]*', '  bind_addresses: ["0.0.0.0"]'),
        worlds.caddy("proxy [0-9.]+:5349", "proxy 127.0.0.1:5349"),
    ), ["RLY007 relay-tls"]),
    ("no control", worlds.without("control"), ["WEB002"]),
    ("page not routed", worlds.caddy(r"@page path / ", "@page path "), ["WEB002"]),
    ("signalling not routed", worlds.caddy(r"@livekit path /rtc /rtc/\*", "@livekit path /nothing"), ["WEB003"]),
    ("upgrade stripped", worlds.caddy(
        r"(reverse_proxy 127.0.0.1:7880)", r"\1 {\n\t\t\theader_up -Upgrade\n\t\t\theader_up -Connection\n\t\t}"
    ), ["WEB003"]),
    ("relay's name not routed", worlds.caddy(r"\t\tlistener_wrappers \{.*?\n\t\t\}\n", ""), ["RLY008 relay-tls"]),
    ("relay's name leads elsewhere", worlds.caddy("proxy [0-9.]+:5349", "proxy 127.0.0.1:7890"),
     ["RLY008 relay-tls"]),
    ("plain HTTP on the HTTPS port", worlds.instead_of("caddy", 443), ["TLS001"]),
    ("authority made anew", worlds.new_authority, ["TLS005"]),
    ("page's certificate expired", worlds.page_certificate("voice.example.test", (-9, -2)), ["TLS002 page"]),
    ("page's certificate of tomorrow", worlds.page_certificate("voice.example.test", (2, 9)), ["TLS003 page"]),
    ("page's certificate for another name", worlds.page_certificate("other.example.test", (-1, 9)),
     ["TLS004 page"]),
    ("page's certificate not renewed", worlds.page_certificate("voice.example.test", (-99, 2)), ["TLS006 page"]),
    # names
    ("DOMAIN unknown", worlds.hosts(DOMAIN=""), ["DNS001 DOMAIN"]),
    ("TURN_DOMAIN unknown", worlds.hosts(TURN_DOMAIN=""), ["DNS001 TURN_DOMAIN"]),
    ("DOMAIN elsewhere", worlds.hosts(DOMAIN="203.0.113.99"), ["DNS002 DOMAIN"]),
    ("TURN_DOMAIN elsewhere", worlds.hosts(TURN_DOMAIN="203.0.113.99"), ["DNS002 TURN_DOMAIN"]),
    ("DOMAIN has two addresses", worlds.hosts(DOMAIN="203.0.113.10 203.0.113.99"), ["DNS002 DOMAIN"]),
    ("AAAA that leads nowhere", worlds.hosts(DOMAIN="203.0.113.10 2001:db8::99"), ["DNS003 DOMAIN"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("world", "expected"), [row[1:] for row in WORLDS], ids=[row[0] for row in WORLDS]
)
def test_a_broken_way_is_named(browsers: Served, world: World, expected: list[str]) -> None:
    """Its code, and no other."""
    with world(browsers):
        assert codes(browsers.look()) == expected


SOUND: Sequence[tuple[str, World, list[str]]] = [
    ("no codec for sound", worlds.livekit("room:\n", "room:\n  enabled_codecs: [{mime: video/vp8}]\n"),
     ["SND002"]),
    ("handshakes dropped", worlds.blocked(DTLS), ["SND001"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("world", "expected"), [row[1:] for row in SOUND], ids=[row[0] for row in SOUND]
)
def test_sound_that_does_not_cross_is_named(
    browsers: Served, world: World, expected: list[str]
) -> None:
    """Where every way is open."""
    with world(browsers):
        assert codes(browsers.look("sound")) == expected


def test_a_server_that_fails_for_no_known_reason(browsers: Served) -> None:
    """The leg is named, and the cause called unknown."""
    with worlds.instead_of("livekit", 7880, "tests.diagnosis.odd_server")(browsers):
        assert codes(browsers.look()) == ["SRV099"]


def test_an_address_found_by_stun_is_no_fault(browsers: Served) -> None:
    """If it is the right one."""
    with worlds.by_stun()(browsers):
        assert codes(browsers.look()) == ["ICE007 stun"]


PAIRS: Sequence[tuple[str, World, World, list[str]]] = [
    ("UDP and TCP", UDP, TCP, ["ICE004 udp", "ICE005"]),
    ("TCP and relay", TCP, worlds.blocked("udp dport 3478"), ["ICE005", "RLY002 relay-udp"]),
    ("name and UDP", worlds.hosts(DOMAIN="203.0.113.99"), UDP, ["DNS002 DOMAIN", "ICE004 udp"]),
    ("certificate and TCP", worlds.page_certificate("voice.example.test", (-9, -2)), TCP,
     ["TLS002 page", "ICE005"]),
    ("page and relay", worlds.without("control"), worlds.blocked("udp dport 3478"),
     ["RLY002 relay-udp", "WEB002"]),
    ("no relay and no name", worlds.livekit("turn:\n  enabled: true", "turn:\n  enabled: false"),
     worlds.hosts(DOMAIN=""), ["DNS001 DOMAIN", "RLY001 relay-udp", "RLY001 relay-tls"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other", "expected"), [row[1:] for row in PAIRS], ids=[row[0] for row in PAIRS]
)
def test_two_broken_ways_are_both_named(
    browsers: Served, one: World, other: World, expected: list[str]
) -> None:
    """Neither hides the other."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(one(browsers))
        stack.enter_context(other(browsers))
        assert codes(browsers.look()) == expected
