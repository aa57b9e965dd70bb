"""Speech to text with Whisper, in this machine."""

import asyncio
import weakref

import numpy as np
from livekit import rtc
from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectionError,
    APIConnectOptions,
    NotGivenOr,
    stt,
    utils,
)
from livekit.agents.language import LanguageCode
from livekit.agents.utils import is_given

from faster_whisper_engine import weights
from faster_whisper_engine.transcriber import Request, Transcript
from faster_whisper_engine.whisper import RATE_HZ

from . import offline
from .engine import Engine, EngineError, local_engine
from .options import Options
from .remote import RemoteEngine
from .shared import shared_socket
from .stream import SpeechStream, mono


class STT(stt.STT[str]):
    """Whisper on CTranslate2, with streams that know the words when the speaker stops."""

    def __init__(
        self,
        *,
        model: str = weights.DEFAULT_MODEL,
        language: str | None = "en",
        compute_type: str = "int8",
        cpu_threads: int = 2,
        hotwords: list[str] | None = None,
        interim_results: bool = True,
        end_silence_s: float = 0.25,
        engine: Engine | None = None,
    ) -> None:
        """
        Args:
            model: folder of a CTranslate2 model, or a name in the hub's cache ("base", "small").
            language: ISO 639-1 code; None detects it on the first two seconds of speech.
            compute_type: of CTranslate2; int8 is fastest on a CPU.
            cpu_threads: threads of one decoding.
            hotwords: names and terms to expect.
            interim_results: text while the speaker speaks; costs a quarter of a core per speaker.
            end_silence_s: silence after which an utterance is FINAL without a flush.
            engine: where to decode; else the worker's shared engine (`use_shared_engine`) if it has
                one, else this process, with one model for all `STT`s alike.
        """
        super().__init__(
            capabilities=stt.STTCapabilities(
                streaming=True,
                interim_results=interim_results,
                offline_recognize=True,
                keyterms=True,
                manual_flush=True,
            )
        )
        self._model = model
        self._options = Options(
            language=language,
            hotwords=list(hotwords or []),
            interim_results=interim_results,
            end_silence_s=end_silence_s,
        )
        self._engine = engine or _engine(model, compute_type, cpu_threads)
        self._streams: weakref.WeakSet[SpeechStream] = weakref.WeakSet()

    @property
    def model(self) -> str:
        """Name of the model, for metrics."""
        return self._model.rstrip("/").rsplit("/", 1)[-1]

    @property
    def provider(self) -> str:
        """Who does the work, for metrics."""
        return "faster-whisper"

    def prewarm(self) -> None:
        """Load the model, or connect to it, before the first call."""
        self._engine.prewarm()

    def update_options(
        self,
        *,
        language: NotGivenOr[str | None] = NOT_GIVEN,
        hotwords: NotGivenOr[list[str]] = NOT_GIVEN,
    ) -> None:
        """Change the language or the hotwords, for open streams as well."""
        if is_given(language):
            self._options.language = language
        if is_given(hotwords):
            self._options.hotwords = list(hotwords)
        for stream in self._streams:
            stream.options_changed()

    def _update_session_keyterms(self, keyterms: list[str]) -> None:
        self._options.keyterms = list(keyterms)

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> SpeechStream:
        """Open a stream for one speaker."""
        stream = SpeechStream(
            owner=self,
            engine=self._engine,
            options=self._options,
            language=language if is_given(language) else self._options.language,
            conn_options=conn_options,
        )
        self._streams.add(stream)
        return stream

    async def aclose(self) -> None:
        """Close all streams. The engine stays: other sessions of this process use it."""
        for stream in list(self._streams):
            await stream.aclose()

    async def _recognize_impl(
        self,
        buffer: utils.AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions,
    ) -> stt.SpeechEvent:
        chosen = language if is_given(language) else self._options.language
        samples = _samples(buffer)
        found: list[Transcript] = []
        try:
            # A recording may be long: cutting it up takes a millisecond a second.
            for piece in await asyncio.to_thread(offline.pieces, samples, RATE_HZ):
                request = Request(piece, language=chosen, prompt=self._options.prompt())
                found.append(await self._engine.transcribe(request))
                chosen = chosen or found[-1].language
        except EngineError as error:
            raise APIConnectionError(str(error)) from error
        data = stt.SpeechData(
            language=LanguageCode(found[0].language if found else chosen or ""),
            text=" ".join(each.text for each in found if each.text),
            end_time=len(samples) / RATE_HZ,
            confidence=min((each.confidence for each in found), default=0.0),
        )
        return stt.SpeechEvent(
            type=stt.SpeechEventType.FINAL_TRANSCRIPT,
            request_id=utils.shortuuid("stt_"),
            alternatives=[data],
        )


def _engine(model: str, compute_type: str, threads: int) -> Engine:
    local = local_engine(model, compute_type=compute_type, threads=threads)
    path = shared_socket()
    return local if path is None else RemoteEngine(path, model=model, fallback=local)


def _samples(buffer: utils.AudioBuffer) -> "np.typing.NDArray[np.int16]":
    """Make 16 kHz mono of whatever was recorded."""
    frame = rtc.combine_audio_frames(buffer)
    data = mono(frame)
    if frame.sample_rate != RATE_HZ:
        resampler = rtc.AudioResampler(frame.sample_rate, RATE_HZ)
        one = rtc.AudioFrame(data, frame.sample_rate, 1, len(data) // 2)
        pieces = [*resampler.push(one), *resampler.flush()]
        data = b"".join(bytes(piece.data) for piece in pieces)
    return np.frombuffer(data, np.int16)
