"""The page's door: one password, a signed cookie, few tries, and no request from other sites."""

import hashlib
import hmac
import secrets
from urllib.parse import urlsplit

import structlog
from limits import parse_many
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.requests import Request

from voicestack.credentials import Credentials

log = structlog.get_logger()

# A signed-in phone asks again after a working day.
SESSION_S = 12 * 3600
# `__Host-`: a browser takes it over HTTPS only, and no neighbour under the same domain can set it
# (RFC 6265bis, 4.1.3.2).
COOKIE = "__Host-voicestack"
# A person mistypes some times; a machine that guesses gets nowhere.
SIGN_INS = "5/minute; 30/hour"
# Each call takes a room and a line; nobody talks more often than this.
CALLS = "10/minute"


class RefusedError(Exception):
    """A request that is not served: HTTP status and the word by which the page knows why."""

    def __init__(self, status: int, why: str, *, retry_s: int = 0) -> None:
        super().__init__(why)
        self.status, self.why, self.retry_s = status, why, retry_s


class Door:
    """Who may come in. It keeps no list of sessions: a cookie is believed if we signed it."""

    def __init__(self, held: Credentials) -> None:
        self._password = held.page_password
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        # With another password every cookie of before is void.
        self.cookie_key = hmac.new(
            held.control_secret.encode(),
            b"page session " + _plain(held.page_password),
            hashlib.sha256,
        ).hexdigest()

    def sign_in(self, request: Request, password: object) -> None:
        """Open the session, or raise."""
        address = request.client.host if request.client else ""
        self._check(SIGN_INS, "sign-in", address)
        given = _plain(password) if isinstance(password, str) else b""
        if not hmac.compare_digest(given, _plain(self._password)):
            self._count(SIGN_INS, "sign-in", address)
            log.warning("sign-in refused", address=address)
            raise RefusedError(401, "wrong-password")
        request.session["id"] = secrets.token_hex(8)
        log.info("signed in", address=address, session=request.session["id"])

    def visitor(self, request: Request) -> str:
        """Return the session's name, or raise where nobody has signed in."""
        name = request.session.get("id")
        if not isinstance(name, str):
            raise RefusedError(401, "not-signed-in")
        return name

    def spend_call(self, visitor: str) -> None:
        """Count a call, or raise where there were too many."""
        self._check(CALLS, "call", visitor)
        self._count(CALLS, "call", visitor)

    def _check(self, allowed: str, what: str, whom: str) -> None:
        for item in parse_many(allowed):
            if not self._limiter.test(item, what, whom):
                raise RefusedError(429, "too-often", retry_s=item.get_expiry())

    def _count(self, allowed: str, what: str, whom: str) -> None:
        for item in parse_many(allowed):
            self._limiter.hit(item, what, whom)


def check_same_site(request: Request) -> None:
    """Refuse what another site's page sends: browsers name the page's origin with every POST."""
    origin = urlsplit(request.headers.get("origin", ""))
    if origin.scheme != "https" or origin.netloc != request.headers.get("host", ""):
        raise RefusedError(403, "other-site")
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise RefusedError(403, "other-site")


def _plain(password: str) -> bytes:
    """Leave out what people put in or leave out when they type: dashes, spaces, capitals."""
    return "".join(each for each in password.lower() if each.isalnum()).encode()
