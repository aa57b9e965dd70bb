"""Who may call a line: addresses, a password, or both."""

import re
import stat
from dataclasses import dataclass
from difflib import get_close_matches
from ipaddress import IPv4Network, ip_interface, ip_network
from pathlib import Path

from ruamel.yaml.nodes import MappingNode, Node

from voicestack.lines.model import PLACES, Digest, Source
from voicestack.lines.nodes import Reader

KEYS = ("from", "digest", "open_to_the_world")
DIGEST_KEYS = ("user", "password_file")
USER = re.compile(r"[A-Za-z0-9._-]{1,64}")
# livekit-sip's digest is MD5, and a prefix of the password's SHA-256 goes to its log
# (sip inbound.go, handleInviteAuth): only a long random password withstands guessing.
PASSWORD_CHARACTERS = 20
# A network wider than this is the internet, whatever its first digits are.
WIDEST_PREFIX = 8
EXAMPLE = "[this-machine, lan, 203.0.113.0/24]"


@dataclass(frozen=True, slots=True)
class Callers:
    """Sources and password of one line."""

    sources: tuple[Source, ...]
    digest: Digest | None


NOBODY = Callers((), None)


def read(reader: Reader, node: Node, secrets: Path) -> Callers | None:
    """Read `callers`; a line without any restriction is a fault."""
    entries = reader.mapping(node, "callers", KEYS)
    is_open = False
    if "open_to_the_world" in entries:
        is_open = reader.boolean(entries["open_to_the_world"], "open_to_the_world") or False
    sources: list[Source] = []
    if "from" in entries:
        for each in reader.sequence(entries["from"], "from", EXAMPLE):
            source = _source(reader, each, is_open=is_open)
            sources += [source] if source is not None else []
    proof = digest(reader, entries["digest"], secrets) if "digest" in entries else None
    if not isinstance(node, MappingNode):
        return None
    if not {"from", "digest"} & entries.keys():
        must = "must say `from`, `digest` or both: a line without either answers every scanner"
        reader.fault(node, "callers", must, f"from: {EXAMPLE}")
        return None
    return Callers(tuple(dict.fromkeys(sources)), proof)


def _source(reader: Reader, node: Node, *, is_open: bool) -> Source | None:
    text = reader.text(node, "from", "lan")
    if text is None:
        return None
    for place in PLACES:
        if text == place:
            return place
    try:
        network = ip_network(text)
    except ValueError:
        reader.fault(node, "from", "is no network, address or place", _nearest(text), text)
        return None
    if not isinstance(network, IPv4Network):
        must = "is IPv6; the SIP gateway listens on IPv4"
        reader.fault(node, "from", must, "name the caller's IPv4 network", text)
        return None
    if network.prefixlen < WIDEST_PREFIX and not is_open:
        must = "lets the whole internet call: scanners find a number within hours"
        fix = "name the carrier's networks; to open it on purpose: open_to_the_world: true"
        reader.fault(node, "from", must, fix, text)
        return None
    return network


def _nearest(text: str) -> str:
    try:
        written = ip_interface(text)
    except ValueError:
        close = get_close_matches(text.lower().replace("_", "-"), PLACES, n=1, cutoff=0.5)
        return f"did you mean {close[0]}?" if close else f"for instance {EXAMPLE}"
    return f"{written.network} is the network, {written.ip}/32 the one address"


def digest(reader: Reader, node: Node, secrets: Path) -> Digest | None:
    """User and password file of a `digest` entry."""
    entries = reader.mapping(node, "digest", DIGEST_KEYS)
    missing = [key for key in DIGEST_KEYS if key not in entries]
    for key in missing if isinstance(node, MappingNode) else ():
        reader.fault(node, f"digest.{key}", "is missing", "digest needs user and password_file")
    user = password = None
    if "user" in entries:
        user = reader.text(entries["user"], "user", "desk-phone")
    if user is not None and not USER.fullmatch(user):
        must = "must be letters, digits and . _ -"
        reader.fault(entries["user"], "user", must, "for instance user: desk-phone", user)
    if "password_file" in entries:
        name = reader.text(entries["password_file"], "password_file", "desk-phone")
        password = _password(reader, entries["password_file"], secrets / name) if name else None
    return Digest(user, password) if user and password else None


def _password(reader: Reader, node: Node, path: Path) -> str | None:
    key = "password_file"
    make = f"umask 077; openssl rand -base64 24 > {path}"
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        password = path.read_text("ascii").strip("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not ASCII text"
        reader.fault(node, key, f"cannot be read ({reason})", make, str(path))
        return None
    if mode & 0o077:
        must = f"has mode {mode:04o}: others on this machine can read it"
        reader.fault(node, key, must, f"chmod 600 {path}", str(path))
        return None
    if len(password) < PASSWORD_CHARACTERS or not password.isprintable() or " " in password:
        must = f"must hold {PASSWORD_CHARACTERS} or more characters on one line, no spaces"
        reader.fault(node, key, must, make, str(path))
        return None
    return password
