"""compose.media.yaml: egress and ingress as the other services are, configured by `setup`."""

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.unit.compose.test_handout import handed, holders

from voicestack import ports, settings
from voicestack.compose.handout import hand_out
from voicestack.credentials import ensure
from voicestack.errors import SettingsError, VoicestackError
from voicestack.native.paths import Paths
from voicestack.native.render import MEDIA_TEMPLATES

ROOT = Path(__file__).resolve().parents[3]
BASE: dict[str, Any] = YAML(typ="safe").load(ROOT / "compose.yaml")["services"]
READER = YAML(typ="safe")
# Compose's own: what `extends` brought is taken away.
READER.constructor.add_constructor("!reset", lambda *_: None)
COMPOSE: dict[str, Any] = READER.load(ROOT / "compose.media.yaml")
MEDIA: dict[str, dict[str, Any]] = COMPOSE["services"]
BOTH = {"EGRESS": "on", "INGRESS": "on", "LISTEN": "lan"}
# Every key that upstream reads: yaml tags of pkg/config in livekit/egress v1.14.1 and
# livekit/ingress v1.5.0, of protocol's redis.RedisConfig and logger.Config, of rtcconfig.RTCConfig.
SHARED = {"api_key", "api_secret", "ws_url", "redis", "logging", "redis.address", "redis.password",
          "logging.level", "logging.json"}  # fmt: skip
KNOWN = {
    "egress": SHARED
    | {"insecure", "template_port", "session_limits"}
    | {f"session_limits.{kind}_output_max_duration" for kind in ("file", "stream", "segment")},
    "ingress": SHARED
    | {"rtmp_port", "whip_port", "http_relay_port", "rtc_config"}
    | {f"rtc_config.{key}" for key in ("udp_port", "use_external_ip", "node_ip", "ips")}
    | {"rtc_config.ips.includes"},
}


def keys(value: object, above: str = "") -> set[str]:
    """Every key of a document, with those above it."""
    if not isinstance(value, dict):
        return set()
    found = set()
    for key, below in value.items():
        found |= {above + key} | keys(below, f"{above}{key}.")
    return found


def rendered(tmp_path: Path, **environ: str) -> dict[str, Any]:
    to, _ = handed(tmp_path, **BOTH, **environ)
    read = YAML(typ="safe").load
    return {name: read(to / name / f"{name}.yaml") for name in ("egress", "ingress")} | {
        "livekit": read(to / "livekit/livekit.yaml")
    }


@pytest.mark.parametrize("name", ["egress", "ingress"])
def test_each_is_bounded_and_closed_like_the_server(name: str) -> None:
    """What stands in compose.yaml of `livekit` holds, unless it is said anew; nothing opens it."""
    own = MEDIA[name]
    assert own["extends"] == {"file": "compose.yaml", "service": "livekit"}
    assert own["build"] is None  # upstream's image: ours would be built under its name
    assert own["profiles"] == [name]
    assert not own.keys() & {"user", "read_only", "cap_drop", "cap_add", "security_opt", "ports"}
    assert not own.keys() & {"privileged", "network_mode", "logging", "devices", "restart"}
    assert own["mem_limit"]
    assert f"{name}-config:/state/config:ro" in own["volumes"]
    # Not the server's: an entry of the same target takes its place, and so does the entrypoint.
    assert own["entrypoint"] != BASE["livekit"]["entrypoint"]
    assert [each.split(":")[1] for each in BASE["livekit"]["volumes"]] == ["/state/config"]
    assert re.search(r"^livekit/\w+:v\d+\.\d+\.\d+$", own["image"])


def test_the_template_names_the_version_that_runs() -> None:
    """Keys are those of one version, and it is the image's."""
    for template in MEDIA_TEMPLATES:
        name, _, version = MEDIA[template.split("/")[0]]["image"].partition(":")
        assert f"{name} {version}" in (ROOT / template).read_text()


def test_setup_makes_the_folders_of_both() -> None:
    """A volume takes its owner from the image's folder: one that is missing there is root's."""
    made = re.search(r"install -d (.*?)\n(?:COPY|ENV)", (ROOT / "Dockerfile").read_text(), re.S)
    assert made is not None
    mounts = dict(each.split(":") for each in MEDIA["setup"]["volumes"])
    assert set(mounts.values()) <= set(re.findall(r"/\S+", made[1]))
    used = {each.split(":")[0] for name in ("egress", "ingress") for each in MEDIA[name]["volumes"]}
    assert used == set(mounts) == set(COMPOSE["volumes"])
    let_in = (ROOT / ".dockerignore").read_text().splitlines()
    assert {f"!{template.split('/')[0]}" for template in MEDIA_TEMPLATES} <= set(let_in)


def test_every_key_is_one_that_upstream_reads(tmp_path: Path) -> None:
    """A key that upstream does not know does nothing, without a word."""
    files = rendered(tmp_path)
    assert {name: keys(files[name]) for name in KNOWN} == KNOWN


def test_ports_come_from_the_table(tmp_path: Path) -> None:
    """Also in a second copy; livekit-server tells where to publish."""
    files = rendered(tmp_path, STACK_PORT_BASE="21000")
    table, own = ports.at_base(21000), files["livekit"]["rtc"]["node_ip"]
    ingress = files["ingress"]
    assert ingress["rtmp_port"] == table["ingress_rtmp"]
    assert ingress["whip_port"] == table["ingress_whip"]
    assert ingress["http_relay_port"] == table["ingress_relay"]
    assert ingress["rtc_config"]["udp_port"] == table["ingress_udp"]
    assert files["egress"]["template_port"] == table["egress_template"]
    assert files["egress"]["ws_url"] == f"ws://127.0.0.1:{table['livekit_http']}"
    assert files["livekit"]["ingress"] == {
        "rtmp_base_url": f"rtmp://{own}:{table['ingress_rtmp']}/x",
        "whip_base_url": f"http://{own}:{table['ingress_whip']}/w",
    }


def test_secrets_go_there_only_if_it_is_on(tmp_path: Path) -> None:
    """A service that does not run has no copy, and livekit-server tells nobody of it."""
    to, secrets = handed(tmp_path / "off")
    assert not [*(to / "egress").iterdir(), *(to / "ingress").iterdir()]
    assert "ingress" not in (to / "livekit/livekit.yaml").read_text()
    to, secrets = handed(tmp_path / "on", **BOTH)
    assert {"egress", "ingress"} < holders(to, secrets.redis_password)
    assert {"egress", "ingress"} < holders(to, secrets.livekit_api_secret)


def test_on_without_the_second_file_is_told(tmp_path: Path) -> None:
    """EGRESS=on, and `docker compose up` as ever: the command that is meant is named."""
    held = settings.load(tmp_path, environ={"STATE_DIR": str(tmp_path / "state"), "EGRESS": "on"})
    with pytest.raises(VoicestackError) as raised:
        hand_out(held, ensure(held), Paths.of(held, ROOT), tmp_path / "handed")
    assert "EGRESS=on" in str(raised.value)
    assert "compose.media.yaml --profile egress" in raised.value.hint


def test_streams_are_refused_on_loopback(tmp_path: Path) -> None:
    """It listens on every network, whatever LISTEN says."""
    with pytest.raises(SettingsError, match="INGRESS"):
        settings.load(tmp_path, environ={"INGRESS": "on", "LISTEN": "loopback"})
