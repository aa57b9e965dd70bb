"""What a file of tests/agents says: one agent, and conversations with it."""

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from voicestack.errors import VoicestackError


class ScenarioError(VoicestackError):
    """A file that is no script."""


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from error
    return text


Pattern = Annotated[str, AfterValidator(_pattern)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Turn(_Strict):
    """The caller says something or presses keys; what has to come of it."""

    says: str = ""
    keys: str = Field(default="", pattern=r"^[0-9A-D*#]*$")
    # Regular expressions, upper and lower case alike: all are heard, none of the others is.
    hears: list[Pattern] = []
    not_hears: list[Pattern] = []
    # Tools in their order, no more and no fewer; left out: any.
    calls: list[str] | None = None
    # The agent that speaks afterwards.
    agent: str = ""
    # What a reply has to do, for the judge.
    judge: str = ""

    @model_validator(mode="after")
    def something(self) -> "Turn":
        """A turn is words or keys."""
        if bool(self.says) == bool(self.keys):
            raise ValueError("needs either `says` or `keys`")
        return self


class Scenario(_Strict):
    """One conversation."""

    name: str
    # What CALLER_DATA would know; in text only.
    caller: dict[str, Any] = {}
    turns: list[Turn] = Field(min_length=1)


class ScenarioFile(_Strict):
    """One file."""

    agent: str
    scenarios: list[Scenario] = Field(min_length=1)


def read(file: Path) -> ScenarioFile:
    """Read a file, or say what is wrong with it."""
    try:
        return ScenarioFile.model_validate(YAML(typ="safe").load(file.read_text()))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ScenarioError(
            f"{file}: {where}: {first['msg']}", hint="docs/testing-agents.md has an example"
        ) from error
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise ScenarioError(
            f"{file} cannot be read: {error}", hint="name a YAML file of tests/agents"
        ) from error


def faults(turn: Turn, heard: str, calls: list[str], agent: str = "") -> list[str]:
    """Hold what came of a turn against what had to; the judge is somebody else's."""
    found = [
        f"heard no {pattern!r}"
        for pattern in turn.hears
        if not re.search(pattern, heard, re.IGNORECASE)
    ]
    found += [
        f"heard {pattern!r}"
        for pattern in turn.not_hears
        if re.search(pattern, heard, re.IGNORECASE)
    ]
    if turn.calls is not None and calls != turn.calls:
        found.append(
            f"called {', '.join(calls) or 'nothing'}, not {', '.join(turn.calls) or 'nothing'}"
        )
    if turn.agent and agent and turn.agent != agent:
        found.append(f"{agent} speaks, not {turn.agent}")
    if not heard and not found:
        found.append("heard nothing")
    return found
