"""Settings of what agents can do besides talking."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from voicestack.settings_var import Var

# Files and folders that must be there.
PATHS = ("mcp_file", "knowledge_dir", "caller_data_token_file")


def absolute(root: Path, place: str | None) -> str | None:
    """Return a file's whole path; an address stays as it is."""
    if place is None or place.startswith(("http://", "https://")):
        return place
    return str(root / Path(place).expanduser())


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
    knowledge_dir: Annotated[
        Path | None,
        Var("tools", "a folder of .md and .txt files", ("agent",), default="no knowledge"),
    ] = Field(None, description="what agents may look up; read anew when a file changes")
    caller_data: Annotated[
        Annotated[str, Field(pattern=r"^(https?://\S+|.+\.(csv|json))$")] | None,
        Var("tools", "a .csv or .json file, or http(s)://…", ("agent",), default="no data"),
    ] = Field(None, description="where callers are looked up before the greeting")
    caller_data_number: Annotated[
        Literal["full", "masked"], Var("tools", "full or masked", ("agent",))
    ] = Field("full", description="what it is asked by; masked: * and the last two digits")
    caller_data_token_file: Annotated[
        Path | None, Var("tools", "the path of a file", ("agent",), default="no token")
    ] = Field(None, description="file with the bearer token for CALLER_DATA")
