"""What a tool is held to, written beside it: `@rule(...)` below `@function_tool`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from livekit.agents.llm import FunctionTool, RawFunctionTool

AnyTool = FunctionTool[Any, Any] | RawFunctionTool[Any, Any]
Function = TypeVar("Function", bound=Callable[..., Any])

_MARK = "_voicestack_rule"


@dataclass(frozen=True, slots=True)
class Rule:
    """How a tool is held."""

    # Longest run; None: TOOL_SECONDS.
    seconds: float | None = None
    # Asked before it runs, with its arguments in braces: whatever cannot be undone has one.
    confirm: str = ""
    # Asked only after a text from outside was read in this call: it may hold orders.
    confirm_after_outside: str = ""
    # The yes must be key 1: money, and whatever a voice in the background must not agree to.
    key_only: bool = False
    # Its results come from people whom nobody here knows.
    outside: bool = False
    # It talks itself, or has the caller do something: nobody says "one moment" into that.
    quiet: bool = False


FREE = Rule()


def rule(
    *,
    seconds: float | None = None,
    confirm: str = "",
    confirm_after_outside: str = "",
    key_only: bool = False,
    outside: bool = False,
    quiet: bool = False,
) -> Callable[[Function], Function]:
    """Hold a tool to a rule of its own."""

    def mark(function: Function) -> Function:
        made = Rule(seconds, confirm, confirm_after_outside, key_only, outside, quiet)
        setattr(function, _MARK, made)
        return function

    return mark


def rule_of(tool: AnyTool) -> Rule:
    """Return what a tool is held to."""
    held = getattr(tool, _MARK, FREE)
    return held if isinstance(held, Rule) else FREE
