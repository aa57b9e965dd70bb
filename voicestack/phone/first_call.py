"""What `scripts/test_call.py` does:

settings and arguments in, a call, a report and an exit code out.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from voicestack import ports, settings
from voicestack.errors import VoicestackError
from voicestack.phone import report as reports
from voicestack.phone import voices
from voicestack.phone.conversation import (
    CallReport,
    Plan,
    Utterance,
    converse,
    load_utterance,
    text_utterance,
    with_text,
)
from voicestack.phone.errors import PhoneError
from voicestack.phone.phone import Phone
from voicestack.phone.wire.digest import Credentials
from voicestack.phone.wire.dtmf import KEYS
from voicestack.phone.wire.sip import Address
from voicestack.settings import Settings

EXIT_FAILED = 1
EXIT_UNFIT = 2
LOOPBACK = "127.0.0.1"
FIRST_QUESTION = "Hello. What are your opening hours?"


class UsageError(PhoneError):
    """The arguments make no call."""


@dataclass(frozen=True, slots=True)
class Order:
    """The arguments of the script."""

    speech: list[str]  # paths of WAV files, or text
    number: str
    caller: str
    server: str | None = None
    user: str | None = None
    password_file: Path | None = None
    dtmf: str = ""
    greeting_only: bool = False
    barge_in: bool = False
    transcribe: bool = True
    as_json: bool = False
    reachable: bool = False


def run(root: Path, order: Order) -> int:
    """Place the call, print the report; 0: all answered, 1: not, 2: could not look."""
    try:
        report = asyncio.run(_place(settings.load(root), order))
    except VoicestackError as error:
        return _complain(error, EXIT_UNFIT)
    if order.as_json:
        print(json.dumps(reports.as_json(report)))
    elif text := reports.as_text(report):
        print(text)
    if not report.ok:
        _complain(_verdict(report), EXIT_FAILED)
    return 0 if report.ok else EXIT_FAILED


def _complain(error: VoicestackError, code: int) -> int:
    print(error.report(), file=sys.stderr)
    return code


async def _place(conf: Settings, order: Order) -> CallReport:
    """Prepare all that takes time, call, and only then load the model that reads the recording."""
    table = ports.resolve(conf)
    if order.reachable:
        order = dataclasses.replace(order, number=reachable_number(conf))
    server = await server_address(order.server or f"{LOOPBACK}:{table['sip']}")
    credentials = _credentials(order)
    if order.dtmf.strip(KEYS):
        raise UsageError(f"--dtmf {order.dtmf}: keys are {KEYS}", hint="for instance --dtmf 12#")
    utterances = await _utterances(conf, table, order)
    plan = dataclasses.replace(Plan(), dtmf=order.dtmf)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    recording = conf.state_dir / "recordings" / f"call-{stamp}.wav"
    tell(f"calling {order.number} at {server[0]}:{server[1]}")
    async with Phone(local_ip_towards(server), order.caller, credentials) as phone:
        report = await converse(
            server,
            order.number,
            utterances,
            phone=phone,
            plan=plan,
            record_to=recording,
            tell=tell,
        )
    if order.transcribe and report.answered_ms is not None:
        tell("transcribing")
        report = await asyncio.to_thread(_transcribed, conf, report)
    return report


def reachable_number(conf: Settings) -> str:
    """A number of the lines file that may be called from this machine without a password."""
    from voicestack.diagnosis.explain import reachable
    from voicestack.lines.desk import Desk

    loopback = conf.listen == "loopback"
    line = reachable(Desk.of_settings(conf).lines, IPv4Address(LOOPBACK), loopback=loopback)
    if line is None:
        raise UsageError(
            "no line takes calls from this machine without a password",
            hint="add `this-machine` to the callers of a line in sip/lines.yaml",
        )
    return line.number


def tell(text: str) -> None:
    """Progress goes to stderr: stdout is the report."""
    print(text, file=sys.stderr, flush=True)


def _transcribed(conf: Settings, report: CallReport) -> CallReport:
    """A call without text is still a call: without a model the report goes out as it is."""
    model = conf.voicestack_cache / "models" / conf.stt_model
    try:
        transcribe: Callable[..., str] = voices.transcriber(model, conf.stt_language)
    except PhoneError as error:
        tell(error.report())
        return report
    return with_text(report, transcribe)


async def _utterances(conf: Settings, table: ports.Ports, order: Order) -> list[Utterance]:
    """Files are read and text is spoken before the call, so that nobody waits on the line."""
    if order.greeting_only:
        return []
    texts = order.speech or [FIRST_QUESTION]
    spoken = [await utterance(conf, table, text) for text in texts]
    if order.barge_in:
        spoken[-1] = dataclasses.replace(spoken[-1], barge_in=True)
    return spoken


async def utterance(conf: Settings, table: ports.Ports, speech: str) -> Utterance:
    """A WAV file, or a text that the voice of the stack speaks."""
    if speech.lower().endswith(".wav"):
        return await asyncio.to_thread(load_utterance, Path(speech))
    url = conf.tts_url or f"http://{LOOPBACK}:{table['tts']}/v1"
    key_file = conf.tts_api_key_file
    key = key_file.read_text().strip() if key_file else ""
    samples = await voices.speak(
        url, speech, model=conf.tts_model, voice=conf.tts_voice, api_key=key
    )
    return text_utterance(speech, samples, voices.TTS_RATE_HZ)


def _credentials(order: Order) -> Credentials | None:
    if order.user is None and order.password_file is None:
        return None
    if order.user is None or order.password_file is None:
        raise UsageError("--user and --password-file belong together", hint="give both or neither")
    try:
        return Credentials(order.user, order.password_file.read_text().strip())
    except OSError as error:
        raise UsageError(
            f"--password-file {order.password_file} cannot be read: {error.strerror}",
            hint="put the password, and nothing else, into that file",
        ) from error


async def server_address(text: str) -> Address:
    """Host and port of `host[:port]`; names are looked up."""
    host, _, port_text = text.partition(":")
    try:
        port = int(port_text or "5060")
        if not 0 < port < 65536:
            raise ValueError(f"port {port} is out of range")
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, family=socket.AF_INET, type=socket.SOCK_DGRAM
        )
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(
            f"--server {text} is no address of a SIP server: {error}",
            hint="give host:port, for instance --server 192.0.2.10:5060",
        ) from error
    address: Address = (str(found[0][4][0]), port)
    return address


def local_ip_towards(server: Address) -> str:
    """The address of this machine that the server sees."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(server)  # UDP: asks the kernel for a route and sends nothing
        except OSError as error:
            raise PhoneError(
                f"no way to {server[0]}: {error.strerror}", hint="check the network and --server"
            ) from error
        return str(probe.getsockname()[0])


def _verdict(report: CallReport) -> PhoneError:
    if report.outcome == "ended early":
        return PhoneError(
            f"the call ended early: {report.reason} ({len(report.turns)} of "
            f"{report.planned_turns} turns done)",
            hint="see the logs of agent and sip",
        )
    if report.outcome != "completed":
        called = f"{report.number} at {report.server[0]}:{report.server[1]}"
        return PhoneError(f"{called}: {report.reason}", hint=report.hint)
    missing = [str(n) for n, turn in enumerate(report.turns, 1) if not turn.answered]
    what = f"turn {', '.join(missing)}" if missing else "the greeting"
    return PhoneError(
        f"the call was answered, but nothing was heard for {what}",
        hint="see the log of agent; the recording has what was heard",
    )
