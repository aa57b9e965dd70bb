"""Browsers: may one join, at which addresses, and on which ways do packets come and go."""

import asyncio
import secrets
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from livekit import api

from voicestack import network
from voicestack.diagnosis import rooms
from voicestack.diagnosis.legs import tls
from voicestack.diagnosis.model import CannotTellError, Check, Context, Finding, Unknown, Verdict
from voicestack.diagnosis.webrtc.signal import Candidate, Door, Invitation, JoinError, joined
from voicestack.diagnosis.webrtc.ways import Relayed, Way, by_relay, by_tcp, by_udp

LEG = "browsers"
# Loopback, a cloud's metadata service, private networks, another machine of ours, anybody.
STRANGERS = ("127.0.0.1", "169.254.169.254", "10.255.255.254", "192.168.255.254", "192.0.2.1")
OUTSIDE = "`scripts/sanity_check.py --from-outside` on another machine"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a browser on this machine was told, and how far it got."""

    expected: str  # NODE_IP
    kinds: tuple[str, ...]  # ways that this stack is set up for
    error: str = ""
    candidates: tuple[Candidate, ...] = ()
    ways: tuple[Way, ...] = ()
    strangers: tuple[str, ...] = ()  # STUN servers that are not ours
    public: bool = False  # certificates come from an authority that everybody knows
    behind_nat: bool = False  # NODE_IP is no address of this machine


def kinds(context: Context) -> tuple[str, ...]:
    """The ways of this stack, by its settings (docs/tls-and-turn.md)."""
    conf = context.settings
    if conf.listen == "loopback":
        return ("udp",)
    return ("udp", "tcp", "relay-udp", *(("relay-tls",) if conf.turn_domain else ()))


def token(context: Context, room: str) -> str:
    """To join unseen, say nothing, hear nothing: nobody is a caller in this room."""
    grants = api.VideoGrants(
        room_join=True, room=room, hidden=True,
        can_publish=False, can_subscribe=False, can_publish_data=False,
    )  # fmt: skip
    held = context.secrets
    made = api.AccessToken(held.livekit_api_key, held.livekit_api_secret)
    return made.with_identity(room).with_grants(grants).to_jwt()


def room_name() -> str:
    """A room of our own."""
    return f"sanity-check-{secrets.token_hex(4)}"


async def look(context: Context) -> Facts:
    """Join, and try every way that there should be, side by side."""
    conf = context.settings
    own = (await asyncio.to_thread(network.look)).addresses
    facts = Facts(
        str(conf.node_ip),
        kinds(context),
        public=conf.acme_email is not None and conf.acme_directory is None,
        behind_nat=conf.node_ip not in own,
    )
    door = Door(f"ws://127.0.0.1:{context.ports['livekit_http']}")
    room = room_name()
    try:
        async with joined(door, token(context, room)) as invitation:
            near = await asyncio.to_thread(_near, conf.node_ip, own)
            ways = await try_all(kinds(context), invitation, _ends(context, invitation, near))
            return replace(
                facts,
                candidates=tuple(invitation.candidates),
                ways=ways,
                strangers=_strangers(invitation),
            )
    except JoinError as error:
        return replace(facts, error=str(error))
    finally:
        await rooms.forget(context, room)


def _strangers(invitation: Invitation) -> tuple[str, ...]:
    """STUN servers beside our relay, which is one itself; without it the server names Google's."""
    if not any(each.user for each in invitation.relays):
        return ()
    urls = (url for each in invitation.relays for url in each.urls)
    return tuple(url for url in urls if url.startswith("stun:"))


def _near(node_ip: IPv4Address, own: frozenset[IPv4Address]) -> str:
    """NODE_IP, or what this machine calls itself behind one-to-one NAT (native/render.py)."""
    return str(node_ip if node_ip in own else network.look().node_ip)


@dataclass(frozen=True, slots=True)
class Ends:
    """Where each way is entered, as seen from here."""

    udp: tuple[str, int] | None
    tcp: tuple[str, int] | None
    relay_udp: Relayed | None
    relay_tls: Relayed | None


def _ends(context: Context, invitation: Invitation, near: str) -> Ends:
    """Of this machine's own ports: what lies in front of it is seen from outside only."""
    udp, tcp = invitation.first("udp"), invitation.first("tcp")
    given = [each for each in invitation.relays if each.user]
    name = context.settings.turn_domain or ""
    trust = tls.trusting(tls.authority_of(context.settings))
    server = udp or Candidate("udp", near, context.ports["livekit_udp"])
    relays = [
        Relayed((near, port), given[0].user, given[0].password, server, STRANGERS, secure, name)
        if given and any(url.startswith(scheme) for url in given[0].urls)
        else None
        for scheme, port, secure in (
            ("turn:", context.ports["turn_udp"], None),
            ("turns:", context.ports["https"], trust),
        )
    ]  # fmt: skip
    return Ends(
        (near, udp.port) if udp else None, (near, tcp.port) if tcp else None, relays[0], relays[1]
    )


async def try_all(wanted: tuple[str, ...], invitation: Invitation, ends: Ends) -> tuple[Way, ...]:
    """Those that are wanted; one that the server did not name has failed before it began."""
    tries = {
        "udp": by_udp(invitation, ends.udp) if ends.udp else None,
        "tcp": by_tcp(invitation, ends.tcp) if ends.tcp else None,
        "relay-udp": by_relay(invitation, ends.relay_udp) if ends.relay_udp else None,
        "relay-tls": by_relay(invitation, ends.relay_tls) if ends.relay_tls else None,
    }
    started = {kind: tries[kind] for kind in wanted if tries[kind] is not None}
    for kind, coroutine in tries.items():
        if coroutine is not None and kind not in started:
            coroutine.close()
    ended = dict(zip(started, await asyncio.gather(*started.values()), strict=True))  # type: ignore[arg-type]
    return tuple(ended.get(kind, Way(kind, "not named")) for kind in wanted)


def judge(facts: Facts) -> Verdict:
    """Join, addresses, and the way that the agent itself takes."""
    if facts.error:
        return [Finding("WEB001", facts.error)]
    if not facts.candidates:
        return [Finding("ICE001", "no address came with the answer")]
    others = {each.address for each in facts.candidates} - {facts.expected}
    if others:
        seen = f"it names {', '.join(sorted(others))}, browsers reach {facts.expected}"
        return [Finding("ICE002", seen)]
    if facts.public and not IPv4Address(facts.expected).is_global:
        return [Finding("ICE003", f"it names {facts.expected}")]
    udp = next((way for way in facts.ways if way.kind == "udp" and way.failed), None)
    if udp is None:
        seen = f"it names {', '.join(facts.strangers)}"
        return [Finding("ICE007", seen, "stun")] if facts.strangers else []
    return [
        Finding("ICE001" if udp.failed == "not named" else "ICE004", udp.text or "no UDP", "udp")
    ]


def judge_tcp(facts: Facts) -> Verdict:
    """For networks without UDP."""
    return [
        Finding("ICE005", way.text or "the server names no TCP address")
        for way in facts.ways
        if way.kind == "tcp" and way.failed
    ]


def judge_relay(facts: Facts) -> Verdict:
    """Over UDP first: what is wrong with it is wrong over TLS too."""
    return _of_relay("relay-udp", facts)


def judge_relay_tls(facts: Facts) -> Verdict:
    """Over TLS, behind Caddy."""
    return _of_relay("relay-tls", facts)


def _of_relay(kind: str, facts: Facts) -> Verdict:
    way = next((each for each in facts.ways if each.kind == kind), None)
    if way is None:
        return []
    if way.failed == "answer" and facts.behind_nat:
        return [Unknown(f"{facts.expected} is not this machine's own: {way.text}", OUTSIDE)]
    if code := relay_code(way):
        # "relay": both ways of it; "relay-udp", "relay-tls": that one alone.
        subject = "relay" if code in BOTH and kind == "relay-udp" else kind
        return [Finding(code, way.text or f"the server names no {kind}", subject)]
    if way.open_to:
        return [Finding("RLY006", f"it would lead to {', '.join(way.open_to)}", "relay")]
    if way.mapped and IPv4Address(way.mapped).is_loopback:
        return [Finding("RLY007", f"it sees us at {way.mapped}", kind)]
    return []


BOTH = {"RLY003", "RLY004", "RLY005"}


def relay_code(way: Way) -> str:
    """The cause for which a relay was of no use."""
    tls_only = way.kind == "relay-tls"
    return {
        "": "",
        "not named": "RLY001",
        "connect": "RLY008",
        "tls": "RLY008",
        "allocate": "RLY008" if tls_only else "RLY002",
        "credentials": "RLY003",
        "permission": "RLY004",
        "answer": "RLY005",
    }[way.failed]


async def look_again(context: Context) -> Facts:
    """The other ways were tried together with the first."""
    found: Facts | None = context.facts.get("ways")
    if found is None:
        raise CannotTellError("it is seen together with what could not be looked at")
    return found


JOIN = ("server", "config:livekit.yaml", "processes:livekit")
CHECKS = (
    Check("ways", LEG, "joining, addresses, UDP", look, judge, needs=JOIN, limit_s=8.0),
    Check("tcp way", LEG, "media over TCP", look_again, judge_tcp, needs=("ways:join",)),
    Check("relay", LEG, "relay over UDP", look_again, judge_relay, needs=("ways:udp",)),
    Check(
        "relay over TLS", LEG, "relay over TLS", look_again, judge_relay_tls,
        needs=("ways:udp", "relay:relay", "config:Caddyfile", "processes:caddy", "tls:relay"),
    ),
)  # fmt: skip
