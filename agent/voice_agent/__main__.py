"""`python -m voice_agent console|dev|start|download-files`."""

import threading
import warnings

from livekit.agents import cli

from voice_agent import agents, occupancy, pipeline, ready, sounds, takeover
from voice_agent.heartbeat import Heartbeat
from voice_agent.worker import server, settings


def main() -> None:
    """Run the worker; `lk agent start agent/voice_agent/worker.py` ends in the same AgentServer."""
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    ready.mark_when_registered(server, settings.state_dir)
    Heartbeat(server, settings)
    occupancy.clear(settings.state_dir)
    pipeline.share_ears(settings)
    # The first caller may ring before the voice is up: never wait for it here.
    greetings = [agents.of(name).greeting(settings) for name in agents.names()]
    threading.Thread(target=render, args=([*greetings, takeover.EXCUSE_TEXT],), daemon=True).start()
    cli.run_app(server)


def render(texts: list[str]) -> None:
    """Have the voice speak what is said in the same way each time."""
    for text in dict.fromkeys(texts):
        sounds.render(settings, text)


if __name__ == "__main__":
    main()
