"""Settings of calls: ways in beside plain SIP, recordings."""

from typing import Annotated, Literal

from pydantic import Field

from voicestack.settings_recording import RecordingSettings
from voicestack.settings_var import Var


class TelephonySettings(RecordingSettings):
    """Softphones that register; what is recorded."""

    registrar: Annotated[
        Literal["off", "on"], Var("network", "off or on", ("registrar", "control"))
    ] = Field("off", description="softphones register with user and password (docs/softphone.md)")
    sip_tls: Annotated[Literal["off", "on"], Var("network", "off or on", ("sip",))] = Field(
        "off", description="calls are set up over TLS too, with the certificate of the page"
    )
