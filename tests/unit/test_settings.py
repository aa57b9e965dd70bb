"""Settings: defaults, overriding, and every fault with its line and its fix."""

import os
import subprocess
import sys
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from voicestack import env_example, network, settings
from voicestack.environment import service_environment
from voicestack.errors import SettingsError

ROOT = Path(__file__).parents[2]
MACHINE = network.Machine(
    interfaces=(
        network.Interface("lo", IPv4Interface("127.0.0.1/8")),
        network.Interface("eth0", IPv4Interface("192.168.7.20/24")),
    ),
    default_interface="eth0",
    first_free_port=1024,
)


def load(
    root: Path, text: str | bytes | None = None, environ: dict[str, str] | None = None
) -> settings.Settings:
    if text is not None:
        (root / ".env").write_bytes(text.encode() if isinstance(text, str) else text)
    return settings.load(root, environ=environ or {}, machine=MACHINE)


def faults(root: Path, text: str | bytes, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(root, text, environ)
    assert all(fault.fix and fault.must for fault in caught.value.faults)
    return [f"{fault.where} {fault.name}" for fault in caught.value.faults]


def test_nothing_set_is_a_working_stack(tmp_path: Path) -> None:
    """Without .env every setting has a default, and the address is that of the way out."""
    loaded = load(tmp_path)
    assert loaded.node_ip == IPv4Address("192.168.7.20")
    assert loaded.sip_port == 5060
    assert loaded.state_dir == tmp_path / ".state"
    assert loaded.lines_file == tmp_path / "sip/lines.yaml"


def test_environment_outranks_the_file_and_empty_means_default(tmp_path: Path) -> None:
    """A variable of the environment wins, an empty one is as good as none."""
    loaded = load(
        tmp_path, "MAX_CALLS=3\nAGENT_NAME=bob\nLOG_LEVEL=\n", {"MAX_CALLS": "4", "AGENT_NAME": ""}
    )
    assert (loaded.max_calls, loaded.agent_name, loaded.log_level) == (4, "receptionist", "info")


def test_what_is_not_ours_in_the_environment_is_ignored(tmp_path: Path) -> None:
    """A shell is full of variables; only exact names of ours count."""
    noise = {
        "max_calls": "x",
        "MAX_CALLS_X": "x",
        "LIVEKIT_URL": "wss://x",
        "SIP": "1",
        "ROOT": "/",
    }
    assert load(tmp_path, None, noise) == load(tmp_path)


def test_loopback_forces_the_address(tmp_path: Path) -> None:
    """LISTEN=loopback is heard by this machine alone, whatever NODE_IP says."""
    loaded = load(tmp_path, "LISTEN=loopback\nNODE_IP=192.168.7.20\n")
    assert loaded.node_ip == network.LOOPBACK


def test_a_machine_without_a_way_out_stays_on_loopback(tmp_path: Path) -> None:
    """No default route: the stack still starts."""
    machine = network.Machine(MACHINE.interfaces, None, 1024)
    assert settings.load(tmp_path, environ={}, machine=machine).node_ip == network.LOOPBACK


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    """One object, read once."""
    loaded = load(tmp_path)
    with pytest.raises(ValueError, match="frozen"):
        loaded.sip_port = 1


def test_all_faults_are_reported_together(tmp_path: Path) -> None:
    """One run shows everything that is wrong, each with its line."""
    text = "SIP_PRT=1\nSIP_PORT=abc\nMAX_CALLS=0\n\nno sense\nMAX_CALLS=2\nNODE_IP=10.9.9.9\n"
    assert faults(tmp_path, text) == [
        ".env:1 SIP_PRT",
        ".env:2 SIP_PORT",
        ".env:3 MAX_CALLS",
        ".env:5 ",
        ".env:6 MAX_CALLS",
        ".env:7 NODE_IP",
    ]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("LISTEN=wan\n", ".env:1 LISTEN"),
        ("NODE_IP=300.1.1.1\n", ".env:1 NODE_IP"),
        ("NODE_IP=fd00::1\n", ".env:1 NODE_IP"),
        ("STACK_PORT_BASE=80\n", ".env:1 STACK_PORT_BASE"),
        ("STACK_PORT_BASE=65300\n", ".env:1 STACK_PORT_BASE"),
        ("SIP_PORT=7.5\n", ".env:1 SIP_PORT"),
        ("SIP_PORT=70000\n", ".env:1 SIP_PORT"),
        ("HTTPS_PORT=443\n", ".env:1 HTTPS_PORT"),  # privileged
        ("SIP_PORT=10050\n", ".env:1 SIP_PORT"),  # within the RTP range
        ("HTTPS_PORT=7881\n", ".env:1 HTTPS_PORT"),
        ("LOG_LEVEL=loud\n", ".env:1 LOG_LEVEL"),
        ("STT_LANGUAGE=English\n", ".env:1 STT_LANGUAGE"),
        ("STT_THREADS=-1\n", ".env:1 STT_THREADS"),
        ("STT_MODEL=../../etc\n", ".env:1 STT_MODEL"),
        ("STT_MODEL=a/../../etc\n", ".env:1 STT_MODEL"),
        ("LLM_URL=localhost:8000\n", ".env:1 LLM_URL"),
        ("LLM_URL=http://:80\n", ".env:1 LLM_URL"),
        ("TTS_URL=http://h:99999/v1\n", ".env:1 TTS_URL"),
        ("LLM_API_KEY_FILE=missing\n", ".env:1 LLM_API_KEY_FILE"),
        ("WEBHOOK_URLS=http://example.com/hook\n", ".env:1 WEBHOOK_URLS"),
        ("WEBHOOK_URLS=http://9.9.9.9/\n", ".env:1 WEBHOOK_URLS"),
        ("WEBHOOK_URLS=http://0.0.0.0/\n", ".env:1 WEBHOOK_URLS"),
        ("WEBHOOK_URLS=https://a.example, ftp://b\n", ".env:1 WEBHOOK_URLS"),
        ("WEBHOOK_URLS=https://a.example,https://a.example/\n", ".env:1 WEBHOOK_URLS"),
        ("WEBHOOK_URLS=https://user:pw@a.example/\n", ".env:1 WEBHOOK_URLS"),
        ("WEBHOOK_TRANSCRIPTS=on\n", ".env:1 WEBHOOK_TRANSCRIPTS"),
        ("AGENT_NAME=Bob Smith\n", ".env:1 AGENT_NAME"),
        ("STATE_DIR=.env/state\n", ".env:1 STATE_DIR"),
        ('BUSINESS_NAME="open\nMAX_CALLS=2\n', ".env:1 "),
        ("BUSINESS_NAME='a' b\n", ".env:1 "),
        ("BUSINESS_NAME=${HOME}\n", ".env:1 BUSINESS_NAME"),
        ("MAX_CALLS\n", ".env:1 MAX_CALLS"),
        (b"\xef\xbb\xbfMAX_CALLS=2\n", ".env:1 "),
        (b"MAX_CALLS=2\nLOG_LEVEL=info\r\n", ".env:2 "),
        (b"# \xff\n", ".env:1 "),
        (b"\n\0\n", ".env:2 "),
        (b"#" * 70_000, ".env "),
    ],
)
def test_each_fault_names_its_line(tmp_path: Path, text: str | bytes, where: str) -> None:
    """What is wrong stands where it is wrong, and nothing else is blamed."""
    got = faults(tmp_path, text)
    assert len(got) == 1
    assert got[0].startswith(where)


def test_unknown_names_come_with_a_suggestion(tmp_path: Path) -> None:
    """A typing error is found, and a key in the file is sent where keys belong."""
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, "AGENT_NAM=x\nsip_port=1\nLLM_API_KEY=sk-very-secret\nWHATEVER=1\n")
    fixes = [fault.fix for fault in caught.value.faults]
    assert fixes[:2] == ["did you mean AGENT_NAME?", "did you mean SIP_PORT?"]
    assert "LLM_API_KEY_FILE" in fixes[2]
    assert ".env.example" in fixes[3]


def test_what_docker_compose_reads_may_stand_beside(tmp_path: Path) -> None:
    """Its profiles belong into the same file; a typing error in them is still found."""
    load(tmp_path, "COMPOSE_PROFILES=registrar\nCOMPOSE_PROJECT_NAME=second\n")
    with pytest.raises(SettingsError, match="COMPOSE_PROFILE"):
        load(tmp_path, "COMPOSE_PROFILE=registrar\n")


@pytest.mark.parametrize(
    "text",
    [
        "LLM_API_KEY=sk-canary\n",
        'LLM_API_KEY="sk-canary\n',
        "LLM_API_KEY = 'sk-canary' x\n",
        "LLM_API_KEY=sk-canary\nLLM_API_KEY=sk-canary\n",
        "LLM_API_KEY=${sk-canary}\n",
        "sk-canary\n",
        "LLM_URL=https://user:sk-canary@host/v1\n",
    ],
)
def test_no_fault_shows_a_secret(tmp_path: Path, text: str) -> None:
    """Reports are pasted into issues."""
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, text)
    assert "canary" not in caught.value.report()


def test_a_key_file_must_be_private(tmp_path: Path) -> None:
    """Others can read it, it is empty, it is fine."""
    key = tmp_path / "key"
    key.write_text("sk-1\n")
    key.chmod(0o644)
    assert faults(tmp_path, "LLM_API_KEY_FILE=key\n") == [".env:1 LLM_API_KEY_FILE"]
    key.chmod(0o600)
    assert load(tmp_path).llm_api_key_file == key
    key.write_text("")
    assert faults(tmp_path, "LLM_API_KEY_FILE=key\n") == [".env:1 LLM_API_KEY_FILE"]


def test_an_env_that_is_a_folder_is_a_fault(tmp_path: Path) -> None:
    """Not readable: nothing is guessed."""
    (tmp_path / ".env").mkdir()
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path)


def test_a_public_address_may_be_that_of_nat(tmp_path: Path) -> None:
    """One-to-one NAT: the address is not on any interface and still right."""
    assert load(tmp_path, "NODE_IP=9.9.9.9\n").node_ip == IPv4Address("9.9.9.9")


def test_a_domain_is_at_443(tmp_path: Path) -> None:
    """Browsers take that for a name without a port; HTTPS_PORT still decides."""
    machine = network.Machine(MACHINE.interfaces, "eth0", 1)

    def port(**environ: str) -> int:
        return settings.load(tmp_path, environ=environ, machine=machine).https_port

    assert port(DOMAIN="voice.example.org") == 443
    assert port(DOMAIN="voice.example.org", HTTPS_PORT="9443") == 9443
    assert port() == 8443


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("TURN_DOMAIN=t.example.org\nHTTPS_PORT=443\n", "TURN_DOMAIN"),
        ("ACME_EMAIL=a@example.org\nNODE_IP=9.9.9.9\n", "ACME_EMAIL"),
        ("DOMAIN=v.example.org\nACME_DIRECTORY=https://ca.lan/dir\n", "ACME_DIRECTORY"),
        ("DOMAIN=v.example.org\nTURN_DOMAIN=v.example.org\n", "TURN_DOMAIN"),
        ("DOMAIN=v.example.org\nTURN_DOMAIN=t.example.org\nHTTPS_PORT=8443\n", "HTTPS_PORT"),
        ("DOMAIN=v.example.org\nLISTEN=loopback\n", "DOMAIN"),
        ("DOMAIN=v.example.org\nACME_EMAIL=a@example.org\n", "NODE_IP"),
        ("DOMAIN=localhost\n", "DOMAIN"),
        ("DOMAIN=https://v.example.org\n", "DOMAIN"),
        ("DOMAIN=v.example.org\nACME_EMAIL=nobody\nNODE_IP=9.9.9.9\n", "ACME_EMAIL"),
    ],
)
def test_names_and_certificates_must_fit(tmp_path: Path, text: str, wrong: str) -> None:
    """What one needs of the other is said before anything starts."""
    machine = network.Machine(MACHINE.interfaces, "eth0", 1)
    (tmp_path / ".env").write_text(text)
    with pytest.raises(SettingsError) as caught:
        settings.load(tmp_path, environ={}, machine=machine)
    assert {fault.name for fault in caught.value.faults} == {wrong}


def test_a_moved_block_may_lie_behind_443(tmp_path: Path) -> None:
    """A router leads 443 to it; this machine cannot know."""
    text = "DOMAIN=v.example.org\nTURN_DOMAIN=t.example.org\nSTACK_PORT_BASE=20000\n"
    assert load(tmp_path, text).turn_domain == "t.example.org"


def test_models_elsewhere_are_the_operators_choice(tmp_path: Path) -> None:
    """A URL on another host is allowed."""
    assert load(tmp_path, "LLM_URL=https://gpu.lan:8000/v1/\n").llm_url == "https://gpu.lan:8000/v1"


def test_events_may_go_to_several_addresses(tmp_path: Path) -> None:
    """Encrypted anywhere, in clear text no further than the own network."""
    urls = "https://a.example/hook, http://127.0.0.1:9000/x,http://192.168.7.30/,http://localhost:1"
    loaded = load(tmp_path, f'WEBHOOK_URLS="{urls}"\n')
    wanted = "https://a.example/hook,http://127.0.0.1:9000/x,http://192.168.7.30,http://localhost:1"
    assert loaded.webhook_urls == wanted


def test_faults_of_the_environment_say_so(tmp_path: Path) -> None:
    """Nobody searches .env for what the shell has set."""
    assert faults(tmp_path, "", {"LOG_LEVEL": "loud"}) == ["environment LOG_LEVEL"]


def test_the_block_outranks_single_ports(tmp_path: Path) -> None:
    """With STACK_PORT_BASE even a clash of SIP_PORT is no fault: it is not used."""
    assert load(tmp_path, "STACK_PORT_BASE=20000\nSIP_PORT=10050\n").stack_port_base == 20000


def test_env_example_says_what_the_settings_are() -> None:
    """The file is the one that the settings write."""
    assert (ROOT / ".env.example").read_text() == env_example.render()


def test_env_example_uncommented_changes_nothing(tmp_path: Path) -> None:
    """Every default written there is the default."""
    lines = env_example.render().splitlines()
    text = "\n".join(line.removeprefix("#") if line[:2] != "# " else "" for line in lines)
    written = load(tmp_path, "\n".join(line for line in text.splitlines() if line[:1].isupper()))
    assert written == load(tmp_path, "")


def test_every_variable_has_a_group_and_a_reader() -> None:
    """Nobody reads it: it does not belong here."""
    for name, var in settings.variables().items():
        assert var.group in settings.GROUPS, name
        assert var.readers, name
        assert settings.Settings.model_fields[name.lower()].description, name


def test_the_agent_reads_what_it_is_given(tmp_path: Path) -> None:
    """Every variable that .env.example promises to the agent is one of its fields."""
    from voice_agent.settings import AgentSettings

    assert issubclass(AgentSettings, BaseSettings)
    known = {name.upper() for name in AgentSettings.model_fields}
    promised = {name for name, var in settings.variables().items() if "agent" in var.readers}
    assert promised - known == set()
    assert service_environment("agent", load(tmp_path)).keys() - known == set()


@pytest.mark.parametrize("service", ["livekit", "sip", "redis", "llm", "tts", "control", "agent"])
def test_a_service_gets_no_secret_and_only_its_variables(tmp_path: Path, service: str) -> None:
    """/proc/*/environ must be dull: secrets are paths of files."""
    given = service_environment(service, load(tmp_path))
    readers = settings.variables()
    for name in given.keys() & readers.keys():
        assert service in readers[name].readers, name
    for name in given:
        assert name.endswith("_FILE") or not any(word in name for word in ("KEY", "SECRET", "PASS"))


def test_check_prints_the_faults_and_exits_2(tmp_path: Path) -> None:
    """The command that people run."""
    (tmp_path / ".env").write_text("SIP_PORT=x\n")
    command = [sys.executable, "-m", "voicestack.settings", "--check"]
    environ = {"PATH": os.environ["PATH"]}
    bad = subprocess.run(
        command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert bad.returncode == 2
    assert ".env:1: SIP_PORT: 'x': must be a port" in bad.stderr
    (tmp_path / ".env").unlink()
    good = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, check=True)
    assert good.stdout == b"settings: ok\n"
