"""Tools of MCP servers: only those that the file lists, connected to while the greeting is spoken.

No call waits for a server. One that is down, slow or unfit is logged, and its tools are not there.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any

from livekit.agents import RunContext, function_tool
from livekit.agents.llm import RawFunctionTool, Tool, ToolError, Toolset
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from voice_agent import scope
from voice_agent.rules import rule

if TYPE_CHECKING:
    from livekit.agents.llm.mcp import MCPServer, MCPToolResultContext

log = logging.getLogger("voice_agent.remote")

# A program that does not end by itself is ended after 2 s.
CLOSE_S = 6.0
UNKNOWN_CALLER = "It is not known who is calling, so this cannot be done. Offer to take a message."


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ToolEntry(_Strict):
    """One tool that agents may use."""

    # Arguments that the call decides and not the model: "{customer.id}", "{number}", or a text.
    fixed: dict[str, str] = {}
    confirm: str = ""
    key_only: bool = False


class ServerEntry(_Strict):
    """One MCP server."""

    command: list[str] = []
    env: dict[str, str] = {}
    url: str = Field(default="", pattern=r"^(https?://\S+)?$")
    token_file: Path | None = None
    agents: list[str] | None = None
    timeout_s: float = Field(default=4.0, gt=0, le=60)
    tools: dict[str, ToolEntry | None]

    @model_validator(mode="after")
    def one_way(self) -> "ServerEntry":
        """A program or an address, one of them."""
        if bool(self.command) == bool(self.url):
            raise ValueError("needs either `command` or `url`")
        return self


class ServersFile(_Strict):
    """What MCP_FILE holds."""

    version: int = Field(ge=1, le=1)
    servers: dict[str, ServerEntry]


@lru_cache(maxsize=4)
def read(file: Path) -> Mapping[str, ServerEntry]:
    """Read the file; what is wrong with it is logged, and then there are no such tools."""
    try:
        return ServersFile.model_validate(YAML(typ="safe").load(file.read_text())).servers
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        log.warning("MCP servers left out", extra={"file": str(file), "reason": "; ".join(faults)})
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        log.warning("MCP servers left out", extra={"file": str(file), "reason": str(error)})
    return {}


def toolsets(file: Path | None, agent: str) -> list[Toolset]:
    """Return the servers that an agent may ask."""
    if file is None:
        return []
    return [
        RemoteTools(name, entry)
        for name, entry in read(file).items()
        if entry.agents is None or agent in entry.agents
    ]


class RemoteTools(Toolset):
    """The tools of one server, as soon as it has told them."""

    def __init__(self, name: str, entry: ServerEntry) -> None:
        super().__init__(id=f"mcp_{name}")
        self._name, self._entry = name, entry
        self._found: list[RawFunctionTool[Any, Any]] = []
        self._server: MCPServer | None = None
        self.connecting: asyncio.Task[None] | None = None

    @property
    def tools(self) -> Sequence[Tool | Toolset]:
        """Those that are there by now."""
        return list(self._found)

    async def setup(self) -> "RemoteTools":
        """Begin to connect; the call goes on."""
        if self.connecting is None:
            self.connecting = asyncio.create_task(self._connect(), name=f"mcp {self._name}")
        return self

    async def aclose(self) -> None:
        """Leave the server."""
        if self.connecting is not None:
            self.connecting.cancel()
            await asyncio.gather(self.connecting, return_exceptions=True)
            self.connecting = None
        self._found = []
        if self._server is not None:
            # Never cancelled: that would break off the ending of its program, whose steps all have
            # an end (mcp 2.3, client/stdio.py), and one may then wait for ever.
            closing = asyncio.create_task(self._server.aclose(), name=f"mcp {self._name} closes")
            self._server = None
            await asyncio.wait({closing}, timeout=CLOSE_S)
            if closing.done() and not closing.cancelled() and (error := closing.exception()):
                log.info("MCP server left", extra={"server": self._name, "reason": repr(error)})

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(self._entry.timeout_s):
                server = self._server = made(self._entry)
                await server.initialize()
                offered = await server.list_tools()
        except Exception as error:  # a server may fail in every way that there is
            reason = str(error) or type(error).__name__
            log.warning("MCP server is not there", extra={"server": self._name, "reason": reason})
            return
        by_name = {tool.info.name: tool for tool in offered}
        for name, entry in self._entry.tools.items():
            if name in by_name:
                self._found.append(bound(by_name[name], entry or ToolEntry(), self._entry, server))
            else:
                log.warning("MCP server lacks a tool", extra={"server": self._name, "tool": name})
        log.info("MCP server", extra={"server": self._name, "tools": len(self._found)})


def made(entry: ServerEntry) -> "MCPServer":
    """Make the client of a server; its program sees no secret of ours (mcp, client/stdio.py)."""
    from livekit.agents.llm import mcp

    if entry.command:
        program, *arguments = entry.command
        return mcp.MCPServerStdio(
            program,
            arguments,
            env=dict(entry.env),
            client_session_timeout_seconds=entry.timeout_s,
            tool_result_resolver=texts,
        )
    token = entry.token_file.read_text().strip() if entry.token_file else ""
    return mcp.MCPServerHTTP(
        entry.url,
        transport_type="sse" if entry.url.rstrip("/").endswith("/sse") else "streamable_http",
        headers={"Authorization": f"Bearer {token}"} if token else {},
        timeout=entry.timeout_s,
        client_session_timeout_seconds=entry.timeout_s,
        tool_result_resolver=texts,
    )


def texts(context: "MCPToolResultContext") -> str:
    """Return the words of a result; pictures and sounds are nothing to be told on a phone."""
    return "\n".join(each.text for each in context.result.content if each.type == "text")


def bound(
    tool: RawFunctionTool[Any, Any], entry: ToolEntry, server: ServerEntry, client: "MCPServer"
) -> RawFunctionTool[Any, Any]:
    """Return a tool whose fixed arguments the model neither sees nor sets."""
    schema = tool.info.raw_schema
    parameters = dict(schema["parameters"])
    shown = {k: v for k, v in parameters.get("properties", {}).items() if k not in entry.fixed}
    required = [name for name in parameters.get("required", []) if name in shown]
    hidden = {**parameters, "properties": shown, "required": required}

    async def call(raw_arguments: dict[str, object], context: RunContext[Any]) -> Any:
        if not client.initialized:
            raise ConnectionError("the MCP server is gone")
        told = {name: value for name, value in raw_arguments.items() if name in shown}
        fixed = {name: filled(text, context) for name, text in entry.fixed.items()}
        return await tool(raw_arguments={**told, **fixed})

    held = rule(
        seconds=server.timeout_s, confirm=entry.confirm, key_only=entry.key_only, outside=True
    )
    return function_tool(held(call), raw_schema={**schema, "parameters": hidden})


def filled(text: str, context: RunContext[Any]) -> str:
    """Fill a fixed argument from the call; ToolError where the call does not know it."""
    now = scope.of(context.session)
    known: dict[str, Any] = {"number": now.number, "room": now.room}
    known |= {f"customer.{name}": value for name, value in now.customer.items()}
    parts = []
    for literal, name, _, _ in Formatter().parse(text):
        parts.append(literal)
        if name is not None:
            if known.get(name) in {None, ""}:
                raise ToolError(UNKNOWN_CALLER)
            parts.append(str(known[name]))
    return "".join(parts)


def prewarm(file: Path | None) -> None:
    """Load the library before the phone rings: half a second in which nobody would be heard."""
    if file is not None:
        from livekit.agents.llm import mcp  # noqa: F401
