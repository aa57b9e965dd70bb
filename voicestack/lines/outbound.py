"""`outbound` of the lines file: the ways out, and who may be called."""

import re
from datetime import time
from pathlib import Path
from typing import get_args

from ruamel.yaml.nodes import MappingNode, Node

from voicestack.errors import LinesError
from voicestack.lines import callers, entry
from voicestack.lines.nodes import Reader
from voicestack.outbound.rules import Rules, Transport, Trunk

KEYS = ("trunks", "allow", "do_not_call", "quiet_hours", "per_hour", "per_day")
TRUNK_KEYS = ("name", "address", "transport", "caller", "digest")
ADDRESS = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?")
PREFIX = re.compile(r"\+[1-9][0-9]{0,14}")
QUIET = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")
NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
CALLS = range(1, 100_001)


def parse(path: Path, *, secrets: Path) -> Rules:
    """Read the rules of a lines file; without `outbound` nothing may be called."""
    reader = Reader(path.name)
    root = reader.document(path)
    rules = Rules()
    if isinstance(root, MappingNode):
        nodes = {str(key.value): value for key, value in root.value}
        if "outbound" in nodes:
            rules = read(reader, nodes["outbound"], secrets)
    if reader.faults:
        raise LinesError(sorted(reader.faults, key=lambda fault: fault.line))
    return rules


def read(reader: Reader, node: Node, secrets: Path) -> Rules:
    """The rules, as far as they can be read; what is wrong is noted."""
    entries = reader.mapping(node, "outbound", KEYS)
    trunks = [
        _trunk(reader, each, secrets)
        for each in _items(reader, entries, "trunks", "[{name: carrier, ...}]")
    ]
    quiet = _quiet(reader, entries["quiet_hours"]) if "quiet_hours" in entries else None
    default = Rules()
    caps = {
        key: reader.integer(entries[key], key, CALLS) if key in entries else None
        for key in ("per_hour", "per_day")
    }
    return Rules(
        trunks=tuple(trunk for trunk in trunks if trunk is not None),
        allow=tuple(_numbers(reader, entries, "allow", PREFIX)),
        do_not_call=frozenset(_numbers(reader, entries, "do_not_call", entry.E164)),
        quiet_from=quiet[0] if quiet else None,
        quiet_until=quiet[1] if quiet else None,
        per_hour=caps["per_hour"] or default.per_hour,
        per_day=caps["per_day"] or default.per_day,
    )


def _items(reader: Reader, entries: dict[str, Node], key: str, example: str) -> list[Node]:
    return reader.sequence(entries[key], key, example, empty=True) if key in entries else []


def _numbers(
    reader: Reader, entries: dict[str, Node], key: str, form: re.Pattern[str]
) -> list[str]:
    found = []
    for node in _items(reader, entries, key, '["+4930"]'):
        text = reader.text(node, key, '"+4930"')
        if text is not None and not form.fullmatch(text):
            must = "must be + and digits, country code first"
            reader.fault(node, key, must, f'for instance {key}: ["+4930"]', text)
        elif text is not None:
            found.append(text)
    return found


def _trunk(reader: Reader, node: Node, secrets: Path) -> Trunk | None:
    before = len(reader.faults)
    entries = reader.mapping(node, "a trunk", TRUNK_KEYS)
    for key in ("name", "address", "caller"):
        if key not in entries and isinstance(node, MappingNode):
            fix = f"{key}: {dict(name='carrier', address='sip.example.com', caller='...')[key]}"
            reader.fault(node, key, "is missing", fix)

    def text(key: str, form: re.Pattern[str], example: str, default: str = "") -> str:
        if key not in entries:
            return default
        value = reader.text(entries[key], key, example) or ""
        if value and not form.fullmatch(value):
            reader.fault(entries[key], key, "has another form", f"{key}: {example}", value)
        return value

    words = get_args(Transport)
    transport = text("transport", re.compile("|".join(words)), "tls", "udp")
    digest = callers.digest(reader, entries["digest"], secrets) if "digest" in entries else None
    name = text("name", NAME, "carrier")
    address = text("address", ADDRESS, "sip.example.com:5061")
    number = text("caller", entry.E164, '"+15550100"')
    if len(reader.faults) > before:
        return None
    kind: Transport = "tls" if transport == "tls" else "tcp" if transport == "tcp" else "udp"
    return Trunk(name, address, kind, number, digest)


def _quiet(reader: Reader, node: Node) -> tuple[time, time] | None:
    text = reader.text(node, "quiet_hours", '"21:00-08:00"')
    if text is None:
        return None
    found = QUIET.fullmatch(text)
    if found is None:
        must = "must be two times of the day"
        reader.fault(node, "quiet_hours", must, 'quiet_hours: "21:00-08:00"', text)
        return None
    hours = [int(each) for each in found.groups()]
    return time(hours[0], hours[1]), time(hours[2], hours[3])
