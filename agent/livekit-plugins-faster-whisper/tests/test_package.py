"""What makes the package a plugin."""

import subprocess
import sys
from pathlib import Path

import pytest
from livekit.agents import Plugin
from livekit.plugins import faster_whisper

from faster_whisper_engine import weights

ROOT = Path(__file__).parents[1]


def test_livekit_stays_a_namespace() -> None:
    """An `__init__.py` in livekit/ or livekit/plugins/ would hide the framework."""
    assert not (ROOT / "livekit" / "__init__.py").exists()
    assert not (ROOT / "livekit" / "plugins" / "__init__.py").exists()
    assert (ROOT / "livekit" / "plugins" / "faster_whisper" / "py.typed").exists()


def test_the_plugin_is_registered() -> None:
    """`python -m livekit.agents download-files` finds it."""
    (plugin,) = [
        each for each in Plugin.registered_plugins if each.package == faster_whisper.__name__
    ]
    assert plugin.version == faster_whisper.__version__


def test_download_files_is_content_with_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights that are there are not fetched."""
    for name in weights.NEEDED:
        (tmp_path / name).touch()
    monkeypatch.setenv("FASTER_WHISPER_MODEL", str(tmp_path))
    monkeypatch.setattr(weights, "download", lambda _: pytest.fail("asked the hub"))
    (plugin,) = [
        each for each in Plugin.registered_plugins if each.package == faster_whisper.__name__
    ]
    plugin.download_files()


def test_the_engine_does_not_import_the_framework() -> None:
    """It starts in a third of the time without."""
    script = (
        "import sys, faster_whisper_engine.__main__;"
        "sys.exit('livekit.agents' in sys.modules or 'ctranslate2' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_capabilities() -> None:
    """What the session asks for before it uses a feature."""
    capabilities = faster_whisper.STT(model="anywhere").capabilities
    assert capabilities.streaming
    assert capabilities.interim_results
    assert capabilities.offline_recognize
    assert capabilities.keyterms
    assert capabilities.manual_flush
