"""`voicestack new-agent`: a further agent, from a template, with its test."""

import re
from pathlib import Path
from typing import Annotated

import typer
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from voicestack.cli.frame import ROOT, Answer, AsJson, UsageError, finish
from voicestack.settings_kinds import AGENT_NAME

TEMPLATES = Path(__file__).parent / "templates"
AGENTS, TESTS = Path("agent/voice_agent/agents"), Path("tests/unit/agent")
SCRIPTS = Path("tests/agents")


def new_agent(
    name: Annotated[str, typer.Argument(help="lower-case letters, digits, _ and -")],
    task: Annotated[str, typer.Option(help="what it does, in one sentence")] = "You help callers.",
    into: Annotated[Path, typer.Option(help="checkout; default: this one", hidden=True)] = ROOT,
    as_json: AsJson = False,
) -> None:
    """Write a new agent from the template, with its tests; nothing that is there is overwritten.

    Exit code: 0 written, 2 the name cannot be used.

    \b
    Examples:
      scripts/new_agent.py sales
      scripts/new_agent.py night-desk --task "You take messages at night."
    """
    finish(lambda: _write(name, task, into), as_json=as_json)


def _write(name: str, task: str, into: Path) -> Answer:
    if not re.fullmatch(AGENT_NAME, name):
        raise UsageError(
            f"{name!r} is no name of an agent", hint="lower-case letters, digits, _ and -"
        )
    if '"' in task or "\\" in task or not task.isprintable():
        raise UsageError("--task has quotes or backslashes", hint="the file can hold them later")
    module = name.replace("-", "_")
    files = {
        "agent.py.j2": into / AGENTS / f"{module}.py",
        "test_agent.py.j2": into / TESTS / f"test_agent_{module}.py",
        "scenario.yaml.j2": into / SCRIPTS / f"{name}.yaml",
    }
    for file in files.values():
        if file.exists():
            raise UsageError(f"{file.relative_to(into)} is there already", hint="take another name")
    facts = {"name": name, "module": module, "task": task, "title": module.title().replace("_", "")}
    loader = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - Python, not HTML
    )
    for template, file in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(loader.get_template(template).render(facts))
    written = [str(file.relative_to(into)) for file in files.values()]
    todo = [
        f"try it: scripts/test_agents.py {SCRIPTS}/{name}.yaml --no-judge",
        f"a number for it: `agent: {name}` at a line of sip/lines.yaml",
    ]
    return Answer({"agent": name, "written": written}, "\n".join([*written, *todo]))
