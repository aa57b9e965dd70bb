"""The baseline: an agent as LiveKit's documentation builds it, on the same models.

Whisper behind the framework's StreamAdapter, default endpointing, default sentences. Only the load
function and the local turn detector differ from the defaults: without them it would refuse calls on
a busy machine, or ask a cloud.
"""

import asyncio
from typing import Any

import numpy as np
from faster_whisper import WhisperModel
from livekit import rtc
from livekit.agents import (
    Agent,
    AgentServer,
    AgentSession,
    JobContext,
    JobProcess,
    cli,
    inference,
    stt,
    tts,
    utils,
)
from livekit.plugins import openai

from voice_agent import ready
from voice_agent.agents import receptionist
from voice_agent.settings import load

settings = load()
WHISPER_RATE_HZ = 16_000


class BatchWhisper(stt.STT):
    """`transcribe()` of the whole utterance once it is over."""

    def __init__(self) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=False, interim_results=False))
        self._model = WhisperModel(settings.stt_model, compute_type="int8", local_files_only=True)

    async def _recognize_impl(self, buffer: utils.AudioBuffer, **_: Any) -> stt.SpeechEvent:
        frame = rtc.combine_audio_frames(buffer)
        resampler = rtc.AudioResampler(frame.sample_rate, WHISPER_RATE_HZ)
        sixteen = rtc.combine_audio_frames([*resampler.push(frame), *resampler.flush()])
        samples = np.frombuffer(sixteen.data, np.int16).astype(np.float32) / 32768

        def work() -> str:
            segments, _info = self._model.transcribe(samples, language="en")
            return " ".join(segment.text.strip() for segment in segments)

        data = stt.SpeechData(language="en", text=await asyncio.to_thread(work))  # type: ignore[arg-type]
        return stt.SpeechEvent(type=stt.SpeechEventType.FINAL_TRANSCRIPT, alternatives=[data])


def prewarm(process: JobProcess) -> None:
    """Load the model before the call, as the examples do."""
    process.userdata["stt"] = BatchWhisper()


server = AgentServer(
    ws_url=settings.livekit_url,
    api_key=settings.livekit_api_key,
    api_secret=settings.livekit_api_secret,
    load_fnc=lambda: 0.0,
    num_idle_processes=1,
    host="127.0.0.1",
    port=settings.agent_health_port,
    initialize_process_timeout=60.0,
    setup_fnc=prewarm,
)


@server.rtc_session(agent_name=settings.agent_name)
async def answer_call(ctx: JobContext) -> None:
    """Join, greet, talk."""
    ours = receptionist.Receptionist(settings)
    speech = openai.TTS(
        model="piper",
        voice="default",
        base_url=settings.tts_url,
        api_key="local",
        response_format="pcm",
    )
    model = openai.LLM(
        model=settings.llm_model,
        base_url=settings.llm_url,
        api_key="local",
        max_completion_tokens=80,
    )
    session = AgentSession[None](
        stt=stt.StreamAdapter(stt=ctx.proc.userdata["stt"], vad=inference.VAD()),
        llm=model,
        tts=tts.StreamAdapter(tts=speech),
        turn_handling={
            "turn_detection": inference.TurnDetector(version="v1-mini"),
            "interruption": {"mode": "vad"},
        },
    )
    agent = Agent(instructions=ours.instructions, chat_ctx=ours.chat_ctx)
    await session.start(agent=agent, room=ctx.room, record=False)
    await ctx.wait_for_participant()
    await session.say(receptionist.greeting(settings))


if __name__ == "__main__":
    ready.mark_when_registered(server, settings.state_dir)
    cli.run_app(server)
