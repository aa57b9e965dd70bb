"""What a firewall must let in: from the table and the lines, in every form, beside what listens."""

import json
import shutil
import subprocess
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from voicestack import ports, settings
from voicestack.firewall import listening, show
from voicestack.firewall.forms import FORMS
from voicestack.firewall.listening import Socket
from voicestack.firewall.rules import EVERYBODY, Rule, rules
from voicestack.lines.model import Digest, Line, Source
from voicestack.lines.wanted import Networks

ROOT = Path(__file__).resolve().parents[3]
CARRIER, LAN = IPv4Network("203.0.113.0/24"), IPv4Network("192.168.7.0/24")
NOW = Networks((IPv4Network("127.0.0.0/8"), IPv4Network("192.168.7.5/32")), (LAN,))


def line(*sources: Source, digest: Digest | None = None) -> Line:
    return Line("+15550100", "receptionist", sources, digest, "call-", "", True, 20, 30, "a:1")


NAME = {"DOMAIN": "voice.example.org", "NODE_IP": "9.9.9.9"}


def made(tmp_path: Path, *lines: Line, **environ: str) -> list[Rule]:
    return rules(settings.load(tmp_path, environ=environ), lines, NOW)


def by_key(found: list[Rule]) -> dict[str, tuple[IPv4Network, ...]]:
    return {rule.key: rule.sources for rule in found}


def test_phones_come_from_where_the_lines_say(tmp_path: Path) -> None:
    """SIP and RTP are open to carriers alone, browsers' ports to the LAN; loopback is no rule."""
    found = by_key(made(tmp_path, line("this-machine", CARRIER)))
    assert found["sip"] == found["sip_rtp"] == (CARRIER,)
    assert found["https"] == found["livekit_udp"] == (LAN,)


def test_registered_phones_bring_their_sound(tmp_path: Path) -> None:
    """The registrar and RTP are open to the LAN, with a name to all; SIP itself is not."""
    lines = (line("phones", CARRIER),)
    found = by_key(made(tmp_path, *lines, REGISTRAR="on"))
    assert found["registrar"] == (LAN,)
    assert set(found["sip_rtp"]) == {LAN, CARRIER}
    assert found["sip"] == (CARRIER,)
    found = by_key(made(tmp_path, *lines, REGISTRAR="on", **NAME))
    assert (found["registrar"], found["sip_rtp"], found["sip"]) == (
        EVERYBODY,
        EVERYBODY,
        (CARRIER,),
    )


def test_a_line_with_a_password_only_is_open_to_all(tmp_path: Path) -> None:
    """Nobody knows from where a digest user calls."""
    found = by_key(made(tmp_path, line(digest=Digest("desk", "x" * 20))))
    assert found["sip"] == EVERYBODY


def test_no_line_no_hole(tmp_path: Path) -> None:
    """Without lines nobody may call, so SIP stays shut."""
    assert "sip" not in by_key(made(tmp_path))


def test_loopback_opens_nothing(tmp_path: Path) -> None:
    """LISTEN=loopback."""
    assert made(tmp_path, line(CARRIER), LISTEN="loopback") == []


def test_exactly_the_public_rows_of_the_table(tmp_path: Path) -> None:
    """A port missing from either side is an open hole or a silent call."""
    switched = {"REGISTRAR": "on", "SIP_TLS": "on", "INGRESS": "on"}
    public = {"ACME_EMAIL": "ops@example.org", **switched, **NAME}
    ingress = {port.key for port in ports.TABLE if port.service == "ingress"}
    for mode, absent in ((public, set()), ({}, {"http", "registrar", "sip_tls", *ingress})):
        found = {(rule.key, rule.proto) for rule in made(tmp_path, line(CARRIER), **mode)}
        wanted = {
            (port.key, proto)
            for port in ports.TABLE
            if port.public and port.key not in absent
            for proto in port.proto.split("+")
        }
        assert found == wanted


def test_a_name_is_for_everybody(tmp_path: Path) -> None:
    """With DOMAIN browsers come from anywhere, phones still from their carrier."""
    found = by_key(made(tmp_path, line(CARRIER), **NAME))
    assert found["https"] == EVERYBODY
    assert found["sip"] != EVERYBODY


@pytest.mark.parametrize("form", FORMS)
def test_every_form_has_every_rule(tmp_path: Path, form: str) -> None:
    """Ports, protocol and networks stand in each of them."""
    found = made(tmp_path, line(CARRIER, LAN))
    text = FORMS[form](found)
    for rule in found:
        assert str(rule.first) in text
        assert str(rule.last) in text
        assert all(str(source) in text for source in rule.sources)
    if form in {"json", "aws", "hetzner"}:
        entries = json.loads(text)
        assert len(entries["rules"] if form == "json" else entries) == len(found)


@pytest.mark.skipif(shutil.which("nft") is None, reason="no nft on this machine")
def test_nft_takes_its_form(tmp_path: Path) -> None:
    """`nft --check` parses the table; nothing is loaded."""
    text = FORMS["nft"](made(tmp_path, line(CARRIER, LAN)))
    done = subprocess.run(
        ["nft", "--check", "--file", "-"], input=text, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("form", ["ufw", "firewalld", "gcp"])
def test_commands_are_shell(tmp_path: Path, form: str) -> None:
    """What is piped into a shell parses."""
    text = FORMS[form](made(tmp_path, line(CARRIER, LAN)))
    assert subprocess.run(["sh", "-n"], input=text, text=True, check=False).returncode == 0


def healthy(held: settings.Settings) -> list[Socket]:
    """What a stack that is up has open."""
    table = ports.resolve(held)
    found = []
    for port in ports.TABLE:
        address = {"node": "0.0.0.0", "loopback": "127.0.0.1"}.get(port.bind)
        for proto in port.proto.split("+"):
            if address and port.count == 1:
                found.append(Socket(proto, address, table[port.key], port.service))
    return found


def test_check_is_silent_in_the_healthy_world(tmp_path: Path) -> None:
    """Also about other programs' ports, and UDP ports that a server sends from."""
    held = settings.load(tmp_path, environ={})
    others = [Socket("tcp", "::", 22, "sshd"), Socket("udp", "::", 45678, "livekit-sip")]
    assert listening.judge(held, (*healthy(held), *others)).ok


def test_check_names_what_is_wrong(tmp_path: Path) -> None:
    """Redis on every network, SIP metrics on, no HTTPS, a stray port of a server."""
    held = settings.load(tmp_path, environ={})
    sockets = [each for each in healthy(held) if each.port not in {6380, 8443}]
    sockets += [
        Socket("tcp", "::", 6380, "redis-server"),
        Socket("tcp", "::", 7895, "livekit-sip"),
        Socket("tcp", "::", 6060, "livekit-server"),
    ]
    found = listening.judge(held, tuple(sockets))
    assert [text.split(":")[0] for text in found.missing] == ["https"]
    assert [text.split(":")[0] for text in found.exposed] == ["redis", "sip_metrics"]
    assert len(found.unknown) == 1
    assert "6060" in found.unknown[0]


def test_the_script_s_faults(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2, what was seen, what to do."""
    assert show.run(ROOT, form="pf", browsers=[], check=False) == 2
    assert show.run(ROOT, form="text", browsers=["10.0.0.1/8"], check=False) == 2
    told = capsys.readouterr().err
    assert "--format pf is not known" in told
    assert told.count("hint:") == 2


def test_the_document_names_every_form() -> None:
    """docs/firewall.md is the checklist."""
    text = (ROOT / "docs/firewall.md").read_text()
    assert all(f"`{form}`" in text for form in FORMS)
    assert all(f"`{port.key}`" in text for port in ports.TABLE if port.public)
