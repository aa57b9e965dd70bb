"""A softphone of the distribution: registers, calls the agent and is heard, is called by it."""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests import fakes
from tests.calls import baresip, world
from tests.calls.baresip import Baresip
from tests.calls.hearing import is_tone
from tests.fakes import FakeModels
from tests.speech import Utterance
from voicestack.native.services import KAMAILIO
from voicestack.native.supervisor import Supervisor
from voicestack.native.up import Stack
from voicestack.office import Office
from voicestack.phone import CallRefused, Credentials, NoAnswer, Phone
from voicestack.phone.wire.g711 import RATE_HZ

pytestmark = pytest.mark.skipif(
    not (shutil.which(KAMAILIO) and shutil.which("baresip")),
    reason="no Kamailio or baresip: make setup installs them with --dev",
)
ANNA, BERT = "+15550201", "+15550202"
LINES = """\
version: 1
lines:
  - {number: "+15550100", agent: receptionist, callers: {from: [phones]}}
  - {number: "+15550101", agent: receptionist, callers: {from: [this-machine]}}
phones: [] # by scripts/phones.py
"""
OPEN, CLOSED = "+15550100", "+15550101"
WITHIN_S = 60.0


@pytest.fixture(scope="module")
def models() -> Iterator[FakeModels]:
    with fakes.serving() as models:
        yield models


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory, models: FakeModels) -> dict[str, str]:
    more = {"LLM_URL": models.url, "TTS_URL": models.url, "REGISTRAR": "on", "SIP_TLS": "on"}
    values = world.environment(tmp_path_factory.mktemp("softphone"), **more)
    Path(values["LINES_FILE"]).write_text(LINES)
    return {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **values}


def script(environ: dict[str, str], name: str, *arguments: str) -> dict[str, Any]:
    """What a script answers."""
    done = subprocess.run(
        [sys.executable, str(world.ROOT / "scripts" / name), *arguments, "--json"],
        env=environ, capture_output=True, text=True, check=False, timeout=90,
        cwd=Path(environ["LINES_FILE"]).parent,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return {"exit": done.returncode, **json.loads(done.stdout)}


@pytest.fixture(scope="module")
def passwords(environ: dict[str, str]) -> dict[str, str]:
    """Of the phones that were added before the stack came up."""
    users = {"anna": ANNA, "bert": BERT}
    return {
        user: script(environ, "phones.py", "add", user, "--number", number)["password"]
        for user, number in users.items()
    }


@pytest.fixture(scope="module")
def stack(environ: dict[str, str], passwords: dict[str, str]) -> Iterator[Stack]:
    with world.of(environ) as stack:
        stack.up(lambda _: None)
        yield stack


@pytest.fixture(autouse=True)
async def a_free_line(stack: Stack, models: FakeModels) -> None:
    models.asked.clear()
    await world.no_rooms(Office.with_settings(stack.settings))


def registrar(stack: Stack) -> tuple[str, int]:
    return ("127.0.0.1", stack.ports["registrar"])


def account(stack: Stack, password: str) -> str:
    """The line of docs/softphone.md, filled in."""
    text = baresip.documented("accounts").replace(
        "ADDRESS:5080", ":".join(map(str, registrar(stack)))
    )
    return text.replace("PASSWORD", password).replace("answermode=manual", "answermode=auto")


def tone_s(samples: npt.NDArray[np.int16]) -> float:
    """For how long the agent's voice is heard, which is a tone here."""
    window = RATE_HZ // 10
    pieces = [samples[at : at + window] for at in range(0, len(samples) - window, window)]
    loud = [each for each in pieces if np.abs(each.astype(np.int32)).max() > 500]
    return sum(0.1 for each in loud if is_tone(each, fakes.TONE_HZ))


async def understood(models: FakeModels, text: str) -> None:
    """Wait until the language model is asked what the caller said, or most of it."""
    said = set(words(text))
    async with asyncio.timeout(WITHIN_S):
        while not any(
            len(said & set(words(str(messages[-1]["content"])))) > len(said) / 2
            for messages in models.asked
            if messages[-1]["role"] == "user"
        ):
            await asyncio.sleep(0.05)


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


async def test_it_registers_calls_and_is_called(
    stack: Stack,
    environ: dict[str, str],
    passwords: dict[str, str],
    models: FakeModels,
    utterances: list[Utterance],
    tmp_path: Path,
) -> None:
    """baresip, configured as the document says: its question is understood, the reply is heard."""
    utterance = utterances[0]
    async with baresip.running(
        tmp_path / "anna", account(stack, passwords["anna"]), utterance
    ) as phone:
        await phone.registered()
        await phone.command("dial", OPEN)
        await phone.event("CALL_ESTABLISHED")
        await understood(models, utterance.text)
        # The greeting, and an answer after the question: each is a second of tone.
        await reply_recorded(phone, 1.6)
        await phone.command("hangup")
        await phone.event("CALL_CLOSED")

        await world.no_rooms(Office.with_settings(stack.settings))
        calling = asyncio.create_task(asyncio.to_thread(script, environ, "make_call.py", ANNA))
        await phone.event("CALL_ESTABLISHED")
        answer = await calling
        assert (answer["exit"], answer["result"], answer["sip_code"]) == (0, "answered", 200)
        await reply_recorded(phone, 0.7)
        # The agent's side ends the call: its BYE finds the phone through the registrar.
        await world.no_rooms(Office.with_settings(stack.settings))
        await phone.event("CALL_CLOSED")


async def reply_recorded(phone: Baresip, least_s: float) -> None:
    async with asyncio.timeout(WITHIN_S):
        while tone_s(phone.heard()) < least_s:
            await asyncio.sleep(0.2)


async def test_without_registering(
    stack: Stack, models: FakeModels, utterances: list[Utterance], tmp_path: Path
) -> None:
    """The plain account of the document, straight to the SIP gateway."""
    server = f"127.0.0.1:{stack.ports['sip']}"
    plain = baresip.documented("accounts-plain").replace("ADDRESS:5060", server)
    async with baresip.running(tmp_path / "guest", plain, utterances[0]) as phone:
        await phone.command("dial", CLOSED)
        await phone.event("CALL_ESTABLISHED")
        await reply_recorded(phone, 0.7)


async def test_over_tls(
    stack: Stack, models: FakeModels, utterances: list[Utterance], tmp_path: Path
) -> None:
    """The same over TLS, the certificate held against the stack's authority."""
    server = f"127.0.0.1:{stack.ports['sip_tls']};transport=tls"
    secure = baresip.documented("accounts-plain").replace("ADDRESS:5060", server)
    authority = stack.paths.state / "caddy/pki/authorities/local/root.crt"
    async with baresip.running(
        tmp_path / "guest", secure, utterances[0], more=f"sip_cafile {authority}\n"
    ) as phone:
        await phone.command("dial", CLOSED)
        await phone.event("CALL_ESTABLISHED")
        await reply_recorded(phone, 0.7)
        await phone.command("hangup")
        await phone.event("CALL_CLOSED")


async def test_a_line_that_does_not_name_phones_is_silent(
    stack: Stack, passwords: dict[str, str]
) -> None:
    """It lets this machine call, and the registrar is on it: its phones may not all the same."""
    right = Credentials("bert", passwords["bert"])
    async with Phone(user="bert", credentials=right) as phone:
        with pytest.raises((CallRefused, NoAnswer), match="408"):
            await phone.dial(CLOSED, server=registrar(stack))
        call = await phone.dial("15550100", server=registrar(stack))  # without the +
        assert (await call.listen()).first_audio_at is not None


async def test_a_phone_that_is_not_there(environ: dict[str, str], stack: Stack) -> None:
    """480, which is no answer; a number that no phone has is refused before anything is sent."""
    answer = await asyncio.to_thread(script, environ, "make_call.py", BERT)
    assert (answer["exit"], answer["sip_code"]) == (11, 480)
    answer = await asyncio.to_thread(script, environ, "make_call.py", "+15550209")
    assert (answer["exit"], answer["result"]) == (20, "refused")


async def test_killed_it_is_back(stack: Stack, passwords: dict[str, str]) -> None:
    """kill -9: phones can call again as soon as the next one listens."""
    before = world.log_text(stack, "registrar").count("Listening on")
    with Supervisor(stack.paths) as supervisor:
        state = next(each for each in supervisor.states() if each.name == "registrar")
        os.kill(state.pid, signal.SIGKILL)
    async with asyncio.timeout(WITHIN_S):
        # Its orphans answer until the next one has ended them: its word counts, not a probe's.
        while world.log_text(stack, "registrar").count("Listening on") == before:
            await asyncio.sleep(0.1)
        while await listens(registrar(stack)) is False:
            await asyncio.sleep(0.1)
    async with Phone(user="bert", credentials=Credentials("bert", passwords["bert"])) as phone:
        await phone.dial(OPEN, server=registrar(stack))


async def listens(address: tuple[str, int]) -> bool:
    """Whether TCP connections are taken there."""
    try:
        _, writer = await asyncio.open_connection(*address)
    except OSError:
        return False
    writer.close()
    return True
