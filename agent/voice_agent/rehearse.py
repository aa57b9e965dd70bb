"""Talk to an agent in text, with the real session, tools, guard and language model.

`python -m voice_agent.rehearse` reads `[{"agent": …, "caller": {…}, "turns": [{"says": …}]}]` and
writes what came of each turn, as JSON; `voicestack test-agents` holds it against what had to come.
In Python: `async with conversation("sales", settings) as talk: (await talk.says("Hello.")).expect…`
"""

import asyncio
import contextlib
import json
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from unittest import mock

from livekit.agents import AgentSession, llm
from livekit.agents.testing import fake_job_context
from livekit.agents.voice.run_result import RunResult

from voice_agent import agents, callers, guard, pipeline, scope, transfer
from voice_agent.agents import desk
from voice_agent.settings import AgentSettings, load

# A small model on a busy machine takes its time; nobody waits on a line here.
TURN_S = 90.0
TALK_S = 600.0


class Talk:
    """One conversation."""

    def __init__(self, session: AgentSession[None], settings: AgentSettings) -> None:
        self.session, self._settings = session, settings

    async def says(self, text: str) -> RunResult[Any]:
        """The caller says something; the result is LiveKit's, with `expect` and `judge`."""
        async with asyncio.timeout(TURN_S):
            return await self.session.run(user_input=text)

    async def presses(self, keys: str) -> None:
        """The caller presses keys, as an answer to a question of the guard."""
        watch = guard.of(self.session, self._settings)
        for key in keys:
            watch.press(key, self.session)
        async with asyncio.timeout(TURN_S):
            await self.session.wait_for_idle()


@contextlib.asynccontextmanager
async def conversation(
    agent: str,
    settings: AgentSettings,
    *,
    caller: dict[str, Any] | None = None,
    model: llm.LLM[Any] | None = None,
) -> AsyncIterator[Talk]:
    """Talk to an agent: nobody is connected, hung up on or written to; its own tools are real."""

    async def hung_up() -> None:
        return None

    async def connected(_: object, to: str, allowed: dict[str, str]) -> bool:
        return to in allowed

    with (
        tempfile.TemporaryDirectory() as folder,
        fake_job_context(),
        mock.patch.object(desk, "hang_up", hung_up),
        mock.patch.object(transfer, "cold", connected),
    ):
        named = agents.of(agent)
        own = agents.tailored(named, settings.model_copy(update={"state_dir": Path(folder)}))
        known = callers.fit(caller or {})
        async with AgentSession[None](llm=model or pipeline.build_llm(own)) as session:
            scope.limit(session, scope.Scope(room="rehearsal", customer=known))
            await session.start(named.make(own), record=False)
            await callers.tell(session, known)
            yield Talk(session, own)


def told(result: RunResult[Any]) -> tuple[str, list[str]]:
    """What the caller heard in a turn, and which tools were called."""
    words, tools = [], []
    for event in result.events:
        if event.type == "message" and event.item.role == "assistant":
            words.append(event.item.text_content or "")
        elif event.type == "function_call":
            tools.append(event.item.name)
    return " ".join(words), tools


async def judged(result: RunResult[Any], judge: llm.LLM[Any], intent: str) -> str:
    """Have the judge look at the last words; empty if they do, else what is wrong with them."""
    try:
        last = result.expect.contains_message(role="assistant")
        await last.judge(judge, intent=intent)
    except AssertionError as error:
        return str(error).splitlines()[0]
    except Exception as error:  # a judge that cannot judge is no pass
        return f"the judge failed: {type(error).__name__}"
    return ""


async def rehearse(script: dict[str, Any], settings: AgentSettings) -> list[dict[str, Any]]:
    """Hold one conversation; what came of each turn."""
    wanted = script.get("judge_with") or {}
    judge = pipeline.build_llm(settings.model_copy(update=wanted))
    done = []
    async with conversation(script["agent"], settings, caller=script.get("caller")) as talk:
        for turn in script["turns"]:
            if turn.get("keys"):
                before = len(talk.session.history.items)
                await talk.presses(turn["keys"])
                heard, tools = since(talk.session, before)
                verdict = ""
            else:
                result = await talk.says(turn["says"])
                heard, tools = told(result)
                verdict = await judged(result, judge, turn["judge"]) if turn.get("judge") else ""
            speaks = type(talk.session.current_agent).__module__.rpartition(".")[2]
            done.append({"heard": heard, "calls": tools, "agent": speaks, "verdict": verdict})
    return done


def since(session: AgentSession[None], before: int) -> tuple[str, list[str]]:
    """What was said and called after so many items of the history."""
    items = session.history.items[before:]
    words = [
        item.text_content or ""
        for item in items
        if item.type == "message" and item.role == "assistant"
    ]
    return " ".join(words), [item.name for item in items if item.type == "function_call"]


async def attempt(script: dict[str, Any], settings: AgentSettings) -> dict[str, Any]:
    """Hold one conversation, whatever comes of it."""
    try:
        async with asyncio.timeout(TALK_S):
            return {"turns": await rehearse(script, settings)}
    except Exception as error:  # told as what came of this one; the others are held all the same
        return {"error": f"{type(error).__name__}: {error}"}


async def main() -> None:
    """Read scripts, hold the conversations one by one, write what came of them."""
    settings = load()
    done = [await attempt(script, settings) for script in json.load(sys.stdin)]
    print(json.dumps(done))


if __name__ == "__main__":
    asyncio.run(main())
