"""What a call needs at its first use, imported before it rings.

Imported within a call, these are 0.3 s on two cores in which nobody is heard. The forkserver
imports this module once and every job process inherits it; where there is none, each job process
imports it while it waits for its call (pipeline.prewarm). Upstream's own list ends where a call
begins (livekit/agents/ipc/_preload.py, 1.8.9). tests/unit/agent/test_preload.py finds what is
missing here.
"""

import logging
from importlib import import_module

from livekit.agents.utils import http_context

from voice_agent import agents, remote, worker

log = logging.getLogger("voice_agent.preload")

FIRST_USED_IN_A_CALL = (
    "anyio._backends._asyncio",  # named by a text at a client's first request
    "httpcore",
    "livekit.agents.llm.async_toolset",
    "livekit.agents.voice.report",
    "numpy.fft",
    "openai.resources.audio.audio",  # a module for each endpoint, loaded by attribute
    "openai.resources.chat.chat",
    "openai.resources.models",
)

for name in FIRST_USED_IN_A_CALL:
    import_module(name)
for name in agents.names():
    try:
        agents.of(name)
    except Exception:  # the agent of one line: the others answer
        log.exception("agent cannot be imported", extra={"agent": name})
remote.prewarm(worker.settings.mcp_file)
# Reads the authorities' certificates: in a call it would be at its end, when the room is deleted.
http_context._create_ssl_context()
