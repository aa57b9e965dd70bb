"""Whisper for LiveKit Agents, on the CPU of this machine: livekit-plugins-faster-whisper."""

import os

from livekit.agents import Plugin

from faster_whisper_engine import weights

from .engine import Engine, EngineError
from .log import logger
from .shared import SharedEngine, use_shared_engine
from .stream import SpeechStream
from .stt import STT
from .version import __version__

__all__ = [
    "STT",
    "Engine",
    "EngineError",
    "SharedEngine",
    "SpeechStream",
    "__version__",
    "use_shared_engine",
]

# Names the model that `download-files` fetches.
MODEL_VARIABLE = "FASTER_WHISPER_MODEL"


class FasterWhisperPlugin(Plugin):
    """Registers the package with the framework."""

    def __init__(self) -> None:
        super().__init__(__name__, __version__, __package__ or __name__, logger)

    def download_files(self) -> None:
        """Fetch the weights from the model hub, unless a folder is named."""
        model = os.environ.get(MODEL_VARIABLE, weights.DEFAULT_MODEL)
        try:
            weights.folder(model)
        except weights.WeightsError:
            weights.download(model)


Plugin.register_plugin(FasterWhisperPlugin())
