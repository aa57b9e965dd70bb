"""TLS and relay as rendered: Caddy takes each mode's file, and the relay leads here alone."""

import contextlib
import json
import ssl
import subprocess
import time
from ipaddress import IPv4Address, IPv4Interface, ip_address, ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest
from ruamel.yaml import YAML
from tests.servers import binary

from voicestack import credentials, network, settings
from voicestack.native import render
from voicestack.native.paths import Paths
from voicestack.ports import at_base, free_base, resolve

ROOT = Path(__file__).resolve().parents[3]
ADDRESS = "192.168.7.20"
MACHINE = network.Machine(
    (network.Interface("eth0", IPv4Interface(f"{ADDRESS}/24")),), "eth0", first_free_port=1
)
NAMES = {"DOMAIN": "voice.example.org", "TURN_DOMAIN": "turn.example.org"}
ACME = {**NAMES, "ACME_EMAIL": "ops@example.org", "NODE_IP": "9.9.9.9"}


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "look", lambda: MACHINE)


def rendered(folder: Path, template: str, **environ: str) -> str:
    values = {"STATE_DIR": str(folder / "state"), **environ}
    stack = settings.load(folder, environ=values, machine=MACHINE)
    held = credentials.ensure(stack)
    given = render.template_values(stack, resolve(stack), held, Paths.of(stack, ROOT))
    return render.render(ROOT, template, given)


def caddy(folder: Path, **environ: str) -> dict[str, Any]:
    """The configuration that Caddy makes of the file."""
    if not binary("caddy").exists():
        pytest.skip("caddy is not built yet: make setup")
    file = folder / "Caddyfile"
    file.write_text(rendered(folder, "caddy/Caddyfile.j2", **environ))
    command = [binary("caddy"), "adapt", "--config", file]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    config: dict[str, Any] = json.loads(done.stdout)
    return config


def on_https(apps: dict[str, Any], listen: str) -> dict[str, Any]:
    """The server that browsers come to; the only other one is for health, on loopback."""
    by_address = {each["listen"][0]: each for each in apps["http"]["servers"].values()}
    server: dict[str, Any] = by_address.pop(listen)
    assert list(by_address) == ["127.0.0.1:7899"]
    return server


def livekit(folder: Path, **environ: str) -> dict[str, Any]:
    config: dict[str, Any] = YAML(typ="safe").load(
        rendered(folder, "livekit/livekit.yaml.j2", **environ)
    )
    return config


def test_in_a_lan_nothing_is_asked_of_the_outside(tmp_path: Path) -> None:
    """Own authority, one port, no redirect, no HTTP/3."""
    apps = caddy(tmp_path)["apps"]
    server = on_https(apps, ":8443")
    assert server["protocols"] == ["h1", "h2"]
    assert server["automatic_https"] == {"disable_redirects": True}
    issuers = [each["issuers"] for each in apps["tls"]["automation"]["policies"]]
    assert issuers == [[{"module": "internal"}]]


def test_a_public_name_has_a_certificate_by_acme(tmp_path: Path) -> None:
    """For both names; addresses keep the own authority, and 80 is open for the proof."""
    apps = caddy(tmp_path, **ACME, ACME_DIRECTORY="https://ca.example.org/directory")["apps"]
    assert apps["http"]["http_port"] == 80
    assert on_https(apps, ":443")
    policies = apps["tls"]["automation"]["policies"]
    own = [each["subjects"] for each in policies if each["issuers"] == [{"module": "internal"}]]
    assert own == [["9.9.9.9", "localhost"]]
    acme = [one for each in policies for one in each["issuers"] if one["module"] == "acme"]
    assert {each["email"] for each in acme} == {"ops@example.org"}
    assert {each["ca"] for each in acme} == {"https://ca.example.org/directory"}


def test_one_port_serves_page_and_relay(tmp_path: Path) -> None:
    """Told apart by the name that the client asks for."""
    server = on_https(caddy(tmp_path, **NAMES)["apps"], ":443")
    relay, tls = server["listener_wrappers"]
    (route,) = relay["routes"]
    assert route["match"] == [{"tls": {"sni": ["turn.example.org"]}}]
    assert route["handle"][1]["upstreams"] == [{"dial": [f"{ADDRESS}:5349"]}]
    assert tls == {"wrapper": "tls"}


def test_no_relay_on_loopback(tmp_path: Path) -> None:
    """Nobody comes from elsewhere."""
    assert "turn" not in livekit(tmp_path, LISTEN="loopback")


@pytest.mark.parametrize("node_ip", [ADDRESS, "9.9.9.9"])
def test_the_relay_leads_here_alone(tmp_path: Path, node_ip: str) -> None:
    """failures-and-security 3.36: every special network is denied, and all the rest too."""
    turn = livekit(tmp_path, NODE_IP=node_ip)["turn"]
    denied = [ip_network(each) for each in turn["deny_peer_cidrs"]]

    def is_denied(address: str) -> bool:
        return any(ip_address(address) in network for network in denied)

    special = ["127.0.0.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.7.21", "169.254.169.254"]
    more = ["100.64.0.1", "192.0.0.1", "198.18.0.1", "240.0.0.1", "255.255.255.255", "8.8.8.8"]
    six = ["::1", "fd00:ec2::254", "64:ff9b::a01:203", "::ffff:127.0.0.1", "2001:db8::1"]
    assert [each for each in [*special, *more, *six] if not is_denied(each)] == []
    assert not is_denied(node_ip)
    allowed = [f"{node_ip}/32"] if IPv4Address(node_ip).is_private else None
    assert turn.get("allow_restricted_peer_cidrs") == allowed


def test_what_caddy_passes_on_and_what_it_writes(tmp_path: Path) -> None:
    """With nothing behind it: 502 for what is passed on, 404 for the rest, no token in its log."""
    if not binary("caddy").exists():
        pytest.skip("caddy is not built yet: make setup")
    base = free_base()
    file, log = tmp_path / "Caddyfile", tmp_path / "log"
    more = {"LISTEN": "loopback", "STACK_PORT_BASE": str(base)}
    file.write_text(rendered(tmp_path, "caddy/Caddyfile.j2", **more))
    root = tmp_path / "state/caddy/pki/authorities/local/root.crt"
    url = f"https://localhost:{at_base(base)['https']}"
    with (
        log.open("wb") as out,
        subprocess.Popen(
            [binary("caddy"), "run", "--config", file], stderr=out, env={"HOME": str(tmp_path)}
        ) as process,
    ):
        try:
            client = trusting(root, url)
            statuses = {
                path: client.get(path).status_code
                for path in (
                    "/",
                    "/api/session",
                    "/rtc?access_token=eyJhbGci.eyJ2aWRl.x&join_request=eyJx",
                )
            }
            assert set(statuses.values()) == {502}
            closed = ("/lines/apply", "/livekit/webhook", "/ready", "/api", "/metrics", "/rtcx")
            assert {path: client.get(path).status_code for path in closed} == dict.fromkeys(
                closed, 404
            )
            assert client.get("/ca.crt").text == root.read_text()
        finally:
            process.terminate()
    assert "access_token=hidden" in log.read_text()
    assert "eyJ" not in log.read_text()


def trusting(root: Path, url: str) -> httpx.Client:
    """A client that trusts the authority, once Caddy has made it and listens."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, httpx.TransportError):
            context = ssl.create_default_context(cafile=str(root))
            client = httpx.Client(base_url=url, verify=context)
            client.get("/ca.crt")
            return client
        time.sleep(0.05)
    raise AssertionError("Caddy does not answer")


def test_behind_nat_the_relay_listens_on_this_machine(tmp_path: Path) -> None:
    """NODE_IP is the router's: no socket of ours can have it."""
    assert livekit(tmp_path, NODE_IP="9.9.9.9")["turn"]["bind_addresses"] == [ADDRESS]
    assert livekit(tmp_path)["turn"]["bind_addresses"] == [ADDRESS]


@pytest.mark.parametrize(
    ("environ", "address"),
    [({}, ADDRESS), ({"NODE_IP": "9.9.9.9"}, ADDRESS), ({"LISTEN": "loopback"}, "127.0.0.1")],
)
def test_media_comes_by_one_address(tmp_path: Path, environ: dict[str, str], address: str) -> None:
    """The server would call every address of the machine by the same name, and hear on one."""
    rtc = livekit(tmp_path, **environ)["rtc"]
    assert rtc["ips"] == {"includes": [f"{address}/32"]}
    assert rtc["enable_loopback_candidate"] == (address == "127.0.0.1")
