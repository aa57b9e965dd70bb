"""Which calls are whose while two workers are registered under one name."""

import pytest

from voice_agent import duty
from voice_agent.settings import DEV_SLOT, AgentSettings


def worker(settings: AgentSettings, slot: str, on_duty: str | None) -> AgentSettings:
    if on_duty is not None:
        file = duty.file_of(settings.state_dir)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(on_duty)
    return settings.model_copy(update={"agent_slot": slot})


@pytest.mark.parametrize(
    ("slot", "on_duty", "ours"),
    [
        ("agent", None, True),  # no deploy was ever made
        ("agent", "", True),
        ("agent", "agent\n", True),
        ("agent", "agent-b\n", False),
        ("agent-b", "agent-b\n", True),
        (DEV_SLOT, "agent-b\n", True),  # it has a name of its own
    ],
)
def test_new_calls(agent_settings: AgentSettings, slot: str, on_duty: str, ours: bool) -> None:
    """The file names one slot."""
    assert duty.is_ours(worker(agent_settings, slot, on_duty), "") is ours


def test_a_switch_needs_no_restart(agent_settings: AgentSettings) -> None:
    """It is read for each call."""
    one = worker(agent_settings, "agent", "agent\n")
    assert duty.on_duty(one)
    worker(agent_settings, "agent", "agent-b\n")
    assert not duty.on_duty(one)


@pytest.mark.parametrize(
    ("metadata", "old", "new"),
    [
        ('{"line": "trial", "trial": "agent-b"}', False, True),
        ('{"line": "+15550100"}', True, False),
        ("a text of the line's own", True, False),
        ('["trial"]', True, False),
        ('{"trial": 3}', True, False),
    ],
)
def test_a_test_call_reaches_the_new_worker_alone(
    agent_settings: AgentSettings, metadata: str, old: bool, new: bool
) -> None:
    """And no other call does."""
    workers = [worker(agent_settings, slot, "agent\n") for slot in ("agent", "agent-b")]
    assert [duty.is_ours(each, metadata) for each in workers] == [old, new]
