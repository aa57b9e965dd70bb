"""Cold transfer: the caller's telephone is sent elsewhere (SIP REFER), to listed targets only."""

import logging
from collections.abc import Mapping

from livekit import api, rtc
from livekit.agents import JobContext

log = logging.getLogger("voice_agent.transfer")

# The carrier answers a REFER when the new call is up or has failed.
TIMEOUT_S = 30.0


def targets(text: str) -> dict[str, str]:
    """Read TRANSFER_TARGETS: name=number or SIP address, separated by commas."""
    pairs = (each.split("=", 1) for each in text.split(",") if "=" in each)
    return {name.strip(): address(place.strip()) for name, place in pairs}


def address(place: str) -> str:
    """Write a number as the URI that livekit-sip wants."""
    return place if place.startswith(("sip:", "sips:", "tel:")) else f"tel:{place}"


async def cold(ctx: JobContext, to: str, allowed: Mapping[str, str]) -> bool:
    """Send the caller to the target of this name; False if it is not listed or did not work.

    The name comes from a language model: no number that a caller has said is ever dialled.
    """
    target = allowed.get(to)
    phones = [each for each in ctx.room.remote_participants.values() if is_phone(each)]
    if target is None or len(phones) != 1:
        log.warning("transfer refused", extra={"listed": target is not None, "phones": len(phones)})
        return False
    request = api.TransferSIPParticipantRequest(
        room_name=ctx.room.name, participant_identity=phones[0].identity, transfer_to=target
    )
    try:
        await ctx.api.sip.transfer_sip_participant(request, timeout=TIMEOUT_S)
    except (api.ServerError, TimeoutError) as error:
        log.warning("transfer failed", extra={"reason": str(error)})
        return False
    log.info("call transferred")
    return True


def is_phone(who: rtc.RemoteParticipant) -> bool:
    """Tell phones from pages and agents."""
    return who.kind == rtc.ParticipantKind.PARTICIPANT_KIND_SIP
