"""Whisper for LiveKit Agents, on the CPU of this machine: livekit-plugins-faster-whisper."""

import os

from livekit.agents import Plugin

from . import weights
from .engine import Engine, EngineError
from .log import logger
from .stream import SpeechStream
from .stt import STT
from .version import __version__

__all__ = ["STT", "Engine", "EngineError", "SpeechStream", "__version__"]

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
