"""What carriers publish of themselves, each list with its page and the day it was read.

They were read from stored copies of those pages. Lists age: a call that the carrier sends and that
gets no answer here may come from a new network.
"""

import re
from dataclasses import dataclass
from typing import Literal

from voicestack.outbound.rules import Transport

Name = Literal["twilio", "telnyx", "plivo", "generic"]


@dataclass(frozen=True, slots=True)
class Carrier:
    """One carrier. Without networks of its own, the operator has to name them."""

    name: Name
    title: str
    signalling: tuple[str, ...]
    media: tuple[str, ...]
    source: str  # where the networks are published
    read_on: str  # ISO date
    address: str  # how the address for outbound calls looks; empty: any
    address_form: re.Pattern[str]
    transport: Transport
    steps: tuple[str, ...]  # what to click there; {sip} is our address, {number} the number


ANY_ADDRESS = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?")

TWILIO = Carrier(
    name="twilio",
    title="Twilio Elastic SIP Trunking",
    signalling=(
        *("54.172.60.0/30", "54.244.51.0/30", "54.171.127.192/30", "35.156.191.128/30"),
        *("54.65.63.192/30", "54.169.127.128/30", "54.252.254.64/30", "177.71.206.192/30"),
    ),
    media=("168.86.128.0/18",),
    source="https://www.twilio.com/docs/sip-trunking/ip-addresses",
    read_on="2026-11-27",
    address="NAME.pstn.twilio.com",
    address_form=re.compile(r"[A-Za-z0-9-]+\.pstn(?:\.[a-z0-9-]+)?\.twilio\.com(?::[0-9]{1,5})?"),
    transport="udp",
    steps=(
        "Elastic SIP Trunking > Manage > Trunks > Create new SIP Trunk; leave Secure Trunking off",
        "Origination > Add new Origination URI: sip:{sip}",
        "Numbers > Add a number: {number}",
        "To call out: Termination > Termination SIP URI, a name of your choice (.pstn.twilio.com)",
        "To call out: Termination > Credential Lists > a user and a password of 20 characters"
        " or more",
    ),
)
TELNYX = Carrier(
    name="telnyx",
    title="Telnyx SIP Trunking",
    # US, EU, Canada, Australia: primary and secondary each. The last is where US calls to us begin
    # (sip.telnyx.com/voice.json, "UAC").
    signalling=(
        *("192.76.120.10/32", "64.16.250.10/32", "5.172.39.10/32", "5.172.39.25/32"),
        *("193.108.220.10/32", "193.108.220.25/32", "103.135.104.10/32", "103.135.104.25/32"),
        "192.76.120.14/32",
    ),
    media=(
        *("36.255.198.128/25", "50.114.136.128/25", "50.114.144.0/21", "64.16.226.0/24"),
        *("64.16.227.0/24", "64.16.228.0/24", "64.16.229.0/24", "64.16.230.0/24"),
        *("64.16.248.0/24", "64.16.249.0/24", "103.115.244.128/25", "185.246.41.128/25"),
        *("64.16.246.96/27", "64.16.246.128/26", "103.115.247.0/24", "185.246.42.128/28"),
    ),
    source="https://developers.telnyx.com/docs/voice/sip-trunking/routing/failover-and-retries"
    " and https://sip.telnyx.com",
    read_on="2026-11-27",
    address="sip.telnyx.com",
    address_form=re.compile(r"[A-Za-z0-9-]+\.telnyx\.(?:com|eu|ca|com\.au)(?::[0-9]{1,5})?"),
    transport="udp",
    steps=(
        "Voice > SIP Trunking > Create SIP Connection, type FQDN",
        "Authentication & routing > Add FQDN: {sip}",
        "Inbound > Destination number format: +E.164; SIP transport: UDP; SIP region: the nearest",
        "Numbers > My Numbers > {number} > SIP Connection: the one just made",
        "To call out: Authentication > Outbound calls authentication: a user and a password of"
        " 20 characters or more; Outbound > an Outbound Voice Profile",
    ),
)
PLIVO = Carrier(
    name="plivo",
    title="Plivo Zentrunk",
    # No list that could be read and dated: the operator takes it from his account.
    signalling=(),
    media=(),
    source="https://www.plivo.com/docs/sip-trunking/concepts/technical-specifications",
    read_on="2026-11-27",
    address="NUMBER.zt.plivo.com",
    address_form=re.compile(r"[A-Za-z0-9-]+\.zt\.plivo\.com(?::[0-9]{1,5})?"),
    transport="tcp",
    steps=(
        "Zentrunk > Inbound Trunks > Create: primary URI {sip};transport=tcp",
        "Phone Numbers > {number} > Application type Zentrunk, the trunk just made",
        "Ask Plivo, or its page, from which networks signalling and sound come: --network each",
        "To call out: Zentrunk > Outbound Trunks > Create, with a Credential List: a user and a"
        " password of 20 characters or more; the trunk's Termination SIP Domain is the address",
    ),
)
GENERIC = Carrier(
    name="generic",
    title="another carrier, or a PBX",
    signalling=(),
    media=(),
    source="the carrier's own page",
    read_on="",
    address="",
    address_form=ANY_ADDRESS,
    transport="udp",
    steps=(
        "Send calls to {number} to sip:{sip}, UDP or TCP, without registration",
        "Ask from which networks signalling and sound come: --network each",
        "Codecs: G.711 (PCMU, PCMA); keys: RFC 4733 (telephone-event)",
        "To call out: an address, and a user with a password of 20 characters or more",
    ),
)
CARRIERS: dict[str, Carrier] = {each.name: each for each in (TWILIO, TELNYX, PLIVO, GENERIC)}
