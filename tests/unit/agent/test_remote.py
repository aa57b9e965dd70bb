"""MCP servers as tools: real ones, by the `mcp` package, that also hang, lie and die."""

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from livekit.agents import AgentSession
from livekit.agents.testing import fake_job_context
from tests.obedient import Obedient, Step
from tests.unit.agent.clinic import heard

from voice_agent import guard, remote, results, scope
from voice_agent.agents.support import Support
from voice_agent.settings import AgentSettings

SERVER = Path(__file__).parent / "crm_server.py"
NAMES = {"find_order", "forget_customer", "slow", "big", "refuse", "die", "environment"}
ADA = scope.Scope(room="call-1", customer={"id": "customer-1", "name": "Ada"})
TOOLS = """
      find_order:
        fixed: {customer_id: "{customer.id}"}
      forget_customer:
        fixed: {customer_id: "{customer.id}"}
        confirm: "Shall I forget you?"
        key_only: true
      slow:
      big:
      refuse:
      die:
      environment:
      not_there:
"""


def file_of(folder: Path, way: str, *, timeout_s: float = 30, agents: str = "[support]") -> Path:
    """A file of one server."""
    file = folder / "mcp.yaml"
    file.write_text(
        f"version: 1\nservers:\n  crm:\n    {way}\n    agents: {agents}\n"
        f"    timeout_s: {timeout_s}\n    tools:{TOOLS}"
    )
    return file


STDIO = f"command: [{sys.executable}, {SERVER}]"


@pytest.fixture(scope="module")
def http_server() -> Iterator[str]:
    """The same server over HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with subprocess.Popen([sys.executable, SERVER, "http", str(port)]) as server:
        deadline_s = time.monotonic() + 60
        while time.monotonic() < deadline_s:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"url: http://127.0.0.1:{port}/mcp"
        server.kill()


class Talk:
    """Support, with the tools of a server, and a model that calls what a caller names."""

    def __init__(self, settings: AgentSettings, file: Path, whose: scope.Scope) -> None:
        self._settings = settings.model_copy(update={"mcp_file": file})
        self._whose = whose
        self.model = Obedient(self._obey)
        self.arguments: dict[str, Any] = {}

    def _obey(self, last: str, _: Any) -> list[Step]:
        return [Step(last, self.arguments)] if last in NAMES else []

    async def __aenter__(self) -> "Talk":
        remote.read.cache_clear()
        remote.prewarm(self._settings.mcp_file)
        self._context = fake_job_context()
        self._context.__enter__()
        self.session = await AgentSession[None](llm=self.model).__aenter__()
        scope.limit(self.session, self._whose)
        self.agent = Support(self._settings)
        await self.session.start(self.agent)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.aclose()
        self._context.__exit__(None, None, None)

    async def connected(self) -> None:
        """Wait until the server has told its tools, or has not."""
        for toolset in self.agent.tools:
            if isinstance(toolset, guard.GuardedToolset):
                connecting = toolset.inner.connecting  # type: ignore[attr-defined]
                assert connecting is not None
                await connecting

    async def call(self, tool: str, **arguments: Any) -> tuple[str, str]:
        """What the model is told, and what the caller hears."""
        self.arguments = arguments
        async with asyncio.timeout(60):
            result = await self.session.run(user_input=tool)
        told = [e.item.output for e in result.events if e.type == "function_call_output"]
        return (told or [""])[-1], heard(result)


async def test_over_stdio(agent_settings: AgentSettings, tmp_path: Path) -> None:
    """Listed tools work, others are not there; the call decides whose order it is."""
    async with Talk(agent_settings, file_of(tmp_path, STDIO), ADA) as talk:
        await talk.connected()
        told, _ = await talk.call("find_order", order="7", customer_id="customer-2")
        assert told == results.DATA + "Order 7 of customer-1 is on its way."
        assert {"find_order", "slow"} <= set(talk.model.offered[-1])
        assert "not_there" not in talk.model.offered[-1]
        told, words = await talk.call("forget_customer", customer_id="customer-2")
        assert words == f"Shall I forget you? {guard.KEY_HINT}"
        told, _ = await talk.call("big")
        assert len(told) < results.MOST_CHARS + 200
        told, _ = await talk.call("refuse")
        assert told == results.DATA + "Error executing tool refuse"
        told, _ = await talk.call("environment")
        assert "LIVEKIT" not in told
        assert "PATH" in told
        told, words = await talk.call("die")
        assert (told, words) == (guard.TOLD, guard.FAILED_TEXT)
        told, words = await talk.call("find_order", order="7")
        assert (told, words) == (guard.TOLD, guard.FAILED_TEXT)


async def test_over_http(agent_settings: AgentSettings, tmp_path: Path, http_server: str) -> None:
    """The same; and what takes too long is cut."""
    file = file_of(tmp_path, http_server, timeout_s=5)
    async with Talk(agent_settings, file, ADA) as talk:
        await talk.connected()
        told, _ = await talk.call("find_order", order="7")
        assert told.endswith("of customer-1 is on its way.")
        told, words = await talk.call("slow")
        assert told == guard.TOLD
        assert words.endswith(guard.FAILED_TEXT)


async def test_nobody_known_nothing_done(
    agent_settings: AgentSettings, tmp_path: Path, http_server: str
) -> None:
    """A caller whom CALLER_DATA does not know has no account, whatever he says."""
    async with Talk(agent_settings, file_of(tmp_path, http_server), scope.NOBODY) as talk:
        await talk.connected()
        told, _ = await talk.call("find_order", order="7", customer_id="customer-2")
        assert told.endswith(remote.UNKNOWN_CALLER)


@pytest.mark.parametrize(
    "way",
    ["command: [/nowhere/at-all]", "command: [sleep, '1000']", "url: http://127.0.0.1:9/mcp"],
    ids=["no such program", "says nothing", "nobody listens"],
)
async def test_a_dead_server_keeps_no_call_waiting(
    agent_settings: AgentSettings, tmp_path: Path, way: str
) -> None:
    """The agent starts at once and talks; the tools are not there."""
    began_s = time.monotonic()
    async with Talk(agent_settings, file_of(tmp_path, way, timeout_s=2), ADA) as talk:
        assert time.monotonic() - began_s < 1.9  # before the server is given up
        _, words = await talk.call("Hello.")
        assert words == "Of course."
        await talk.connected()
        assert "find_order" not in talk.model.offered[-1]


async def test_only_its_agents_have_it(agent_settings: AgentSettings, tmp_path: Path) -> None:
    """A server may be for some."""
    file = file_of(tmp_path, STDIO, agents="[sales]")
    assert remote.toolsets(file, "support") == []
    assert [each.id for each in remote.toolsets(file, "sales")] == ["mcp_crm"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "version: 1\nservers: {crm: {tools: {}}}",
        "version: 1\nservers: {crm: {url: 'ftp://x', tools: {}}}",
        "version: 1\nservers: {crm: {command: [x], url: 'http://x/', tools: {}}}",
        "version: 1\nservers: {crm: {command: [x], tools: {a: {sure: true}}}}",
    ],
)
def test_a_file_with_a_fault_is_left_out(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """And named in the log; the calls go on without."""
    file = tmp_path / "mcp.yaml"
    file.write_text(text)
    remote.read.cache_clear()
    assert remote.read(file) == {}
    assert "MCP servers left out" in caplog.text
