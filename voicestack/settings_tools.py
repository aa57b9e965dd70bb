"""Settings of what agents can do besides talking."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field

from voicestack.settings_var import Var

# Files and folders that must be there.
PATHS = ("mcp_file",)


class ToolSettings(BaseModel):
    """How tools of agents are held."""

    tool_seconds: Annotated[
        Annotated[int, Field(ge=1, le=60)], Var("tools", "1 to 60", ("agent",), unit="seconds")
    ] = Field(5, description="a tool that takes longer is cut, and the caller hears of it")
    tools_per_minute: Annotated[
        Annotated[int, Field(ge=1, le=1000)],
        Var("tools", "1 to 1000", ("agent",), unit="calls of tools"),
    ] = Field(10, description="most that an agent may do in one call; a model that loops stops")
    mcp_file: Annotated[
        Path | None, Var("tools", "a YAML file that is there", ("agent",), default="no servers")
    ] = Field(None, description="MCP servers, and which of their tools agents may use")
