"""The servers of one stack, as an operator's script asks them; down or deaf is said in 3 s."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import httpx
from google.protobuf.message import DecodeError
from livekit import api

from voicestack import credentials, ports
from voicestack import settings as stack_settings
from voicestack.errors import VoicestackError

# Both servers are on this machine and answer in milliseconds.
TIMEOUT_S = 2.5
UP = "is the stack up? `make status` tells, `make up` starts it"


class OfficeError(VoicestackError):
    """A server of the stack could not be asked, or said no."""


@dataclass(frozen=True, slots=True)
class Office:
    """Settings, ports and secrets of the stack."""

    settings: stack_settings.Settings
    ports: ports.Ports
    held: credentials.Credentials

    @classmethod
    def of(cls, root: Path) -> "Office":
        """Read the settings and the secrets of the stack in this folder."""
        return cls.with_settings(stack_settings.load(root))

    @classmethod
    def with_settings(cls, stack: stack_settings.Settings) -> "Office":
        """The same, for settings that were read already."""
        return cls(stack, ports.resolve(stack), credentials.read(stack))

    @property
    def url(self) -> str:
        """Where livekit-server answers."""
        return f"http://127.0.0.1:{self.ports['livekit_http']}"

    @asynccontextmanager
    async def livekit(self) -> AsyncIterator[api.LiveKitAPI]:
        """A client of the server API whose failures are explained."""
        async with api.LiveKitAPI(
            self.url,
            self.held.livekit_api_key,
            self.held.livekit_api_secret,
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            failover=False,
        ) as client:
            with explained(self.url):
                yield client

    async def control(self, path: str, *, method: str = "GET") -> dict[str, Any]:
        """What control answers to a request for `path`."""
        url = f"http://127.0.0.1:{self.ports['control']}"
        headers = {"Authorization": f"Bearer {self.held.control_secret}"}
        try:
            async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S) as client:
                answer = await client.request(method, path, headers=headers)
                body = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            text = f"control at {url} cannot be reached ({type(error).__name__})"
            raise OfficeError(text, hint=UP) from error
        if not answer.is_success:
            reason = body.get("error", f"HTTP {answer.status_code}")
            raise OfficeError(f"control says: {reason}", hint="see the log of control")
        return dict(body)


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Turn what the client raises into what an operator can act on."""
    try:
        yield
    except api.ServerError as error:
        hint = "see the log of livekit"
        if error.code == api.ServerErrorCode.NOT_FOUND:
            hint = "`scripts/rooms.py list` shows the rooms there are"
        elif error.status in {401, 403}:
            hint = "livekit must have been started with the secrets of STATE_DIR/secrets"
        raise OfficeError(f"livekit says: {error.message} ({error.code})", hint=hint) from error
    except (DecodeError, ValueError) as error:
        text = f"what answers at {url} is not livekit ({type(error).__name__})"
        raise OfficeError(text, hint="who holds the port? ss -lntp") from error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        text = f"livekit at {url} cannot be reached ({type(error).__name__})"
        raise OfficeError(text, hint=UP) from error
