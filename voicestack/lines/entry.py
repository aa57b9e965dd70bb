"""One item of `lines`: each key read, each fault noted."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from voicestack.lines import callers, headers, hours
from voicestack.lines.model import Defaults, Line
from voicestack.lines.nodes import Reader, kind

KEYS = (
    "number",
    "agent",
    "worker",
    "callers",
    "room",
    "metadata",
    "hide_number",
    "ring_timeout_s",
    "max_call_minutes",
    "max_calls",
    "calls_per_caller",
    "hours",
    "closed",
    "headers_to_attributes",
    "attributes_to_headers",
)
# ITU-T E.164: a country code and up to fifteen digits in all.
E164 = re.compile(r"\+[1-9][0-9]{6,14}")
AGENT = re.compile(r"[a-z][a-z0-9_-]{0,62}")
ROOM = re.compile(r"[a-z][a-z0-9-]{0,31}")
RING_S = range(5, 181)
CALL_MINUTES = range(1, 1441)
CALLS = range(1, 91)
# Two phones of one household; more is a dialler.
CALLS_PER_CALLER = 2
# Half a minute of speech.
MOST_SAID_CHARS = 400
MOST_METADATA_BYTES = 8192

T = TypeVar("T")


def read(reader: Reader, node: Node, secrets: Path, defaults: Defaults) -> Line | None:
    """The line, or None when something about it is wrong."""
    before = len(reader.faults)
    entries = reader.mapping(node, "a line", KEYS)
    for key, example in (("number", '"+15550100"'), ("callers", "{from: [this-machine, lan]}")):
        if isinstance(node, MappingNode) and key not in entries:
            reader.fault(node, key, "is missing", f"for instance {key}: {example}")

    def take(key: str, read_one: Callable[[Node], T | None], default: T) -> T:
        value = read_one(entries[key]) if key in entries else None
        return default if value is None else value

    def count(key: str, allowed: range, default: int) -> int:
        return take(key, lambda each: reader.integer(each, key, allowed), default)

    number = take("number", lambda each: _number(reader, each), "")
    who = take("callers", lambda each: callers.read(reader, each, secrets), callers.NOBODY)
    line = Line(
        number=number,
        agent=take("agent", lambda each: _name(reader, each, "agent", AGENT), defaults.agent),
        sources=who.sources,
        digest=who.digest,
        room=take("room", lambda each: _name(reader, each, "room", ROOM), defaults.room),
        metadata=_metadata(reader, entries.get("metadata"), number),
        hide_number=take(
            "hide_number", lambda each: reader.boolean(each, "hide_number"), defaults.hide_number
        ),
        ring_timeout_s=count("ring_timeout_s", RING_S, defaults.ring_timeout_s),
        max_call_minutes=count("max_call_minutes", CALL_MINUTES, defaults.max_call_minutes),
        where=reader.where(node),
        max_calls=count("max_calls", CALLS, 0),
        calls_per_caller=count("calls_per_caller", CALLS, CALLS_PER_CALLER),
        hours=take("hours", lambda each: _hours(reader, each), ()),
        closed=take("closed", lambda each: _said(reader, each), ""),
        headers_to_attributes=headers.read(reader, entries, "headers_to_attributes"),
        attributes_to_headers=headers.read(reader, entries, "attributes_to_headers"),
        worker=take("worker", lambda each: _name(reader, each, "worker", AGENT), defaults.agent),
    )
    return line if len(reader.faults) == before else None


def _hours(reader: Reader, node: Node) -> hours.Hours | None:
    text = reader.text(node, "hours", hours.EXAMPLE)
    if text is None or (found := hours.read(text)):
        return found if text else None
    must = "must be days and times of the day"
    reader.fault(node, "hours", must, f"for instance hours: {hours.EXAMPLE}", text)
    return None


def _said(reader: Reader, node: Node) -> str | None:
    example = '"We are closed. Please call again tomorrow. Goodbye."'
    text = reader.text(node, "closed", example)
    if text is None or (text.isprintable() and len(text) <= MOST_SAID_CHARS):
        return text
    must = f"must be one line of {MOST_SAID_CHARS} characters at most"
    reader.fault(node, "closed", must, f"for instance closed: {example}", text[:40])
    return None


def _number(reader: Reader, node: Node) -> str | None:
    text = reader.text(node, "number", '"+15550100"')
    if text is None or E164.fullmatch(text):
        return text
    must = "must be an E.164 number: + and 7 to 15 digits, no spaces"
    digits = re.sub(r"[^0-9]", "", text)
    fix = f'write number: "+{digits}" with its country code' if digits else 'such as "+15550100"'
    reader.fault(node, "number", must, fix, text)
    return None


def _name(reader: Reader, node: Node, key: str, pattern: re.Pattern[str]) -> str | None:
    example = "call-" if key == "room" else "receptionist"
    text = reader.text(node, key, example)
    if text is None or pattern.fullmatch(text):
        return text
    must = "must be lower-case letters, digits and -, a letter first"
    reader.fault(node, key, must, f"for instance {key}: {example}", text)
    return None


def _metadata(reader: Reader, node: Node | None, number: str) -> str:
    """Job metadata: text goes to the agent as it is, keys and values as JSON with the number."""
    if isinstance(node, ScalarNode):
        text = reader.text(node, "metadata", "{language: en}") or ""
    else:
        values: dict[str, object] = {"line": number}
        if node is not None:
            values |= _values(reader, node)
        text = json.dumps(values, ensure_ascii=False, sort_keys=True)
    if len(text.encode()) > MOST_METADATA_BYTES:
        must = f"has {len(text.encode())} bytes, {MOST_METADATA_BYTES} is the most"
        reader.fault(node, "metadata", must, "put long texts into files of the agent")
    return text


def _values(reader: Reader, node: Node) -> dict[str, object]:
    values: dict[str, object] = {}
    if not isinstance(node, MappingNode):
        reader.fault(node, "metadata", "must be text or keys and values", "{language: en}")
        return values
    for key, value in reader.mapping(node, "metadata", ()).items():
        if key == "line":
            reader.fault(value, "metadata.line", "is the number, set by the stack", "rename it")
        elif not isinstance(value, ScalarNode):
            reader.fault(value, f"metadata.{key}", "must be one value", f"{key}: text")
        else:
            values[key] = _scalar(value)
    return values


def _scalar(node: ScalarNode) -> object:
    text = str(node.value)
    try:
        if kind(node) in {"int", "float"}:
            return json.loads(text)  # what JSON cannot say (0x10, .inf) stays text
    except json.JSONDecodeError:
        return text
    return text.lower() == "true" if kind(node) == "bool" else text
