"""Redis: answers, takes our password, takes writes, keeps what it was told."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import redis.asyncio as client
from redis import exceptions
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from voicestack.diagnosis.model import Check, Context, Finding, Verdict

LEG = "Redis"
TIMEOUT_S = 1.5
# Ours alone, and gone by itself: what else is in there stays untouched.
KEY, KEY_LIFE_S = "voicestack:sanity-check", 5


@dataclass(frozen=True, slots=True)
class Facts:
    """What Redis said. `error` is the first thing that went wrong, by the name of its class."""

    error: str = ""
    text: str = ""
    write_error: str = ""
    info: Mapping[str, Any] | None = None
    config: Mapping[str, str] | None = None  # None: it may not be asked


async def look(context: Context) -> Facts:
    """Ping, look around, write one key that goes away by itself."""
    connection = client.Redis(
        host="127.0.0.1",
        port=context.ports["redis"],
        password=context.secrets.redis_password,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
    )
    try:
        await connection.ping()
        info: dict[str, Any] = await connection.info()
        write_error = ""
        try:
            await connection.set(KEY, "1", ex=KEY_LIFE_S)
        except exceptions.ResponseError as error:
            write_error = str(error)
        return Facts(info=info, config=await _config(connection), write_error=write_error)
    except (exceptions.RedisError, OSError, TimeoutError, ValueError) as error:
        return Facts(type(error).__name__, str(error))
    finally:
        await connection.aclose()


async def _config(connection: "client.Redis") -> Mapping[str, str] | None:
    try:
        found = await connection.config_get("appendonly", "maxmemory-policy")
    except exceptions.ResponseError:
        return None  # an access list may forbid it
    return {str(name): str(value) for name, value in found.items()}


def judge(facts: Facts) -> Verdict:
    """Unreachable before unfit; the reason of a refused write before the refusal."""
    text = facts.text.lower()
    if "max number of clients" in text:
        return [Finding("RED008", facts.text)]
    if facts.error in {"AuthenticationError", "NoPermissionError"} or "noauth" in text:
        return [Finding("RED002", facts.text)]
    if facts.error in {"TimeoutError", "ConnectionError"}:
        return [Finding("RED001", facts.text or "no answer")]
    if facts.error:
        return [Finding("RED009", f"{facts.error}: {facts.text}")]
    return _judge_write(facts) or _judge_keeping(facts)


def _judge_write(facts: Facts) -> list[Finding]:
    info, refused = facts.info or {}, facts.write_error
    if refused.startswith("OOM") or "maxmemory" in refused:
        return [Finding("RED004", refused)]
    if "read only replica" in refused.lower() or info.get("role") == "slave":
        return [Finding("RED003", refused or "its role is replica")]
    if refused.startswith("MISCONF") or info.get("aof_last_write_status", "ok") != "ok":
        return [Finding("RED005", refused or "aof_last_write_status is not ok")]
    return [Finding("RED005", refused)] if refused else []


def _judge_keeping(facts: Facts) -> list[Finding]:
    config = facts.config or {}
    if config.get("appendonly", "yes") == "no":
        return [Finding("RED006", "appendonly is no")]
    if config.get("maxmemory-policy", "noeviction") != "noeviction":
        return [Finding("RED007", f"maxmemory-policy is {config['maxmemory-policy']}")]
    return []


CHECKS = (
    Check("redis", LEG, "Redis", look, judge, needs=("config:redis.conf", "processes:redis")),
)
