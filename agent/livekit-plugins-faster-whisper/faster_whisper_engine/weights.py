"""Where the weights of a model are: a folder, or a name that the hub's own cache knows."""

from pathlib import Path

DEFAULT_MODEL = "base"
NEEDED = ("model.bin", "config.json", "tokenizer.json")


class WeightsError(Exception):
    """The weights are not there, or not whole."""


def folder(model: str) -> Path:
    """Find the weights of `model` without asking the network."""
    path = Path(model).expanduser()
    if not path.is_dir():
        path = _cached(model)
    missing = [name for name in NEEDED if not (path / name).is_file()]
    if missing:
        raise WeightsError(
            f"the Whisper model in {path} lacks {', '.join(missing)}\n"
            "hint: give the folder of a CTranslate2 model, or fetch one with"
            " `python -m livekit.agents download-files`"
        )
    return path


def download(model: str = DEFAULT_MODEL) -> Path:
    """Fetch the weights from the model hub into its cache."""
    from faster_whisper.utils import download_model

    return Path(download_model(model))


def _cached(model: str) -> Path:
    from faster_whisper.utils import download_model

    try:
        return Path(download_model(model, local_files_only=True))
    except Exception as error:  # the hub's client raises many kinds
        raise WeightsError(
            f"the Whisper model {model!r} is neither a folder nor in the hub's cache\n"
            "hint: `python -m livekit.agents download-files`, or give the folder of a"
            " CTranslate2 model"
        ) from error
