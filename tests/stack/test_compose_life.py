"""What a whole installation survives."""

import signal

from tests.stack.world import World

HEALED_S = 20.0


def test_the_next_call_works_after_the_engine_died(stack: World) -> None:
    """SIGKILL to dockerd; whoever supervises it starts it again."""
    stack.engine.stop(signal.SIGKILL)
    stack.engine.start()
    stack.answered_within(HEALED_S)


def test_down_and_up_keep_numbers_and_keys(stack: World) -> None:
    """Volumes outlive containers: the same secrets, and nothing to apply anew."""
    before = stack.secrets()
    stack.compose("down")
    stack.up()
    assert stack.secrets() == before
    applied = [line for line in stack.compose("logs", "control").splitlines() if "applied" in line]
    assert '"changes": 0' in applied[0]
    stack.answered_within(HEALED_S)
