"""livekit-sip: OPTIONS, as a phone that looks whether anybody is there."""

import asyncio
from dataclasses import dataclass

from voicestack.diagnosis.model import Check, Context, Finding, Verdict
from voicestack.phone import NoAnswer, Phone, Timers

LEG = "SIP"
# Two repeats within the time; on the same machine nothing is lost on the way.
ANSWER_S = 2.0
NAME = "livekit"


@dataclass(frozen=True, slots=True)
class Facts:
    """The answer to OPTIONS."""

    status: int | None
    agent: str = ""
    text: str = ""


async def look(context: Context) -> Facts:
    """Send OPTIONS over UDP."""
    server = ("127.0.0.1", context.ports["sip"])
    try:
        async with Phone(timers=Timers(t1_s=0.4)) as phone, asyncio.timeout(ANSWER_S):
            answer = (await phone.options(server)).response
    except TimeoutError:
        return Facts(None, text=f"no answer within {ANSWER_S:g} s")
    except NoAnswer as error:
        return Facts(None, text=str(error))
    agent = answer.get_header("server") or answer.get_header("user-agent") or ""
    return Facts(answer.status_code, agent)


def judge(facts: Facts) -> Verdict:
    """Any answer of livekit-sip will do."""
    if facts.status is None:
        return [Finding("SIP001", facts.text)]
    if facts.agent and NAME not in facts.agent.lower():
        return [Finding("SIP002", f"it calls itself {facts.agent}")]
    return []


CHECKS = (
    Check(
        "sip", LEG, "SIP port", look, judge,
        needs=("config:sip.yaml", "config:redis.conf", "processes:sip", "redis"), limit_s=3.0,
    ),
)  # fmt: skip
