"""What a whole installation survives."""

import signal

from tests.stack import test_compose_closed
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


def test_with_all_switched_on_ports_are_those_of_the_table(stack: World, public: Kept) -> None:
    """A name, a relay over TLS, a registrar: seen from another host."""
    test_compose_closed.test_another_host_finds_the_documented_ports_and_no_other(stack)
