"""Join tokens for people and pages: one room, one identity, an hour at most, no powers."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches

from livekit import api
from livekit.protocol.agent_dispatch import RoomAgentDispatch
from livekit.protocol.room import RoomConfiguration

from voicestack.errors import TokenError

MOST_TTL_S = 3600
DEFAULT_TTL_S = 900
# HS256 is as strong as its key: RFC 7518 3.2 asks for 256 bits. The SDK signs with any.
LEAST_SECRET_BYTES = 32
# A key of 32 bytes out of few different ones is no random key ("aaaa...", "secretsecret...").
LEAST_DIFFERENT = 10
# Secrets of documentation and examples; everybody knows them.
KNOWN_SECRETS = ("secret", "devkey", "changeme", "password", "example", "your-secret", "livekit")
SOURCES = ("microphone", "camera", "screen_share", "screen_share_audio")
# What a join token may grant, by field of livekit.api.VideoGrants. True: may be asked for.
GRANTS: Mapping[str, bool] = {
    "can_subscribe": True,
    "can_publish_data": True,
    "can_subscribe_metrics": True,
    "can_update_own_metadata": True,
    # Set by room, identity and sources, never by name.
    "room_join": False,
    "room": False,
    "can_publish": False,
    "can_publish_sources": False,
    # Powers over the server, over other people's rooms, or out of sight of the others.
    "room_create": False,
    "room_list": False,
    "room_record": False,
    "room_admin": False,
    "ingress_admin": False,
    "hidden": False,
    "recorder": False,
    "agent": False,
    "destination_room": False,
    "can_manage_agent_session": False,
}
# Grants outside of `video`: none of them belongs to somebody who joins a room.
OTHER_GRANTS = ("sip", "inference", "observability", "agent_endpoint", "agent_thread")
# The stack's own participants; a second one of the same identity throws the first out of the room.
RESERVED = ("agent-", "sip_", "EG_", "IN_")
NAME = re.compile(r"[A-Za-z0-9+_][A-Za-z0-9+_.:@-]{0,127}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """Who may join which room, for how long, to do what."""

    room: str
    identity: str
    ttl_s: int
    name: str = ""
    sources: tuple[str, ...] = ("microphone",)
    grants: Mapping[str, bool] | None = None
    room_config: RoomConfiguration | None = None


def mint(key: str, secret: str, join: Join, *, agents: Collection[str] = ()) -> str:
    """Sign a token, or say why not; `agents` may be dispatched by it."""
    _check_secret(key, secret)
    _check_names(join)
    _check_ttl(join.ttl_s)
    _check_sources(join.sources)
    video = api.VideoGrants(
        room_join=True,
        room=join.room,
        # An empty list of sources would mean all of them (protocol auth/grants.go).
        can_publish=bool(join.sources),
        can_publish_sources=list(join.sources) or None,
        can_update_own_metadata=False,
    )
    for name, value in (join.grants or {}).items():
        setattr(video, _grant(name), _boolean(name, value))
    token = api.AccessToken(key, secret).with_identity(join.identity).with_grants(video)
    token = token.with_ttl(timedelta(seconds=join.ttl_s))
    if join.name:
        token = token.with_name(join.name)
    if join.room_config is not None:
        token = token.with_room_config(checked_room_config(join.room_config, agents))
    return token.to_jwt()


def dispatch(agent: str) -> RoomConfiguration:
    """A room configuration that brings one agent into the room."""
    return RoomConfiguration(agents=[RoomAgentDispatch(agent_name=agent)])


def checked_room_config(config: RoomConfiguration, agents: Collection[str]) -> RoomConfiguration:
    """Nothing but agents of the allow-list: an egress could carry storage secrets to the client."""
    extra = {field.name for field, _ in config.ListFields()} - {"agents"}
    if extra:
        raise TokenError(
            f"room_config sets {', '.join(sorted(extra))}: a client's token may only name agents",
            hint="rooms are configured on the server, not in tokens",
        )
    for each in config.agents:
        more = {field.name for field, _ in each.ListFields()} - {"agent_name", "metadata"}
        if each.agent_name not in agents or more:
            raise TokenError(
                f"agent {each.agent_name!r} may not be dispatched by a token",
                hint=f"agents of this stack: {', '.join(sorted(agents)) or 'none'}",
            )
    return config


def seconds(text: str) -> int:
    """Read a duration: 900, 900s, 15m or 1h."""
    match = re.fullmatch(r"([0-9]{1,6})(s|m|h|)", text.strip())
    if not match:
        raise TokenError(f"{text!r} is no duration", hint="for instance 900, 15m or 1h")
    return int(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


def _check_secret(key: str, secret: str) -> None:
    hint = "`make up` generates a strong one in STATE_DIR/secrets"
    if not key:
        raise TokenError("the API key is empty", hint=hint)
    if len(secret.encode()) < LEAST_SECRET_BYTES:
        raise TokenError(
            f"the API secret has {len(secret.encode())} bytes, {LEAST_SECRET_BYTES} are needed: "
            "with a short one anybody can sign tokens",
            hint=hint,
        )
    rest = secret.lower()
    for known in KNOWN_SECRETS:
        rest = rest.replace(known, "")
    if len(rest) < LEAST_SECRET_BYTES or len(set(secret)) < LEAST_DIFFERENT:
        raise TokenError("the API secret can be guessed", hint=hint)


def _check_names(join: Join) -> None:
    for what, value in (("room", join.room), ("identity", join.identity)):
        if not value:
            raise TokenError(
                f"{what} is empty: the token would not be bound", hint=f"name a {what}"
            )
        if not NAME.fullmatch(value):
            raise TokenError(
                f"{what} {value[:40]!r} must be 1 to 128 letters, digits and + _ . : @ -",
                hint=f"for instance {what} kitchen",
            )
    if join.identity.startswith(RESERVED):
        raise TokenError(
            f"identity {join.identity!r} belongs to the stack: its owner would be thrown out",
            hint=f"begin with none of {', '.join(RESERVED)}",
        )
    if len(join.name) > 128 or not join.name.isprintable():
        raise TokenError("name must be up to 128 printable characters", hint="shorten it")


def _check_ttl(ttl_s: int) -> None:
    if isinstance(ttl_s, bool) or not isinstance(ttl_s, int) or not 1 <= ttl_s <= MOST_TTL_S:
        raise TokenError(
            f"ttl {ttl_s!r} must be 1 to {MOST_TTL_S} whole seconds: a token cannot be called back",
            hint="a client fetches a new token when it joins again",
        )


def _check_sources(sources: tuple[str, ...]) -> None:
    for source in sources:
        if source not in SOURCES:
            close = get_close_matches(source, SOURCES, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(SOURCES)}"
            raise TokenError(f"{source!r} is no source of a track", hint=hint)


def _grant(name: str) -> str:
    """The field of a grant, if a join token may have it."""
    field = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    if GRANTS.get(field):
        return field
    if field in GRANTS or field.partition(".")[0] in OTHER_GRANTS:
        raise TokenError(
            f"grant {name!r} is not for join tokens: set otherwise, or a power over others",
            hint="server tools use the API key itself",
        )
    close = get_close_matches(field, [each for each, free in GRANTS.items() if free], n=1)
    hint = f"did you mean {close[0]}?" if close else "see --help for the grants there are"
    raise TokenError(f"grant {name!r} is unknown: the server would ignore it", hint=hint)


def _boolean(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise TokenError(f"grant {name} is {value!r}, must be true or false", hint=f"{name}=true")
    return value


def assignment(text: str) -> tuple[str, bool]:
    """Read NAME=true or NAME=false."""
    name, _, value = text.partition("=")
    if value not in {"true", "false"}:
        raise TokenError(f"grant {text!r} must be NAME=true or NAME=false", hint=f"{name}=true")
    return name, value == "true"
