"""The framework's log lines without callers in them: their numbers, and what it marks as personal.

Where a line shows the caller's number (`hide_number: false`), livekit-agents writes it as the
participant's identity, `sip_+15105550123`, and again as `lk.pii.…` (1.8.9, voice/room_io).
"""

import logging
import re

_IDENTITY = re.compile(r"sip_\+?\d+(?=\d\d)")
_PERSONAL = "lk.pii."


class Discreet(logging.Filter):
    """Mends every record in passing."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Take out what is nobody's business."""
        for name, value in list(record.__dict__.items()):
            if name.startswith(_PERSONAL):
                del record.__dict__[name]
            elif isinstance(value, str) and "sip_" in value:
                record.__dict__[name] = _IDENTITY.sub("sip_…", value)
        return True


def keep() -> None:
    """Filter the framework's logger, in every process: a worker hands its jobs' records on as
    they are (livekit-agents 1.8.9, ipc/log_queue.py, `callHandlers`)."""
    logging.getLogger("livekit.agents").addFilter(Discreet())
