"""livekit-sip ignores a key that it does not know; ours is looked at before it starts."""

from difflib import get_close_matches

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode

from voicestack.errors import Fault, FaultsError

VERSION = "1.8.0"
# livekit-sip v1.8.0, pkg/config/config.go, Config and TLSConfig.
KEYS = frozenset(
    """
    redis api_key api_secret ws_url health_port prometheus_port pprof_port sip_port sip_port_listen
    sip_hostname outbound_route_headers sip_ringing_interval tcp tls rtp_port logging cluster_id
    max_cpu_utilization max_active_calls sip_trunk_ids use_external_ip local_net nat_1_to_1_ip
    listen_ip udp_max_payload media_use_external_ip media_nat_1_to_1_ip media_timeout
    media_timeout_initial symmetric_rtp rtp_draining_idle_timeout rtp_draining_duration
    ignore_local_addr_in_sdp codecs hide_inbound_port disable_rejected_invite_cache
    add_record_route audio_dtmf enable_jitter_buffer enable_jitter_buffer_prob jaeger_url
    experimental
    """.split()  # noqa: SIM905 - forty quoted words would read badly
)
TLS_KEYS = frozenset(
    (
        "port",
        "port_listen",
        "certs",
        "key_log",
        "min_version",
        "max_version",
        "cipher_suites",
        "alpn",
    )
)


class ConfigurationError(FaultsError):
    """A rendered configuration says something that its server would pass over."""

    subject = "the configuration of livekit-sip"


def check(name: str, text: str) -> None:
    """Raise with every key of a rendered sip.yaml that livekit-sip does not know."""
    root = YAML(typ="safe", pure=True).compose(text)
    faults = _unknown(name, root, KEYS)
    for key, value in getattr(root, "value", ()):
        if key.value == "tls":
            faults += _unknown(name, value, TLS_KEYS)
    if faults:
        raise ConfigurationError(faults)


def _unknown(name: str, node: object, known: frozenset[str]) -> list[Fault]:
    if not isinstance(node, MappingNode):
        return []
    faults = []
    for key, _ in node.value:
        if key.value not in known:
            close = get_close_matches(key.value, known, n=1)
            fix = f"did you mean {close[0]}?" if close else "take it out of sip/sip.yaml.j2"
            must = f"is no key of livekit-sip {VERSION}, which would pass over it without a word"
            where = f"{name}:{key.start_mark.line + 1}"
            faults.append(Fault(where, key.value, "", must, fix))
    return faults
