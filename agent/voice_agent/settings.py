"""What the worker reads from its environment: once, checked whole, frozen."""

import sys
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

# A developer's worker is no part of a deploy.
DEV_SLOT = "dev"


class AgentSettings(BaseSettings):
    """Variables given by the runtime; `.env.example` describes those that an operator sets."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    livekit_url: str = "ws://127.0.0.1:7880"
    livekit_api_key_file: Path
    livekit_api_secret_file: Path

    # Where calls are kept in history and guarded.
    control_url: str = "http://127.0.0.1:7890"

    agent_name: str = "receptionist"
    agent_version: str = "unknown"
    # Which of the two places of a worker this is: during a deploy both are taken.
    agent_slot: str = "agent"
    # `python -m voice_agent dev` registers as NAME-dev: it takes no calls of the real NAME.
    agent_dev_suffix: str = "-dev"
    business_name: str = "our office"
    opening_hours: str = "Monday to Friday, 9 am to 5 pm"
    max_calls: int = Field(default=2, ge=1)
    max_call_minutes: float = Field(default=30, gt=0)
    transfer_targets: str = ""
    voicemail_message: str = ""
    silence_s: float = Field(default=20, gt=0)
    # A tool that takes longer is cut, and the caller hears of it.
    tool_seconds: float = Field(default=5, gt=0)
    # In one call, all tools together: a model that loops stops here.
    tools_per_minute: int = Field(default=10, ge=1)
    mcp_file: Path | None = None
    knowledge_dir: Path | None = None
    # A CSV or JSON file, or an HTTP endpoint.
    caller_data: str = ""
    caller_data_number: Literal["full", "masked"] = "full"
    caller_data_token_file: Path | None = None
    # Said first in every call; empty: nothing.
    ai_disclosure: str = ""
    recording: Literal["off", "announce", "ask"] = "off"
    agent_health_port: int = 7893
    # Calls in progress may end by themselves for this long when the worker is told to stop.
    drain_s: int = Field(default=60, ge=0)

    stt_model: str
    stt_language: str = "en"
    # 0: one for each core.
    stt_threads: int = Field(default=0, ge=0)

    llm_url: str
    llm_model: str = "local"
    llm_api_key_file: Path | None = None
    # Sampling controls that only llama.cpp understands go to our own server alone.
    llm_is_local: bool = False

    tts_url: str
    tts_model: str = "piper"
    tts_voice: str = "default"
    tts_api_key_file: Path | None = None

    state_dir: Path

    @property
    def livekit_api_key(self) -> str:
        """Name of the key that the worker registers with."""
        return self.livekit_api_key_file.read_text().strip()

    @property
    def livekit_api_secret(self) -> str:
        """Secret of that key; never kept in this object."""
        return self.livekit_api_secret_file.read_text().strip()

    @property
    def llm_api_key(self) -> str:
        """Key for the language model; local servers want any word."""
        return _key(self.llm_api_key_file)

    @property
    def tts_api_key(self) -> str:
        """Key for the voice; local servers want any word."""
        return _key(self.tts_api_key_file)


def _key(file: Path | None) -> str:
    return file.read_text().strip() if file else "local"


@lru_cache(maxsize=1)
def load() -> AgentSettings:
    """Read the environment on first use; job processes inherit it from the worker."""
    settings = AgentSettings.model_validate({})
    if sys.argv[1:2] == ["dev"]:
        name = settings.agent_name + settings.agent_dev_suffix
        return settings.model_copy(update={"agent_name": name, "agent_slot": DEV_SLOT})
    return settings
