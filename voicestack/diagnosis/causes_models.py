"""Causes on the agent's side: worker, ears, mind, voice."""

from voicestack.diagnosis.cause import Cause

WORKER, HEARING, THINKING, SPEAKING = "worker", "hearing", "thinking", "speaking"
MODEL_LOG = "read the log of that server; LLM_URL and TTS_URL in .env say which one it is"

TABLE: tuple[Cause, ...] = (
    Cause(
        "WRK001",
        WORKER,
        "the worker is not registered with livekit-server",
        "calls ring, and no agent comes",
        "`make logs S=agent` says why it cannot register",
    ),
    Cause(
        "WRK002",
        WORKER,
        "the worker does not answer",
        "its process runs, its health page does not answer: it hangs",
        "kill it: the supervisor starts it again",
    ),
    Cause(
        "WRK003",
        WORKER,
        "a line asks for a worker that is not there",
        "the job is offered under a name that nobody answers to: nobody comes to the phone",
        "take `worker:` out of that line of sip/lines.yaml, or start that worker",
    ),
    Cause(
        "WRK004",
        WORKER,
        "all lines are busy",
        "the worker has as many calls as MAX_CALLS allows; the next caller hears busy",
        "wait, or raise MAX_CALLS as far as the machine carries it",
    ),
    Cause(
        "WRK005",
        WORKER,
        "a second worker answers to the same name",
        "livekit-server shares calls out between both: some are answered elsewhere, or not at all",
        "stop the other one (a laptop with the same keys?), or give it another AGENT_NAME",
    ),
    Cause(
        "WRK006",
        WORKER,
        "a line names an agent that there is not",
        "the receptionist answers in its place",
        "one of the modules in agent/voice_agent/agents; `scripts/new_agent.py` makes another",
    ),
    Cause(
        "WRK099",
        WORKER,
        "the worker fails, cause unknown",
        "its health page says something that this table does not know",
        "`make logs S=agent`",
    ),
    Cause(
        "STT001",
        HEARING,
        "no speech engine runs",
        "the worker has nobody who writes down what callers say",
        "`make logs S=agent`; the worker starts the engine again by itself",
    ),
    Cause(
        "STT002",
        HEARING,
        "the speech engine does not answer in time",
        "it hangs, or the machine is too slow for this model",
        "wait ten seconds (a frozen engine is replaced), then a smaller STT_MODEL",
    ),
    Cause(
        "STT003",
        HEARING,
        "the speech engine did not understand a known sentence",
        "damaged weights, or a model that knows no English: callers may not be understood either",
        "check STT_MODEL; `.venv/bin/python scripts/setup.py --verify` reads the weights again",
    ),
    Cause(
        "STT004",
        HEARING,
        "the speech engine reports an error",
        "it was asked to write down a sentence and failed",
        "`make logs S=agent`",
    ),
    *(
        Cause(f"{prefix}{number:03}", leg, title.format(what=what), means, do)
        for prefix, leg, what in (("LLM", THINKING, "language model"), ("TTS", SPEAKING, "voice"))
        for number, title, means, do in (
            (
                1,
                "the {what}'s server cannot be reached",
                "nothing listens at its address, or a name does not resolve",
                MODEL_LOG,
            ),
            (
                2,
                "the {what}'s server answers with an error",
                "it is up and cannot do its work: out of memory, no such voice, overloaded",
                MODEL_LOG,
            ),
            (
                3,
                "the {what}'s server does not answer in time",
                "it hangs or is still loading: callers hear an apology",
                MODEL_LOG,
            ),
            (
                4,
                "the {what} is slow",
                "it answers, but later than a person waits on the phone",
                "a smaller model or a faster machine; the first request after a start is slowest",
            ),
            (
                5,
                "what answers is no {what}",
                "the answer is a web page or other text: a proxy, or a wrong address",
                MODEL_LOG,
            ),
            (
                6,
                "the {what} answers with nothing",
                "the answer is complete and empty: callers hear an apology",
                MODEL_LOG,
            ),
            (
                7,
                "the {what}'s server refuses our key",
                "HTTP 401 or 403",
                "check the file named by LLM_API_KEY_FILE or TTS_API_KEY_FILE",
            ),
            (
                8,
                "the {what}'s server does not know the model",
                "HTTP 404: the path or the name of the model is wrong",
                "compare LLM_MODEL or TTS_MODEL and the URL (ends in /v1) with the server's list",
            ),
        )
    ),
    Cause(
        "TTS009",
        SPEAKING,
        "the voice is silent",
        "samples come, and all of them are zero or nearly so",
        "try another TTS_VOICE; " + MODEL_LOG,
    ),
    Cause(
        "TTS010",
        SPEAKING,
        "the voice has a wrong sampling rate",
        "a known sentence comes out much too short or too long: 24 kHz are expected, callers would "
        "hear a chipmunk or a giant",
        "have the server send 24 kHz PCM (OpenAI's `response_format: pcm`)",
    ),
    Cause(
        "TTS011",
        SPEAKING,
        "the voice is noise",
        "the samples are no 16-bit little-endian mono: bytes swapped, floats, or compressed sound",
        "have the server send s16le mono 24 kHz PCM (OpenAI's `response_format: pcm`)",
    ),
    Cause(
        "LLM099",
        THINKING,
        "the language model fails in calls, cause unknown",
        "it answers here, yet a call had to apologise for it",
        "`make logs S=agent`",
    ),
    Cause(
        "TTS099",
        SPEAKING,
        "the voice fails in calls, cause unknown",
        "it answers here, yet a call had to apologise for it",
        "`make logs S=agent`",
    ),
    Cause(
        "STT099",
        HEARING,
        "hearing fails in calls, cause unknown",
        "the engine answers here, yet a call had to apologise for it",
        "`make logs S=agent`",
    ),
)
