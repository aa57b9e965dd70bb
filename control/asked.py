"""Who may ask control: senders of signed messages, and the operator; others hear why not."""

import hmac
from collections.abc import Awaitable, Callable
from ipaddress import ip_address

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse

from control.webhooks import RefusedError

log = structlog.get_logger()
Act = Callable[[Request], Awaitable[JSONResponse]]


def answering(act: Act) -> Act:
    """Say no with the status and the reason of the refusal."""

    async def answer(request: Request) -> JSONResponse:
        try:
            return await act(request)
        except RefusedError as error:
            log.warning("message refused", status=error.status, reason=str(error))
            return JSONResponse({"error": str(error)}, status_code=error.status)

    return answer


def by_operator(act: Act, secret: str) -> Act:
    """Answer the operator alone: history holds what callers said."""

    async def answer(request: Request) -> JSONResponse:
        if not may_ask(request, secret):
            raise RefusedError(401, "not allowed")
        return await act(request)

    return answering(answer)


def may_ask(request: Request, secret: str) -> bool:
    """True for a request from this machine that carries the operator's secret."""
    if request.client is None or not ip_address(request.client.host).is_loopback:
        return False
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.encode(), secret.encode())
