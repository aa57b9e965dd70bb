"""Digits on the keypad, typed by a caller or pressed for him: for who asked, and for no log."""

import asyncio
import hashlib
import hmac
import logging
import re
from collections.abc import Collection

from livekit import rtc
from livekit.agents import AgentSession

log = logging.getLogger("voice_agent.keys")

END_KEY = "#"
# Whoever has to read a number off a card needs this long for the next digit.
PAUSE_S = 8.0
# RFC 4733 3.2, the events of a telephone's keypad.
EVENTS = {**{str(digit): digit for digit in range(10)}, "*": 10, "#": 11}
# `w` waits half a second, as in a dial string.
DIALLED = re.compile(r"[0-9*#w]{1,32}")
WAIT_S = 0.5
# livekit-sip plays a key for 250 ms and is silent for as long (media-sdk, dtmf.Write).
KEY_S = 0.5
TRIES = 3
PIN_DIGITS = 12
PIN_TEXT = "Please type your PIN, and then the hash key."
WRONG_TEXT = "That was not right. Please type it again, and then the hash key."
REFUSED_TEXT = "I am sorry, I cannot let you in. Goodbye."


async def collect(room: rtc.Room, most: int, *, pause_s: float = PAUSE_S) -> str:
    """Return up to `most` digits: until # or until no key is pressed for `pause_s`."""
    with Keypad(room) as keypad:
        return await keypad.number(most, pause_s=pause_s)


class Keypad:
    """What is typed from now on; `with` it, so that no key falls between two questions."""

    def __init__(self, room: rtc.Room) -> None:
        self._room = room
        self._pressed: asyncio.Queue[str] = asyncio.Queue()

    def __enter__(self) -> "Keypad":
        self._room.on("sip_dtmf_received", self._on_key)
        return self

    def __exit__(self, *_: object) -> None:
        self._room.off("sip_dtmf_received", self._on_key)

    async def key(self) -> str:
        """Wait for one key."""
        return await self._pressed.get()

    async def number(self, most: int, *, pause_s: float = PAUSE_S) -> str:
        """Return up to `most` digits: until # or until no key is pressed for `pause_s`."""
        digits = ""
        try:
            while len(digits) < most:
                async with asyncio.timeout(pause_s):
                    key = await self.key()
                if key == END_KEY:
                    break
                digits += key
        except TimeoutError:
            pass
        return digits

    def _on_key(self, event: rtc.SipDTMF) -> None:
        self._pressed.put_nowait(event.digit)


def digest(line: str, pin: str) -> str:
    """Return what stands in the lines file for a PIN: `printf LINE:PIN | sha256sum`."""
    return hashlib.sha256(f"{line}:{pin}".encode()).hexdigest()


async def knows_pin(
    room: rtc.Room, session: AgentSession[None], line: str, wanted: str, *, pause_s: float = PAUSE_S
) -> bool:
    """Ask for a PIN, thrice at most. No model and no log ever sees what was typed."""
    with Keypad(room) as keypad:
        for attempt in range(1, TRIES + 1):
            session.say(PIN_TEXT if attempt == 1 else WRONG_TEXT, add_to_chat_ctx=False)
            typed = await keypad.number(PIN_DIGITS, pause_s=pause_s)
            if typed and hmac.compare_digest(digest(line, typed), wanted):
                return True
            log.info("wrong PIN", extra={"attempt": attempt, "typed": len(typed)})
    await session.say(REFUSED_TEXT, allow_interruptions=False, add_to_chat_ctx=False)
    return False


async def choice(room: rtc.Room, keys: Collection[str]) -> str:
    """Wait for one of these keys; others are passed over."""
    with Keypad(room) as keypad:
        while True:
            if (key := await keypad.key()) in keys:
                return key


async def press(room: rtc.Room, digits: str) -> bool:
    """Press keys for the other side's menu, one after the other; False for what is no key."""
    if not DIALLED.fullmatch(digits):
        return False
    for digit in digits:
        if digit == "w":
            await asyncio.sleep(WAIT_S)
            continue
        await room.local_participant.publish_dtmf(code=EVENTS[digit], digit=digit)
        await asyncio.sleep(KEY_S)
    log.info("keys pressed", extra={"count": len(digits)})
    return True
