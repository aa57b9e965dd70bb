"""The way from an agent to a softphone that has registered."""

from voicestack import credentials, ports
from voicestack.lines import phones
from voicestack.lines.desk import Desk
from voicestack.network import REGISTRAR
from voicestack.outbound.rules import Rules, Trunk
from voicestack.settings import Settings

TRUNK = "phones"


def to_phone(settings: Settings, number: str) -> Rules | None:
    """Rules under which a phone of ours may be called; None: it is no phone of ours.

    It costs nothing and its owner has registered it, so neither `allow` nor quiet hours are asked.
    The caps hold: an agent that calls in a loop is a fault here too.
    """
    if settings.registrar != "on":
        return None
    secrets = credentials.directory_of(settings)
    known = phones.parse(settings.lines_file, secrets=secrets)
    if number not in {each.number for each in known}:
        return None
    address = f"{REGISTRAR}:{ports.resolve(settings)['registrar']}"
    way = Trunk(TRUNK, address, "udp", _caller(settings) or number)
    return Rules(trunks=(way,), allow=(number,))


def _caller(settings: Settings) -> str:
    """What the phone shows: the first line that it can call back."""
    lines = Desk.of_settings(settings).lines
    return next((line.number for line in lines if "phones" in line.sources), "")
