"""One log line per turn: where the time between the caller's last word and the answer went."""

import logging
from collections.abc import Callable
from typing import Any

from livekit.agents import AgentSession, ChatMessage, ConversationItemAddedEvent

log = logging.getLogger("voice_agent.latency")

# livekit-agents 1.8.9, llm/chat_context.py MetricsReport: seconds, on either side's messages.
CALLER_FIELDS = {"stt_ms": "transcription_delay", "turn_ms": "end_of_turn_delay"}
AGENT_FIELDS = {
    "llm_first_token_ms": "llm_node_ttft",
    "tts_first_audio_ms": "tts_node_ttfb",
    "total_ms": "e2e_latency",
}


def log_turns(session: AgentSession[None], tell: Callable[[dict[str, int]], None]) -> None:
    """Log `turn done` for each answer of `session`; stages that ran ahead overlap the turn."""
    caller: dict[str, int] = {}

    def on_item(event: ConversationItemAddedEvent) -> None:
        item = event.item
        if not isinstance(item, ChatMessage):
            return
        if item.role == "user":
            caller.update(milliseconds(item.metrics, CALLER_FIELDS))
        elif item.role == "assistant":
            fields = caller | milliseconds(item.metrics, AGENT_FIELDS)
            caller.clear()
            if "total_ms" in fields:
                log.info("turn done", extra=fields | {"interrupted": item.interrupted})
                tell(fields)

    session.on("conversation_item_added", on_item)


def milliseconds(metrics: Any, fields: dict[str, str]) -> dict[str, int]:
    """Pick `fields` out of a message's metrics, in whole milliseconds, as far as measured."""
    return {
        name: round(metrics[key] * 1000)
        for name, key in fields.items()
        if metrics.get(key) is not None
    }
