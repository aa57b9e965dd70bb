"""A set-up that was killed goes on where it was."""

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.unit.setup.fakes import FakeHub, url_path, weight_file

BODY = bytes(range(256)) * 8192  # 2 MiB
FILE = weight_file("model.bin", BODY)

PROGRAM = """
import json, sys
from pathlib import Path

import pytest
from voicestack.setup.hub import Hub
from voicestack.setup.manifest import Model, Source, Variant, WeightFile
from voicestack.setup.packages import Packages
from voicestack.setup.progress import Plain
from voicestack.setup.steps import run_all
from voicestack.setup.weights import WeightsStep

given = json.loads(sys.argv[1])
cache = Path(given["cache"])
file = WeightFile("model.bin", given["size"], given["sha256"], ("model.bin",))
model = Model("tiny", "stt", "", "", (Variant(Source.HUB, (file,), "org/model", "a" * 40),))
step = WeightsStep({"tiny": model}, (("stt", "tiny"),), cache, "auto",
    Hub(cache / "downloads", given["endpoint"]), Packages(cache / "none", cache / "downloads"))
print(json.dumps([each.as_json() for each in run_all([step], Plain())]))
"""


def test_killed_download_is_resumed(hub: FakeHub, tmp_path: Path) -> None:
    """SIGKILL half-way: nothing has the final name; the next run fetches only the rest."""
    hub.files[url_path("model.bin")] = BODY
    hub.hold = threading.Event()
    given = {"cache": str(tmp_path), "size": len(BODY), "sha256": FILE.sha256}
    command = [sys.executable, "-c", PROGRAM, json.dumps(given | {"endpoint": hub.endpoint})]
    part = tmp_path / "downloads" / f"{FILE.sha256}.part"
    target = tmp_path / "models" / "tiny" / "model.bin"

    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as first:
        assert hub.half_sent.wait(60)
        wait_for_size(part, minimum=len(BODY) // 4, process=first)
        first.send_signal(signal.SIGKILL)
    had = part.stat().st_size
    assert not target.exists()

    hub.hold.set()
    hub.hold = None
    hub.ranges.clear()
    again = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=30)
    assert [each["state"] for each in json.loads(again.stdout)] == ["done"]
    assert hub.ranges == [f"bytes={had}-"]
    assert target.read_bytes() == BODY


def wait_for_size(path: Path, *, minimum: int, process: subprocess.Popen[bytes]) -> None:
    """The other process has no event to give: watch the file that it writes, while it lives."""
    while not path.exists() or path.stat().st_size < minimum:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.02)
