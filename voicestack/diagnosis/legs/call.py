"""A call of our own: from INVITE to the answer of a question, with evidence of each leg."""

import asyncio
import secrets
import time
from dataclasses import dataclass, field, replace
from datetime import datetime
from ipaddress import IPv4Address
from pathlib import Path

from voicestack.deploy.releases import SLOTS
from voicestack.diagnosis import logs, rooms
from voicestack.diagnosis.evidence import CallLog, follow
from voicestack.diagnosis.explain import reachable
from voicestack.diagnosis.judge_call import Facts, judge
from voicestack.diagnosis.legs.hearing import SENTENCE_FILE
from voicestack.diagnosis.model import CannotTellError, Context
from voicestack.lines import hours
from voicestack.lines.model import Line
from voicestack.phone import Call, CallFailedError, CallRefused, Heard, NoAnswer, Phone, PhoneError
from voicestack.phone.voices import TTS_RATE_HZ
from voicestack.phone.wire.g711 import Samples

__all__ = ["LIMIT_S", "Facts", "hears_speech", "is_speech", "judge", "look"]

# Answered calls of a healthy stack ring for one second, of a busy one for three.
RING_S, LOOK_WHILE_RINGING_S = 8.0, 6.0
GREETING_S, LONGEST_GREETING_S = 5.0, 6.0
# The worker apologises after four seconds without a word, and its own timeouts add up to this.
REPLY_S = 9.0
# "Yes" takes 0.3 s; a click 0.1 s at most.
LEAST_SPEECH_S = 0.2
# The line `call statistics` comes as the gateway puts the call away.
STATISTICS_S = 2.0
# Another program's log tells of no events.
PAUSE_S = 0.25
LIMIT_S = 34.0
HERE = IPv4Address("127.0.0.1")


@dataclass(slots=True)
class Notes:
    """Where the logs ended before the call, and by what the call is known in them."""

    caller: str
    starts: dict[str, int] = field(default_factory=dict)

    def read(self, context: Context) -> CallLog | None:
        """What the services have written of this call so far."""

        def of(service: str) -> list[logs.Line]:
            return list(logs.read(context.log_file(service), since=self.starts[service]))

        workers = [line for slot in SLOTS for line in of(slot)]
        return follow(of("sip"), of("livekit") + workers, self._is_ours)

    def _is_ours(self, line: logs.Line) -> bool:
        return line.get("fromUser") == self.caller


async def look(context: Context) -> Facts:
    """Call, listen, ask, listen, hang up."""
    line = reachable_line(context)
    # A name of its own tells our call from others in the logs.
    caller = f"sanity-check-{secrets.token_hex(4)}"
    notes = Notes(
        caller, {name: logs.size(context.log_file(name)) for name in ("sip", "livekit", *SLOTS)}
    )
    server = ("127.0.0.1", context.ports["sip"])
    conf = context.settings
    facts = Facts(expected_address=str(conf.node_ip), own_worker=_own_worker(context))
    async with Phone(user=caller) as phone:
        dialing = asyncio.create_task(
            phone.dial(line.number, server=server, ring_timeout_s=RING_S), name="sanity-call"
        )
        try:
            await asyncio.wait({dialing}, timeout=LOOK_WHILE_RINGING_S)
            if not dialing.done():
                facts = await _note_room(context, notes, facts)
            async with await dialing as call:
                facts = await _talk(context, notes, call, facts)
        except CallRefused as error:
            facts = replace(facts, outcome="refused", status=error.status)
        except CallFailedError as error:
            facts = replace(facts, outcome="unusable", text=str(error))
        except NoAnswer as error:
            facts = replace(facts, outcome="no answer", text=str(error))
        except PhoneError as error:
            raise CannotTellError(f"the call could not be placed: {error}", error.hint) from error
        finally:
            dialing.cancel()
    return await _with_log(context, notes, facts)


def reachable_line(context: Context) -> Line:
    """A line that may be called from this machine without a password."""
    loopback, now = context.settings.listen == "loopback", datetime.now()
    opened = [line for line in context.lines if hours.is_open(line.hours, now)]
    if line := reachable(opened, HERE, loopback=loopback):
        return line
    if reachable(context.lines, HERE, loopback=loopback):
        raise CannotTellError(
            "every line that takes calls from this machine is closed at this hour",
            "look again within `hours` of sip/lines.yaml",
        )
    raise CannotTellError(
        "no line of the file takes calls from this machine without a password",
        "add `this-machine` to the callers of a line, or call: scripts/test_call.py --user …",
    )


def _own_worker(context: Context) -> str:
    mark = context.whole.mark(context.whole.on_duty)
    return mark.read_text().strip() if mark.is_file() else ""


async def _note_room(context: Context, notes: Notes, facts: Facts) -> Facts:
    log = await asyncio.to_thread(notes.read, context)
    room = await rooms.look(context, log.room) if log and log.room else None
    return replace(facts, room=room)


async def _talk(context: Context, notes: Notes, call: Call, facts: Facts) -> Facts:
    remote = call.media.remote
    facts = replace(facts, outcome="answered", sdp_address=str(remote.address) if remote else "")
    heard = await call.listen(timeout_s=GREETING_S, until_quiet_s=0.8, longest_s=LONGEST_GREETING_S)
    greeted = is_speech(heard)
    facts = replace(facts, greeted=greeted, packets=len(call.media.received))
    if not greeted:
        return await _note_room(context, notes, facts)
    try:
        await call.say(_question(context), rate_hz=TTS_RATE_HZ)
        replied = await hears_speech(call, REPLY_S)
    except PhoneError:
        replied = False
    facts = replace(facts, replied=replied, packets=len(call.media.received))
    facts = await _note_room(context, notes, facts)  # two agents can both answer
    return facts if replied else replace(facts, cut=call.ended.is_set())


async def hears_speech(call: Call, timeout_s: float) -> bool:
    """Wait for sound that lasts: a codec that begins to send silence may click."""
    give_up_at = time.monotonic() + timeout_s
    while (left_s := give_up_at - time.monotonic()) > 0 and not call.ended.is_set():
        heard = await call.listen(timeout_s=left_s, longest_s=2 * LEAST_SPEECH_S)
        if heard.first_audio_at is None or is_speech(heard):
            return is_speech(heard)
    return False


def is_speech(heard: Heard) -> bool:
    """Whether what was heard lasted longer than a click."""
    if heard.first_audio_at is None or heard.last_audio_at is None:
        return False
    return heard.last_audio_at - heard.first_audio_at >= LEAST_SPEECH_S


def _question(context: Context) -> Path | Samples:
    """What the voice said when it was looked at; else a sentence that comes with the project."""
    sentence: Samples | None = context.facts.get("sentence")
    return context.root / SENTENCE_FILE if sentence is None else sentence


async def _with_log(context: Context, notes: Notes, facts: Facts) -> Facts:
    """Where something is wrong, wait for the gateway's counters."""
    log = await asyncio.to_thread(notes.read, context)
    waited_s = 0.0
    while not (facts.replied or (log and log.counters)) and waited_s < STATISTICS_S:
        await asyncio.sleep(PAUSE_S)
        waited_s += PAUSE_S
        log = await asyncio.to_thread(notes.read, context)
    return replace(facts, log=log)
