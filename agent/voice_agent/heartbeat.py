"""The worker tells control that it lives, how many calls it has, and which jobs they are.

livekit-server has no API that lists workers, and does not tell of a job whose process died: the
caller would sit in silence for 20 s (pkg/service/agentservice.go, deregisterJob, 1.13.5).
"""

import asyncio
import logging
import os
import socket
import time
from typing import Any

from livekit.agents import AgentServer

from voice_agent import duty, occupancy
from voice_agent.control import Control
from voice_agent.settings import AgentSettings

log = logging.getLogger("voice_agent.heartbeat")

# How soon control hears of a job that died; nothing is sent while nothing changes.
LOOK_S = 0.2
# control takes a worker for gone after several of these (control/workers.py).
BEAT_S = 1.0


class Heartbeat:
    """Beats from the first registration until the worker's loop ends."""

    def __init__(self, server: AgentServer, settings: AgentSettings) -> None:
        self._server, self._settings = server, settings
        self._started_at = time.time()
        self._task: asyncio.Task[None] | None = None
        server.on("worker_registered", self._on_registered)

    def _on_registered(self, _worker_id: str, _server_info: object) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="heartbeat")

    async def _run(self) -> None:
        control = Control(self._settings)
        sent: dict[str, Any] = {}
        sent_at_s = float("-inf")
        warned: list[str] = []
        while True:
            beat = self.beat()
            if beat != sent or time.monotonic() - sent_at_s >= BEAT_S:
                sent, sent_at_s = beat, time.monotonic()
                known = await control.post("/agent/beat", beat) or {}
                for text in known.get("attention", []):
                    if text not in warned:
                        log.warning("workers compete for calls", extra={"reason": text})
                        warned.append(text)
            await asyncio.sleep(LOOK_S)

    def beat(self) -> dict[str, Any]:
        """How things stand."""
        settings, jobs = self._settings, self._server.active_jobs
        return {
            "worker": self._server.id,
            "agent": settings.agent_name,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            # Two workers of one machine cannot share it: a new one there, and the old is gone.
            "health_port": settings.agent_health_port,
            "version": settings.agent_version,
            "started_at": self._started_at,
            "capacity": settings.max_calls,
            "draining": self._server.draining,
            "slot": settings.agent_slot,
            "on_duty": duty.on_duty(settings),
            "jobs": [self.job(each.job.id, each.job.room.name) for each in jobs],
        }

    def job(self, job_id: str, room: str) -> dict[str, Any]:
        """One job, and whether its caller is heard."""
        settings = self._settings
        heard = occupancy.is_heard(settings.state_dir, settings.agent_slot, job_id)
        return {"job": job_id, "room": room, "heard": heard}
