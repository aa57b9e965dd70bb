"""A call from another machine: there are no logs to look into."""

from dataclasses import replace
from pathlib import Path

from voicestack.diagnosis.judge_call import Facts
from voicestack.diagnosis.judge_call import judge as judge_call
from voicestack.diagnosis.legs.call import hears_speech, is_speech
from voicestack.diagnosis.legs.hearing import SENTENCE_FILE
from voicestack.diagnosis.model import Finding, Unknown, Verdict
from voicestack.phone import CallFailedError, CallRefused, NoAnswer, Phone
from voicestack.phone.first_call import local_ip_towards
from voicestack.phone.wire.sip import Address

__all__ = ["SENTENCE_FILE", "Facts", "judge", "place"]

RING_S, GREETING_S, REPLY_S = 10.0, 6.0, 10.0


async def place(server: Address, number: str, sentence: Path) -> Facts:
    """Dial, hear the greeting, ask, hear the answer."""
    facts = Facts(expected_address=server[0])
    async with Phone(local_ip_towards(server)) as phone:
        try:
            async with await phone.dial(number, server=server, ring_timeout_s=RING_S) as answered:
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
