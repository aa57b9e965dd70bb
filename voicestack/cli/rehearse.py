"""`voicestack test-agents`: conversations by script, in text or on the telephone."""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from voicestack import ports, settings
from voicestack.cli.frame import FAILED, OK, ROOT, Answer, AsJson, UsageError, finish, root
from voicestack.native.up import Stack
from voicestack.office import Office
from voicestack.phone import voices
from voicestack.rehearsal import scenario, spoken, text
from voicestack.rehearsal.result import Played
from voicestack.rehearsal.scenario import ScenarioError, ScenarioFile

FOLDER = Path("tests/agents")


def rehearse(
    files: Annotated[list[Path] | None, typer.Argument(help="default: tests/agents/*.yaml")] = None,
    speak: Annotated[bool, typer.Option("--spoken", help="on the telephone, not in text")] = False,
    own_stack: Annotated[
        bool, typer.Option("--own-stack", help="start a stack for it, stop it afterwards")
    ] = False,
    no_judge: Annotated[bool, typer.Option("--no-judge", help="exact expectations only")] = False,
    judge_url: Annotated[
        str, typer.Option(help="another model that judges: an OpenAI-compatible server")
    ] = "",
    judge_model: Annotated[str, typer.Option(help="its name there")] = "",
    as_json: AsJson = False,
) -> None:
    """Talk to agents by script and hold what they say and do against what they have to.

    Exit code: 0 all came as it had to, 1 something did not, 2 a script is unfit.

    \b
    Examples:
      scripts/test_agents.py --no-judge
      scripts/test_agents.py tests/agents/sales.yaml --judge-url http://192.0.2.7:8000/v1
      scripts/test_agents.py --spoken --own-stack
    """
    judge = {"llm_url": judge_url, "llm_model": judge_model}
    judge = {name: value for name, value in judge.items() if value}

    def once() -> Answer:
        chosen = files or sorted((ROOT / FOLDER).glob("*.yaml"))
        if not chosen:
            raise UsageError(
                f"no scripts in {FOLDER}", hint="docs/testing-agents.md has an example"
            )
        try:
            read = [scenario.read(file) for file in chosen]
        except ScenarioError as error:
            raise UsageError(str(error), hint=error.hint) from error
        with _office(own=own_stack) as office:
            if speak:
                done = asyncio.run(_spoken(office, read))
            else:
                done = asyncio.run(text.play(office, read, judge=None if no_judge else judge))
        return _answer(done)

    finish(once, as_json=as_json)


@contextmanager
def _office(*, own: bool) -> Iterator[Office]:
    """The running stack, or one of our own: other ports, an empty state, loopback only."""
    if not own:
        yield Office.of(root())
        return
    with tempfile.TemporaryDirectory() as folder:
        more = {
            "STACK_PORT_BASE": str(ports.free_base()),
            "LISTEN": "loopback",
            "STATE_DIR": folder,
        }
        conf = settings.load(root(), environ={**os.environ, **more})
        stack = Stack(conf, ROOT)
        try:
            stack.up(lambda _: None)
            yield Office.with_settings(conf)
        finally:
            stack.down(now=True)


async def _spoken(office: Office, files: list[ScenarioFile]) -> list[Played]:
    conf = office.settings
    await office.control("/workers")  # a stack that is down is told before a model is loaded
    model = conf.voicestack_cache / "models" / conf.stt_model
    transcribe = await asyncio.to_thread(voices.transcriber, model, conf.stt_language)
    return [
        await spoken.play(office, file.agent, each, transcribe)
        for file in files
        for each in file.scenarios
    ]


def _answer(done: list[Played]) -> Answer:
    failed = sum(not each.ok for each in done)
    lines = [each.as_text() for each in done]
    lines.append(f"{len(done) - failed} of {len(done)} conversations as they have to be")
    data = {"conversations": [each.as_json() for each in done], "failed": failed}
    return Answer(data, "\n".join(lines), FAILED if failed else OK)
