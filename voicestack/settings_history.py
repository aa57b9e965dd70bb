"""Settings of the call history."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from voicestack.settings_var import Var


class HistorySettings(BaseModel):
    """What is kept of calls, and for how long."""

    history_numbers: Annotated[
        Literal["masked", "full", "none"], Var("history", "masked, full or none", ("control",))
    ] = Field("masked", description="callers in the call history; masked: the last two digits")
    history_transcripts: Annotated[
        Literal["off", "on"], Var("history", "off or on", ("control",))
    ] = Field("off", description="whether the call history keeps what was said")
    history_days: Annotated[
        Annotated[int, Field(ge=1, le=3650)],
        Var("history", "1 to 3650", ("control",), unit="days"),
    ] = Field(90, description="older calls are forgotten")
    transcript_days: Annotated[
        Annotated[int, Field(ge=1, le=3650)],
        Var("history", "1 to 3650", ("control",), unit="days"),
    ] = Field(30, description="older words are forgotten")
    history_redaction: Annotated[
        Literal["numbers", "cards", "off"], Var("history", "numbers, cards or off", ("control",))
    ] = Field(
        "numbers", description="numbers of 7 or more digits, or cards only, out of kept words"
    )
    call_summary: Annotated[Literal["off", "on"], Var("history", "off or on", ("control",))] = (
        Field(
            "off",
            description="whether the language model files each call: outcome and one sentence",
        )
    )
