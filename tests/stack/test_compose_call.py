"""The form in which people run it: `docker compose up`, calls from another host, faults."""

import json
import sys

import pytest

from tests.speech import Utterance
from tests.stack.world import SERVICES, STACK_IP, World
from voicestack import ports, settings

# The figures.
# The figures are 60 s and 20 s on a quiet machine; `make test-stack` prints what it took.
UP_S, HEALED_S = 180.0, 60.0


def test_up_is_ready_and_quick(stack: World) -> None:
    """`up --wait` returned 0 on a bare checkout, images and models being there."""
    assert stack.timings["up"] < UP_S


def test_a_call_has_speech_both_ways(stack: World, question: Utterance) -> None:
    """From another host: greeting, a recorded question, an answer."""
    report = stack.call(question.path)
    assert report["ok"], report
    assert report["turns"][0]["latency_ms"] is not None


def test_another_host_opens_the_page(stack: World) -> None:
    """With the internal authority's certificate: the page and its client, no server API."""
    held = settings.load(stack.checkout)
    address = f"{held.domain or STACK_IP}:{ports.resolve(held)['https']}"
    done = stack.on_phone(sys.executable, "-m", "tests.stack.visitor", address)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.pop("/twirp/x") == 404
    assert set(found.values()) == {200}, found


def test_up_again_changes_nothing(stack: World) -> None:
    """A second `up` runs the set-up once more and starts no service anew."""
    stack.up()  # other tests may have left other images
    before = {service: stack.pid(service) for service in SERVICES}
    stack.up()
    assert {service: stack.pid(service) for service in SERVICES} == before


@pytest.mark.parametrize("service", SERVICES)
def test_the_next_call_works_after_a_kill(stack: World, service: str) -> None:
    """SIGKILL to a container's first process: the engine starts it again."""
    before = stack.container(service)["RestartCount"]
    stack.kill(service)
    stack.await_restart(service, before)
    stack.answered_within(HEALED_S)


@pytest.mark.parametrize("service", SERVICES)
def test_the_next_call_works_after_a_restart(stack: World, service: str) -> None:
    """`docker compose restart` of any one service."""
    before = stack.pid(service)
    stack.compose("restart", service)
    stack.answered_within(HEALED_S)
    assert stack.pid(service) != before
