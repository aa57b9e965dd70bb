"""Join tokens: what they carry, and everything that must not be signed."""

import base64
import dataclasses
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from livekit import api
from livekit.protocol.agent_dispatch import RoomAgentDispatch
from livekit.protocol.egress import RoomCompositeEgressRequest
from livekit.protocol.room import RoomConfiguration, RoomEgress
from tests.servers import KEY, SECRET, Servers, binary, servers

from voicestack import credentials, settings, token
from voicestack.errors import TokenError

ROOT = Path(__file__).parents[2]
JOIN = token.Join(room="kitchen", identity="ada", ttl_s=900)
# failures-and-security: no client may hold one of these.
POWERS = {
    "room_create",
    "room_list",
    "room_record",
    "room_admin",
    "ingress_admin",
    "hidden",
    "recorder",
    "agent",
    "destination_room",
    "can_manage_agent_session",
}


def claims(text: str) -> dict[str, object]:
    payload = text.split(".")[1]
    decoded: dict[str, object] = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return decoded


def mint(**changes: object) -> str:
    join = dataclasses.replace(JOIN, **changes)  # type: ignore[arg-type]
    return token.mint(KEY, SECRET, join, agents={"receptionist"})


def test_a_plain_token_speaks_and_hears_in_one_room() -> None:
    """Microphone only, no own metadata, 15 minutes."""
    made = claims(mint())
    assert made["video"] == {
        "roomJoin": True,
        "room": "kitchen",
        "canPublish": True,
        "canSubscribe": True,
        "canPublishData": True,
        "canPublishSources": ["microphone"],
        "canUpdateOwnMetadata": False,
    }
    assert made["sub"] == "ada"
    assert made["exp"] - made["nbf"] == 900  # type: ignore[operator]
    assert set(made) == {"video", "sub", "iss", "nbf", "exp"}


def test_without_sources_nothing_may_be_published() -> None:
    """An empty list would mean everything."""
    video = claims(mint(sources=()))["video"]
    assert isinstance(video, dict)
    assert video["canPublish"] is False
    assert "canPublishSources" not in video


@pytest.mark.parametrize(
    "changes",
    [
        {"room": ""},
        {"identity": ""},
        {"ttl_s": 0},
        {"ttl_s": -1},
        {"ttl_s": 3601},
        {"ttl_s": 10**15},
        {"ttl_s": True},
        {"ttl_s": 1.5},
        {"ttl_s": None},
        {"room": "a\0b"},
        {"room": "../x"},
        {"room": "x" * 129},
        {"room": "a b"},
        {"identity": "ada\n"},
        {"identity": "agent-1"},
        {"identity": "sip_+15550100"},
        {"name": "a\nb"},
        {"name": "x" * 129},
        {"sources": ("microfone",)},
        {"sources": ("",)},
        {"grants": {"canFly": True}},
        {"grants": {"can_subscribe": "true"}},
        {"grants": {"can_subscribe": 1}},
        {"grants": {"": True}},
        {"room_config": RoomConfiguration(max_participants=2)},
        {"room_config": RoomConfiguration(name="other")},
        {"room_config": RoomConfiguration(metadata="x")},
        {
            "room_config": RoomConfiguration(
                egress=RoomEgress(room=RoomCompositeEgressRequest(room_name="x"))
            )
        },
        {"room_config": RoomConfiguration(agents=[RoomAgentDispatch(agent_name="other")])},
        {"room_config": RoomConfiguration(agents=[RoomAgentDispatch()])},
        {
            "room_config": RoomConfiguration(
                agents=[RoomAgentDispatch(agent_name="receptionist", deployment="x")]
            )
        },
    ],
)
def test_what_is_refused(changes: dict[str, object]) -> None:
    """Unbound, long-lived, misspelt or powerful: no token, and a hint."""
    with pytest.raises(TokenError) as caught:
        mint(**changes)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("key", "secret"),
    [
        ("", SECRET),
        (KEY, ""),
        (KEY, "tiny1"),
        (KEY, "x" * 31),
        (KEY, "x" * 64),
        (KEY, "abcabcabcabcabcabcabcabcabcabcabcabc"),
        (KEY, "secretsecretsecretsecretsecretsecret"),
        (KEY, "devkey-secret-changeme-password-1234567890"),
    ],
)
def test_weak_secrets_sign_nothing(key: str, secret: str) -> None:
    """The SDK would sign with five characters."""
    with pytest.raises(TokenError) as caught:
        token.mint(key, secret, JOIN)
    assert not secret or secret not in caught.value.report()


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(api.VideoGrants)])
def test_every_video_grant_is_decided(name: str) -> None:
    """A field that the SDK gains is refused until somebody decides; powers never get in."""
    assert name in token.GRANTS, "decide about this new grant in voicestack/token.py"
    camel = "".join(word.capitalize() if i else word for i, word in enumerate(name.split("_")))
    for spelling in (name, camel):
        if token.GRANTS[name]:
            video = claims(mint(grants={spelling: True}))["video"]
            assert isinstance(video, dict)
            assert video[camel] is True
        else:
            with pytest.raises(TokenError):
                mint(grants={spelling: True})


def test_the_powers_are_refused() -> None:
    """The list of the checklist, whatever our table says."""
    assert {name for name, free in token.GRANTS.items() if free} & POWERS == set()
    assert set(token.GRANTS) >= POWERS


@pytest.mark.parametrize(
    "name",
    [f"sip.{field.name}" for field in dataclasses.fields(api.SIPGrants)]
    + ["sip", "inference.perform", "observability.write", "agent.admin", "agent_thread.all"],
)
def test_grants_beside_video_are_refused(name: str) -> None:
    """Dialling out, inference and the rest belong to servers."""
    with pytest.raises(TokenError):
        mint(grants={name: True})


def test_an_agent_of_the_list_may_be_dispatched() -> None:
    """The one thing that a room configuration may say."""
    made = claims(mint(room_config=token.dispatch("receptionist")))
    assert made["roomConfig"] == {"agents": [{"agentName": "receptionist"}]}


@pytest.mark.parametrize(
    ("text", "expected"), [("900", 900), ("900s", 900), ("15m", 900), ("1h", 3600)]
)
def test_durations(text: str, expected: int) -> None:
    """As people write them."""
    assert token.seconds(text) == expected


@pytest.mark.parametrize("text", ["", "1d", "-5m", "1.5h", "m", "9999999"])
def test_what_is_no_duration(text: str) -> None:
    """Said, not guessed."""
    with pytest.raises(TokenError):
        token.seconds(text)


@pytest.mark.parametrize("text", ["x", "x=", "x=1", "x=True", "=true="])
def test_grants_are_true_or_false(text: str) -> None:
    """Strings are truthy; only two words count."""
    with pytest.raises(TokenError):
        token.assignment(text)


def test_the_command_prints_only_the_token(tmp_path: Path) -> None:
    """stdout is data; what must not be made is said on stderr, with exit 2."""
    stack = settings.load(tmp_path, environ={})
    held = credentials.ensure(stack)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "scripts/mint_token.py"), *arguments]
        environ = {"PATH": os.environ["PATH"]}
        return subprocess.run(
            command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
        )

    plain = run("--room", "kitchen", "--identity", "ada")
    assert (plain.returncode, plain.stderr) == (0, "")
    verifier = api.TokenVerifier(held.livekit_api_key, held.livekit_api_secret)
    video = verifier.verify(plain.stdout.strip()).video
    assert video is not None
    assert (video.room, video.can_publish_sources) == ("kitchen", ["microphone"])
    facts = json.loads(run("--room", "kitchen", "--identity", "ada", "--json").stdout)
    assert facts.keys() == {"token", "room", "identity", "ttl_s", "url"}
    refused = run("--room", "kitchen", "--identity", "ada", "--grant", "roomAdmin=true")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "hint:" in refused.stderr
    assert run("--room", "kitchen").returncode == 2
    assert "--identity ada" in run("--help").stdout


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    if not binary("livekit-server").exists():
        pytest.skip("livekit-server is not built yet: make setup")
    with servers(tmp_path_factory.mktemp("server")) as stack:
        stack.start_redis()
        stack.start_livekit()
        yield stack


def validate(server: Servers, text: str) -> int:
    request = urllib.request.Request(
        f"{server.url}/rtc/validate", headers={"Authorization": f"Bearer {text}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_the_real_server_takes_the_token(server: Servers) -> None:
    """And not one that was signed with another secret."""
    assert validate(server, mint()) == 200
    assert validate(server, token.mint(KEY, SECRET[::-1], JOIN)) == 401


async def test_the_real_server_gives_no_power(server: Servers) -> None:
    """The token joins; it lists no rooms and makes none."""
    async with api.LiveKitAPI.with_token(mint(), server.url) as client:
        for attempt in (
            client.room.list_rooms(api.ListRoomsRequest()),
            client.room.create_room(api.CreateRoomRequest(name="other")),
            client.sip.list_inbound_trunk(api.ListSIPInboundTrunkRequest()),
        ):
            with pytest.raises(api.ServerError) as caught:
                await attempt
            assert caught.value.status in {401, 403}
