"""Digits that a caller types on the keypad: for the tool that asked, and for no log."""

import asyncio

from livekit import rtc

END_KEY = "#"
# Whoever has to read a number off a card needs this long for the next digit.
PAUSE_S = 8.0


async def collect(room: rtc.Room, most: int, *, pause_s: float = PAUSE_S) -> str:
    """Return up to `most` digits: until # or until no key is pressed for `pause_s`."""
    pressed: asyncio.Queue[str] = asyncio.Queue()

    def on_key(event: rtc.SipDTMF) -> None:
        pressed.put_nowait(event.digit)

    room.on("sip_dtmf_received", on_key)
    digits = ""
    try:
        while len(digits) < most:
            async with asyncio.timeout(pause_s):
                key = await pressed.get()
            if key == END_KEY:
                break
            digits += key
    except TimeoutError:
        pass
    finally:
        room.off("sip_dtmf_received", on_key)
    return digits
