"""Settings of what is said first, and of recordings."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from voicestack.settings_kinds import Text
from voicestack.settings_var import Var


class RecordingSettings(BaseModel):
    """Whether calls are recorded, and what callers hear of it."""

    ai_disclosure: Annotated[
        Text | None,
        Var("recording", "1 to 200 characters on one line", ("agent",), default="nothing"),
    ] = Field(None, description="said before the greeting, such as: You talk to a computer.")
    recording: Annotated[
        Literal["off", "announce", "ask"], Var("recording", "off, announce or ask", ("agent",))
    ] = Field("off", description="announce: callers are told; ask: only after their yes")
    recording_days: Annotated[
        Annotated[int, Field(ge=1, le=3650)],
        Var("recording", "1 to 3650", ("control",), unit="days"),
    ] = Field(30, description="older recordings are deleted")
