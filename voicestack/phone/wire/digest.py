"""Answers to digest challenges (RFC 7616, RFC 2617), computed by aiosipua."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiosipua.auth import SipDigestAuth, build_credentials
from aiosipua.headers import parse_auth, stringify_auth
from aiosipua.message import SipRequest, SipResponse

_CHALLENGES = {
    401: ("www-authenticate", "Authorization"),
    407: ("proxy-authenticate", "Proxy-Authorization"),
}


@dataclass(frozen=True, slots=True)
class Credentials:
    """A name and a password for whoever asks."""

    user: str
    password: str = field(repr=False)


def is_challenge(response: SipResponse) -> bool:
    """Whether the far end wants to know who we are."""
    return response.status_code in _CHALLENGES


def answer(
    credentials: Credentials, response: SipResponse, request: SipRequest
) -> tuple[str, str] | None:
    """The header that answers the first challenge we can compute; None if there is none."""
    challenge_header, answer_header = _CHALLENGES[response.status_code]
    auth = SipDigestAuth(credentials.user, credentials.password)
    for value in response.get_header_values(challenge_header):
        proof = build_credentials(auth, parse_auth(value), request.method, request.uri)
        if proof is not None:
            return answer_header, stringify_auth(proof)
    return None


def is_stale(response: SipResponse) -> bool:
    """Whether only the nonce was too old, so that a second try makes sense (RFC 7616 3.3)."""
    header = _CHALLENGES[response.status_code][0]
    values = response.get_header_values(header)
    return any(parse_auth(value).params.get("stale", "").lower() == "true" for value in values)
