"""Make LiveKit hold the lines: look, plan, change, through livekit-api."""

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager

import aiohttp
from google.protobuf.message import DecodeError
from livekit import api
from livekit.protocol.sip import (
    CreateSIPDispatchRuleRequest,
    CreateSIPInboundTrunkRequest,
    DeleteSIPDispatchRuleRequest,
    DeleteSIPTrunkRequest,
    ListSIPDispatchRuleRequest,
    ListSIPInboundTrunkRequest,
)

from voicestack.errors import ApplyError
from voicestack.lines.plan import Found, Plan, Step, diff
from voicestack.lines.wanted import Wanted

# The server is on this machine; what takes longer hangs.
TIMEOUT_S = 5.0


class Switchboard:
    """The trunks and rules of one livekit-server."""

    def __init__(self, client: api.LiveKitAPI, url: str) -> None:
        self._sip = client.sip
        self._url = url

    async def look(self) -> Found:
        """Everything that the server holds, ours and others'."""
        with _explained(self._url):
            trunks = await self._sip.list_inbound_trunk(ListSIPInboundTrunkRequest())
            rules = await self._sip.list_dispatch_rule(ListSIPDispatchRuleRequest())
        return Found(list(trunks.items), list(rules.items))

    async def plan(self, lines: Iterable[Wanted]) -> Plan:
        """What `apply` would do now."""
        return diff(lines, await self.look())

    async def apply(self, lines: Iterable[Wanted]) -> Plan:
        """Do it; a conflict with what is not ours changes nothing."""
        by_number = {each.number: each for each in lines}
        found = await self.look()
        plan = diff(by_number.values(), found)
        if plan.conflicts:
            raise ApplyError(
                "; ".join(plan.conflicts),
                hint="remove it with the tool that made it, or take the number out of the file",
            )
        trunk_ids = {each.name: each.sip_trunk_id for each in found.trunks}
        for step in plan.steps:
            with _explained(self._url):
                await self._do(step, by_number.get(step.number), trunk_ids)
        return plan

    async def _do(self, step: Step, line: Wanted | None, trunk_ids: dict[str, str]) -> None:
        if line is None or step.verb == "delete":
            await self._delete(step)
        elif step.kind == "trunk":
            if step.verb == "create":
                made = await self._sip.create_inbound_trunk(
                    CreateSIPInboundTrunkRequest(trunk=line.trunk)
                )
                trunk_ids[line.trunk.name] = made.sip_trunk_id
            else:
                await self._sip.update_inbound_trunk(step.id, line.trunk)
        else:
            rule = line.rule_of(trunk_ids[line.trunk.name])
            if step.verb == "create":
                await self._sip.create_dispatch_rule(
                    CreateSIPDispatchRuleRequest(dispatch_rule=rule)
                )
            else:
                await self._sip.update_dispatch_rule(step.id, rule)

    async def _delete(self, step: Step) -> None:
        try:
            if step.kind == "trunk":
                await self._sip.delete_trunk(DeleteSIPTrunkRequest(sip_trunk_id=step.id))
            else:
                await self._sip.delete_dispatch_rule(
                    DeleteSIPDispatchRuleRequest(sip_dispatch_rule_id=step.id)
                )
        except api.ServerError as error:
            if error.code != api.ServerErrorCode.NOT_FOUND:  # gone already is what we wanted
                raise


@asynccontextmanager
async def switchboard(url: str, key: str, secret: str) -> AsyncIterator[Switchboard]:
    """A connection that ends with the block."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with api.LiveKitAPI(url, key, secret, timeout=timeout, failover=False) as client:
        yield Switchboard(client, url)


@contextmanager
def _explained(url: str) -> Iterator[None]:
    """Turn what the client raises into what an operator can act on."""
    try:
        yield
    except api.ServerError as error:
        text = f"livekit at {url} refused the lines: {error.code}: {error.message}"
        hint = "see logs/livekit.log"
        if error.status in {401, 403}:
            text = f"livekit at {url} does not accept our API key (HTTP {error.status})"
            hint = "control and livekit must read the same files in STATE_DIR/secrets"
        elif "redis" in error.message.lower() or "sip not connected" in error.message.lower():
            hint = "livekit-server runs without Redis: see logs/redis.log and logs/livekit.log"
        raise ApplyError(text, hint=hint) from error
    except (DecodeError, ValueError) as error:
        text = f"what answers at {url} is not livekit ({type(error).__name__})"
        raise ApplyError(text, hint="who holds the port? ss -lntp") from error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        text = f"livekit at {url} cannot be reached ({type(error).__name__})"
        raise ApplyError(text, hint="is the stack up? see logs/livekit.log") from error
