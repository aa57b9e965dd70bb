"""Mind: a tiny real request to the language model, as the worker would send it."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from voicestack.diagnosis.model import Check, Context, Finding, Verdict

LEG = "thinking"
# The worker gives a stage this long before the caller hears an apology (pipeline.py).
TIMEOUT_S = 4.0
# A person on the phone takes two seconds of silence for a broken line.
SLOW_S = 2.0
QUESTION = {"role": "user", "content": "Say hello in one word."}


@dataclass(frozen=True, slots=True)
class Facts:
    """How a model server answered. `kind` is the first thing that went wrong."""

    kind: str = "ok"  # ok, unreachable, broken, late, status, stranger, empty
    status: int = 200
    text: str = ""
    took_s: float = 0.0


async def look(context: Context) -> Facts:
    """Ask for a few words and take the first."""
    conf = context.settings
    url = conf.llm_url or f"http://127.0.0.1:{context.ports['llm']}/v1"
    body = {"model": conf.llm_model, "messages": [QUESTION], "max_tokens": 4, "stream": True}
    started_s = time.monotonic()
    try:
        async with (
            httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as client,
            client.stream(
                "POST", f"{url}/chat/completions", json=body, headers=bearer(conf.llm_api_key_file)
            ) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                text = (await answer.aread()).decode(errors="replace")[:120]
                return Facts("status", answer.status_code, text)
            kind = await _first_word(answer)
    except httpx.HTTPError as error:
        return failure(error)
    return Facts(kind, took_s=time.monotonic() - started_s)


async def _first_word(answer: httpx.Response) -> str:
    """Read events until one carries text (OpenAI API reference, "Streaming")."""
    events = 0
    async for line in answer.aiter_lines():
        payload = line.removeprefix("data:").strip()
        if not line.startswith("data:") or payload == "[DONE]":
            continue
        try:
            choices = json.loads(payload)["choices"]
            events += 1
            delta = choices[0]["delta"] if choices else {}
        except (ValueError, KeyError, IndexError, TypeError):
            return "stranger"
        if delta.get("content") or delta.get("tool_calls"):
            return "ok"
    return "empty" if events else "stranger"


def failure(error: httpx.HTTPError) -> Facts:
    """What kept a model server from answering."""
    if isinstance(error, httpx.TimeoutException):
        return Facts("late", text=type(error).__name__)
    if isinstance(error, httpx.ConnectError):
        return Facts("unreachable", text=str(error) or "no connection")
    return Facts("broken", text=f"{type(error).__name__} {error}".strip())


def bearer(key_file: Path | None) -> dict[str, str]:
    """The key as a header; local servers want any word."""
    key = key_file.read_text().strip() if key_file else "local"
    return {"Authorization": f"Bearer {key}"}


def judge(facts: Facts) -> Verdict:
    """Judge the language model."""
    return judge_server("LLM", facts)


def judge_server(prefix: str, facts: Facts) -> list[Finding]:
    """The same order for every model server: reached, answered, understood, in time."""
    if facts.kind == "status":
        by_status = {401: 7, 403: 7, 404: 8}
        number = by_status.get(facts.status, 2)
        return [Finding(f"{prefix}{number:03}", f"HTTP {facts.status} {facts.text}".strip())]
    numbers = {"unreachable": 1, "broken": 2, "late": 3, "stranger": 5, "empty": 6}
    if facts.kind in numbers:
        seen = {
            "late": f"nothing within {TIMEOUT_S:g} s ({facts.text})",
            "stranger": f"the answer is none of the OpenAI API {facts.text}".strip(),
            "empty": "the answer has no content",
        }.get(facts.kind, facts.text)
        return [Finding(f"{prefix}{numbers[facts.kind]:03}", seen)]
    if facts.took_s > SLOW_S:
        return [Finding(f"{prefix}004", f"the first word came after {facts.took_s:.1f} s")]
    return []


CHECKS = (
    Check("thinking", LEG, "language model", look, judge, needs=("processes:llm",), limit_s=6.0),
)
