"""Would this call be let in? The lines file read as LiveKit matches it, clause by clause."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from voicestack.lines.model import Line
from voicestack.lines.plan import normal
from voicestack.lines.wanted import networks


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition of one line."""

    name: str
    holds: bool
    why: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """What became of a call, and the code of the clause that decided."""

    accepted: bool
    code: str  # empty if accepted without conditions
    line: Line | None
    clauses: tuple[Clause, ...]


def explain(
    lines: Sequence[Line], callee: str, source: IPv4Address, *, loopback: bool = False
) -> Explanation:
    """Number, then source, then password (protocol livekit/sip.go, MatchTrunk)."""
    clauses: list[Clause] = []
    for line in lines:
        same = normal(line.number) == normal(callee)
        why = "is" if same else "is not"
        clauses.append(Clause("number", same, f"{line.where}: {callee} {why} {line.number}"))
        if same:
            return _of_line(line, source, clauses, loopback=loopback)
    return Explanation(False, "LIN006", None, tuple(clauses))


def reachable(lines: Sequence[Line], source: IPv4Address, *, loopback: bool = False) -> Line | None:
    """The first line that may be called from there without a password."""
    for line in lines:
        told = explain((line,), line.number, source, loopback=loopback)
        if told.accepted and line.digest is None:
            return line
    return None


def _of_line(
    line: Line, source: IPv4Address, clauses: list[Clause], *, loopback: bool
) -> Explanation:
    masks = networks(loopback=loopback).masks(line.sources)
    inside = not masks or any(source in IPv4Network(mask) for mask in masks)
    listed = ", ".join(masks) or "anywhere"
    where = "is in" if inside else "is not in"
    clauses.append(Clause("source", inside, f"{line.where}: {source} {where} {listed}"))
    if not inside:
        return Explanation(False, "LIN007", line, tuple(clauses))
    if line.digest is not None:
        why = f"{line.where}: user {line.digest.user} and its password are asked for"
        clauses.append(Clause("password", True, why))
        return Explanation(True, "LIN008", line, tuple(clauses))
    clauses.append(Clause("agent", True, f"{line.where}: {line.agent} answers"))
    return Explanation(True, "", line, tuple(clauses))
