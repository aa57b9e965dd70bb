"""From the text of a lines file to lines, or to all of its faults at once."""

from dataclasses import replace
from pathlib import Path

from ruamel.yaml.nodes import MappingNode, Node

from voicestack.errors import Fault, LinesError
from voicestack.lines import entry, outbound, phones
from voicestack.lines.model import Defaults, Line
from voicestack.lines.nodes import Reader

VERSION = 1
# What callers without a number write into From (RFC 3323 4.1.1.3).
ANONYMOUS = "anonymous"


def parse(path: Path, *, secrets: Path, defaults: Defaults | None = None) -> tuple[Line, ...]:
    """Read a lines file; `secrets` is where relative password files lie."""
    reader = Reader(path.name)
    root = reader.document(path)
    lines = [] if root is None else _lines(reader, root, secrets, defaults or Defaults())
    _repeated(reader, lines)
    if reader.faults:
        raise LinesError(sorted(reader.faults, key=lambda fault: fault.line))
    return tuple(lines)


def _lines(reader: Reader, root: Node, secrets: Path, defaults: Defaults) -> list[Line]:
    known = ("version", "lines", "phones", "outbound", "blocked")
    entries = reader.mapping(root, "the file", known)
    if not isinstance(root, MappingNode):
        return []
    version = entries.get("version")
    if version is None or str(version.value) != str(VERSION):
        must = f"must be {VERSION}, the form that this release reads"
        reader.fault(version or root, "version", must, f"begin with: version: {VERSION}")
    if "outbound" in entries:  # read here for its faults: make_call.py reads it when it dials
        outbound.read(reader, entries["outbound"], secrets)
    if "phones" in entries:  # read here for its faults: the registrar's table is made of it
        phones.read(reader, entries["phones"], secrets)
    if "lines" not in entries:
        reader.fault(root, "lines", "is missing", "lines: [] means that no number is answered")
        return []
    nodes = reader.sequence(entries["lines"], "lines", '[{number: "+15550100", ...}]', empty=True)
    lines = (entry.read(reader, node, secrets, defaults) for node in nodes)
    blocked = _blocked(reader, entries["blocked"]) if "blocked" in entries else frozenset()
    return [replace(line, blocked=blocked) for line in lines if line is not None]


def _blocked(reader: Reader, node: Node) -> frozenset[str]:
    """Numbers that may call no line; prefixes cannot be had, as livekit hides numbers by a hash."""
    found = set()
    for each in reader.sequence(node, "blocked", '["+15105550123", anonymous]', empty=True):
        text = reader.text(each, "blocked", '"+15105550123"')
        if text is None:
            continue
        if text != ANONYMOUS and not entry.E164.fullmatch(text):
            must = f"must be a whole E.164 number, or {ANONYMOUS}"
            reader.fault(each, "blocked", must, 'such as "+15105550123"', text)
        found.add(text)
    return frozenset(found)


def _repeated(reader: Reader, lines: list[Line]) -> None:
    """livekit-server refuses two trunks for one number (protocol sip/sip.go, ValidateTrunks)."""
    first: dict[str, Line] = {}
    for line in lines:
        if line.number in first:
            must = f"is declared twice, first at {first[line.number].where}"
            fix = "join the two: one line may have several sources"
            reader.faults.append(Fault(line.where, "number", line.number, must, fix))
        first.setdefault(line.number, line)
