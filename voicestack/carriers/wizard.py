"""A carrier's number as a line, and its address as a way out, in the lines file."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString as Quoted

from voicestack import credentials, ports
from voicestack.carriers.catalog import Carrier
from voicestack.errors import VoicestackError
from voicestack.lines.edit import Edit, edit
from voicestack.lines.model import Defaults
from voicestack.native.render import write_private
from voicestack.outbound.rules import Transport
from voicestack.settings import Settings


@dataclass(frozen=True, slots=True)
class Wish:
    """What the operator wants."""

    carrier: Carrier
    number: str
    agent: str = ""
    networks: tuple[str, ...] = ()  # beside those that the carrier publishes
    address: str = ""  # empty: no way out
    transport: Transport | None = None
    user: str = ""
    password: str = field(default="", repr=False)
    allow: tuple[str, ...] = ()  # prefixes that may be called

    @property
    def all_networks(self) -> tuple[str, ...]:
        """From where calls and their sound come, each once."""
        known = (*self.carrier.signalling, *self.carrier.media, *self.networks)
        return tuple(dict.fromkeys(known))


class CarrierError(VoicestackError):
    """The wish cannot be fulfilled as it is."""


def steps(wish: Wish, settings: Settings) -> list[str]:
    """What to do on the carrier's pages, with our address in it."""
    here = f"{settings.domain or settings.node_ip}:{ports.resolve(settings)['sip']}"
    return [step.format(sip=here, number=wish.number) for step in wish.carrier.steps]


@dataclass(frozen=True, slots=True)
class Planned:
    """A change that was checked, and the file of a password that was made for the check."""

    change: Edit
    password: Path | None

    def drop(self) -> None:
        """Leave nothing of a change that is not written."""
        if self.password is not None:
            self.password.unlink()


def plan(wish: Wish, settings: Settings) -> Planned:
    """The lines file with the carrier in it, checked; nothing is written but a password's file."""
    judge(wish)
    secrets = credentials.directory_of(settings)
    defaults = Defaults(agent=settings.agent_name, max_call_minutes=settings.max_call_minutes)
    made = _keep_password(wish, secrets)  # the check of the lines wants it
    try:
        change = edit(
            settings.lines_file,
            lambda document: _change(document, wish),
            secrets=secrets,
            defaults=defaults,
        )
    except BaseException:
        if made is not None:
            made.unlink()
        raise
    return Planned(change, made)


def judge(wish: Wish) -> None:
    """Refuse what the parser of lines cannot know to be wrong."""
    carrier = wish.carrier
    if not wish.all_networks:
        raise CarrierError(
            f"{carrier.title} publishes no list of networks that this project knows",
            hint=f"--network for each of them, from {carrier.source}",
        )
    if wish.address and not carrier.address_form.fullmatch(wish.address):
        raise CarrierError(
            f"{wish.address} is no address of {carrier.title}",
            hint=f"it looks like {carrier.address or 'sip.example.com:5060'}",
        )
    if bool(wish.user) != bool(wish.password):
        raise CarrierError(
            "a user needs a password, and a password a user", hint="--user and --password-file"
        )
    if (wish.user or wish.allow) and not wish.address:
        shown = carrier.address or "sip.example.com"
        raise CarrierError("calling out needs an address", hint=f"--address {shown}")


def _password_file(wish: Wish, secrets: Path) -> Path:
    return secrets / f"carrier-{wish.carrier.name}"


def _keep_password(wish: Wish, secrets: Path) -> Path | None:
    if not wish.password:
        return None
    file = _password_file(wish, secrets)
    if file.exists() and file.read_text() != wish.password:
        raise CarrierError(
            f"{file} holds another password, which a trunk may be using",
            hint=f"remove it if nothing does: rm {file}",
        )
    secrets.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = not file.exists()
    write_private(file, wish.password)
    return file if fresh else None


def _change(document: CommentedMap, wish: Wish) -> None:
    _add_line(document, wish)
    if wish.address:
        _add_trunk(document, wish)


def _add_line(document: CommentedMap, wish: Wish) -> None:
    lines = document.get("lines")
    if not lines:  # `lines: []` is written in braces, as which a line with comments reads badly
        lines = document["lines"] = CommentedSeq()
    line = next((each for each in lines if each.get("number") == wish.number), None)
    if line is None:
        line = CommentedMap(number=Quoted(wish.number))
        if wish.agent:
            line["agent"] = wish.agent
        line["callers"] = CommentedMap()
        lines.append(line)
    elif wish.agent:
        line["agent"] = wish.agent
    callers = line.setdefault("callers", CommentedMap())
    sources = callers.setdefault("from", CommentedSeq())
    at = len(sources)
    sources.extend(each for each in wish.all_networks if each not in set(sources))
    if len(sources) > at and not sources.fa.flow_style():
        carrier = wish.carrier
        note = f"{carrier.title}, {carrier.read_on}: {carrier.source}".replace(", :", ":")
        sources.yaml_set_comment_before_after_key(at, before=note, indent=_column(sources))


def _column(sources: CommentedSeq) -> int:
    # New ones stand where a new line puts them; old ones where they stand.
    return int(sources.lc.col or 8)


def _add_trunk(document: CommentedMap, wish: Wish) -> None:
    out = document.setdefault("outbound", CommentedMap())
    trunks = out.setdefault("trunks", CommentedSeq())
    trunk: dict[str, Any] = CommentedMap(
        name=wish.carrier.name,
        address=Quoted(wish.address),
        transport=wish.transport or wish.carrier.transport,
        caller=Quoted(wish.number),
    )
    if wish.user:
        digest = CommentedMap(user=wish.user, password_file=f"carrier-{wish.carrier.name}")
        digest.fa.set_flow_style()
        trunk["digest"] = digest
    same = [index for index, each in enumerate(trunks) if each.get("name") == wish.carrier.name]
    if same:
        trunks[same[0]].update(trunk)
    else:
        trunks.append(trunk)
    allow = out.setdefault("allow", CommentedSeq()) if wish.allow else []
    allow.extend(Quoted(each) for each in wish.allow if each not in allow)
