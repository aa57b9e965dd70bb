"""Which calls are this worker's: during a deploy two of them are registered under one name.

livekit-server offers a job to either. The one that is not on duty refuses, and with
`terminate=False` the server asks the other at once (pkg/service/agentservice.go, JobRequest,
1.13.5): one small file moves all new calls, in one step and back again.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from voice_agent.settings import DEV_SLOT, AgentSettings

# Written by voicestack/deploy/releases.py. Where there is none, every worker is on duty.
FILE_NAME = "on-duty"
# A test call names the slot of the worker that it is to prove (voicestack/deploy/trial.py).
TRIAL = "trial"


def on_duty(settings: AgentSettings) -> bool:
    """Tell whether new calls are ours now."""
    if settings.agent_slot == DEV_SLOT:
        return True
    try:
        slot = file_of(settings.state_dir).read_text().strip()
    except OSError:
        return True  # answered twice is better than not at all
    return slot in {"", settings.agent_slot}


def file_of(state_dir: Path) -> Path:
    """Where the slot on duty is named."""
    return state_dir / "run" / FILE_NAME


def trial_of(metadata: str) -> str:
    """Name the slot that a test call is meant for; empty for every other call."""
    try:
        values = json.loads(metadata or "{}")
    except ValueError:  # a text of the line's own form
        return ""
    named = values.get(TRIAL) if isinstance(values, Mapping) else None
    return named if isinstance(named, str) else ""


def is_ours(settings: AgentSettings, metadata: str) -> bool:
    """Tell whether a job is for this worker."""
    if slot := trial_of(metadata):
        return slot == settings.agent_slot
    return on_duty(settings)
