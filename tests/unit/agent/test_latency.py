"""One line per turn, in whole milliseconds."""

import logging
from typing import Any

import pytest
from livekit.agents import ChatMessage, ConversationItemAddedEvent

from voice_agent import latency


class Session:
    """Keeps the handler."""

    def on(self, _: str, handler: Any) -> None:
        self.handler = handler

    def add(self, role: Any, **metrics: Any) -> None:
        item = ChatMessage(role=role, content=["words"], metrics=metrics)  # type: ignore[arg-type]
        self.handler(ConversationItemAddedEvent(item=item))


def test_a_turn_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """The caller's and the agent's figures stand together, without any word that was said."""
    session = Session()
    told: list[dict[str, int]] = []
    latency.log_turns(session, told.append)  # type: ignore[arg-type]
    with caplog.at_level(logging.INFO, "voice_agent.latency"):
        session.add("user", transcription_delay=0.2, end_of_turn_delay=0.31)
        session.add("assistant", llm_node_ttft=0.1, tts_node_ttfb=0.05, e2e_latency=0.7)
        session.add("assistant")  # a greeting answers nobody
    (record,) = caplog.records
    assert record.message == "turn done"
    fields = vars(record)
    assert (fields["stt_ms"], fields["turn_ms"], fields["total_ms"]) == (200, 310, 700)
    assert "words" not in record.getMessage()
    assert told == [{name: fields[name] for name in told[0]}]
    assert told[0]["total_ms"] == 700
