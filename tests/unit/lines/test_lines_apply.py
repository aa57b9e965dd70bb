"""Applying lines to a real livekit-server: idempotent, minimal, and never what is not ours."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from livekit import api
from livekit.protocol.sip import SIPDispatchRule, SIPDispatchRuleDirect
from tests.servers import KEY, SECRET, Servers
from tests.unit.lines.test_lines_plan import LINE, NETWORKS

from voicestack import credentials
from voicestack.errors import ApplyError
from voicestack.lines.apply import switchboard
from voicestack.lines.model import Digest, Line
from voicestack.lines.plan import Plan
from voicestack.lines.wanted import wanted

ROOT = Path(__file__).parents[3]


async def apply(server: Servers, *lines: Line) -> list[str]:
    async with switchboard(server.url, KEY, SECRET) as board:
        plan: Plan = await board.apply([wanted(line, NETWORKS) for line in lines])
    return [str(step) for step in plan.steps]


async def test_a_second_time_changes_nothing(server: Servers) -> None:
    """Every key of a line survives the way through the server unchanged."""
    lines = (
        LINE,
        replace(LINE, number="+15550101", digest=Digest("desk", "s" * 20), hide_number=False),
        replace(LINE, number="+15550102", sources=(), digest=Digest("desk", "t" * 20)),
    )
    assert len(await apply(server, *lines)) == 6
    assert await apply(server, *lines) == []


async def test_ids_stay_when_a_line_changes(server: Servers) -> None:
    """Replaced in place: there is no moment without the line."""
    await apply(server, LINE)
    async with switchboard(server.url, KEY, SECRET) as board:
        before = await board.look()
        assert await apply(server, replace(LINE, agent="bob", ring_timeout_s=9)) == [
            "replace trunk +15550100 ringing_timeout",
            "replace rule +15550100 room_config",
        ]
        after = await board.look()
    assert before.trunks[0].sip_trunk_id == after.trunks[0].sip_trunk_id
    assert before.rules[0].sip_dispatch_rule_id == after.rules[0].sip_dispatch_rule_id
    assert after.rules[0].room_config.agents[0].agent_name == "bob"
    assert list(after.rules[0].trunk_ids) == [after.trunks[0].sip_trunk_id]


async def test_a_removed_password_is_really_gone(server: Servers) -> None:
    """Replacing means that nothing of the old trunk stays."""
    await apply(server, replace(LINE, digest=Digest("desk", "s" * 20)))
    await apply(server, LINE)
    async with switchboard(server.url, KEY, SECRET) as board:
        assert (await board.look()).trunks[0].auth_password == ""


async def test_a_removed_line_is_deleted(server: Servers) -> None:
    """Nothing of it is left."""
    other = replace(LINE, number="+15550101")
    await apply(server, LINE, other)
    assert await apply(server, other) == ["delete rule +15550100", "delete trunk +15550100"]
    assert await apply(server) == ["delete rule +15550101", "delete trunk +15550101"]


async def test_what_redis_forgot_comes_back(server: Servers) -> None:
    """All of it, or half."""
    await apply(server, LINE)
    server.forget_lines()
    assert await apply(server, LINE) == ["create trunk +15550100", "create rule +15550100"]
    async with api.LiveKitAPI(server.url, KEY, SECRET) as client:
        (trunk,) = (await client.sip.list_inbound_trunk(api.ListSIPInboundTrunkRequest())).items
        await client.sip.delete_trunk(api.DeleteSIPTrunkRequest(sip_trunk_id=trunk.sip_trunk_id))
    assert await apply(server, LINE) == [
        "create trunk +15550100",
        "replace rule +15550100 trunk_ids",
    ]


async def test_others_are_left_alone_and_conflicts_change_nothing(server: Servers) -> None:
    """A trunk made by hand with our number: said, and nothing touched."""
    async with api.LiveKitAPI(server.url, KEY, SECRET) as client:
        trunk = api.SIPInboundTrunkInfo(name="pbx", numbers=["15550100"])
        made = await client.sip.create_inbound_trunk(api.CreateSIPInboundTrunkRequest(trunk=trunk))
        direct = SIPDispatchRule(dispatch_rule_direct=SIPDispatchRuleDirect(room_name="lobby"))
        await client.sip.create_dispatch_rule(
            api.CreateSIPDispatchRuleRequest(
                dispatch_rule=api.SIPDispatchRuleInfo(rule=direct, trunk_ids=[made.sip_trunk_id])
            )
        )
    with pytest.raises(ApplyError, match=made.sip_trunk_id) as caught:
        await apply(server, LINE, replace(LINE, number="+15550101"))
    assert caught.value.hint
    assert len(await apply(server, replace(LINE, number="+15550101"))) == 2
    assert len(await apply(server)) == 2
    async with switchboard(server.url, KEY, SECRET) as board:
        found = await board.look()
    assert [each.name for each in found.trunks] == ["pbx"]
    assert len(found.rules) == 1


async def test_a_wrong_secret_says_where_to_look(server: Servers) -> None:
    """Not a stack trace."""
    async with switchboard(server.url, KEY, SECRET[::-1]) as board:
        with pytest.raises(ApplyError, match="does not accept") as caught:
            await board.look()
    assert "STATE_DIR/secrets" in caught.value.hint


async def test_nobody_there(server: Servers) -> None:
    """A port that nobody listens on."""
    url = f"http://127.0.0.1:{server.ports['https']}"
    async with switchboard(url, KEY, SECRET) as board:
        with pytest.raises(ApplyError, match="cannot be reached"):
            await board.look()


async def test_something_else_there(server: Servers) -> None:
    """Redis on the port of livekit-server answers something, but not that."""
    url = f"http://127.0.0.1:{server.ports['redis']}"
    async with switchboard(url, KEY, SECRET) as board:
        with pytest.raises(ApplyError):
            await board.look()


def test_the_command_shows_and_compares(server: Servers, tmp_path: Path) -> None:
    """`lines.py`: 0 fine, 1 differs, 2 wrong and nothing changed; stdout is data."""
    folder = tmp_path / ".state/secrets"
    folder.mkdir(parents=True, mode=0o700)
    (tmp_path / "sip").mkdir()
    (tmp_path / "sip/lines.yaml").write_bytes((ROOT / "sip/lines.yaml").read_bytes())
    for name in credentials.NAMES:
        (folder / name).write_text(KEY if name == "livekit_api_key" else SECRET)
        (folder / name).chmod(0o600)
    base = server.ports["livekit_http"]
    environ = {"PATH": os.environ["PATH"], "STACK_PORT_BASE": str(base)}

    def lines(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "scripts/lines.py"), *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
        )

    shown = lines("show", "--json")
    assert json.loads(shown.stdout)["lines"][0]["number"] == "+15550100"
    changes = ["create trunk +15550100", "create rule +15550100"]
    first = lines("diff", "--json")
    assert (first.returncode, json.loads(first.stdout)) == (1, {"changes": changes})
    assert lines("apply").stdout.splitlines() == changes
    second = lines("diff")
    assert (second.returncode, second.stdout) == (0, "no changes\n")
    (tmp_path / "sip/lines.yaml").write_text("version: 1\nlines: [3]\n")
    bad = lines("apply")
    assert bad.returncode == 2
    assert "lines.yaml:2" in bad.stderr
