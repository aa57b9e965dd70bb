"""Ears, mind and voice of the agent, all of them local unless a setting says otherwise."""

import contextlib
import os
from dataclasses import dataclass

import httpx2
from livekit.agents import (
    Agent,
    APIConnectOptions,
    APIError,
    JobProcess,
    TurnHandlingOptions,
    inference,
    llm,
    tts,
)
from livekit.agents.voice.agent_session import SessionConnectOptions
from livekit.plugins import faster_whisper, openai
from openai import AsyncClient

from voice_agent import discreet
from voice_agent.clauses import ClauseTokenizer
from voice_agent.settings import AgentSettings, load

# A spoken answer longer than this is a lecture, or a model that cannot stop.
MAX_REPLY_TOKENS = 80
# A stage that says nothing for this long is down, as far as a person on the phone is concerned.
STAGE_TIMEOUT_S = 4.0


def build_stt(settings: AgentSettings) -> faster_whisper.STT:
    """Whisper on CTranslate2, one engine for all calls of the worker."""
    return faster_whisper.STT(
        model=settings.stt_model,
        language=None if settings.stt_language == "auto" else settings.stt_language,
        cpu_threads=ear_threads(settings),
        # Nobody reads along on a phone; a guess in the works would delay the one that counts.
        interim_results=False,
    )


def share_ears(settings: AgentSettings) -> None:
    """Start the one speech engine that the jobs of this worker share."""
    faster_whisper.use_shared_engine(model=settings.stt_model, cpu_threads=ear_threads(settings))


def ear_threads(settings: AgentSettings) -> int:
    """Return the threads of one decoding: nothing else can begin before it is done."""
    return settings.stt_threads or min(4, os.cpu_count() or 1)


def build_llm(settings: AgentSettings) -> openai.LLM:
    """Any OpenAI-compatible chat server."""
    # A model of 135 million parameters repeats itself; other servers may refuse the parameter.
    local = {"repeat_penalty": 1.1, "cache_prompt": True} if settings.llm_is_local else {}
    return openai.LLM(
        model=settings.llm_model,
        client=client(settings.llm_url, settings.llm_api_key),
        temperature=0.3,
        max_completion_tokens=MAX_REPLY_TOKENS,
        extra_body=local,
    )


def build_tts(settings: AgentSettings) -> tts.StreamAdapter:
    """Any OpenAI-compatible speech server, spoken to in clauses."""
    voice = openai.TTS(
        model=settings.tts_model,
        voice=settings.tts_voice,
        client=client(settings.tts_url, settings.tts_api_key),
        response_format="pcm",
    )
    return tts.StreamAdapter(tts=voice, sentence_tokenizer=ClauseTokenizer())


def client(url: str, api_key: str) -> AsyncClient:
    """Make a client of one server, that never retries by itself: the session does.

    Loading the authorities' certificates takes half a second at start; clear text needs none.
    """
    http = httpx2.AsyncClient(
        verify=url.startswith("https://"),
        timeout=httpx2.Timeout(STAGE_TIMEOUT_S),
        limits=httpx2.Limits(max_keepalive_connections=4, keepalive_expiry=120),
        event_hooks={"response": [refuse_pages]},
    )
    return AsyncClient(base_url=url, api_key=api_key, max_retries=0, http_client=http)


async def refuse_pages(response: httpx2.Response) -> None:
    """Take the web page of a broken proxy for an error: as audio it would be noise in an ear."""
    kind = response.headers.get("content-type", "")
    if response.is_success and kind.startswith("text/") and "event-stream" not in kind:
        raise httpx2.RemoteProtocolError(f"the model server answered with {kind}")


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The stages of one call."""

    stt: faster_whisper.STT
    llm: openai.LLM
    tts: tts.StreamAdapter


def prewarm(process: JobProcess) -> None:
    """Build the stages before the phone rings: each job process carries one call."""
    from voice_agent import preload  # noqa: F401 - imports the worker, which imports this module

    discreet.keep()
    settings = load()
    stages = Pipeline(stt=build_stt(settings), llm=build_llm(settings), tts=build_tts(settings))
    stages.stt.prewarm()
    process.userdata["pipeline"] = stages


async def warm_up(model: openai.LLM, agent: Agent) -> None:
    """Have the language model read the instructions while the greeting is spoken.

    llama.cpp keeps what it read: the first answer comes 1 s earlier (two cores, SmolLM2).
    """
    context = agent.chat_ctx.copy()
    context.add_message(role="user", content="Hello.")
    tools = llm.ToolContext(agent.tools).flatten()
    with contextlib.suppress(APIError):  # a server that is down is heard of at the first turn
        async with model.chat(chat_ctx=context, tools=tools) as stream:
            await anext(aiter(stream), None)  # leaving here ends the model's work


def turn_handling() -> TurnHandlingOptions:
    """When the caller has finished, and when he interrupts. Nothing here asks a cloud."""
    return TurnHandlingOptions(
        # Unset, the version is the hosted "v1" in dev mode (agents 1.8.9, inference/eot/).
        turn_detection=inference.TurnDetector(version="v1-mini"),
        # 0.3 s is the least that the detector needs. It takes half of the recorded sentences in our
        # tests for unfinished: those wait for max_delay, so that one is what callers feel.
        endpointing={"min_delay": 0.3, "max_delay": 0.6},
        # "adaptive" would ask the hosted gateway (inference/interruption.py).
        # Callers expect silence within 0.4 s of their first sound, and 0.2 s of that is the way;
        # a cough pauses the agent too, and it goes on by itself.
        interruption={"mode": "vad", "min_duration": 0.06, "false_interruption_timeout": 1.2},
        # Think and speak on the early transcript; what was spoken for a wrong one is thrown away.
        preemptive_generation={"enabled": True, "preemptive_tts": True},
    )


def connect_options() -> SessionConnectOptions:
    """One quick retry, then rescue.py tells the caller; the session never closes for it."""
    stage = APIConnectOptions(max_retry=1, retry_interval=0.1, timeout=STAGE_TIMEOUT_S)
    return SessionConnectOptions(
        stt_conn_options=APIConnectOptions(max_retry=3, retry_interval=0.2, timeout=10.0),
        llm_conn_options=stage,
        tts_conn_options=stage,
        max_unrecoverable_errors=1_000_000,
    )
