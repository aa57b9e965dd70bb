"""Looks at real sockets and file systems without a stack; the runner; what never leaves."""

import asyncio
import contextlib
import io
import json
import ssl
import tarfile
from collections.abc import AsyncIterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from tests.diagnosis import certificates
from voicestack import credentials, ports, settings
from voicestack.diagnosis import bundle, checks, doctor, redact
from voicestack.diagnosis.explain import explain
from voicestack.diagnosis.legs import containers, files, tls
from voicestack.diagnosis.model import CannotTellError, Check, Context, Finding, Result, Unknown
from voicestack.diagnosis.report import Report, show
from voicestack.diagnosis.runner import run
from voicestack.errors import VoicestackError
from voicestack.lines.model import Defaults, Digest, Line
from voicestack.native.up import Stack
from voicestack.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


# -- the runner


async def answer(_: Context) -> str:
    return "seen"


def nothing(_: Any) -> list[Finding | Unknown]:
    return []


def check(name: str, *, finds: str = "", subject: str = "", needs: tuple[str, ...] = ()) -> Check:
    found = [Finding(finds, "x", subject)] if finds else []
    return Check(name, "Redis", name, answer, lambda _: found, needs)


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(tmp_path, lambda: settings.load(tmp_path, environ={}), lambda: 0.0)


async def states(context: Context, *which: Check) -> list[str]:
    return [result.state for result in await run(which, context)]


async def test_what_follows_from_a_fault_is_skipped(context: Context) -> None:
    """And what follows from what was skipped; what does not depend on it is looked at."""
    which = (
        check("a", finds="RED001"), check("b", needs=("a",)), check("c", needs=("b",)), check("d"),
    )  # fmt: skip
    assert await states(context, *which) == ["fault", "skipped", "skipped", "ok"]


async def test_a_need_may_name_one_subject(context: Context) -> None:
    """A fault of one service skips what stands on it alone; one without subject skips all."""
    one = (
        check("p", finds="PRC003", subject="sip"),
        check("s", needs=("p:sip",)),
        check("r", needs=("p:redis",)),
    )
    assert await states(context, *one) == ["fault", "skipped", "ok"]
    whole = (check("p", finds="PRC001"), check("r", needs=("p:redis",)))
    assert await states(context, *whole) == ["fault", "skipped"]


async def test_no_look_can_hang_or_break_the_run(context: Context) -> None:
    """Late, broken and undecided looks are unknown; what needs them is looked at all the same."""

    async def hang(_: Context) -> None:
        await asyncio.Event().wait()

    async def breaks(_: Context) -> None:
        raise RuntimeError("a bug")

    async def cannot(_: Context) -> None:
        raise CannotTellError("not from here", "sudo")

    which = tuple(
        Check(look.__name__, "Redis", "", look, nothing, limit_s=0.05)
        for look in (hang, breaks, cannot)
    )
    results = await run((*which, check("d", needs=("hang",))), context)
    assert [result.state for result in results] == ["unknown", "unknown", "unknown", "ok"]
    assert results[2].unknowns == (Unknown("not from here", "sudo"),)


def test_needs_exist_and_come_before() -> None:
    """A misspelt need would never skip anything."""
    seen: set[str] = set()
    for each in checks.ALL:
        assert {need.partition(":")[0] for need in each.needs} <= seen, each.name
        assert each.name not in seen
        seen.add(each.name)


def test_a_run_ends_within_its_time() -> None:
    """The longest chain of needs, each at its limit: 45 s with a call."""
    ends: dict[str, float] = {}
    for each in checks.ALL:
        ends[each.name] = each.limit_s + max(
            (ends[n.partition(":")[0]] for n in each.needs), default=0.0
        )
    # A chain in which every look times out has no fault that would skip the rest.
    volumes = containers.VOLUMES.limit_s  # in containers only
    assert max(ends.values()) - checks.CALL.limit_s - volumes <= 30
    assert checks.CALL.limit_s <= 36


# -- a stack that is not there


def absent(folder: Path) -> Settings:
    """Settings of a stack that does not run; its models are on other servers."""
    environment = {
        "STATE_DIR": str(folder / "state"),
        "LISTEN": "loopback",
        "STACK_PORT_BASE": str(ports.free_base()),
        "LINES_FILE": str(ROOT / "sip" / "lines.yaml"),
        "LLM_URL": "http://127.0.0.1:9/v1",
        "TTS_URL": "http://127.0.0.1:9/v1",
    }
    return settings.load(folder, environ=environment)


async def test_a_stack_that_never_ran(tmp_path: Path) -> None:
    """One cause, quickly, without any server."""
    conf = absent(tmp_path)
    report, _ = await doctor.examine(ROOT, checks.ALL, load=lambda: conf)
    assert [finding.key for finding in report.findings] == ["SET002"]
    assert report.exit_code == 1


async def test_a_stack_of_somebody_else(tmp_path: Path) -> None:
    """Something answers, and its secrets are not ours to see: not healthy, no cause either."""
    conf = absent(tmp_path)
    port = ports.resolve(conf)["livekit_http"]
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port)
    async with server:
        report, _ = await doctor.examine(ROOT, checks.QUICK, load=lambda: conf)
    assert [each.check.name for each in report.results if each.state == "unknown"] == ["secrets"]
    assert (report.findings, report.exit_code) == ((), 2)


async def test_a_stack_that_is_down(tmp_path: Path) -> None:
    """Secrets are there, nothing runs."""
    conf = absent(tmp_path)
    stack = Stack(conf, ROOT)
    stack.paths.make()
    try:
        stack.prepare()
        report, _ = await doctor.examine(ROOT, checks.ALL, load=lambda: conf)
    finally:
        stack.paths.remove_short()
    assert [finding.key for finding in report.findings] == ["PRC001"]


DOCKER = """#!/bin/sh
[ "$*" = "compose ps --all --format json" ] || exit 64  # no volume can be read
cat <<'END'
{answer}
END
exit {code}
"""


def with_docker(folder: Path, monkeypatch: pytest.MonkeyPatch, answer: str, code: int = 0) -> None:
    """A program called docker that answers like Compose."""
    program = folder / "docker"
    program.write_text(DOCKER.format(answer=answer, code=code))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


UP = '{"Service":"setup","State":"exited","ExitCode":0}\n{"Service":"sip","State":"running","Health":"healthy"}'
DOWN = '[{"Service":"sip","State":"restarting","ExitCode":2},{"Service":"redis","State":"running","Health":""}]'


@pytest.mark.parametrize(
    ("answer", "code", "expected", "exit_code"),
    [(UP, 0, [], 2), (DOWN, 0, ["CON001 sip"], 1), ("no configuration file", 14, ["SET002"], 1)],
)
async def test_a_stack_in_containers(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    code: int,
    expected: list[str],
    exit_code: int,
) -> None:
    """What Compose says is judged; never that the stack was not started, when it runs there."""
    with_docker(tmp_path, monkeypatch, answer, code)
    conf = absent(tmp_path)
    report, _ = await doctor.examine(ROOT, checks.QUICK, load=lambda: conf)
    assert [finding.key for finding in report.findings] == expected
    assert report.exit_code == exit_code
    if exit_code == 2:
        decide = [unknown.decide for r in report.results for unknown in r.unknowns]
        assert any("docker compose run" in each for each in decide)


# -- disk and TLS


SINGLE = {"disk full": ["DSK001"]}


async def test_a_full_disk(small_disk: Path, context: Context) -> None:
    """A real file system with no space."""
    context.stack = SimpleNamespace(settings=SimpleNamespace(state_dir=small_disk))  # type: ignore[assignment]
    found = files.judge_disk(await files.look_disk(context))
    assert [finding.code for finding in found if isinstance(finding, Finding)] == SINGLE[
        "disk full"
    ]


# Days from today at which a certificate begins and ends.
VALID, EXPIRED, FUTURE = (-1, 1), (-9, -2), (2, 9)


@contextlib.asynccontextmanager
async def tls_server(file: Path | None) -> AsyncIterator[int]:
    """A server with this certificate, or one that answers in clear text."""

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if file is None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    context = None
    if file is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(file, file.with_suffix(".key"))
    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("name", "days", "trusted", "expected"),
    [
        ("localhost", VALID, True, []),
        ("localhost", EXPIRED, True, ["TLS002"]),
        ("localhost", FUTURE, True, ["TLS003"]),
        ("example.org", VALID, True, ["TLS004"]),
        ("localhost", VALID, False, ["TLS005"]),
        ("", VALID, False, ["TLS001"]),
    ],
)
async def test_tls(
    tmp_path: Path, name: str, days: tuple[int, int], trusted: bool, expected: list[str]
) -> None:
    """Real handshakes with real certificates; without a name the server speaks clear text."""
    file = certificates.self_signed(tmp_path, name, days) if name else None
    authority = file if trusted and file else tmp_path / "none"
    async with tls_server(file) as port:
        facts = await tls.shake_hands("127.0.0.1", port, "localhost", authority)
    assert [each.code for each in tls.judge((facts,)) if isinstance(each, Finding)] == expected


async def test_a_certificate_with_a_fault_that_no_row_has(tmp_path: Path) -> None:
    """It is for clients only (RFC 5280 4.2.1.12): TLS is the leg, and no known cause is named."""
    file = certificates.self_signed(tmp_path, "localhost", VALID, "extendedKeyUsage = clientAuth")
    async with tls_server(file) as port:
        facts = await tls.shake_hands("127.0.0.1", port, "localhost", file)
    assert [each.code for each in tls.judge((facts,)) if isinstance(each, Finding)] == ["TLS099"]


# -- explain


def line(number: str, **fields: Any) -> Line:
    defaults = Defaults()
    values: dict[str, Any] = {
        "agent": "receptionist", "sources": ("this-machine",), "digest": None, "room": "call-",
        "metadata": "", "hide_number": True, "ring_timeout_s": defaults.ring_timeout_s,
        "max_call_minutes": 30, "where": "lines.yaml:3",
    }  # fmt: skip
    return Line(number=number, **(values | fields))


@pytest.mark.parametrize(
    ("callee", "source", "accepted", "code"),
    [
        ("+15550100", "127.0.0.1", True, ""),
        ("1 555-0100", "127.0.0.1", True, ""),  # trunks compare digits
        ("+15550199", "127.0.0.1", False, "LIN006"),
        ("+15550100", "203.0.113.7", False, "LIN007"),
        ("+15550101", "203.0.113.7", True, ""),
        ("+15550101", "203.0.114.7", False, "LIN007"),
        ("+15550102", "198.51.100.1", True, "LIN008"),
    ],
)
def test_explains_a_call(callee: str, source: str, accepted: bool, code: str) -> None:
    """The clause that decides, as livekit-server would."""
    lines = (
        line("+15550100"),
        line("+15550101", sources=(IPv4Network("203.0.113.0/24"),)),
        line("+15550102", sources=(), digest=Digest("desk", "p" * 20)),
    )
    told = explain(lines, callee, IPv4Address(source), loopback=True)
    assert (told.accepted, told.code) == (accepted, code)
    assert all(clause.why for clause in told.clauses)


# -- what never leaves

CANARY = "canary-Zm9vYmFyYmF6cXV1eGNvcmdlZ3JhdWx0Z2FycGx5"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl"
NUMBER = "+15105550123"


@pytest.mark.parametrize(
    "text",
    [
        f"password {CANARY}.", f"?access_token={TOKEN}&x", f"Bearer {TOKEN}", f"from {NUMBER} to",
        f'"fromUser":"{NUMBER}"', '"fromUser":"15105550123"', "sip:15105550123@192.0.2.1",
        f"room call-_{NUMBER}_abc", "tel:+15105550123", '"caller": "5105550123"',
    ],
)  # fmt: skip
def test_canaries_do_not_get_out(text: str) -> None:
    """Secrets, tokens, and numbers beyond two digits."""
    shown = redact.redact(text, [CANARY])
    for canary in (CANARY, TOKEN, "5105550123", "55501", "canary"):
        assert canary not in shown


def test_addresses_and_ports_stay_readable() -> None:
    """What is needed for help is not hidden."""
    text = "127.0.0.1:24503 pid 29423 ts 1795391314.35 AW_1 SCL_yEwGw2j7SUrZ HTTP 503"
    assert redact.redact(text, [CANARY]) == text


def test_a_bundle_holds_no_secret(tmp_path: Path) -> None:
    """Secrets in every file that could carry one: none is in the archive, nor is their own file."""
    environment = {"STATE_DIR": str(tmp_path / "state"), "LISTEN": "loopback"}
    conf = settings.load(tmp_path, environ=environment)
    stack = Stack(conf, ROOT)
    stack.paths.make()
    try:
        stack.prepare()
        held = credentials.read(conf)
        spilled = f"{held.livekit_api_secret} {held.redis_password} {held.control_secret} {TOKEN} {NUMBER}\n"
        for name in ("livekit", "sip", "agent"):
            (stack.paths.logs / f"{name}.log").write_text(
                f'{{"fromUser":"15105550123"}}\n{spilled}'
            )
        context = Context(ROOT, lambda: conf, lambda: 0.0, stack=stack, held=held)
        report = Report((), 0.0, doctor.secrets_of(context))
        made = tmp_path / "bundle.tar.gz"
        bundle.write(made, report, stack)
    finally:
        stack.paths.remove_short()
    assert made.stat().st_mode & 0o777 == 0o600
    with tarfile.open(made) as archive:
        names = archive.getnames()
        texts = [archive.extractfile(name).read().decode() for name in names]  # type: ignore[union-attr]
    assert {"voicestack-support/report.json", "voicestack-support/logs/sip.log"} <= set(names)
    assert not any("keys" in name for name in names)
    for canary in (
        held.livekit_api_secret,
        held.redis_password,
        held.control_secret,
        TOKEN,
        "5105550123",
    ):
        assert not any(canary in text for text in texts)


# -- what is printed


def test_the_report_fits_eighty_columns() -> None:
    """Without a terminal: no colours, no line beyond 80 columns, the number hidden."""
    found = Finding("LIN001", f"its trunk is missing, {NUMBER} rings for ever " + "x " * 60, NUMBER)
    report = Report((Result(checks.QUICK[0], "fault", (found,), took_s=0.1),), 0.1)
    out = Console(width=80, record=True, file=io.StringIO())
    show(report, out)
    text = out.export_text()
    assert "LIN001" in text
    assert "510555" not in text
    assert all(len(line) <= 80 for line in text.splitlines())
    assert json.loads(json.dumps(report.as_json()))["findings"][0]["code"] == "LIN001"


# -- the script's own work


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout whose settings name the project's lines file."""
    lines = ROOT / "sip" / "lines.yaml"
    (tmp_path / ".env").write_text(f"LISTEN=loopback\nSTATE_DIR=state\nLINES_FILE={lines}\n")
    return tmp_path


@pytest.mark.parametrize(
    ("callee", "source", "code", "says"),
    [
        ("+15550100", "127.0.0.1", 0, "let in"),
        ("+15550100", "203.0.113.7", 1, "LIN007"),
        ("+15550199", "127.0.0.1", 1, "LIN006"),
    ],
)
def test_explain_call_tells_the_clause(
    root: Path, capsys: pytest.CaptureFixture[str], callee: str, source: str, code: int, says: str
) -> None:
    """No server is asked; the exit code says whether the call is let in."""
    assert doctor.explain_call(root, callee, "", source, as_json=False) == code
    text = capsys.readouterr().out
    assert says in text
    assert callee not in text
    assert doctor.explain_call(root, callee, "", source, as_json=True) == code
    assert json.loads(capsys.readouterr().out)["accepted"] is (code == 0)


def test_explain_call_wants_an_address(root: Path) -> None:
    """A name is no address of a packet."""
    with pytest.raises(VoicestackError, match="no IPv4 address"):
        doctor.explain_call(root, "+15550100", "", "phone.example", as_json=False)


def test_no_call_of_the_past_is_not_healthy(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing seen: exit code 2, and what would decide."""
    assert doctor.diagnose(root, doctor.Order(past_call="")) == 2
    assert "to decide" in capsys.readouterr().out


def test_a_bundle_never_overwrites(root: Path, tmp_path: Path) -> None:
    """A bundle beside a finding; the second time the name is taken."""
    order = doctor.Order(quick=True, as_json=True, bundle=tmp_path / "bundle.tar.gz")
    assert doctor.diagnose(root, order) == 1
    with pytest.raises(doctor.BundleError):
        doctor.diagnose(root, order)
