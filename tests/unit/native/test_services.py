"""The services of the native runtime, without starting any."""

import errno
import os
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from voicestack import credentials, settings
from voicestack.native import render, sip_keys
from voicestack.native.services import NEVER, supervisor_config
from voicestack.native.up import Stack

ROOT = Path(__file__).resolve().parents[3]


def stack(folder: Path, **environ: str) -> Stack:
    """A stack that is never started."""
    values = {"STATE_DIR": str(folder / "state"), "LISTEN": "loopback", **environ}
    return Stack(settings.load(folder, environ=values), ROOT)


def rendered(stack: Stack) -> dict[str, str]:
    """Every rendered file by name."""
    stack.prepare()
    return {file.name: file.read_text() for file in stack.paths.config.iterdir()}


def test_call_order(tmp_path: Path) -> None:
    """The list reads as a call meets the services."""
    one = stack(tmp_path)
    names = [service.name for service in one.services]
    assert names == ["redis", "livekit", "sip", "control", "llm", "tts", "agent", "caddy"]
    declared = supervisor_config(one.declared, one.paths)["processes"]
    assert [name for name in declared if name not in names] == ["agent-b"]
    assert [name for name, process in declared.items() if process["disabled"]] == ["agent-b"]


def test_another_model_server_replaces_ours(tmp_path: Path) -> None:
    """With LLM_URL and TTS_URL set, no local model is started."""
    remote = stack(tmp_path, LLM_URL="http://127.0.0.1:8000/v1", TTS_URL="http://127.0.0.1:8001/v1")
    assert {"llm", "tts"}.isdisjoint(service.name for service in remote.services)


def test_no_secret_in_any_environment(tmp_path: Path) -> None:
    """Services get paths of files; what stands in /proc/PID/environ is no secret."""
    one = stack(tmp_path)
    held = credentials.ensure(one.settings)
    config = supervisor_config(one.services, one.paths)
    text = str(config)
    for secret in (held.livekit_api_secret, held.redis_password, held.control_secret):
        assert secret not in text


def test_readiness_never_restarts_a_service(tmp_path: Path) -> None:
    """livekit-server is not ready during a blip of Redis: a restart would cut its calls."""
    config = supervisor_config(stack(tmp_path).services, stack(tmp_path).paths)
    probes = [process["readiness_probe"] for process in config["processes"].values()]
    assert {probe["failure_threshold"] for probe in probes} == {NEVER}


def test_models_outlive_the_agent(tmp_path: Path) -> None:
    """Calls that drain still need their models."""
    config = supervisor_config(stack(tmp_path).services, stack(tmp_path).paths)
    needs = config["processes"]["agent"]["depends_on"]
    assert needs["llm"] == needs["tts"] == {"condition": "process_started"}


@pytest.mark.parametrize("listen", ["lan", "loopback"])
def test_rendered_files_are_whole_and_private(tmp_path: Path, listen: str) -> None:
    """0600, no placeholder left, only keys that livekit-sip knows."""
    one = stack(tmp_path, LISTEN=listen)
    files = rendered(one)
    assert set(render.TEMPLATES.values()) < set(files)
    for name, text in files.items():
        assert "{{" not in text, name
        assert (one.paths.config / name).stat().st_mode & 0o777 == 0o600
    sip = YAML(typ="safe").load(files["sip.yaml"])
    assert set(sip) <= sip_keys.KEYS
    assert ("listen_ip" in sip) == (listen == "loopback")


def test_ports_come_from_the_table(tmp_path: Path) -> None:
    """STACK_PORT_BASE moves every server."""
    one = stack(tmp_path, STACK_PORT_BASE="23000")
    files = rendered(one)
    livekit, sip = (YAML(typ="safe").load(files[f"{name}.yaml"]) for name in ("livekit", "sip"))
    assert livekit["port"] == one.ports["livekit_http"]
    assert livekit["rtc"]["udp_port"] == one.ports["livekit_udp"]
    assert sip["sip_port"] == one.ports["sip"]
    rtp = one.ports.range("sip_rtp")
    assert sip["rtp_port"] == f"{rtp.start}-{rtp.stop - 1}"
    assert f"port {one.ports['redis']}" in files["redis.conf"]


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a configuration is worse than an old one."""
    file = tmp_path / "x.yaml"
    render.write_private(file, "old")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        render.write_private(file, "half")
    assert file.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["x.yaml"]
