"""From one archive to an answered call on a machine that has nothing and no way out."""

import json
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.stack.conftest import HEALED_S
from tests.stack.engine import Engine, clean
from tests.stack.world import SCRIPT_S, World


@pytest.mark.long
@pytest.mark.usefixtures("repository")
def test_a_machine_without_a_way_out_answers(stack: World, tmp_path: Path) -> None:
    """Packed here, installed on an engine that has no image; then that one's stack is called."""
    archive, there = tmp_path / "voicestack.tar", tmp_path / "there"
    packed = stack.script("airgap", "pack", str(archive), "--json")
    assert packed.returncode == 0, packed.stderr
    stack.compose("down", "--timeout", "5")
    program = tmp_path / "install.py"
    program.write_bytes(subprocess.check_output(["tar", "-xOf", archive, "install.py"]))
    with tempfile.TemporaryDirectory(prefix="voicestack-engine-") as folder:
        scratch = Path(folder)
        empty = Engine(scratch, stack.stack_ns, tmp_path / "data")
        try:
            empty.start()
            assert not empty.docker("image", "ls", "--quiet")
            done = subprocess.run(
                ["/usr/bin/python3", program, archive, there, "--sha256",
                 json.loads(packed.stdout)["sha256"]],
                env=empty.environment, capture_output=True, text=True, check=False,
                timeout=SCRIPT_S,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            other = World(there, empty, stack.stack_ns, stack.phone_ns)
            other.up()
            other.answered_within(HEALED_S)
            empty.forget()
        finally:
            empty.stop()
            clean(scratch)
            stack.up()  # the tests after this one want a stack, whatever came of it
