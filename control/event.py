"""What an event says: Standard Webhooks' form (`type`, `timestamp`, `data`), and its signature."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

KINDS = ("call.started", "call.answered", "call.ended")
OF_EVERY = ("room", "call", "line", "caller", "direction")
OF_ANSWERED = ("agent", "version")
OF_ENDED = ("result", "outcome", "summary", "turns")


def body_of_event(
    kind: str, at: float, call: Mapping[str, Any], *, transcripts: bool
) -> dict[str, Any]:
    """Tell of a call as its history has it: numbers are as HISTORY_NUMBERS wants them."""
    data = {name: call[name] for name in OF_EVERY} | {"started_at": clock_time(call["started_at"])}
    if kind != KINDS[0]:
        data |= {name: call[name] for name in OF_ANSWERED}
        data["answered_at"] = clock_time(call["answered_at"])
    if kind == KINDS[2]:
        data |= {name: call[name] for name in OF_ENDED}
        data["ended_at"] = clock_time(call["ended_at"])
        names = ("name", "ok", "ms")
        data["tools"] = [{name: each[name] for name in names} for each in call["tools"]]
        if transcripts:
            data["transcript"] = [
                {"at": clock_time(each["at"]), "role": each["role"], "text": each["text"]}
                for each in call["words"]
            ]
    return {"type": kind, "timestamp": clock_time(at), "data": data}


def clock_time(at: float | None) -> str | None:
    """ISO 8601 in UTC."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def signed(secret: str, event: str, at: float, body: bytes) -> dict[str, str]:
    """The headers of one try (Standard Webhooks 1.0, "Signature scheme")."""
    seconds = str(int(at))
    content = b".".join([event.encode(), seconds.encode(), body])
    digest = hmac.new(key_of(secret), content, hashlib.sha256).digest()
    return {
        "webhook-id": event,
        "webhook-timestamp": seconds,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def key_of(secret: str) -> bytes:
    """The bytes that `scripts/webhooks.py secret` writes as base64."""
    return secret.encode()
