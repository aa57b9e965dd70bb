"""Settings of where things lie."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field

from voicestack.settings_var import Var


class PathSettings(BaseModel):
    """Folders and files of one stack."""

    state_dir: Annotated[
        Path, Var("paths", "a directory that you may write", ("supervisor", "control", "agent"))
    ] = Field(Path(".state"), description="secrets, rendered configuration, logs, Redis data")
    lines_file: Annotated[Path, Var("paths", "a YAML file", ("control",))] = Field(
        Path("sip/lines.yaml"), description="numbers, who may call them and who answers"
    )
    voicestack_cache: Annotated[
        Path,
        Var(
            "paths",
            "a directory that you may write",
            ("setup", "supervisor", "control"),
            default="$XDG_CACHE_HOME/voicestack or ~/.cache/voicestack",
        ),
    ] = Field(Path("~/.cache/voicestack"), description="programs and model weights")
