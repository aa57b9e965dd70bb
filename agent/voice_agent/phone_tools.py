"""What the telephone itself can do: send a caller on, ask somebody to take him, press keys."""

from collections.abc import Mapping
from typing import Any

from livekit.agents import RunContext, function_tool, get_job_context
from livekit.agents.llm import FunctionTool, Tool, Toolset

from voice_agent import keys, transfer, warm
from voice_agent.rules import rule
from voice_agent.settings import AgentSettings

MENU_KEYS_S = 30.0


def tools(settings: AgentSettings, targets: Mapping[str, str]) -> list[Tool | Toolset]:
    """Return what this call can use: a model with many tools takes wrong ones."""
    found: list[Tool | Toolset] = []
    if targets:
        found += [transfer_tool(targets), ask_tool(settings, targets)]
    context = get_job_context(required=False)
    # Rooms of calls that we placed (voicestack/outbound/dial.py): machines answer there.
    if context is not None and context.room.name.startswith("out-"):
        found.append(keys_tool())
    return found


def transfer_tool(targets: Mapping[str, str]) -> FunctionTool[Any, Any]:
    """Where the caller may be sent; the model sees names, never numbers."""

    @function_tool(
        name="transfer_call",
        description="Connect the caller to somebody else. Possible: " + ", ".join(targets),
    )
    @rule(
        seconds=transfer.TIMEOUT_S + 5,
        confirm_after_outside="Shall I connect you to {to}?",
        quiet=True,
    )
    async def transfer_call(context: RunContext[None], to: str) -> str | None:
        words = "One moment, I connect you."
        await context.session.say(words, allow_interruptions=False, add_to_chat_ctx=False)
        if await transfer.cold(get_job_context(), to, targets):
            # His line may be open for a moment more: nobody speaks into it, or answers it.
            context.session.input.set_audio_enabled(False)
            context.session.output.set_audio_enabled(False)
            return None
        return "It did not work. Offer to take a message."

    return transfer_call


def ask_tool(settings: AgentSettings, targets: Mapping[str, str]) -> FunctionTool[Any, Any]:
    """Ask somebody first; the model says what it is about, and names whom."""

    @function_tool(
        name="ask_to_take_call",
        description="Ask somebody whether they take the call, and connect the caller if they do. "
        "`about` says in a few words what the caller wants. Possible: " + ", ".join(targets),
    )
    @rule(
        seconds=warm.LONGEST_S,
        confirm_after_outside="Shall I ask {to} to take your call?",
        quiet=True,  # the caller hears music
    )
    async def ask_to_take_call(context: RunContext[None], to: str, about: str) -> str | None:
        if to not in targets:
            return "That is nobody whom you can ask. Offer to take a message."
        context.disallow_interruptions()
        session = context.session
        await session.say(warm.WAIT_TEXT, allow_interruptions=False, add_to_chat_ctx=False)
        answer = await warm.warm(get_job_context(), session, settings, to, about)
        if answer != "accepted":
            # Not left to a model: whoever waited hears an answer.
            session.say(warm.SORRY_TEXT)
        return None

    return ask_to_take_call


def keys_tool() -> FunctionTool[Any, Any]:
    """Find the way through the other side's menu."""

    @function_tool(name="press_keys")
    @rule(seconds=MENU_KEYS_S, quiet=True)
    async def press_keys(digits: str) -> str:
        """Press keys on the phone, when a machine asks for it.

        Args:
            digits: digits, * and #; w waits half a second.
        """
        if await keys.press(get_job_context().room, digits):
            return "The keys are pressed."
        return "Only digits, *, # and w can be pressed, 32 at most."

    return press_keys
