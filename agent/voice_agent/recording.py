"""Recording of a call: the caller left, the agent right, in a file that only its owner can read.

livekit-agents' own recorder writes it (voice/recorder_io): it knows what was played, and when.
"""

import logging
import os
import time
from pathlib import Path

from livekit.agents import AgentSession, JobContext
from livekit.agents.voice.recorder_io import RecorderIO

from voice_agent.settings import AgentSettings

log = logging.getLogger("voice_agent.recording")

# The telephone carries no more than half of it.
RATE_HZ = 16_000


class Recording:
    """Sits in the way of the sound from the start of the session; writes when told to."""

    def __init__(
        self, ctx: JobContext, session: AgentSession[None], settings: AgentSettings
    ) -> None:
        self._folder = settings.state_dir / "recordings"
        self._room = ctx.room.name
        self._recorder = RecorderIO(agent_session=session, sample_rate=RATE_HZ)
        if session.input.audio is not None and session.output.audio is not None:
            session.input.audio = self._recorder.record_input(session.input.audio)
            session.output.audio = self._recorder.record_output(session.output.audio)
        ctx.add_shutdown_callback(self._recorder.aclose)

    async def start(self) -> None:
        """Record from now on; a call is never lost because it cannot be recorded."""
        try:
            await self._recorder.start(output_path=private_file(self._folder, self._room))
        except (OSError, RuntimeError) as error:
            log.warning("call is not recorded", extra={"reason": str(error)})
        else:
            log.info("call is recorded from here")


def private_file(folder: Path, room: str) -> Path:
    """Make an empty file of its own, before anybody else could open it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / f"{time.strftime('%Y%m%dT%H%M%S')}-{room}.ogg"
    os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    return file
