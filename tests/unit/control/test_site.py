"""The page's endpoints: who may come in, how often, and what a token may do."""

from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from control import door
from control.site import HEADERS, Site
from voicestack import credentials, settings
from voicestack.ports import free_base

HOST = "voice.example.test"
ORIGIN = {"Origin": f"https://{HOST}"}


@pytest.fixture
def stack(tmp_path: Path) -> settings.Settings:
    cache = tmp_path / "cache"
    (cache / "page").mkdir(parents=True)
    (cache / "page/livekit-client.js").write_text("// the client")
    values = {"VOICESTACK_CACHE": str(cache), "BUSINESS_NAME": "Harbor Dental"}
    values |= {"LISTEN": "loopback", "STACK_PORT_BASE": str(free_base())}
    return settings.load(tmp_path, environ=values)


@pytest.fixture
def held(stack: settings.Settings) -> credentials.Credentials:
    return credentials.ensure(stack)


def browser(stack: settings.Settings) -> TestClient:
    """A browser at a stack that has just started."""
    site = Site.of(stack, credentials.read(stack))
    app = Starlette(routes=site.routes(), middleware=site.middleware())
    return TestClient(app, base_url=f"https://{HOST}", headers=ORIGIN)


@pytest.fixture
def client(stack: settings.Settings, held: credentials.Credentials) -> Iterator[TestClient]:
    with browser(stack) as client:
        yield client


def sign_in(client: TestClient, password: str) -> int:
    return client.post("/api/session", json={"password": password}).status_code


def test_the_page_and_its_files_are_for_everybody(client: TestClient) -> None:
    """They hold no secret; all come with the headers that keep a browser safe."""
    for path in ("/", "/page/page.js", "/page/page.css", "/page/livekit-client.js"):
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert HEADERS.items() <= {k.title(): v for k, v in answer.headers.items()}.items()
    assert client.get("/page/../door.py").status_code == 404


def test_sign_in_and_out(client: TestClient, held: credentials.Credentials) -> None:
    """The cookie opens the door; without it every endpoint says 401."""
    assert client.get("/api/session").status_code == 401
    assert client.post("/api/calls").status_code == 401
    assert client.get("/api/status").status_code == 401
    assert sign_in(client, held.page_password) == 200
    assert client.get("/api/session").json() == {
        "business": "Harbor Dental",
        "agent": "receptionist",
    }
    assert client.delete("/api/session").status_code == 200
    assert client.get("/api/session").status_code == 401


def test_the_cookie_is_for_https_and_this_site_alone(
    client: TestClient, held: credentials.Credentials
) -> None:
    """No script reads it, no other site sends it, no neighbour sets it."""
    answer = client.post("/api/session", json={"password": held.page_password})
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith("__host-voicestack=")
    for flag in ("secure", "httponly", "samesite=strict", "path=/"):
        assert flag in cookie
    assert held.page_password not in cookie


def test_passwords_may_be_typed_as_people_type(
    client: TestClient, held: credentials.Credentials
) -> None:
    """Capitals, spaces and missing dashes; but not less of it."""
    assert sign_in(client, f" {held.page_password.upper().replace('-', ' ')}") == 200
    assert sign_in(client, held.page_password[:-1]) == 401
    assert sign_in(client, "") == 401


def test_a_forged_or_old_cookie_opens_nothing(
    client: TestClient, stack: settings.Settings, held: credentials.Credentials
) -> None:
    """Another password voids what was signed before."""
    assert sign_in(client, held.page_password) == 200
    with browser(stack) as restarted:
        restarted.cookies = client.cookies
        assert restarted.get("/api/session").status_code == 200
    (held.directory / "page_password").unlink()
    credentials.ensure(stack)
    with browser(stack) as renewed:
        renewed.cookies = client.cookies
        assert renewed.get("/api/session").status_code == 401
    with browser(stack) as forging:
        forging.cookies.set(door.COOKIE, "eyJpZCI6ICJ4In0=.x.y")
        assert forging.get("/api/session").status_code == 401


def test_guessing_is_slow(client: TestClient, held: credentials.Credentials) -> None:
    """Five wrong ones a minute from one address; then even the right password waits."""
    statuses = [sign_in(client, f"guess-{number}") for number in range(6)]
    assert statuses == [401] * 5 + [429]
    answer = client.post("/api/session", json={"password": held.page_password})
    assert answer.status_code == 429
    assert answer.json() == {"error": "too-often"}
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": f"http://{HOST}"},
        {"Origin": f"https://{HOST}", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_other_sites_are_refused(
    client: TestClient, held: credentials.Credentials, headers: dict[str, str]
) -> None:
    """Even with the cookie and the password."""
    assert sign_in(client, held.page_password) == 200
    for method, path in (
        ("POST", "/api/calls"),
        ("POST", "/api/session"),
        ("DELETE", "/api/session"),
    ):
        body = {"password": held.page_password} if method == "POST" else None
        answer = client.request(method, path, json=body, headers=headers)
        assert answer.json() == {"error": "other-site"}
        assert answer.status_code == 403


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b'{"password": "x"}', "text/plain", 415),
        (b"password=x", "application/x-www-form-urlencoded", 415),
        (b"[]", "application/json", 400),
        (b"{", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b'{"password": 7}', "application/json", 401),
        (b"{}", "application/json", 401),
        (b" " * 3000, "application/json", 413),
    ],
)
def test_what_is_no_small_json_is_refused(
    client: TestClient, body: bytes, kind: str, status: int
) -> None:
    """A form of another site cannot send JSON; a large body is not read to its end."""
    answer = client.post("/api/session", content=body, headers={"Content-Type": kind})
    assert answer.status_code == status


def test_a_token_is_for_one_room_and_one_agent(
    client: TestClient, held: credentials.Credentials
) -> None:
    """Two minutes, microphone only, no data, no powers; each call has a room of its own."""
    assert sign_in(client, held.page_password) == 200
    answers = [client.post("/api/calls").json() for _ in range(2)]
    assert answers[0]["room"] != answers[1]["room"]
    claims = jwt.decode(answers[0]["token"], held.livekit_api_secret, algorithms=["HS256"])
    assert claims["exp"] - claims["nbf"] <= 120
    assert claims["video"] == {
        "roomJoin": True,
        "room": answers[0]["room"],
        "canPublish": True,
        "canPublishSources": ["microphone"],
        "canSubscribe": True,
        "canPublishData": False,
        "canUpdateOwnMetadata": False,
    }
    assert claims["roomConfig"] == {"agents": [{"agentName": "receptionist"}]}


def test_a_server_that_is_down_is_said(client: TestClient, held: credentials.Credentials) -> None:
    """Nothing listens where livekit-server should: no stack trace."""
    assert sign_in(client, held.page_password) == 200
    answer = client.get("/api/status")
    assert (answer.status_code, answer.json()) == (503, {"error": "no-server"})


def test_calls_are_counted(client: TestClient, held: credentials.Credentials) -> None:
    """Ten a minute for who is signed in."""
    assert sign_in(client, held.page_password) == 200
    statuses = [client.post("/api/calls").status_code for _ in range(11)]
    assert statuses == [200] * 10 + [429]
