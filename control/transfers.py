"""An agent asks for somebody to be dialled into its call: listed targets only, by name.

Here and not in the agent: the trunk's password and the numbers are none of a worker's business.
"""

import structlog
from livekit import api
from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from control.messages import Message, Post
from control.webhooks import RefusedError
from voicestack import credentials
from voicestack.errors import LinesError
from voicestack.lines import outbound
from voicestack.lines.wanted import called_number
from voicestack.outbound import transfer
from voicestack.settings import Settings

log = structlog.get_logger()


class Wish(Message):
    """What the agent asks for."""

    room: str = Field(min_length=1, max_length=256)
    to: str = Field(max_length=64)
    identity: str = Field(pattern=r"^asked-[0-9a-f]{8}$")


class Transfers:
    """Dials for agents."""

    def __init__(self, post: Post, settings: Settings, client: api.LiveKitAPI) -> None:
        self._post, self._settings, self._client = post, settings, client

    def routes(self) -> list[Route]:
        """What control serves to agents beside their reports."""
        return [Route("/agent/transfer", self._take, methods=["POST"])]

    async def _take(self, request: Request) -> JSONResponse:
        try:
            reason = await self._dial(await self._post.read(Wish, request))
        except RefusedError as error:
            log.warning("message refused", status=error.status, reason=str(error))
            return JSONResponse({"error": str(error)}, status_code=error.status)
        if reason:
            log.warning("transfer refused", reason=reason)
        return JSONResponse({"dialled": reason is None, "reason": reason or ""})

    async def _dial(self, wish: Wish) -> str | None:
        """Dial, or say why not."""
        settings = self._settings
        place = transfer.targets(settings.transfer_targets).get(wish.to)
        if place is None:
            return "no such target in TRANSFER_TARGETS"
        try:
            secrets = credentials.directory_of(settings)
            rules = outbound.parse(settings.lines_file, secrets=secrets)
        except LinesError:
            return "the lines file has faults"
        if reason := transfer.unfit(place, rules):
            return reason
        order = transfer.request(
            place,
            rules,
            room=wish.room,
            identity=wish.identity,
            caller=called_number(wish.room),
            max_call_s=settings.max_call_minutes * 60,
        )
        try:
            await self._client.sip.create_sip_participant(order)
        except (api.ServerError, TimeoutError) as error:
            return f"livekit refused: {error}"
        log.info("transfer target dialled", room=wish.room, target=wish.to)
        return None
