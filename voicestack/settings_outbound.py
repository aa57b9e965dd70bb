"""Settings of calls that go out from here; whom and when is in the lines file."""

from typing import Annotated

from pydantic import BaseModel, Field

from voicestack.settings_kinds import TRANSFER_TARGETS, Text
from voicestack.settings_var import Var


class OutboundSettings(BaseModel):
    """Where callers may be sent, and what is said to whoever picks up."""

    transfer_targets: Annotated[
        Annotated[str, Field(pattern=TRANSFER_TARGETS)] | None,
        Var(
            "agent",
            "NAME=+NUMBER or NAME=sip:…, separated by commas",
            ("agent", "control"),
            "nobody",
        ),
    ] = Field(None, description="where the agent may send callers, such as billing=+15550123")
    voicemail_message: Annotated[
        Text | None,
        Var("agent", "1 to 200 characters on one line", ("agent",), default="none: hang up"),
    ] = Field(None, description="left after the beep when a voicemail answers a call of ours")
