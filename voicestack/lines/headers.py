"""SIP headers that become attributes of the caller, and attributes that become headers."""

import re
from collections.abc import Mapping

from ruamel.yaml.nodes import Node

from voicestack.lines.nodes import Reader

# RFC 3261 25.1, token; 64 characters are more than any carrier uses.
HEADER = re.compile(r"[A-Za-z0-9!%*_+`'~.-]{1,64}")
ATTRIBUTE = re.compile(r"[a-z][a-z0-9_.]{0,63}")
# By these the gateway, the agent and control tell calls apart: no caller may write them.
RESERVED = ("sip.", "lk.", "voicestack.")
# What makes the call itself; written over, it would not reach anybody.
OWN = frozenset(
    ("via", "from", "to", "call-id", "cseq", "contact", "max-forwards", "content-length",
     "content-type", "route", "record-route", "authorization", "proxy-authorization")
)  # fmt: skip
MOST = 16
Pairs = tuple[tuple[str, str], ...]


def read(reader: Reader, entries: Mapping[str, Node], key: str) -> Pairs:
    """Read one mapping; what is wrong with it is noted."""
    if key not in entries:
        return ()
    outward = key == "attributes_to_headers"
    example = "customer: X-Customer" if outward else "X-Customer: customer"
    pairs = []
    given = reader.mapping(entries[key], key, ())
    for left, node in given.items():
        right = reader.text(node, f"{key}.{left}", example.partition(": ")[2])
        if right is None:
            continue
        header, attribute = (right, left) if outward else (left, right)
        if fault := _fault(header, attribute, outward=outward):
            reader.fault(node, f"{key}.{left}", fault, f"for instance {key}: {{{example}}}", right)
        pairs.append((left, right))
    if len(given) > MOST:
        reader.fault(
            entries[key], key, f"has {len(given)} entries, {MOST} is the most", "drop some"
        )
    return tuple(pairs)


def _fault(header: str, attribute: str, *, outward: bool) -> str | None:
    if not HEADER.fullmatch(header):
        return "names no SIP header"
    if outward and header.lower() in OWN:
        return "names a header that makes the call itself"
    if not ATTRIBUTE.fullmatch(attribute):
        return "needs an attribute of lower-case letters, digits, _ and ."
    if attribute.startswith(RESERVED) and not outward:
        return f"names an attribute of the stack's own ({', '.join(RESERVED)})"
    return None
