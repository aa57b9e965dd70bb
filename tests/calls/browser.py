"""Chromium on the far machine: it trusts the stack's authority, and a recording speaks for it."""

import contextlib
import os
import shutil
import subprocess
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.calls.elsewhere import DOMAIN, Machines
from voicestack.native.up import Stack

URL = f"https://{DOMAIN}/"
RATE_HZ = 48_000
# Beside two stacks on two cores a click may take longer to show than Playwright's 5 s.
SHOWN_MS = 20_000
# The greeting takes some 3 s; a question that comes into it would be an interruption.
BEFORE_S, AFTER_S = 7.0, 60.0
# Who is not answered asks again: on a busy machine the agent may come after the first question.
AGAIN_S = 12.0
# The page's words must fit on a phone.
PHONE = {"width": 412, "height": 915}
# The relay's addresses and credentials, as the server gave them to this browser.
KEEP_ICE_SERVERS = """
const set = RTCPeerConnection.prototype.setConfiguration;
RTCPeerConnection.prototype.setConfiguration = function (configuration) {
  window.iceServers = configuration.iceServers;
  return set.call(this, configuration);
};
"""
# A browser that knows no relay: without UDP, TCP straight to the media server is all that is left.
NO_RELAY = """
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(configuration) { super({ ...configuration, iceServers: [] }); }
  setConfiguration(configuration) {
    return super.setConfiguration({ ...configuration, iceServers: [] });
  }
};
"""
# Loudness of everything that the page plays, over the next second.
HEARD = """async () => {
  const context = new AudioContext();
  const sum = { power: 0, count: 0 };
  for (const element of document.querySelectorAll("audio")) {
    const analyser = context.createAnalyser();
    context.createMediaStreamSource(element.srcObject).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    for (let look = 0; look < 25; look++) {
      await new Promise((resolve) => setTimeout(resolve, 40));
      analyser.getFloatTimeDomainData(samples);
      for (const each of samples) { sum.power += each * each; sum.count++; }
    }
  }
  await context.close();
  return sum.count ? Math.sqrt(sum.power / sum.count) : 0;
}"""


def recording(samples: NDArray[np.int16], rate_hz: int, folder: Path, times: int = 1) -> Path:
    """Write what the microphone hears: silence, the question so many times, silence."""
    import soxr

    speech = soxr.resample(samples, rate_hz, RATE_HZ)
    before, again, after = (
        np.zeros(round(each * RATE_HZ), np.int16) for each in (BEFORE_S, AGAIN_S, AFTER_S)
    )
    path = folder / "microphone.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        more = [again, speech] * (times - 1)
        file.writeframes(np.concatenate([before, speech, *more, after]).tobytes())
    return path


@contextlib.asynccontextmanager
async def running(
    where: Machines, stack: Stack, folder: Path, microphone: Path | None
) -> AsyncIterator[Browser]:
    """Start Chromium; without a recording its microphone is forbidden."""
    home = folder / "home"
    if not home.exists():
        trust(home, stack.paths.state / "caddy/pki/authorities/local/root.crt")
    program = folder / "chromium"
    command = " ".join(where.on_browser("chromium"))
    program.write_text(f'#!/bin/sh\nexec env HOME={home} {command} "$@"\n')
    program.chmod(0o755)
    sound = (
        ["--use-fake-ui-for-media-stream", f"--use-file-for-fake-audio-capture={microphone}%noloop"]
        if microphone
        else ["--deny-permission-prompts"]
    )
    expect.set_options(timeout=SHOWN_MS)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program,
            args=["--use-fake-device-for-media-stream", "--disable-quic", *sound],
            env={"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"},
        )
        try:
            yield browser
        finally:
            await browser.close()


def trust(home: Path, authority: Path) -> None:
    """Put the authority where Chromium on Linux looks: the NSS database of its user."""
    database = home / ".pki/nssdb"
    database.mkdir(parents=True)
    certutil = shutil.which("certutil")
    assert certutil
    where = ("-d", f"sql:{database}")
    subprocess.run([certutil, *where, "-N", "--empty-password"], check=True)
    added = ("-A", "-t", "C,,", "-n", "voicestack", "-i", str(authority))
    subprocess.run([certutil, *where, *added], check=True)


async def signed_in(browser: Browser, stack: Stack) -> Page:
    """Open the page on a phone's screen and sign in."""
    context = await browser.new_context(viewport=PHONE)
    page = await context.new_page()
    await page.goto(URL)
    await page.get_by_label("Password").fill((stack.paths.secrets / "page_password").read_text())
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("button", name="Talk", exact=True).wait_for()
    return page


async def heard(page: Page) -> float:
    """Measure for a second how loud the agent is, as a share of full scale."""
    loudness: float = await page.evaluate(HEARD)
    return loudness
