"""What is wrong with settings as a whole: each value is fit, together or on this machine not."""

import os
import stat
from collections.abc import Mapping, Set
from pathlib import Path
from typing import TYPE_CHECKING

from voicestack import ports
from voicestack.env_file import Value
from voicestack.errors import Fault
from voicestack.network import Machine
from voicestack.settings_tools import PATHS

if TYPE_CHECKING:
    from voicestack.settings import Settings

VARIABLE_OF_PORT = {"sip": "SIP_PORT", "https": "HTTPS_PORT"}


def judge(
    settings: "Settings", values: Mapping[str, Value], machine: Machine, *, skip: Set[str]
) -> list[Fault]:
    """All faults between settings, or between them and this machine."""
    faults = []
    if not skip & {"NODE_IP", "LISTEN"}:
        faults += _address(settings, values, machine)
    if not skip & {"STACK_PORT_BASE", "SIP_PORT", "HTTPS_PORT"}:
        faults += _ports(settings, values, machine)
    if not skip & {
        "INGRESS",
        "DOMAIN",
        "TURN_DOMAIN",
        "ACME_EMAIL",
        "NODE_IP",
        "LISTEN",
        "HTTPS_PORT",
    }:
        faults += _public(settings, values)
    faults += _webhooks(settings, values)
    for name in ("LLM_API_KEY_FILE", "TTS_API_KEY_FILE"):
        path = getattr(settings, name.lower())
        if path is not None:
            faults += _key_file(name, path, _where(values, name))
    for name in PATHS:
        path = getattr(settings, name)
        if path is not None and not os.access(path, os.R_OK):
            where = _where(values, name.upper())
            meaning = "is not there, or may not be read"
            faults.append(Fault(where, name.upper(), str(path), meaning, "name one that is"))
    for name in ("STATE_DIR", "VOICESTACK_CACHE"):
        faults += _directory(name, getattr(settings, name.lower()), _where(values, name))
    return faults


def _where(values: Mapping[str, Value], *names: str) -> str:
    return next((values[name].where for name in names if name in values), "default")


def _address(settings: "Settings", values: Mapping[str, Value], machine: Machine) -> list[Fault]:
    """A private address that is not ours cannot be reached; a public one may be NAT's."""
    address = settings.node_ip
    if "NODE_IP" not in values or settings.listen == "loopback":
        return []
    if address in machine.addresses or address.is_global:
        return []
    own = ", ".join(str(each) for each in sorted(machine.addresses))
    meaning = "is no address of this machine: callers would send their audio elsewhere"
    fix = f"use one of {own}, or remove the line"
    return [Fault(_where(values, "NODE_IP"), "NODE_IP", str(address), meaning, fix)]


def _public(settings: "Settings", values: Mapping[str, Value]) -> list[Fault]:
    """What names and certificates need of each other."""
    faults = []

    def fault(name: str, seen: object, meaning: str, fix: str) -> None:
        faults.append(Fault(_where(values, name), name, str(seen), meaning, fix))

    for name in ("TURN_DOMAIN", "ACME_EMAIL"):
        if getattr(settings, name.lower()) and not settings.domain:
            fault(name, "", "needs DOMAIN, the name of the page", "set DOMAIN")
    if settings.acme_directory and not settings.acme_email:
        fault("ACME_DIRECTORY", "", "is used with ACME_EMAIL only", "set ACME_EMAIL")
    if settings.turn_domain and settings.turn_domain == settings.domain:
        meaning = "must differ from DOMAIN: the name tells the relay from the page"
        fault("TURN_DOMAIN", settings.turn_domain, meaning, "add a second name to your DNS")
    moved = settings.stack_port_base is not None  # then a router may lead 443 to it
    if settings.turn_domain and settings.https_port != ports.HTTPS and not moved:
        meaning = "browsers look for the relay of TURN_DOMAIN on port 443"
        fault("HTTPS_PORT", settings.https_port, meaning, "remove HTTPS_PORT or TURN_DOMAIN")
    if settings.domain and settings.listen == "loopback":
        fault("DOMAIN", settings.domain, "leads nowhere with LISTEN=loopback", "LISTEN=lan")
    if settings.ingress == "on" and settings.listen == "loopback":
        fault("INGRESS", "on", "listens on every network, LISTEN=loopback or not", "LISTEN=lan")
    if settings.acme_email and "NODE_IP" not in values and not settings.node_ip.is_global:
        meaning = "is this machine's private address: browsers outside would send audio there"
        fix = "set NODE_IP to the public address that DOMAIN stands for"
        fault("NODE_IP", settings.node_ip, meaning, fix)
    return faults


def _webhooks(settings: "Settings", values: Mapping[str, Value]) -> list[Fault]:
    """What is sent after a call must have been kept until then."""
    if settings.webhook_transcripts == "off" or settings.history_transcripts == "on":
        return []
    where = _where(values, "WEBHOOK_TRANSCRIPTS")
    meaning = "needs HISTORY_TRANSCRIPTS=on: words that are not kept cannot be sent"
    fix = "set HISTORY_TRANSCRIPTS=on, or remove the line"
    return [Fault(where, "WEBHOOK_TRANSCRIPTS", "on", meaning, fix)]


def _ports(settings: "Settings", values: Mapping[str, Value], machine: Machine) -> list[Fault]:
    table = ports.resolve(settings)
    faults = []
    for one, other, number in ports.clashes(table):
        set_by = [VARIABLE_OF_PORT[key] for key in (one, other) if key in VARIABLE_OF_PORT]
        name = next((each for each in set_by if each in values), set_by[0] if set_by else "")
        meaning = f"{one} and {other} both want this port"
        fix = "choose a port that docs/ports.md does not list"
        faults.append(Fault(_where(values, name), name, str(number), meaning, fix))
    for key, name in VARIABLE_OF_PORT.items():
        if table[key] < machine.first_free_port:
            meaning = f"this user may bind ports from {machine.first_free_port} on only"
            fix = f"choose a higher {name}, or allow it: net.ipv4.ip_unprivileged_port_start"
            faults.append(Fault(_where(values, name), name, str(table[key]), meaning, fix))
    return faults


def _key_file(name: str, path: Path, where: str) -> list[Fault]:
    try:
        status = path.stat()
        key = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        return [Fault(where, name, str(path), f"cannot be read ({reason})", "name a readable file")]
    if stat.S_IMODE(status.st_mode) & 0o077:
        meaning = "others on this machine can read the key"
        return [Fault(where, name, str(path), meaning, f"chmod 600 {path}")]
    if not key or len(key.splitlines()) != 1:
        meaning = "must hold the key on one line"
        return [Fault(where, name, str(path), meaning, "write the key into the file")]
    return []


def _directory(name: str, path: Path, where: str) -> list[Fault]:
    """The directory may be missing, but then its nearest parent must let us make it."""
    nearest = next(each for each in (path, *path.parents) if each.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return []
    meaning = f"{nearest} is no directory that you may write"
    return [Fault(where, name, str(path), meaning, f"choose another directory for {name}")]
