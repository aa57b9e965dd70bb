"""`phones` of the lines file: softphones that register, and the numbers that agents call."""

import hashlib
import re
import stat
from pathlib import Path

from ruamel.yaml.nodes import MappingNode, Node

from voicestack.errors import LinesError
from voicestack.lines import callers, entry
from voicestack.lines.model import Phone
from voicestack.lines.nodes import Reader

KEYS = ("user", "number")
# Part of every HA1: another realm would make all passwords wrong.
REALM = "voicestack"
HA1 = re.compile(r"[0-9a-f]{32}")
EXAMPLE = '[{user: anna, number: "+15550201"}]'


def ha1(user: str, password: str) -> str:
    """What the registrar keeps of a password (RFC 2617 3.2.2.2); every softphone knows MD5."""
    return hashlib.md5(f"{user}:{REALM}:{password}".encode(), usedforsecurity=False).hexdigest()


def file_of(user: str, secrets: Path) -> Path:
    """Where it is kept."""
    return secrets / f"phone-{user}"


def parse(path: Path, *, secrets: Path) -> tuple[Phone, ...]:
    """Read the phones of a lines file."""
    reader = Reader(path.name)
    root = reader.document(path)
    found: tuple[Phone, ...] = ()
    if isinstance(root, MappingNode):
        nodes = {str(key.value): value for key, value in root.value}
        if "phones" in nodes:
            found = read(reader, nodes["phones"], secrets)
    if reader.faults:
        raise LinesError(sorted(reader.faults, key=lambda fault: fault.line))
    return found


def read(reader: Reader, node: Node, secrets: Path) -> tuple[Phone, ...]:
    """The phones, as far as they can be read; what is wrong is noted."""
    found: list[Phone] = []
    for each in reader.sequence(node, "phones", EXAMPLE, empty=True):
        phone = _phone(reader, each, secrets)
        if phone is None:
            continue
        for key in KEYS:
            if any(getattr(phone, key) == getattr(other, key) for other in found):
                reader.fault(each, key, "is another phone's", "each phone has its own", phone.user)
        found.append(phone)
    return tuple(found)


def _phone(reader: Reader, node: Node, secrets: Path) -> Phone | None:
    before = len(reader.faults)
    entries = reader.mapping(node, "a phone", KEYS)
    for key in KEYS:
        if key not in entries and isinstance(node, MappingNode):
            reader.fault(node, key, "is missing", f"for instance phones: {EXAMPLE}")
    if len(reader.faults) > before:
        return None
    user = reader.text(entries["user"], "user", "anna") or ""
    number = reader.text(entries["number"], "number", '"+15550201"') or ""
    if user and not callers.USER.fullmatch(user):
        must = "must be letters, digits and . _ -"
        reader.fault(entries["user"], "user", must, "for instance user: anna", user)
    if number and not entry.E164.fullmatch(number):
        must = "must be + and 7 to 15 digits"
        reader.fault(entries["number"], "number", must, 'for instance number: "+15550201"', number)
    if len(reader.faults) > before:
        return None
    proof = _proof(reader, entries["user"], user, secrets)
    return Phone(user, number, proof) if proof else None


def _proof(reader: Reader, node: Node, user: str, secrets: Path) -> str | None:
    path = file_of(user, secrets)
    make = f"scripts/phones.py password {user} makes a new one"
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not ASCII text"
        reader.fault(node, "user", f"has no password here ({reason})", make, str(path))
        return None
    if mode & 0o077:
        must = f"has mode {mode:04o}: others on this machine can read it"
        reader.fault(node, "user", must, f"chmod 600 {path}", str(path))
        return None
    if not HA1.fullmatch(text):
        reader.fault(
            node, "user", "has no HA1 (32 hexadecimal digits) in its file", make, str(path)
        )
        return None
    return text
