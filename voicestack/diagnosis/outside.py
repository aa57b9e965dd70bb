"""The same stack from another machine: what a phone and a browser out there can reach."""

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path

from voicestack.diagnosis.judge_call import Facts
from voicestack.diagnosis.judge_call import judge as judge_call
from voicestack.diagnosis.legs.call import hears_speech, is_speech
from voicestack.diagnosis.legs.hearing import SENTENCE_FILE
from voicestack.diagnosis.model import CannotTellError, Check, Context, Finding, Unknown, Verdict
from voicestack.phone import CallFailedError, CallRefused, NoAnswer, Phone, PhoneError, Timers
from voicestack.phone.first_call import local_ip_towards, server_address
from voicestack.phone.wire.sip import Address

ANSWER_S = 4.0
RING_S, GREETING_S, REPLY_S = 10.0, 6.0, 10.0


@dataclass(frozen=True, slots=True)
class Target:
    """What to reach, from here."""

    host: str
    number: str
    sip_port: int = 5060
    https_port: int = 8443

    async def address(self) -> Address:
        """Look the name up."""
        try:
            return await server_address(f"{self.host}:{self.sip_port}")
        except PhoneError as error:
            raise CannotTellError(f"{self.host} cannot be looked up", error.hint) from error


@dataclass(frozen=True, slots=True)
class Reached:
    """Whether somebody answered at an address; `text` says how it went."""

    answered: bool
    text: str


def checks_of(target: Target) -> tuple[Check, ...]:
    """SIP, page, and a call."""

    async def look_sip(_: Context) -> Reached:
        server = await target.address()
        try:
            async with Phone(local_ip_towards(server), timers=Timers(t1_s=0.5)) as phone:
                async with asyncio.timeout(ANSWER_S):
                    answer = (await phone.options(server)).response
        except (TimeoutError, PhoneError) as error:
            return Reached(False, f"{server[0]} UDP {server[1]}: {error or 'no answer'}")
        return Reached(True, str(answer.status_code))

    async def look_page(_context: Context) -> Reached:
        try:
            async with asyncio.timeout(ANSWER_S):
                _, writer = await asyncio.open_connection(target.host, target.https_port)
        except (OSError, TimeoutError) as error:
            return Reached(False, f"{target.host} TCP {target.https_port}: {type(error).__name__}")
        writer.close()
        return Reached(True, "")

    async def look_call(context: Context) -> Facts:
        return await call(target, context.root / SENTENCE_FILE)

    return (
        Check("sip outside", "SIP", "SIP port from here", look_sip, judge_sip, limit_s=6.0),
        Check("page outside", "TLS", "HTTPS port from here", look_page, judge_page, limit_s=6.0),
        Check("call outside", "conversation", "a call from here", look_call, judge,
              needs=("sip outside",), limit_s=36.0),
    )  # fmt: skip


async def call(target: Target, sentence: Path) -> Facts:
    """Dial, hear the greeting, ask, hear the answer."""
    server = await target.address()
    facts = Facts(expected_address=server[0])
    async with Phone(local_ip_towards(server)) as phone:
        try:
            async with await phone.dial(
                target.number, server=server, ring_timeout_s=RING_S
            ) as answered:
                remote = answered.media.remote
                heard = await answered.listen(timeout_s=GREETING_S, longest_s=GREETING_S)
                greeted = is_speech(heard)
                facts = replace(
                    facts, outcome="answered", greeted=greeted,
                    sdp_address=str(remote.address) if remote else "",
                )  # fmt: skip
                if greeted:
                    await answered.say(sentence)
                    facts = replace(facts, replied=await hears_speech(answered, REPLY_S))
                return replace(facts, packets=len(answered.media.received))
        except CallRefused as error:
            return replace(facts, outcome="refused", status=error.status)
        except CallFailedError as error:
            return replace(facts, outcome="unusable", text=str(error))
        except NoAnswer as error:
            return replace(facts, outcome="no answer", text=str(error))


def judge_sip(reached: Reached) -> Verdict:
    """Where it is closed cannot be told from one side."""
    return [] if reached.answered else [Finding("OUT001", reached.text)]


def judge_page(reached: Reached) -> Verdict:
    """The page matters to browsers only."""
    return [] if reached.answered else [Finding("OUT002", reached.text)]


def judge(facts: Facts) -> Verdict:
    """Like a call of our own, but what only logs could tell stays unknown."""
    told = judge_call(facts)
    local = "on the stack's machine: scripts/sanity_check.py --last-call"
    return [
        Unknown(f"{each.seen}; the logs are on the other machine", local)
        if isinstance(each, Finding) and each.code in {"SIP006", "MED099", "AUD001", "AUD099"}
        else each
        for each in told
    ]
