"""`python -m voice_agent console|dev|start|download-files`."""

import threading
import warnings

from livekit.agents import cli

from voice_agent import agents, discreet, occupancy, opening, pipeline, ready, sounds, takeover
from voice_agent.heartbeat import Heartbeat
from voice_agent.worker import server, settings


def main() -> None:
    """Run the worker; `lk agent start agent/voice_agent/worker.py` ends in the same AgentServer."""
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    discreet.keep()
    ready.mark_when_registered(server, settings.state_dir, settings.agent_slot)
    Heartbeat(server, settings)
    occupancy.clear(settings.state_dir, settings.agent_slot)
    pipeline.share_ears(settings)
    # The first caller may ring before the voice is up: never wait for it here.
    threading.Thread(target=render, daemon=True).start()
    cli.run_app(server)


def render() -> None:
    """Have each agent's voice speak what it says in the same way each time."""
    for name in agents.names():
        own = agents.tailored(agents.of(name), settings)
        greeting = agents.of(name).greeting(own)
        for text in (*opening.texts(own), greeting, takeover.EXCUSE_TEXT):
            sounds.render(own, text)


if __name__ == "__main__":
    main()
