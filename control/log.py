"""Log lines as JSON: a fixed phrase and fields, one object a line, on stderr."""

import logging
import re
import sys

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

# A JWT begins with the base64 of `{"`; none belongs into a log.
TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]{8,}[A-Za-z0-9._-]*")


def without_tokens(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Blank out what looks like a token, whoever logged it."""
    for key, value in event.items():
        if isinstance(value, str) and "eyJ" in value:
            event[key] = TOKEN.sub("(token)", value)
    return event


def configure(level: str) -> None:
    """Send our lines and those of libraries through the same processors."""
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        without_tokens,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    # Each reconcile would be several lines of these.
    for noisy in ("watchfiles", "aiohttp", "asyncio", "uvicorn"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
