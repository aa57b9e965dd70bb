"""What the guard does with a room, moment by moment."""

from dataclasses import replace

import pytest

from control.verdict import (
    BUSY_S,
    GHOST_S,
    GIVE_UP_S,
    PATIENT_RETRY_S,
    RETRY_S,
    Dispatch,
    Facts,
    Job,
    Memory,
    Verdict,
    judge,
)

ASKED = Dispatch("AD_1", "receptionist", "{}", ())
RINGING = Facts(callers=("sip_1",), ringing=True, agents=(), dispatches=(ASKED,))
TALKING = replace(RINGING, ringing=False)


def with_job(facts: Facts, *, alive: bool | None, present: bool = False) -> Facts:
    dispatch = replace(ASKED, jobs=(Job("AJ_1", "agent-1", alive),))
    return replace(facts, dispatches=(dispatch,), agents=("agent-1",) if present else ())


def verdicts(facts: Facts, *times: float) -> list[Verdict]:
    memory = Memory()
    return [judge(facts, memory, now) for now in times]


def test_a_caller_for_whom_nobody_comes_hears_busy() -> None:
    """The room's own request first, then ours, then 486; all within 3 s."""
    now = [0, RETRY_S / 2, RETRY_S, RETRY_S * 1.5, RETRY_S * 2, BUSY_S]
    seen = verdicts(RINGING, *now)
    assert [each.name for each in seen] == ["WAIT", "WAIT", "DISPATCH", "WAIT", "DISPATCH", "BUSY"]
    assert BUSY_S < 3


@pytest.mark.parametrize(
    "facts",
    [
        with_job(RINGING, alive=True),
        with_job(RINGING, alive=None, present=True),
        replace(RINGING, coming=True),  # given, and not listed yet
        with_job(TALKING, alive=True),  # its "leave" and "join" may be on the way
        with_job(TALKING, alive=None, present=True),  # a worker that tells us nothing
        replace(TALKING, dispatches=()),  # people in a room of their own
        replace(TALKING, callers=("sip_1", "sip_2")),  # transferred: people talk
    ],
)
def test_an_attended_call_is_left_alone(facts: Facts) -> None:
    """However long it lasts."""
    assert set(verdicts(facts, 0, 1, BUSY_S, GIVE_UP_S, 3600)) == {Verdict.WAIT}


@pytest.mark.parametrize("present", [True, False])
def test_a_dead_agent_is_replaced_at_once(present: bool) -> None:
    """Listed or not: its process is gone."""
    facts = with_job(TALKING, alive=False, present=present)
    seen = verdicts(facts, 0, RETRY_S, PATIENT_RETRY_S)
    assert seen == [Verdict.DISPATCH, Verdict.WAIT, Verdict.DISPATCH]


def test_an_agent_that_left_is_replaced() -> None:
    """Also one whose worker tells us nothing."""
    assert verdicts(with_job(TALKING, alive=None), 0) == [Verdict.DISPATCH]


def test_a_call_that_nobody_can_take_over_ends() -> None:
    """Silence is no call."""
    assert verdicts(with_job(TALKING, alive=False), 0, GIVE_UP_S)[-1] is Verdict.END


def test_whom_to_ask_for_is_remembered() -> None:
    """Our own request may have failed after the old one was deleted."""
    memory = Memory()
    judge(TALKING, memory, 0)
    assert judge(replace(TALKING, dispatches=()), memory, PATIENT_RETRY_S) is Verdict.DISPATCH
    assert memory.wanted == ASKED


def test_an_agent_alone_is_a_ghost() -> None:
    """The room goes; one that a caller comes back to does not."""
    alone = replace(with_job(TALKING, alive=True, present=True), callers=())
    assert verdicts(alone, 0, GHOST_S / 2, GHOST_S) == [Verdict.WAIT, Verdict.WAIT, Verdict.GHOST]
    memory = Memory()
    judge(alone, memory, 0)
    judge(replace(alone, callers=("sip_1",)), memory, GHOST_S / 2)
    assert judge(alone, memory, GHOST_S) is Verdict.WAIT


def test_a_browser_s_own_request_is_waited_for() -> None:
    """It never rings: who has just come is not who lost his agent."""
    seen = verdicts(TALKING, 0, PATIENT_RETRY_S / 2, PATIENT_RETRY_S)
    assert seen == [Verdict.WAIT, Verdict.WAIT, Verdict.DISPATCH]
    memory = Memory()
    judge(with_job(TALKING, alive=True), memory, 0)
    assert judge(TALKING, memory, 1) is Verdict.DISPATCH


def test_a_transferred_call_ends_with_its_first_side() -> None:
    """While both are there no agent is asked for; the one who is left talks to nobody."""
    memory = Memory()
    both = replace(with_job(TALKING, alive=False), callers=("sip_1", "asked-1"), joined=True)
    assert judge(both, memory, 0) is Verdict.WAIT
    assert judge(both, memory, GIVE_UP_S) is Verdict.WAIT
    assert judge(replace(both, callers=("sip_1",), joined=False), memory, 60) is Verdict.OVER
    assert judge(replace(both, callers=(), joined=False), memory, 60) is Verdict.OVER
