"""The wizard for carriers: what it writes is fit, and what it refuses changes nothing."""

import json
import os
import shutil
import subprocess
import sys
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from voicestack.carriers.catalog import CARRIERS
from voicestack.lines import outbound
from voicestack.lines.parse import parse

ROOT = Path(__file__).resolve().parents[3]
NUMBER = "+15105550100"
PASSWORD = "twenty-two-characters!"
TELNYX = ("telnyx", "--number", NUMBER, "--address", "sip.telnyx.com")
OUT = {
    "twilio": ("desk.pstn.twilio.com", "udp"),
    "telnyx": ("sip.telnyx.com", "udp"),
    "plivo": ("1234.zt.plivo.com", "tcp"),
    "generic": ("pbx.example.com:5070", "udp"),
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the lines file that comes with the project."""
    (tmp_path / "sip").mkdir()
    shutil.copy(ROOT / "sip/lines.yaml", tmp_path / "sip")
    (tmp_path / "password").write_text(PASSWORD + "\n")
    return tmp_path


def add(checkout: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Run the script: exit code, answer, talk."""
    command = [sys.executable, str(ROOT / "scripts/add_carrier.py"), *arguments, "--json"]
    done = subprocess.run(
        command,
        cwd=checkout,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={"NODE_IP": "9.9.9.9", "PATH": "/usr/bin:/bin"},
    )
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


def out(name: str) -> list[str]:
    """Options of a way out."""
    return [
        *("--address", OUT[name][0], "--user", "desk", "--password-file", "password"),
        *("--allow", "+1510", "--network", "203.0.113.0/24"),
    ]


@pytest.mark.parametrize("name", CARRIERS)
def test_each_carrier_becomes_a_line_and_a_trunk(checkout: Path, name: str) -> None:
    """Networks, number, address and digest are read back; comments and the old file stay."""
    file, secrets = checkout / "sip/lines.yaml", checkout / ".state/secrets"
    before = file.read_text()
    code, answer, _ = add(checkout, name, "--number", NUMBER, *out(name))
    assert (code, answer["written"]) == (0, True)
    assert any(NUMBER in step for step in answer["steps"])
    assert any("9.9.9.9:5060" in step for step in answer["steps"])
    assert Path(answer["kept"]).read_text() == before
    assert [line for line in before.splitlines() if line not in file.read_text()] == []

    (line,) = [each for each in parse(file, secrets=secrets) if each.number == NUMBER]
    carrier = CARRIERS[name]
    known = {*carrier.signalling, *carrier.media, "203.0.113.0/24"}
    assert set(line.sources) == {IPv4Network(each) for each in known}
    rules = outbound.parse(file, secrets=secrets)
    (trunk,) = rules.trunks
    assert (trunk.name, trunk.caller, rules.allow) == (name, NUMBER, ("+1510",))
    assert (trunk.address, trunk.transport) == OUT[name]
    assert trunk.digest is not None
    assert (trunk.digest.user, trunk.digest.password) == ("desk", PASSWORD)
    assert PASSWORD not in file.read_text()
    assert (secrets / f"carrier-{name}").stat().st_mode & 0o777 == 0o600

    again = file.read_text()
    code, answer, _ = add(checkout, name, "--number", NUMBER, *out(name))
    assert (code, answer["written"], file.read_text()) == (0, False, again)


def test_a_look_changes_nothing(checkout: Path) -> None:
    """--dry-run: the change is shown, and neither file nor password is there afterwards."""
    before = (checkout / "sip/lines.yaml").read_text()
    code, answer, _ = add(checkout, "twilio", "--number", NUMBER, *out("twilio"), "--dry-run")
    assert (code, answer["written"]) == (0, False)
    assert "+      # " in answer["diff"].replace("+        # ", "+      # ")
    assert (checkout / "sip/lines.yaml").read_text() == before
    assert not (checkout / ".state/secrets/carrier-twilio").exists()
    assert [path.name for path in (checkout / "sip").iterdir()] == ["lines.yaml"]


def test_a_look_at_what_is_there_forgets_no_password(checkout: Path) -> None:
    """The trunk that is in use keeps its own."""
    assert add(checkout, "twilio", "--number", NUMBER, *out("twilio"))[0] == 0
    assert add(checkout, "twilio", "--number", NUMBER, *out("twilio"), "--dry-run")[0] == 0
    assert (checkout / ".state/secrets/carrier-twilio").read_text() == PASSWORD


def test_a_line_that_is_there_is_extended(checkout: Path) -> None:
    """The default line keeps who may call it, and gets the carrier's networks."""
    code, _, _ = add(checkout, "generic", "--number", "+15550100", "--network", "203.0.113.0/24")
    assert code == 0
    (line,) = parse(checkout / "sip/lines.yaml", secrets=checkout)
    assert line.sources == ("this-machine", "lan", "phones", IPv4Network("203.0.113.0/24"))


@pytest.mark.parametrize(
    ("arguments", "seen"),
    [
        (["vonage", "--number", NUMBER], "no carrier that is known"),
        (["twilio"], "--number is missing"),
        (["plivo", "--number", NUMBER], "publishes no list"),
        (["generic", "--number", NUMBER, "--network", "203.0.113.7/24"], "203.0.113.0/24"),
        (["generic", "--number", NUMBER, "--network", "0.0.0.0/0"], "whole internet"),
        (["twilio", "--number", "15105550100"], "E.164"),
        (["twilio", "--number", NUMBER, "--address", "sip.telnyx.com"], "no address of Twilio"),
        (["twilio", "--number", NUMBER, "--allow", "+1510"], "needs an address"),
        ([*TELNYX, "--transport", "x"], "no transport"),
        ([*TELNYX, "--user", "a"], "password"),
        ([*TELNYX, "--user", "a", "--password-file", "short"], "20 or more characters"),
    ],
)
def test_what_does_not_fit_changes_nothing(checkout: Path, arguments: list[str], seen: str) -> None:
    """Exit 2, with the reason; no half-made file, no password left behind."""
    (checkout / "short").write_text("short")
    before = (checkout / "sip/lines.yaml").read_text()
    code, answer, talk = add(checkout, *arguments)
    assert (code, answer) == (2, {})
    assert seen in talk
    assert (checkout / "sip/lines.yaml").read_text() == before
    assert not list((checkout / ".state").rglob("carrier-*"))


def test_what_is_missing_is_asked_on_a_terminal(checkout: Path) -> None:
    """The number and the networks, one after the other."""
    ours, theirs = os.openpty()
    command = [sys.executable, str(ROOT / "scripts/add_carrier.py"), "plivo", "--dry-run"]
    asking = subprocess.Popen(
        command,
        cwd=checkout,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"NODE_IP": "9.9.9.9", "PATH": "/usr/bin:/bin"},
    )
    os.write(ours, f"{NUMBER}\n203.0.113.0/24 198.51.100.7/32\n".encode())
    shown, asked = asking.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert asking.returncode == 0, asked
    assert b"your number there" in asked
    for text in (NUMBER, "203.0.113.0/24", "198.51.100.7/32"):
        assert text in shown.decode()


def test_lists_are_dated_and_are_networks() -> None:
    """Each list says where it is from and when it was read."""
    for carrier in CARRIERS.values():
        networks = [IPv4Network(each) for each in (*carrier.signalling, *carrier.media)]
        assert all(each.is_global and each.prefixlen >= 16 for each in networks)
        assert not networks or (carrier.read_on and carrier.source.startswith("https://"))
