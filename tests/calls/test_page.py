"""People talk to the agent in a browser, over whatever their network lets through."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.calls import browser as chromium
from tests.calls import elsewhere, world
from tests.calls.elsewhere import Machines
from tests.speech import Utterance
from voicestack import ports
from voicestack.native.up import Stack

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(
        not shutil.which("chromium"), reason="no Chromium: scripts/bootstrap.sh --dev"
    ),
]
QUESTION, QUESTION_HZ = "silero-talk-000.03", 16_000  # "... how do I get to Dublin?"
# A small model hears "... how do I get to double" where a packet is missing.
UNDERSTOOD = re.compile(r"how do i get|dublin", re.IGNORECASE)
# Silence is 0; the voice has some 0.05 to 0.2.
AUDIBLE = 0.005
STARTS_MS, ANSWERS_MS = 40_000, 60_000
UDP, ICE_TCP = "-p udp", "-p tcp --dport 7881"
# Prints the ports that take a connection.
CONNECT = """
import socket, sys
for port in sys.argv[2:]:
    with socket.socket() as trial:
        trial.settimeout(5)
        if trial.connect_ex((sys.argv[1], int(port))) == 0:
            print(port)
"""


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    with elsewhere.machines() as machines:
        yield machines


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, machines: Machines) -> Iterator[Stack]:
    with elsewhere.running(tmp_path_factory.mktemp("page"), machines) as stack:
        yield stack


@pytest.fixture
async def browser(
    tmp_path: Path, machines: Machines, stack: Stack, utterances: list[Utterance]
) -> AsyncIterator[Browser]:
    (question,) = (each for each in utterances if each.name == QUESTION)
    microphone = chromium.recording(question.samples(), QUESTION_HZ, tmp_path)
    async with chromium.running(machines, stack, tmp_path, microphone) as browser:
        yield browser


def captions(page: Page, who: str) -> Locator:
    return page.locator(f"#captions li[data-who={who}] > span")


async def talk(page: Page, starts_ms: int = STARTS_MS) -> None:
    """Press Talk, hear the greeting, be heard."""
    await page.get_by_role("button", name="Talk", exact=True).click()
    await expect(page.locator("#state")).to_have_text("Speaking", timeout=starts_ms)
    async with asyncio.timeout(starts_ms / 1000):
        while await chromium.heard(page) < AUDIBLE:  # sound comes later than the word for it
            pass
    understood = captions(page, "you").filter(has_text=UNDERSTOOD)
    await expect(understood.first).to_be_visible(timeout=ANSWERS_MS)


async def test_a_question_is_asked_and_answered(
    browser: Browser, stack: Stack, tmp_path: Path
) -> None:
    """Sign in, talk, read along, be muted, hang up: on the screen of a phone."""
    page = await chromium.signed_in(browser, stack)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("requestfailed", lambda request: problems.append(request.url))
    elsewhere_asked: list[str] = []
    page.on("request", lambda request: elsewhere_asked.append(request.url))
    await talk(page)
    await expect(captions(page, "agent").first).to_contain_text("Harbor Dental")
    await expect(captions(page, "agent")).to_have_count(2, timeout=ANSWERS_MS)
    await expect(page.locator("#connection")).to_contain_text("directly over UDP")
    await page.screenshot(path=tmp_path / "call.png")  # what a person would have seen
    await page.get_by_role("button", name="Mute").click()
    await expect(page.get_by_role("button", name="Muted")).to_have_attribute("aria-pressed", "true")
    await page.get_by_role("button", name="Hang up").click()
    await expect(page.get_by_role("button", name="Talk", exact=True)).to_be_visible()
    await expect(page.locator("#notice")).to_be_hidden()
    assert problems == []
    assert [url for url in elsewhere_asked if not url.startswith(chromium.URL)] == []


@pytest.mark.parametrize(
    ("blocked", "relay_only", "kind", "words"),
    [
        ([UDP], False, "tcp", "over TCP"),
        ([], True, "relay-udp", "through the relay, over UDP"),
        ([UDP, ICE_TCP], False, "relay-tls", "through the relay, over TLS"),
    ],
)
async def test_what_the_network_lets_through_is_enough(
    browser: Browser,
    stack: Stack,
    machines: Machines,
    blocked: list[str],
    relay_only: bool,
    kind: str,
    words: str,
) -> None:
    """Sound goes both ways, and the page says by which way."""
    page = await chromium.signed_in(browser, stack)
    if kind == "tcp":  # the relay over TLS gets through as well, and may be the first
        await page.add_init_script(chromium.NO_RELAY)
        await page.reload()
    if relay_only:
        await page.get_by_text("Connection").click()
        await page.get_by_label("Through the relay only").check()
    with machines.blocked(*blocked):
        await talk(page)
        await expect(page.locator("#connection")).to_have_attribute("data-kind", kind)
        await expect(page.locator("#connection")).to_contain_text(words)
        await page.get_by_role("button", name="Hang up").click()


async def test_a_caller_too_many_is_told(browser: Browser, stack: Stack) -> None:
    """Two lines are taken, one by somebody muted; when one hangs up, the third gets through."""
    first, second, third = [await chromium.signed_in(browser, stack) for _ in range(3)]
    for page in (first, second):
        await page.get_by_role("button", name="Talk", exact=True).click()
        await expect(page.locator("#state")).to_have_text("Speaking", timeout=STARTS_MS)
    await first.get_by_role("button", name="Mute").click()
    await third.get_by_role("button", name="Talk", exact=True).click()
    await expect(third.get_by_role("alert")).to_contain_text("Nobody answered", timeout=STARTS_MS)
    await first.get_by_role("button", name="Hang up").click()
    await third.get_by_role("button", name="Talk", exact=True).click()
    await expect(third.locator("#state")).to_have_text("Speaking", timeout=STARTS_MS)


@pytest.mark.usefixtures("stack")
def test_a_phone_is_answered_as_well(machines: Machines) -> None:
    """The media server answers on one address: the SIP gateway and the agent find it too."""
    number = f"{elsewhere.STACK_ADDRESS}:5060"
    command = ("scripts/test_call.py", "--greeting-only", "--no-transcribe", "--server", number)
    done = subprocess.run(
        machines.on_stack(sys.executable, *command),
        cwd=world.ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_from_elsewhere_only_documented_ports_answer(machines: Machines, stack: Stack) -> None:
    """Of all that listens on the stack's machine; what does not listen cannot be reached."""
    listed = subprocess.run(
        machines.on_stack("ss", "-Hlnt"), capture_output=True, text=True, check=True
    ).stdout
    listening = {line.split()[3].rpartition(":")[2] for line in listed.splitlines()}
    answering = subprocess.run(
        machines.on_browser(
            sys.executable, "-c", CONNECT, str(elsewhere.STACK_ADDRESS), *listening
        ),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    documented = {
        stack.ports[port.key]
        for port in ports.TABLE
        if port.bind != "loopback" and "tcp" in port.proto and ports.in_use(port, stack.settings)
    }
    assert set(map(int, answering.split())) == documented
    assert {str(stack.ports[key]) for key in ("redis", "control", "livekit_http")} <= listening


async def test_nobody_talks_without_signing_in(browser: Browser, stack: Stack) -> None:
    """A wrong password is told so; nothing but the page and its files answers."""
    page = await (await browser.new_context()).new_page()
    await page.goto(chromium.URL)
    await page.get_by_label("Password").fill("open-sesame")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("not the password")
    asked = """async ([method, path]) => (await fetch(path, { method })).status"""
    for method, path, status in (
        ("GET", "/api/session", 401),
        ("POST", "/api/calls", 401),
        ("GET", "/api/status", 401),
        ("GET", "/rtc/validate", 401),
        ("POST", "/lines/apply", 404),
        ("POST", "/livekit/webhook", 404),
        ("GET", "/ready", 404),
        ("POST", "/twirp/livekit.RoomService/ListRooms", 404),
    ):
        assert await page.evaluate(asked, [method, path]) == status, path
    # Tries are counted for the browser's own address, not for Caddy's.
    assert f'"address": "{elsewhere.BROWSER_ADDRESS}"' in world.log_text(stack, "control")


async def test_a_forbidden_microphone_is_explained(
    tmp_path: Path, machines: Machines, stack: Stack
) -> None:
    """No call is made, and the page says what to do."""
    async with chromium.running(machines, stack, tmp_path, None) as browser:
        page = await chromium.signed_in(browser, stack)
        await page.get_by_role("button", name="Talk", exact=True).click()
        await expect(page.get_by_role("alert")).to_contain_text("microphone is not allowed")
        await expect(page.get_by_role("button", name="Talk", exact=True)).to_be_visible()


async def test_an_unknown_authority_is_refused(
    tmp_path: Path, machines: Machines, stack: Stack
) -> None:
    """A browser that was not told to trust the authority does not show the page."""
    (tmp_path / "home").mkdir()
    async with chromium.running(machines, stack, tmp_path, None) as browser:
        page = await (await browser.new_context()).new_page()
        with pytest.raises(Exception, match="ERR_CERT_AUTHORITY_INVALID"):
            await page.goto(chromium.URL)


async def test_the_relay_leads_nowhere_else(
    browser: Browser, stack: Stack, machines: Machines
) -> None:
    """Who may use it reaches the media server, and neither loopback nor any other address."""
    page = await chromium.signed_in(browser, stack)
    await page.add_init_script(chromium.KEEP_ICE_SERVERS)
    await page.reload()
    await page.get_by_role("button", name="Talk", exact=True).click()
    await expect(page.locator("#connection")).to_have_attribute("data-kind", "udp")
    ((given,),) = [await page.evaluate("window.iceServers")]
    assert any(url.startswith("turns:turn.example.test:443") for url in given["urls"])
    far = ["127.0.0.1", "0.0.0.0", str(elsewhere.BROWSER_ADDRESS), "169.254.169.254", "10.0.0.1"]
    peers = [*far, "100.64.0.1", "198.18.0.1", "240.0.0.1", "8.8.8.8", str(elsewhere.STACK_ADDRESS)]

    def ask(password: str) -> dict[str, str]:
        question = {
            "server": [str(elsewhere.STACK_ADDRESS), stack.ports["turn_udp"]],
            "user": given["username"],
            "password": password,
            "peers": peers,
        }
        said: dict[str, str] = json.loads(
            subprocess.run(
                machines.on_browser(sys.executable, "-m", "tests.calls.relay_probe"),
                input=json.dumps(question),
                cwd=world.ROOT,
                capture_output=True,
                text=True,
                check=True,
                timeout=60,
            ).stdout
        )
        return said

    wanted = dict.fromkeys(peers, "refused") | {str(elsewhere.STACK_ADDRESS): "granted"}
    assert ask(given["credential"]) == wanted
    assert ask("guessed") == {"": "refused"}
