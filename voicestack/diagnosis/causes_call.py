"""Causes of calls that have a room: dispatch, media, conversation."""

from voicestack.diagnosis.cause import Cause

DISPATCH, MEDIA, TALK = "dispatch", "media", "conversation"

TABLE: tuple[Cause, ...] = (
    Cause(
        "DSP001",
        DISPATCH,
        "the room asks for no agent",
        "the rule that made the room names none: the phone rings and nobody comes",
        "name one: `agent:` in sip/lines.yaml",
    ),
    Cause(
        "DSP002",
        DISPATCH,
        "the job was given to nobody",
        "no worker was free or registered in the moment of the call; it is never tried again",
        "call again; if it stays so, `make logs S=agent`",
    ),
    Cause(
        "DSP003",
        DISPATCH,
        "the job failed",
        "the worker took it and its code ended with an error",
        "`make logs S=agent` has the traceback",
    ),
    Cause(
        "DSP004",
        DISPATCH,
        "the job runs, but the agent is not in the room",
        "its process cannot reach livekit-server's media, or is still starting",
        "`make logs S=agent`; is the machine very busy?",
    ),
    Cause(
        "DSP005",
        DISPATCH,
        "the agent is in the room and publishes no sound",
        "livekit-sip answers the phone when there is a track to hear",
        "`make logs S=agent`",
    ),
    Cause(
        "DSP006",
        DISPATCH,
        "two agents are in one room",
        "both speak: somebody dispatched a second one",
        "find who: `make logs S=livekit`",
    ),
    Cause(
        "DSP007",
        DISPATCH,
        "the agent's process died in the middle of a call",
        "it was killed (exit code -9: the kernel, for want of memory) or crashed; another one "
        "takes the call over, and knows nothing of what was said",
        "`journalctl -k | grep -i oom`; fewer calls (MAX_CALLS) or a smaller STT_MODEL; "
        "`make logs S=agent`",
    ),
    Cause(
        "DSP099",
        DISPATCH,
        "nobody answers, cause unknown",
        "job and agent look right, and yet the call is not answered",
        "`make logs S=agent` and `make logs S=sip`",
    ),
    Cause(
        "MED001",
        MEDIA,
        "the gateway announces a wrong address for audio",
        "the phone sends its words elsewhere: the agent is deaf",
        "set NODE_IP to the address that phones reach, `make down && make up`",
    ),
    Cause(
        "MED002",
        MEDIA,
        "no codec in common",
        "INVITE was answered 400 or 488: the phone offers none of PCMU, PCMA, G722",
        "allow G.711 in the phone's settings",
    ),
    Cause(
        "MED003",
        MEDIA,
        "the agent's audio does not reach the phone",
        "the gateway sends packets and the phone gets none: a firewall, or NAT in between",
        "open UDP towards phones; behind NAT let the phone find its address (STUN), no SIP ALG",
    ),
    Cause(
        "MED004",
        MEDIA,
        "the phone's audio does not reach the gateway",
        "the phone sends packets and the gateway counts none: its RTP range is closed",
        "open the range `sip_rtp` of docs/ports.md (UDP) towards this machine",
    ),
    Cause(
        "MED005",
        MEDIA,
        "no audio in either direction",
        "signalling passes, RTP does not: UDP between phone and gateway is closed both ways",
        "open the range `sip_rtp` of docs/ports.md (UDP), both ways",
    ),
    Cause(
        "MED007",
        MEDIA,
        "the phone names a private address for its audio",
        "the gateway sends the agent's voice to an address that only the phone's network knows",
        "switch SIP ALG off, or STUN on; or `ignore_local_addr_in_sdp` in sip/sip.yaml.j2",
    ),
    Cause(
        "MED008",
        MEDIA,
        "the phone sent no audio",
        "the gateway ended the call because nothing came for a while",
        "switch silence suppression off; else see MED004",
    ),
    Cause(
        "MED009",
        MEDIA,
        "the phone never confirmed the answer",
        "no ACK came: the address in the gateway's Contact is wrong for the phone",
        "set NODE_IP to the address that phones reach",
    ),
    Cause(
        "MED010",
        MEDIA,
        "the phone's audio is not in the agreed format",
        "packets come, and the gateway can decode none of them",
        "switch other codecs off in the phone",
    ),
    Cause(
        "MED099",
        MEDIA,
        "there is no audio, cause unknown",
        "counters do not tell on which way it is lost",
        "`make logs S=sip`",
    ),
    Cause(
        "AUD001",
        TALK,
        "the agent does not greet",
        "the call is up, audio packets come, and all of them are silent",
        "`make logs S=agent`",
    ),
    Cause(
        "AUD003",
        TALK,
        "the call was cut",
        "the far end hung up in the middle",
        "`make logs S=agent` and `make logs S=sip`",
    ),
    Cause(
        "AUD099",
        TALK,
        "the conversation fails, cause unknown",
        "every leg looks right, and yet no answer is heard, or an apology that no stage explains",
        "`make logs S=agent`: what stands before `turn failed`, and how long before",
    ),
)
