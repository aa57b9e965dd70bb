"""What a whole installation survives."""

import signal

from tests.stack.conftest import HEALED_S, Kept
from tests.stack.world import World


def test_the_next_call_works_after_the_engine_died(stack: World) -> None:
    """SIGKILL to dockerd; whoever supervises it starts it again."""
    before = stack.calls()
    stack.engine.stop(signal.SIGKILL)
    stack.engine.start()
    stack.answered_within(HEALED_S)
    assert stack.calls()[: len(before)] == before


def test_down_and_up_keep_numbers_keys_and_history(stack: World, public: Kept) -> None:
    """Volumes outlive containers: the same secrets and calls, and nothing to apply anew."""
    assert stack.secrets() == public.secrets
    assert public.calls
    assert stack.calls()[: len(public.calls)] == public.calls
    applied = [line for line in stack.compose("logs", "control").splitlines() if "applied" in line]
    assert '"changes": 0' in applied[0]
    stack.answered_within(HEALED_S)
