"""Kamailio as registrar/kamailio.cfg.j2 sets it up, between phones and a gateway that are ours."""

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from tests.calls import baresip

from voicestack import credentials, ports, settings
from voicestack.lines import phones
from voicestack.lines.model import Phone as Account
from voicestack.native import leftovers, render
from voicestack.native.paths import Paths
from voicestack.native.services import KAMAILIO, Service, registrar
from voicestack.native.supervisor import MARK
from voicestack.network import REGISTRAR
from voicestack.phone import Call, CallRefused, Credentials, NoAnswer, Phone
from voicestack.phone.wire.sip import Dialog
from voicestack.registrar import table

pytestmark = [
    pytest.mark.skipif(
        not shutil.which(KAMAILIO), reason="no Kamailio: make setup installs it with --dev"
    ),
    pytest.mark.calls,
]
ROOT = Path(__file__).resolve().parents[3]
SECRETS = {"anna": "secret-of-anna", "bert": "secret-of-bert"}
NUMBERS = {"anna": "+15550201", "bert": "+15550202"}
LINE = "+15550100"
WITHIN_S = 15.0


@dataclass
class Running:
    """A registrar and where it is."""

    outside: tuple[str, int]
    inside: tuple[str, int]
    gateway_port: int
    tables: Path
    log: Path

    @contextlib.asynccontextmanager
    async def gateway(self) -> AsyncIterator[Phone]:
        """What livekit-sip is to the registrar."""
        async with Phone(user=LINE, port=self.gateway_port, takes_calls=True) as phone:
            yield phone


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("registrar")
    with prepared(folder) as (one, service, environ), started(one, service, environ):
        yield one


@contextlib.contextmanager
def prepared(folder: Path) -> Iterator[tuple[Running, Service, dict[str, str]]]:
    """All that Kamailio reads, rendered."""
    values = {
        "STATE_DIR": str(folder / "state"),
        "LISTEN": "loopback",
        "REGISTRAR": "on",
        "STACK_PORT_BASE": str(ports.free_base()),
    }
    held = settings.load(folder, environ=values)
    numbers, paths = ports.resolve(held), Paths.of(held, ROOT)
    paths.make()
    files = render.server_files(held, numbers, credentials.ensure(held), paths)
    render.write_private(paths.config / "kamailio.cfg", files["registrar"]["kamailio.cfg"])
    write(table.folder(held), SECRETS)
    outside, inside = (("127.0.0.1", numbers["registrar"]), (str(REGISTRAR), numbers["registrar"]))
    made = Running(outside, inside, numbers["sip"], table.folder(held), folder / "log")
    try:
        yield made, registrar(numbers, paths), {**os.environ, MARK: str(paths.state)}
    finally:
        leftovers.end(leftovers.find(paths.state))
        paths.remove_short()


@contextlib.contextmanager
def started(
    one: Running, service: Service, environ: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Kamailio, listening."""
    with one.log.open("ab") as output:
        process = subprocess.Popen(
            service.command, stdout=output, stderr=output, env=environ, cwd=ROOT
        )
    try:
        until_listening(str(service.ready["exec"]["command"]), process)
        yield process
    finally:
        process.terminate()
        process.wait(20)


def until_listening(probe: str, process: subprocess.Popen[bytes]) -> None:
    """Wait with the probe of the native runtime."""
    for _ in range(200):
        assert process.poll() is None, "Kamailio ended"
        if subprocess.run(probe, shell=True, check=False, capture_output=True).returncode == 0:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
    raise AssertionError("Kamailio does not listen")


def write(folder: Path, passwords: dict[str, str]) -> None:
    known = [
        Account(user, NUMBERS[user], phones.ha1(user, password))
        for user, password in passwords.items()
    ]
    table.write(known, folder)


def phone(user: str, password: str = "", *, ip: str = "127.0.0.1", rings: bool = False) -> Phone:
    """A phone that knows a password, the right one unless told."""
    proof = Credentials(user, password or SECRETS[user])
    return Phone(ip, user=user, credentials=proof, takes_calls=rings)


async def register(one: Phone, running: Running) -> int:
    """REGISTER, as softphones do it; the status of the answer."""
    dialog = Dialog.outgoing(
        user=one.user, number=one.user, server=running.outside, contact=one.address
    )
    arrived = await one._ask(dialog, dialog.request("REGISTER"))
    return arrived.response.status_code


async def answered(side: Phone) -> Call:
    """Pick up."""
    async with asyncio.timeout(WITHIN_S):
        incoming = await side.incoming_call()
    incoming.ring()
    return incoming.accept()


async def ended(call: Call) -> None:
    async with asyncio.timeout(WITHIN_S):
        await call.ended.wait()


@pytest.mark.parametrize("dialled", [LINE, "15550100", "0015550100"])
async def test_a_phone_calls_a_line(running: Running, dialled: str) -> None:
    """From the address that means phones; sound goes straight; whoever hangs up, both know."""
    async with running.gateway() as gateway, phone("anna") as anna:
        for hangs_up in ("phone", "gateway"):
            dialling = asyncio.create_task(anna.dial(dialled, server=running.outside))
            theirs = await answered(gateway)
            ours = await dialling
            if hangs_up == "phone":
                await ours.hang_up()
                await ended(theirs)
            else:
                await theirs.hang_up()
                await ended(ours)


async def test_the_gateway_sees_where_calls_of_phones_come_from(running: Running) -> None:
    """127.200.0.1, which lines know as `phones`; credentials stay outside."""
    async with running.gateway() as gateway, phone("anna") as anna:
        dialling = asyncio.create_task(anna.dial(LINE, server=running.outside))
        async with asyncio.timeout(WITHIN_S):
            incoming = await gateway.incoming_call()
        assert incoming._source == running.inside
        assert incoming.invite.uri.startswith(f"sip:{LINE}@")
        assert incoming.caller == "anna"
        assert incoming.invite.get_header("proxy-authorization") is None
        incoming.refuse(486, "Busy Here")
        with pytest.raises(CallRefused, match="486"):
            await dialling


async def test_an_agent_calls_a_phone_by_its_number(running: Running) -> None:
    """Once it has registered; before, it is not there. A number of nobody is a wrong number."""
    async with running.gateway() as gateway, phone("bert", rings=True) as bert:
        with pytest.raises(CallRefused, match="480"):
            await gateway.dial(NUMBERS["bert"], server=running.inside)
        assert await register(bert, running) == 200
        for hangs_up in ("phone", "gateway"):
            dialling = asyncio.create_task(gateway.dial(NUMBERS["bert"], server=running.inside))
            theirs = await answered(bert)
            ours = await dialling
            await (theirs if hangs_up == "phone" else ours).hang_up()
            await ended(ours if hangs_up == "phone" else theirs)
        with pytest.raises(CallRefused, match="404"):
            await gateway.dial("+15550209", server=running.inside)


@pytest.mark.skipif(not shutil.which("baresip"), reason="no baresip: make setup --dev")
async def test_a_softphone_on_tcp(running: Running, tmp_path: Path) -> None:
    """baresip registers, calls, is called; the connection that it made is the way back to it."""
    address = "{}:{}".format(*running.outside)
    text = baresip.documented("accounts").replace("ADDRESS:5080", f"{address};transport=tcp")
    text = text.replace("PASSWORD", SECRETS["anna"]).replace("=manual", "=auto")
    async with (
        running.gateway() as gateway,
        baresip.running(tmp_path / "anna", text, None) as softphone,
    ):
        await softphone.registered()
        await softphone.command("dial", LINE)
        call = await answered(gateway)
        await softphone.event("CALL_ESTABLISHED")
        await call.hang_up()
        await softphone.event("CALL_CLOSED")
        call = await gateway.dial(NUMBERS["anna"], server=running.inside)
        await softphone.event("CALL_ESTABLISHED")
        await call.hang_up()
        await softphone.event("CALL_CLOSED")


async def test_who_proves_nothing_gets_nowhere(running: Running) -> None:
    """No password, a wrong one, an unknown user, somebody else's name, another's place."""
    async with running.gateway() as gateway:
        async with Phone(user="anna") as nobody:
            with pytest.raises(CallRefused, match="407"):
                await nobody.dial(LINE, server=running.outside)
            assert await register(nobody, running) == 401
            # Phones are called through livekit-sip alone: another program here hears nothing.
            with pytest.raises(NoAnswer):
                await nobody.dial(NUMBERS["anna"], server=running.inside, ring_timeout_s=1)
        for user in ("anna", "nobody"):
            async with phone(user, "guess", ip="127.0.0.7") as guesser:
                with pytest.raises(CallRefused, match="407"):
                    await guesser.dial(LINE, server=running.outside)
        other = Phone(user="bert", credentials=Credentials("anna", SECRETS["anna"]))
        async with other as impostor:
            with pytest.raises(CallRefused, match="403"):
                await impostor.dial(LINE, server=running.outside)
            assert await register(impostor, running) == 403
        assert gateway._doorbell.rings.empty()


async def test_requests_inside_no_call_reach_nobody(running: Running) -> None:
    """A BYE or an UPDATE that somebody made up is not passed on."""
    async with running.gateway() as gateway, phone("anna") as anna:
        for method in ("BYE", "UPDATE", "MESSAGE"):
            dialog = Dialog.outgoing(
                user="anna", number=LINE, server=running.outside, contact=anna.address
            )
            request = dialog.request(method)
            request.set_header("To", f"<sip:{LINE}@127.0.0.1>;tag=made-up")
            anna.tell(request, running.outside)
        # Answered after them, on the same socket: what is to be silent has been silent.
        assert (await anna.options(running.outside)).response.status_code == 200
        assert gateway.malformed_datagrams == 0
        assert gateway.calls == []


async def test_a_silent_line_is_told_to_the_phone(running: Running) -> None:
    """livekit-sip rings once where it lets nobody in, and drops the call: 408 after 8 seconds."""
    async with running.gateway() as gateway, phone("anna") as anna:
        dialling = asyncio.create_task(anna.dial(LINE, server=running.outside))
        async with asyncio.timeout(WITHIN_S):
            (await gateway.incoming_call()).ring()
        with pytest.raises((CallRefused, NoAnswer), match="408"):
            await dialling


async def test_a_new_password_holds_within_seconds(running: Running) -> None:
    """Without a restart; and who is taken out of the table is out."""
    write(running.tables, {"anna": "new-secret-of-anna"})
    try:
        async with phone("anna", "new-secret-of-anna", ip="127.0.0.11") as anna:
            await until_registered(anna, running)
        async with phone("anna", ip="127.0.0.12") as old, phone("bert", ip="127.0.0.12") as gone:
            assert await register(old, running) == 401
            assert await register(gone, running) == 401
    finally:
        write(running.tables, SECRETS)
        async with phone("bert", ip="127.0.0.13") as bert:
            await until_registered(bert, running)


async def until_registered(one: Phone, running: Running) -> None:
    """The tables are looked at every two seconds; who tries too often is not heard any more."""
    async with asyncio.timeout(WITHIN_S):
        while await register(one, running) != 200:
            await asyncio.sleep(1)


async def test_who_guesses_is_not_heard_any_more(running: Running) -> None:
    """Ten wrong passwords of one address; others go on, and no secret is in the log."""
    async with phone("anna", "guess", ip="127.0.0.9") as guesser:
        for _ in range(10):
            assert await register(guesser, running) == 401
        with pytest.raises(NoAnswer):
            await guesser.dial(LINE, server=running.outside, ring_timeout_s=1)
    async with phone("anna") as anna:
        assert await register(anna, running) == 200
    log = running.log.read_text()
    assert "wrong password from 127.0.0.9, number 10" in log
    assert not any(secret in log for secret in SECRETS.values())
    assert not any(number in log for number in NUMBERS.values())


@pytest.mark.parametrize("victim", ["Kamailio", "the program that watches it"])
async def test_killed_it_can_be_started_again(tmp_path: Path, victim: str) -> None:
    """Its children would go on and hold the ports; the supervisor sees an end, and starts anew."""
    with prepared(tmp_path) as (one, service, environ):
        with started(one, service, environ) as process:
            (kamailio,) = psutil.Process(process.pid).children()
            kamailio.kill() if victim == "Kamailio" else process.kill()
            process.wait(WITHIN_S)
        with started(one, service, environ):
            async with phone("anna") as anna:
                assert await register(anna, one) == 200
