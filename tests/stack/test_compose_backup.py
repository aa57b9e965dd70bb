"""One file makes an empty machine answer as before."""

import json
from pathlib import Path

from tests.speech import Utterance
from tests.stack.conftest import HEALED_S
from tests.stack.world import World
from voicestack import settings

# A line of the operator's own, beside the one that comes with the project.
MINE = "+15550177"
LINE = f"""\
  - number: "{MINE}"
    agent: receptionist
    callers: {{from: [lan]}}
    room: mine-
"""


def test_a_backup_brings_everything_to_an_empty_machine(
    stack: World, question: Utterance, tmp_path: Path
) -> None:
    """Lines, settings, keys, history: the same call is answered. A running stack stays."""
    lines, env = settings.load(stack.checkout).lines_file, stack.checkout / ".env"
    original, file = lines.read_text(), tmp_path / "voicestack.backup"
    lines.write_text(original.replace("lines:\n", f"lines:\n{LINE}", 1))
    stack.answered_within(HEALED_S, MINE)
    before = (stack.secrets(), stack.calls(), env.read_text() if env.exists() else None)
    made = stack.script("backup", str(file), "--json")
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["size_bytes"] == file.stat().st_size
    assert file.stat().st_mode & 0o777 == 0o600
    refused = stack.script("restore", str(file))
    assert refused.returncode == 2
    assert "containers run" in refused.stderr
    stack.compose("down", "--timeout", "5")
    stack.forget_state()
    lines.write_text(original)
    env.unlink(missing_ok=True)
    back = stack.script("restore", str(file), "--json")
    stack.up()  # the tests after this one want a stack, whatever came of it
    assert back.returncode == 0, back.stderr
    assert str(lines.relative_to(stack.checkout)) in json.loads(back.stdout)["files"]
    after = (stack.secrets(), stack.calls(), env.read_text() if env.exists() else None)
    assert after == before
    report = stack.call(question.path, number=MINE)
    assert report["ok"], report
    lines.write_text(original)
