"""`python -m voice_agent console|dev|start|download-files`."""

import threading
import warnings

from livekit.agents import cli

from voice_agent import occupancy, pipeline, ready, sounds, takeover
from voice_agent.agents import receptionist
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
    for text in (receptionist.greeting(settings), takeover.EXCUSE_TEXT):
        threading.Thread(target=sounds.render, args=(settings, text), daemon=True).start()
    cli.run_app(server)


if __name__ == "__main__":
    main()
