"""Settings of livekit's services for recording rooms and for streams into them."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from voicestack.settings_var import Var


class MediaSettings(BaseModel):
    """Whether containers record rooms, or take streams."""

    egress: Annotated[Literal["off", "on"], Var("network", "off or on", ("egress",))] = Field(
        "off", description="configuration for recording rooms in containers (docs/media.md)"
    )
    egress_minutes: Annotated[
        Annotated[int, Field(ge=1, le=1440)],
        Var("network", "1 to 1440", ("egress",), unit="minutes"),
    ] = Field(180, description="a recording by egress that nobody stops ends then")
    ingress: Annotated[
        Literal["off", "on"], Var("network", "off or on", ("ingress", "livekit"))
    ] = Field("off", description="RTMP and WHIP streams into rooms, in containers (docs/media.md)")
