"""The baseline: an agent as LiveKit's documentation builds it, on the same models.

Whisper behind the framework's StreamAdapter, default endpointing, default sentences. Only the load
function and the local turn detector differ from the defaults: without them it would refuse calls on
a busy machine, or ask a cloud.
"""

from livekit.agents import (
    Agent,
    AgentServer,
    AgentSession,
    JobContext,
    JobProcess,
    cli,
    inference,
    tts,
)
from livekit.plugins import openai

from tests.bench.stt_plain import adapted
from voice_agent import ready
from voice_agent.agents import receptionist
from voice_agent.settings import load

settings = load()


def prewarm(process: JobProcess) -> None:
    """Load the model before the call, as the examples do."""
    process.userdata["stt"] = adapted(settings.stt_model, threads=0)


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
        stt=ctx.proc.userdata["stt"],
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
    ready.mark_when_registered(server, settings.state_dir, settings.agent_slot)
    cli.run_app(server)
