"""A browser on another host, through Caddy: with a name, and whatever its network lets through."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.calls import browser as chromium
from tests.calls import test_page as page_test
from tests.speech import Utterance
from tests.stack.conftest import Kept
from tests.stack.world import World

pytestmark = pytest.mark.skipif(
    not shutil.which("chromium"), reason="no Chromium: scripts/bootstrap.sh --dev"
)
# A busy machine: the agent may come late, and whoever is not answered asks again.
STARTS_MS, TIMES = 45_000, 4


@pytest.fixture
async def browser(
    tmp_path: Path, stack: World, public: Kept, question: Utterance
) -> AsyncIterator[Browser]:
    """One that trusts the stack's authority, as docs/page.md tells people to."""
    microphone = chromium.recording(question.samples(), page_test.QUESTION_HZ, tmp_path, TIMES)
    async with chromium.running(stack.machines, stack, tmp_path, microphone) as browser:
        yield browser


async def test_a_browser_talks_whatever_is_blocked(
    browser: Browser, stack: World, tmp_path: Path
) -> None:
    """Over UDP; without UDP; through the relay over UDP; through the relay over TLS on port 443.

    Each time it signs in, hears the agent, and reads what it said itself; the page names the way.
    """
    udp, tcp = page_test.UDP, page_test.ICE_TCP
    for blocked, relay_only, kind in (
        ([], False, "udp"),
        ([udp], False, "tcp"),
        ([], True, "relay-udp"),
        ([udp, tcp], False, "relay-tls"),
    ):
        page = await chromium.signed_in(browser, stack)
        if kind == "tcp":  # the relay over TLS is as good to Chromium: it keeps which is first
            await page.add_init_script(chromium.NO_RELAY)
            await page.reload()
        if relay_only:
            await page.get_by_text("Connection").click()
            await page.get_by_label("Through the relay only").check()
        with stack.machines.blocked(*blocked):
            await page_test.talk(page, STARTS_MS)
            await expect(page.locator("#connection")).to_have_attribute("data-kind", kind)
            await expect(page_test.captions(page, "agent").first).to_contain_text("Hello")
            await page.screenshot(path=tmp_path / f"{kind}.png")  # what a person would have seen
            await page.get_by_role("button", name="Hang up").click()
        await page.context.close()


async def test_nobody_talks_without_signing_in(browser: Browser) -> None:
    """The token endpoint, the media server's API and its health are closed."""
    page = await (await browser.new_context()).new_page()
    await page.goto(chromium.URL)
    asked = "async ([method, path]) => (await fetch(path, { method })).status"
    for method, path, status in (
        ("POST", "/api/calls", 401),
        ("GET", "/rtc/validate", 401),
        ("POST", "/twirp/livekit.RoomService/ListRooms", 404),
        ("GET", "/ready", 404),
    ):
        assert await page.evaluate(asked, [method, path]) == status, path
