"""What stands between a language model and the tools: every call of every tool goes through here.

The model is taken for somebody who does whatever the last text told him, be it the caller's or one
that a tool brought in. So nothing here asks the model: what the line allows, how often, how long,
and whether the caller has said yes is decided by code, from facts that no text can change.
"""

import asyncio
import contextlib
import functools
import inspect
import json
import logging
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, cast, get_type_hints
from weakref import WeakKeyDictionary

from livekit import rtc
from livekit.agents import AgentSession, ChatContext, ChatMessage, RunContext
from livekit.agents.llm import (
    FunctionTool,
    FunctionToolCall,
    RawFunctionTool,
    StopResponse,
    Tool,
    ToolError,
    ToolResult,
    Toolset,
)

from voice_agent import consent, results, scope
from voice_agent.rules import AnyTool, Rule, rule_of
from voice_agent.settings import AgentSettings

log = logging.getLogger("voice_agent.guard")

FAILED_TEXT = "I am sorry, that did not work just now. Is there anything else that I can do?"
WAIT_TEXT = "One moment, please."
# Longer silence makes callers say "hello?"; a tool that is quick needs no words.
WAIT_AFTER_S = 1.2
TOLD = "It did not work. The caller has been told so."
ASKED = "Nothing is done yet: the caller has been asked, and has to say yes first."
TOO_MANY = "That is too much at once. Answer without it."
NOT_HERE = "That cannot be done in this call. Tell the caller so."
KEY_HINT = "Press 1 to confirm."


@dataclass(slots=True)
class Guard:
    """The tools of one call, over all agents that it is handed to."""

    settings: AgentSettings
    question: consent.Question | None = None
    pressed: bool = False
    outside_read: bool = False
    _ran_at_s: deque[float] = field(default_factory=deque)

    async def run(
        self, tool: AnyTool, context: RunContext[Any], args: Sequence[Any], named: Mapping[str, Any]
    ) -> Any:
        """Run a tool as far as it may; the caller hears of it if it fails."""
        name, held = tool.info.name, rule_of(tool)
        if refusal := self._refusal(name, context.session):
            log.warning("tool refused", extra={"tool": name, "reason": refusal})
            raise ToolError(refusal)
        if question := self._question_before(tool, held, context, args, named):
            return await self._ask(question, context)
        started_s = time.monotonic()
        outcome = "failed"
        try:
            async with (
                asyncio.timeout(held.seconds or self.settings.tool_seconds),
                waiting(context, held),
            ):
                result = results.checked(await tool(*args, **named), outside=held.outside)
            outcome = "done"
        except ToolError as error:  # said on purpose, by the tool's author
            outcome = "answered"
            raise ToolError(results.checked(error.message, outside=held.outside)) from error
        except StopResponse:
            outcome = "answered"
            raise
        except TimeoutError:
            outcome = "cut"
        except Exception as error:
            log.warning("tool failed", extra={"tool": name, "reason": type(error).__name__})
        finally:
            ms = round(1000 * (time.monotonic() - started_s))
            log.info("tool called", extra={"tool": name, "outcome": outcome, "ms": ms})
            self.outside_read = self.outside_read or held.outside
        if outcome == "done":
            return result
        await context.session.say(FAILED_TEXT)
        return ToolResult(TOLD, reply_required=False)

    def offers(self, name: str, session: AgentSession[Any]) -> bool:
        """Tell whether this call's line lets its agents use a tool."""
        allowed = scope.of(session).tools
        return allowed is None or name in allowed

    def confirmed_call(self, chat: ChatContext) -> FunctionToolCall | None:
        """Return the call that the caller has just said yes to: no model need say it again."""
        asked = self.question
        if asked is None or not self._said_yes(asked, chat):
            return None
        return FunctionToolCall(
            name=asked.tool,
            arguments=json.dumps(dict(asked.arguments)),
            call_id=f"confirmed_{time.monotonic_ns()}",
        )

    def press(self, key: str, session: AgentSession[Any]) -> None:
        """Take a key for the answer to the question that stands."""
        if self.question is None or not self.question.stands():
            return
        if key == consent.YES_KEY:
            self.pressed = True
            session.generate_reply(user_input=consent.PRESSED)
        else:
            self.question = None
            session.generate_reply(user_input=f"(pressed key {key}: no)")

    def _refusal(self, name: str, session: AgentSession[Any]) -> str:
        if not self.offers(name, session):
            return NOT_HERE
        now_s = time.monotonic()
        while self._ran_at_s and now_s - self._ran_at_s[0] > 60:
            self._ran_at_s.popleft()
        if len(self._ran_at_s) >= self.settings.tools_per_minute:
            return TOO_MANY
        self._ran_at_s.append(now_s)
        return ""

    def _question_before(
        self,
        tool: AnyTool,
        held: Rule,
        context: RunContext[Any],
        args: Sequence[Any],
        named: Mapping[str, Any],
    ) -> consent.Question | None:
        """Return what is to be asked first; None if nothing is, or the answer was yes."""
        text = held.confirm or (held.confirm_after_outside if self.outside_read else "")
        if not text:
            return None
        wanted = json.loads(context.function_call.arguments or "{}")
        asked, self.question = self.question, None
        name = tool.info.name
        if asked is not None and asked.is_about(name, wanted):
            chat = context.session.current_agent.chat_ctx
            if self._said_yes(asked, chat):
                self.pressed = False
                return None
        said = consent.spoken(text, bound(tool, args, named))
        if held.key_only:
            said = f"{said} {KEY_HINT}"
        return consent.Question(name, wanted, said, held.key_only, 0.0)

    async def _ask(self, question: consent.Question, context: RunContext[Any]) -> ToolResult:
        """Ask, and be done: the answer comes as the caller's next turn, or as a key."""
        log.info("tool asks first", extra={"tool": question.tool})
        # Nothing said before its end is an answer to it.
        await context.session.say(question.text, allow_interruptions=False)
        self.pressed = False
        self.question = question.asked_now()
        return ToolResult(ASKED, reply_required=False)

    def _said_yes(self, asked: consent.Question, chat: ChatContext) -> bool:
        if not asked.stands():
            return False
        said = [
            item.text_content or ""
            for item in chat.items
            if isinstance(item, ChatMessage)
            and item.role == "user"
            and item.created_at > asked.asked_at_s
        ]
        if len(said) != 1:  # not yet, or by now it is about something else
            return False
        if self.pressed:
            return said[0] == consent.PRESSED
        return not asked.key_only and consent.is_yes(said[0])


_guards: WeakKeyDictionary[AgentSession[Any], Guard] = WeakKeyDictionary()


def of(session: AgentSession[Any], settings: AgentSettings) -> Guard:
    """Return the guard of this session's call."""
    return _guards.setdefault(session, Guard(settings))


def waiting(context: RunContext[Any], held: Rule) -> AbstractAsyncContextManager[None]:
    """Tell the caller that he waits, if he does."""
    if held.quiet:
        return contextlib.nullcontext()
    return context.with_filler(WAIT_TEXT, delay=WAIT_AFTER_S)


def watch(room: rtc.Room, session: AgentSession[Any], settings: AgentSettings) -> None:
    """Have the caller's keys answer the guard's questions."""
    guard = of(session, settings)
    room.on("sip_dtmf_received", lambda event: guard.press(event.digit, session))


def bound(tool: AnyTool, args: Sequence[Any], named: Mapping[str, Any]) -> dict[str, Any]:
    """Name the arguments of a call, without what the framework puts in."""
    values = inspect.signature(tool).bind(*args, **named).arguments
    plain = {key: value for key, value in values.items() if not isinstance(value, RunContext)}
    raw = plain.pop("raw_arguments", {})
    return {**plain, **raw}


class GuardedToolset(Toolset):
    """Tools of a set, each of them guarded."""

    def __init__(self, inner: Toolset, settings: AgentSettings) -> None:
        super().__init__(id=inner.id)
        self.inner, self._settings = inner, settings
        self._made: dict[int, Tool | Toolset] = {}

    @property
    def tools(self) -> Sequence[Tool | Toolset]:
        """What the set has by now."""
        return guarded_all(self.inner.tools, self._settings, self._made)

    async def setup(self) -> "GuardedToolset":
        """Have the set begin."""
        await self.inner.setup()
        return self

    async def aclose(self) -> None:
        """Have the set end."""
        await self.inner.aclose()


def guarded_all(
    tools: Sequence[Tool | Toolset], settings: AgentSettings, made: dict[int, Tool | Toolset]
) -> list[Tool | Toolset]:
    """Guard every tool; the same one again for the same tool, by which the framework knows them."""
    for tool in tools:
        if id(tool) not in made:
            made[id(tool)] = guarded(tool, settings)
    return [made[id(tool)] for tool in tools]


def guarded(tool: Tool | Toolset, settings: AgentSettings) -> Tool | Toolset:
    """Return a tool of the same name and arguments that asks the guard first."""
    if isinstance(tool, GuardedToolset) or getattr(tool, "_guarded", False):
        return tool
    if isinstance(tool, Toolset):
        return GuardedToolset(tool, settings)
    if not isinstance(tool, FunctionTool | RawFunctionTool):
        raise TypeError(f"{tool!r} runs where no guard sees it; make it a function tool")
    inner: AnyTool = tool

    async def call(*args: Any, guard_context: RunContext[Any], **named: Any) -> Any:
        guard = of(guard_context.session, settings)
        return await guard.run(inner, guard_context, args, named)

    # The framework reads names and types of the arguments off the function, to tell the model.
    functools.update_wrapper(call, inner, updated=())
    signature = inspect.signature(inner)
    more = inspect.Parameter("guard_context", inspect.Parameter.KEYWORD_ONLY, annotation=RunContext)
    made = cast("Any", call)
    made.__signature__ = signature.replace(parameters=[*signature.parameters.values(), more])
    made.__annotations__ = {
        **get_type_hints(inner, include_extras=True),
        "guard_context": RunContext,
    }
    made._guarded = True
    return cast("Tool", type(inner)(made, cast("Any", inner.info)))
