"""SIP messages as this phone needs them, on the parser of aiosipua (RFC 3261)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from aiosipua.headers import parse_address, parse_uri, parse_via, stringify_uri, stringify_via
from aiosipua.message import SipMessage, SipRequest, SipResponse

from voicestack.phone.errors import MalformedError

__all__ = ["Address", "Dialog", "SipRequest", "SipResponse", "parse_address", "parse_via"]

Address = tuple[str, int]

USER_AGENT = "voicestack-phone"
ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, REFER"
# RFC 3261 8.1.1.7: a branch starts so, which promises that it is unique.
_BRANCH_COOKIE = "z9hG4bK"
_SIP_PORT = 5060
_REQUIRED = ("via", "from", "to", "call-id", "cseq")
_COPIED = ("From", "Call-ID", "CSeq")


def token() -> str:
    """A tag or branch that nobody guesses."""
    return secrets.token_hex(8)


def parse(data: bytes) -> SipRequest | SipResponse:
    """Read a datagram; raise MalformedError for whatever a transaction could not work with."""
    try:
        message = SipMessage.parse(data)
        missing = [name for name in _REQUIRED if not message.headers.get(name)]
        if missing:
            raise MalformedError(f"a SIP message lacks {', '.join(missing)}")
        if not branch(message) or cseq(message)[0] < 0 or not cseq(message)[1]:
            raise MalformedError("a SIP message has no branch or no CSeq")
    except (ValueError, IndexError) as error:
        raise MalformedError(f"a datagram is not SIP: {error}") from error
    if isinstance(message, SipResponse) and not 100 <= message.status_code < 700:
        raise MalformedError(f"a SIP response has status {message.status_code}")
    return message


def branch(message: SipMessage) -> str:
    """The branch of the topmost Via."""
    return parse_via(message.headers.get("via")[0]).branch or ""


def cseq(message: SipMessage) -> tuple[int, str]:
    """Sequence number and method."""
    parsed = message.cseq
    return (parsed.seq, parsed.method.upper()) if parsed else (-1, "")


def tag(message: SipMessage, header: str) -> str:
    """The tag of From or To; empty if there is none."""
    return parse_address(message.get_header(header) or "").tag or ""


def respond(
    request: SipRequest, status: int, reason: str, *, to_tag: str, source: Address
) -> SipResponse:
    """Start a response:

    headers copied, where the request came from written into its Via (RFC 3581 4).
    """
    response = SipResponse(status_code=status, reason_phrase=reason)
    vias = request.headers.get("via")
    top = parse_via(vias[0])
    if "rport" in top.params:
        top.params["rport"] = str(source[1])
    if "rport" in top.params or top.host != source[0]:
        top.params["received"] = source[0]
    for via in (stringify_via(top), *vias[1:]):
        response.add_header("Via", via)
    for name in _COPIED:
        response.set_header(name, request.get_header(name) or "")
    to = request.get_header("to") or ""
    response.set_header("To", to if tag(request, "to") or status == 100 else f"{to};tag={to_tag}")
    for route in request.get_header_values("record-route"):
        response.add_header("Record-Route", route)
    response.set_header("User-Agent", USER_AGENT)
    return response


def ack_refusal(invite: SipRequest, response: SipResponse) -> SipRequest:
    """The ACK for a final response other than 2xx:

    part of the INVITE's transaction (RFC 3261 17.1.1.3).
    """
    return _hop_by_hop("ACK", invite, response.get_header("to") or "")


def cancel(invite: SipRequest) -> SipRequest:
    """Withdraw an INVITE (RFC 3261 9.1)."""
    return _hop_by_hop("CANCEL", invite, invite.get_header("to") or "")


def _hop_by_hop(method: str, invite: SipRequest, to: str) -> SipRequest:
    request = SipRequest(method=method, uri=invite.uri)
    request.set_header("Via", invite.headers.get("via")[0])
    request.set_header("Max-Forwards", "70")
    request.set_header("From", invite.get_header("from") or "")
    request.set_header("To", to)
    request.set_header("Call-ID", invite.call_id or "")
    request.set_header("CSeq", f"{cseq(invite)[0]} {method}")
    for route in invite.get_header_values("route"):
        request.add_header("Route", route)
    return request


@dataclass(slots=True)
class Dialog:
    """Who talks to whom under which numbers (RFC 3261 12)."""

    call_id: str
    local: str  # From (or To) without tag
    local_tag: str
    remote: str
    remote_tag: str
    target: str
    contact: Address
    user: str
    routes: tuple[str, ...] = ()
    local_cseq: int = 0
    remote_cseq: int = -1

    @classmethod
    def outgoing(cls, *, user: str, number: str, server: Address, contact: Address) -> Dialog:
        """The start of a call to `number` at `server`."""
        target = f"sip:{number}@{_host_port(server)}"
        return cls(
            call_id=f"{token()}@{contact[0]}",
            local=f"<sip:{user}@{contact[0]}>",
            local_tag=token(),
            remote=f"<sip:{number}@{server[0]}>",
            remote_tag="",
            target=target,
            contact=contact,
            user=user,
        )

    @classmethod
    def incoming(cls, invite: SipRequest, *, user: str, contact: Address) -> Dialog:
        """The dialog that an INVITE from outside starts (RFC 3261 12.1.1)."""
        dialog = cls(
            call_id=invite.call_id or "",
            local=_without_tag(invite.get_header("to") or ""),
            local_tag=token(),
            remote=_without_tag(invite.get_header("from") or ""),
            remote_tag=tag(invite, "from"),
            target="",
            contact=contact,
            user=user,
            routes=tuple(invite.get_header_values("record-route")),
            remote_cseq=cseq(invite)[0],
        )
        dialog.retarget(invite)
        return dialog

    def established(self, response: SipResponse) -> None:
        """Learn the far end's tag, contact and route from a 2xx (RFC 3261 12.1.2)."""
        self.remote_tag = tag(response, "to")
        self.routes = tuple(reversed(response.get_header_values("record-route")))
        self.retarget(response)

    def retarget(self, message: SipMessage) -> None:
        """Follow the far end's Contact (RFC 3261 12.2)."""
        if message.contact:
            self.target = stringify_uri(message.contact[0].uri)

    def request(self, method: str, *, seq: int | None = None) -> SipRequest:
        """Start a request of this dialog; `seq` repeats a number, as ACK must."""
        if seq is None:
            self.local_cseq += 1
            seq = self.local_cseq
        request = SipRequest(method=method, uri=self.target)
        via = f"SIP/2.0/UDP {_host_port(self.contact)};rport;branch={_BRANCH_COOKIE}{token()}"
        request.set_header("Via", via)
        request.set_header("Max-Forwards", "70")
        request.set_header("From", f"{self.local};tag={self.local_tag}")
        to_tag = f";tag={self.remote_tag}" if self.remote_tag else ""
        request.set_header("To", f"{self.remote}{to_tag}")
        request.set_header("Call-ID", self.call_id)
        request.set_header("CSeq", f"{seq} {method}")
        request.set_header("Contact", self.contact_header)
        request.set_header("User-Agent", USER_AGENT)
        for route in self.routes:
            request.add_header("Route", route)
        return request

    @property
    def contact_header(self) -> str:
        """Where requests of this dialog reach us."""
        return f"<sip:{self.user}@{_host_port(self.contact)}>"

    def next_hop(self) -> Address:
        """Where requests go:

        the first route, else the target (loose routing, RFC 3261 12.2.1.1).
        """
        uri = parse_address(self.routes[0]).uri if self.routes else parse_uri(self.target)
        return uri.host, uri.port or _SIP_PORT

    def owns(self, message: SipMessage) -> bool:
        """Whether a request from the far end belongs to this dialog (RFC 3261 12.2.2)."""
        return (
            message.call_id == self.call_id
            and tag(message, "to") == self.local_tag
            and tag(message, "from") == self.remote_tag
        )


def _host_port(address: Address) -> str:
    return f"{address[0]}:{address[1]}"


def _without_tag(value: str) -> str:
    address = parse_address(value)
    return f"<{stringify_uri(address.uri)}>"
