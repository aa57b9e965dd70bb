"""What workers and calls of our own tell control (agent/voice_agent/heartbeat.py, report.py)."""

import base64
import hashlib
import hmac
from typing import Literal, TypeVar

from livekit.api import TokenVerifier
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

from control.webhooks import RefusedError, body_of

CONTENT_TYPE = "application/json"
# A long sentence has a few hundred bytes, a beat with ninety jobs less than 10 kB.
MOST_BYTES = 64 * 1024

Kind = TypeVar("Kind", bound="Message")


class Message(BaseModel):
    """Workers of another version may say more than we know."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Job(Message):
    """One job of a worker."""

    job: str
    room: str
    # Whether the caller's sound arrives: a hang-up can be lost (agent/voice_agent/occupancy.py).
    heard: bool = True


class Beat(Message):
    """How a worker says that it lives."""

    worker: str = Field(min_length=1, max_length=128)
    agent: str = Field(max_length=128)
    host: str = Field(max_length=256)
    pid: int
    health_port: int
    version: str = Field(max_length=128)
    started_at: float
    capacity: int
    draining: bool
    # Which place of a worker it has, and whether new calls are its (agent/voice_agent/duty.py).
    slot: str = Field(default="agent", max_length=32)
    on_duty: bool = True
    jobs: tuple[Job, ...]

    @property
    def place(self) -> tuple[str, int]:
        """What two living workers cannot share."""
        return self.host, self.health_port


class Report(Message):
    """What one call says of itself."""

    kind: Literal["joined", "answered", "turn", "said", "tool", "result", "ended"]
    at: float
    room: str = Field(min_length=1, max_length=256)
    job: str = Field(max_length=128)
    agent: str = Field(max_length=128)
    version: str = Field(max_length=128)
    role: str = ""
    text: str = ""
    reason: str = ""
    latencies: dict[str, int] = Field(default_factory=dict)
    tool: str = Field(default="", max_length=128)
    arguments: str = ""
    ok: bool = True
    ms: int = 0


class Post:
    """Reads messages that are signed with the API key over their raw bytes."""

    def __init__(self, key: str, secret: str) -> None:
        self._verifier = TokenVerifier(key, secret)

    async def beat(self, request: Request) -> Beat:
        """Read a beat, or refuse."""
        return _parsed(Beat, await self._checked(request))

    async def report(self, request: Request) -> Report:
        """Read a report, or refuse."""
        return _parsed(Report, await self._checked(request))

    async def read(self, kind: type[Kind], request: Request) -> Kind:
        """Read a message of another kind, or refuse."""
        return _parsed(kind, await self._checked(request))

    async def _checked(self, request: Request) -> bytes:
        body = await body_of(request, CONTENT_TYPE, MOST_BYTES)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        try:
            claims = self._verifier.verify(token)
        except Exception as error:  # PyJWT's errors, and ValueError for odd claims
            raise RefusedError(401, "signature does not fit") from error
        digest = base64.b64encode(hashlib.sha256(body).digest())
        if not hmac.compare_digest(digest, (claims.sha256 or "").encode()):
            raise RefusedError(401, "signature does not fit")
        return body


def _parsed(kind: type[Kind], body: bytes) -> Kind:
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise RefusedError(
            400, f"no {kind.__name__.lower()}: {error.error_count()} faults"
        ) from error
