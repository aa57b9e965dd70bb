"""Whole calls, with agents whose behaviour is known."""

import json
from pathlib import Path

import numpy as np
import pytest

from voicestack.phone import Call, Phone
from voicestack.phone.conversation import CallReport, Plan, Utterance, converse, with_text
from voicestack.phone.report import as_json, as_text

from .agents import answering, tone, utterance

HASTY = Plan(greeting_timeout_s=1.0, reply_timeout_s=1.5, until_quiet_s=0.5, barge_in_after_s=0.3)
# Two clocks of 20 ms stand between what one side does and the other hears; the machine may be busy.
TOLERANCE_MS = 100


async def hold(agent: Phone, *utterances: Utterance, plan: Plan = HASTY, **more) -> CallReport:
    async with Phone() as caller:
        return await converse(agent.address, "agent", utterances, phone=caller, plan=plan, **more)


def said(label: str = "question", *, barge_in: bool = False) -> Utterance:
    return Utterance(label, utterance(), barge_in)


async def test_latency_is_what_passed_between_the_speakers(tmp_path: Path) -> None:
    """The caller's figure is that of the agent, who knows when it heard and when it spoke."""
    truth: list[float] = []

    async def agent(call: Call) -> None:
        await call.say(tone(0.3))
        for _ in range(3):
            heard = await call.listen(until_quiet_s=0.25)
            spoken = await call.say(tone(0.4))
            assert heard.last_audio_at is not None
            truth.append(1000 * (spoken.speech_started_at - heard.last_audio_at))

    told: list[str] = []
    async with answering(agent) as phone:
        path = tmp_path / "call.wav"
        report = await hold(
            phone, said("a"), said("b"), said("c"), record_to=path, tell=told.append
        )
    assert report.ok
    assert report.latencies_ms == pytest.approx(truth, abs=TOLERANCE_MS)
    assert all(turn.reply_s == pytest.approx(0.4, abs=0.2) for turn in report.turns)
    assert report.greeting_ms is not None
    assert report.lost_packets == 0
    assert path.stat().st_size > 16000 * 2
    assert len(told) == 5


async def test_a_turn_without_a_reply() -> None:
    """It is reported as such, the next turn goes on, and the call is not ok."""

    async def agent(call: Call) -> None:
        await call.say(tone(0.3))
        await call.listen(until_quiet_s=0.25)
        await call.listen(until_quiet_s=0.25, timeout_s=5)
        await call.say(tone(0.4))

    async with answering(agent) as phone:
        report = await hold(phone, said("unheard"), said("heard"))
    assert [turn.answered for turn in report.turns] == [False, True]
    assert report.outcome == "completed"
    assert not report.ok


async def test_an_agent_that_never_speaks() -> None:
    """No greeting is None, not zero."""

    async def agent(call: Call) -> None:
        await call.ended.wait()

    async with answering(agent) as phone:
        report = await hold(phone)
    assert report.greeting_ms is None
    assert not report.ok


async def test_an_agent_that_hangs_up() -> None:
    """The report has the turns so far and says that the call ended early."""

    async def agent(call: Call) -> None:
        await call.say(tone(0.3))
        await call.listen(until_quiet_s=0.25)
        await call.hang_up()

    async with answering(agent) as phone:
        report = await hold(phone, said(), said())
    assert report.outcome == "ended early"
    assert report.reason == "the far end hung up"
    assert len(report.turns) < 2 or not report.ok


async def test_barge_in() -> None:
    """The time from the caller's first sound to the agent's last one."""
    truth: list[float] = []

    async def agent(call: Call) -> None:
        import asyncio

        speaking = asyncio.create_task(call.say(tone(10.0)))
        started = await call.first_audio(timeout_s=5)
        assert started is not None
        await asyncio.sleep(0.1)
        speaking.cancel()
        await asyncio.gather(speaking, return_exceptions=True)
        truth.append(1000 * (call.media.sent[-1].at + 0.02 - started))
        await call.listen(until_quiet_s=0.25, since=started)
        await asyncio.sleep(0.6)
        await call.say(tone(0.3))

    async with answering(agent) as phone:
        report = await hold(phone, said(barge_in=True), plan=Plan(barge_in_after_s=0.3))
    assert report.turns[0].barge_in_stop_ms == pytest.approx(truth[0], abs=TOLERANCE_MS)
    assert report.turns[0].answered
    assert report.greeting_ms is not None


async def test_an_agent_that_talks_over_the_caller() -> None:
    """It is marked, and does not flatter the percentiles."""

    async def agent(call: Call) -> None:
        await call.say(tone(0.2))
        await call.first_audio(timeout_s=5)
        await call.say(tone(1.0))

    async with answering(agent) as phone:
        report = await hold(phone, said())
    turn = report.turns[0]
    assert turn.talked_over
    assert turn.latency_ms is not None
    assert turn.latency_ms < 0
    assert report.latencies_ms == []


async def test_keys_are_pressed_after_the_greeting() -> None:
    """And keys of the agent are in the report."""

    async def agent(call: Call) -> None:
        await call.say(tone(0.3))
        while call.dtmf_received != "42":
            await call.media.next_frame()
        await call.send_dtmf("7")

    async with answering(agent) as phone:
        report = await hold(
            phone, said(), plan=Plan(dtmf="42", reply_timeout_s=1, until_quiet_s=0.2)
        )
    assert report.dtmf_received == "7"


async def test_nobody_there() -> None:
    """The outcome is a report, not an exception."""
    async with Phone() as gone:
        address = gone.address
    async with Phone() as caller:
        report = await converse(address, "x", [], phone=caller)
    assert report.outcome == "no answer"
    assert report.hint
    async with Phone() as closed, Phone() as caller:
        report = await converse(closed.address, "x", [], phone=caller)
    assert (report.outcome, report.answered_ms) == ("refused", None)


async def test_reports_for_people_and_programs() -> None:
    """80 columns, no colour; the JSON has the same figures and nothing that is not plain."""

    async def agent(call: Call) -> None:
        await call.say(tone(0.3))
        await call.listen(until_quiet_s=0.25)
        await call.say(tone(0.4))

    async with answering(agent) as phone:
        report = await hold(phone, said("a long question " * 12), said("unanswered"))
    report = with_text(report, lambda samples: f"{np.count_nonzero(samples) > 0} words " * 20)
    text = as_text(report)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert text.isascii()
    assert "NO REPLY" in text
    assert "True words" in text
    data = json.loads(json.dumps(as_json(report)))
    assert data["turns"][0]["latency_ms"] == round(report.turns[0].latency_ms or 0, 1)
    assert data["turns"][1] | {"said": ""} == {
        "said": "", "heard": "", "answered": False, "latency_ms": None, "reply_s": 0.0,
        "talked_over": False, "barge_in_stop_ms": None,
    }  # fmt: skip
    assert data["ok"] is False


def test_a_call_that_was_not_answered_has_no_figures() -> None:
    """Percentiles of nothing are null."""
    report = CallReport("1", ("127.0.0.1", 1), "refused", "no")
    assert as_json(report)["latency_p50_ms"] is None
    assert as_text(report) == ""
