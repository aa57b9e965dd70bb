"""Kinds of values that settings have, and how each is described."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field


def checked_url(text: str) -> str:
    """Return an address without user, password, query; ValueError for anything else."""
    parts = urlsplit(text)
    whole = parts.scheme in {"http", "https"} and parts.hostname and not parts.query
    if not whole or parts.fragment or parts.username or any(ch.isspace() for ch in text):
        raise ValueError("malformed URL")
    _ = parts.port  # raises ValueError when out of range
    return text.rstrip("/")


def _model_name(text: str) -> str:
    if ".." in text:  # names become paths below the cache
        raise ValueError("leads out of the cache")
    return text


PortNumber = Annotated[int, Field(ge=1, le=65535)]
Threads = Annotated[int, Field(ge=0, le=256)]
Url = Annotated[str, AfterValidator(checked_url)]
# No control characters: these texts reach prompts and logs.
Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
ModelName = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$"), AfterValidator(_model_name)
]
LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
HostName = Annotated[str, Field(pattern=rf"^({LABEL}\.)+{LABEL}$", max_length=253)]
HOST_MUST = "a DNS name in lower case such as voice.example.org"
EMAIL = r"^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+$"
AGENT_NAME = r"^[a-z][a-z0-9_-]{0,62}$"
TRANSFER_TARGETS = r"^([a-z][a-z0-9_-]*=(\+[0-9]{3,15}|sips?:[^,\s]+)(, ?|$))+$"
MODEL_MUST = "a model name: letters, digits and . _ : / -"
URL_MUST = "http(s)://host[:port][/path] without user, password or query"
KEY_FILE_MUST = "the path of a file that only you can read (chmod 600)"
THREADS_MUST = "0 to 256"
