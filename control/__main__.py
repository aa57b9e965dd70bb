"""`python -m control`: lines applied and kept, webhooks received, the page, until SIGTERM."""

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import structlog
import uvicorn
from livekit import api
from starlette.applications import Starlette

from control import app, log, recordings
from control.admission import Admission
from control.clerk import Clerk, asker
from control.courier import Courier
from control.desk import Desk
from control.guard import Guard
from control.history import History, Keep
from control.keeper import Keeper, Source
from control.messages import Post
from control.outbox import TRIGGERS, Outbox
from control.site import Site
from control.transfers import Transfers
from control.webhooks import Webhooks
from control.workers import Workers
from voicestack import credentials, ports
from voicestack import settings as stack_settings
from voicestack.errors import VoicestackError

logger = structlog.get_logger()

# An answer under way may end; all of them take milliseconds.
GRACE_S = 1
# The server is on this machine; a caller waits for what the guard asks it.
TIMEOUT_S = 2.0


class Server(uvicorn.Server):
    """uvicorn without its signal handlers, which raise the signal again on the way out."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `serve`."""
        yield


async def serve(settings: stack_settings.Settings, held: credentials.Credentials) -> None:
    """Own every task until told to stop."""
    keeper = Keeper(Source.of(settings, held))
    site = Site.of(settings, held)
    with contextlib.closing(history_of(settings)) as history:
        key, secret = held.livekit_api_key, held.livekit_api_secret
        post = Post(key, secret)
        desk = Desk(post, Workers(), history, secret=held.control_secret)
        courier = courier_of(settings, held, history)
        desk.clerk = clerk_of(settings, history, desk.workers.busy)
        async with _livekit(settings, held) as client:
            desk.guard = Guard(client, desk.workers, history.result, history.gone)
            heard = desk.workers.heard
            admission = Admission(client, lambda: keeper.lines, history.result, heard)
            webhooks = Webhooks(key, secret, desk.on_event, admission.on_event, desk.guard.on_event)
            web = app.build(
                keeper,
                webhooks,
                [
                    *desk.routes(),
                    *Transfers(post, settings, client).routes(),
                    *courier.routes(held.control_secret),
                    *site.routes(),
                ],
                site.middleware(),
                secret=held.control_secret,
            )
            tasks = {
                "keeper": keeper.run(),
                "watch": keeper.watch(),
                "admission": admission.run(),
                "guard": desk.guard.run(),
                "history": history.run(),
                "courier": courier.run(),
                "recordings": recordings.keep_for(
                    settings.state_dir / "recordings", settings.recording_days
                ),
                "clerk": desk.clerk.run(),
            }
            await _until_stopped(web, ports.resolve(settings)["control"], tasks)


async def _until_stopped(
    web: Starlette, number: int, tasks: Mapping[str, Coroutine[Any, Any, None]]
) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    with _listen(number) as listener:
        server = Server(_config(web))
        async with asyncio.TaskGroup() as group:
            owned = [group.create_task(task, name=name) for name, task in tasks.items()]
            group.create_task(server.serve(sockets=[listener]), name="http")
            logger.info("control started", port=number)
            await stop.wait()
            logger.info("control stopping")
            server.should_exit = True
            for task in owned:
                task.cancel()


def history_of(settings: stack_settings.Settings) -> History:
    """The call history, as far as the settings let it be kept."""
    keep = Keep(
        numbers=settings.history_numbers,
        transcripts=settings.history_transcripts == "on",
        history_days=settings.history_days,
        transcript_days=settings.transcript_days,
        redaction=settings.history_redaction,
    )
    return History(settings.state_dir / "history" / "calls.sqlite", keep)


def clerk_of(
    settings: stack_settings.Settings, history: History, busy: Callable[[], bool]
) -> Clerk:
    """Who files calls; without CALL_SUMMARY, nobody asks a model."""
    if settings.call_summary == "off":
        return Clerk(history, "", None, busy)
    url = settings.llm_url or f"http://127.0.0.1:{ports.resolve(settings)['llm']}/v1"
    file = settings.llm_api_key_file
    key = file.read_text().strip() if file else "local"
    return Clerk(history, settings.llm_model, asker(url, key), busy)


def courier_of(
    settings: stack_settings.Settings, held: credentials.Credentials, history: History
) -> Courier:
    """Who takes events of calls to WEBHOOK_URLS; without any, no event is kept."""
    urls = settings.webhook_urls.split(",") if settings.webhook_urls else []
    box = Outbox(
        history.file,
        urls,
        transcripts=settings.webhook_transcripts == "on",
        keep_days=min(settings.history_days, settings.transcript_days),
    )
    if urls:
        history.follow(TRIGGERS)
    return Courier(box, urls, held.webhook_secret, history.changed)


def _livekit(settings: stack_settings.Settings, held: credentials.Credentials) -> api.LiveKitAPI:
    return api.LiveKitAPI(
        f"http://127.0.0.1:{ports.resolve(settings)['livekit_http']}",
        held.livekit_api_key,
        held.livekit_api_secret,
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
        failover=False,
    )


def _config(web: Starlette) -> uvicorn.Config:
    return uvicorn.Config(
        web,
        log_config=None,
        access_log=False,
        server_header=False,
        # Behind Caddy, on this machine: the address of a browser is in X-Forwarded-For.
        proxy_headers=True,
        forwarded_allow_ips="127.0.0.1",
        limit_concurrency=64,
        timeout_graceful_shutdown=GRACE_S,
        lifespan="off",
    )


def _listen(number: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", number), backlog=64)
    except OSError as error:
        raise VoicestackError(
            f"127.0.0.1:{number} cannot be had ({error.strerror})",
            hint="is another copy running? STACK_PORT_BASE gives this one ports of its own",
        ) from error


def main() -> int:
    """Exit 2 if the settings, the secrets or the port are unfit."""
    try:
        settings = stack_settings.load(Path.cwd())
        log.configure(settings.log_level)
        asyncio.run(serve(settings, credentials.read(settings)))
    except VoicestackError as error:
        print(error.report(), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
