"""Settings of the events that are sent to programs of the operator's."""

from ipaddress import ip_address
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field

from voicestack.settings_kinds import checked_url
from voicestack.settings_var import Var

# Each is a queue of its own.
MOST_URLS = 8


def _urls(text: str) -> str:
    urls = [checked_url(each.strip()) for each in text.split(",")]
    if len(urls) > MOST_URLS or len(set(urls)) != len(urls):
        raise ValueError("too many, or one twice")
    if not all(_is_safe(each) for each in urls):
        raise ValueError("clear text to a public address")
    return ",".join(urls)


def _is_safe(url: str) -> bool:
    """Clear text stays on this machine or in its own network; a name could lead anywhere."""
    parts = urlsplit(url)
    if parts.scheme == "https" or parts.hostname == "localhost":
        return True
    try:
        address = ip_address(parts.hostname or "")
    except ValueError:
        return False
    return address.is_loopback or (address.is_private and not address.is_unspecified)


class WebhookSettings(BaseModel):
    """Who hears of calls, and how much."""

    webhook_urls: Annotated[
        Annotated[str, AfterValidator(_urls)] | None,
        Var(
            "webhooks",
            "up to 8 addresses, separated by commas: https://…, or http:// and a loopback or "
            "private IP address",
            ("control",),
            default="nobody is told",
        ),
    ] = Field(None, description="who is told when a call starts, is answered, has ended")
    webhook_transcripts: Annotated[
        Literal["off", "on"], Var("webhooks", "off or on", ("control",))
    ] = Field("off", description="whether call.ended carries what was said")
