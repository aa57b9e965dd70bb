"""HTTP of control: health, readiness, apply, webhooks, the page; Caddy passes on the page alone."""

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from control.asked import may_ask
from control.keeper import Keeper
from control.webhooks import Webhooks
from voicestack.errors import ApplyError


def build(
    keeper: Keeper,
    webhooks: Webhooks,
    more: Sequence[BaseRoute],
    middleware: Sequence[Middleware],
    *,
    secret: str,
) -> Starlette:
    """All routes."""

    async def health(_request: Request) -> JSONResponse:
        return JSONResponse({"alive": True})

    async def ready(_request: Request) -> JSONResponse:
        status = keeper.status()
        return JSONResponse(status, status_code=200 if status["ready"] else 503)

    async def apply(request: Request) -> JSONResponse:
        """Apply now: what a signal would do, with an answer."""
        if not may_ask(request, secret):
            return JSONResponse({"error": "not allowed"}, status_code=401)
        try:
            plan = await keeper.apply_now()
        except ApplyError as error:
            faults = [str(fault) for fault in keeper.faults]
            body = {"error": str(error), "hint": error.hint, "faults": faults}
            return JSONResponse(body, status_code=422 if faults else 503)
        if keeper.faults:  # the last good file stays applied, and the caller must know
            faults = [str(fault) for fault in keeper.faults]
            return JSONResponse({"error": "the lines file is bad", "faults": faults}, 422)
        return JSONResponse({"changes": [str(step) for step in plan.steps]})

    return Starlette(
        routes=[
            Route("/health", health),
            Route("/ready", ready),
            Route("/lines/apply", apply, methods=["POST"]),
            Route("/livekit/webhook", webhooks.receive, methods=["POST"]),
            *more,
        ],
        middleware=middleware,
    )
