"""The worker: one process that registers with livekit-server and answers calls, each in a job."""

import asyncio
import logging
import math
import os

from livekit.agents import AgentServer, AgentSession, JobContext, JobRequest, room_io

from voice_agent import (
    agents,
    barge_in,
    callers,
    duty,
    gone,
    guard,
    headers,
    hold,
    latency,
    limits,
    occupancy,
    opening,
    pipeline,
    rescue,
    rpc,
    scope,
    warm,
)
from voice_agent.callee.pick_up import PickUp
from voice_agent.report import CallReport
from voice_agent.settings import DEV_SLOT, AgentSettings, load

log = logging.getLogger("voice_agent")

settings = load()

# livekit-server offers no job to a worker at 0.7 (pkg/service/agentservice.go, JobRequestAffinity).
FULL_LOAD = 0.6


def calls_share(server: AgentServer) -> float:
    """Return how full the worker is, by calls: a busy CPU lets no phone ring."""
    return FULL_LOAD * min(1.0, lines_in_use() / settings.max_calls)


def lines_in_use() -> int:
    """Count the calls that somebody is on, on this machine."""
    jobs = [job.job.id for job in server.active_jobs]
    return occupancy.in_use(settings.state_dir, settings.agent_slot, jobs)


server = AgentServer(
    ws_url=settings.livekit_url,
    api_key=settings.livekit_api_key,
    api_secret=settings.livekit_api_secret,
    load_fnc=calls_share,
    # Never "full": that word is up to 2.5 s old when a call comes, and a call refused by it is lost
    # for good (livekit-server has no second try). accept_while_free() decides on the spot.
    load_threshold=math.inf,
    # A warm process for each line that may ring, none for lines that cannot.
    num_idle_processes=min(settings.max_calls, os.cpu_count() or 1),
    drain_timeout=settings.drain_s,
    # The health page shows load and agent name: nobody else's business.
    host="127.0.0.1",
    port=settings.agent_health_port,
    # A first import on a busy machine takes longer than the default 10 s.
    initialize_process_timeout=60.0,
    job_memory_warn_mb=700,
    # Imported once for all calls, in the forkserver. That knows no arguments, and a developer's
    # worker, which is told by one, would get the name of the real one.
    preload_modules=[] if settings.agent_slot == DEV_SLOT else ["voice_agent.preload"],
    setup_fnc=pipeline.prewarm,
)


async def accept_while_free(request: JobRequest) -> None:
    """Take the call if a line is free; control offers a refused one again (control/guard.py)."""
    if not duty.is_ours(settings, request.job.metadata):
        await request.reject(terminate=False)  # the other worker is asked at once
        return
    if duty.trial_of(request.job.metadata):
        # One more than MAX_CALLS for some seconds: no caller hears busy because of a deploy.
        await request.accept(name=settings.agent_name)
        return
    if lines_in_use() >= settings.max_calls:
        log.warning("call refused, all lines busy", extra={"max_calls": settings.max_calls})
        # With terminate, its default, livekit-server would ask no other worker.
        await request.reject(terminate=False)
        return
    occupancy.reserve(settings.state_dir, settings.agent_slot, request.id)
    await request.accept(name=settings.agent_name)


@server.rtc_session(agent_name=settings.agent_name, on_request=accept_while_free)
async def answer_call(ctx: JobContext) -> None:
    """One job is one phone call."""
    ctx.log_context_fields = {"room": ctx.room.name}
    stages: pipeline.Pipeline = ctx.proc.userdata["pipeline"]  # ears, mind, voice
    named = agents.of(agents.wanted(ctx.job.agent_name, ctx.job.metadata))
    own = agents.tailored(named, settings)
    session = new_session(stages, own)
    scope.limit(session, scope.of_job(ctx))
    guard.watch(ctx.room, session, own)
    report = CallReport(ctx, settings, session)
    latency.log_turns(session, report.turn)
    rescue.watch(session)
    session.on("close", lambda _: warm.end_room(ctx))
    agent = named.make(own)
    await session.start(
        agent=agent,
        room=ctx.room,
        room_options=room_io.RoomOptions(
            # Half a frame of 50 ms, the default, is lost on every turn; and what the speech
            # recogniser and the detector of speech want is not made of 24 kHz, the default, by
            # resamplers that hold 60 ms back (livekit-agents 1.8.9, stt/stt.py: push_frame).
            audio_input=room_io.AudioInputOptions(sample_rate=16_000, frame_size_ms=20),
        ),
        record=False,
    )
    barge_in.stop_at_once(session)
    first = opening.Opening(ctx, session, own)
    reading = asyncio.create_task(pipeline.warm_up(stages.llm, agent))
    caller = await ctx.wait_for_participant()
    occupancy.watch(ctx, settings.state_dir, settings.agent_slot, caller)
    gone.watch(ctx, session, caller.identity)
    rpc.serve(ctx, session, caller)
    looking = asyncio.create_task(callers.find(settings, callers.number_of(caller)))
    await headers.tell(agent, caller)
    call = PickUp(ctx, session, stages, settings=own, report=report, opening=first)
    await call.answered(caller)
    customer = await callers.introduce(ctx, session, callers.number_of(caller), await looking)
    if await call.first_words(caller, agents.greeting(named, own, customer)):
        hold.watch(ctx, session, limits.watch(ctx, session, own), caller.identity)
        await reading


def new_session(stages: pipeline.Pipeline, own: AgentSettings) -> AgentSession[None]:
    """Put ears, mind and voice together for one call."""
    return AgentSession[None](
        stt=stages.stt,
        llm=stages.llm,
        tts=stages.tts,
        turn_handling=pipeline.turn_handling(),
        conn_options=pipeline.connect_options(),
        transcription_timeout=rescue.TRANSCRIPTION_TIMEOUT_S,
        # A phone cancels its own echo. The default is deaf to callers in its first three seconds.
        aec_warmup_duration=None,
        user_away_timeout=own.silence_s,
        # A caller who has hung up says nothing more that is worth a line being busy.
        session_close_transcript_timeout=0.1,
    )
