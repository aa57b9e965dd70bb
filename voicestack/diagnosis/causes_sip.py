"""Causes before a call has a room: SIP and lines."""

from voicestack.diagnosis.cause import Cause

SIP, LINES = "SIP", "lines"

TABLE: tuple[Cause, ...] = (
    Cause(
        "SIP001",
        SIP,
        "SIP does not answer",
        "OPTIONS over UDP get no answer although the process runs",
        "a firewall on this machine? `nft list ruleset`; then `make logs S=sip`",
    ),
    Cause(
        "SIP002",
        SIP,
        "what answers is not livekit-sip",
        "another SIP program (Asterisk, a softphone) has the port",
        "end it, or set SIP_PORT",
    ),
    Cause(
        "SIP003",
        SIP,
        "SIP cannot ask livekit-server who may call",
        "INVITE was answered 503: the way over Redis is broken",
        "compare `redis:` in livekit.yaml and sip.yaml; `make logs S=sip`",
    ),
    Cause(
        "SIP004",
        SIP,
        "the gateway has no port left for audio",
        "INVITE was answered 500: its RTP range is used up; a closed call's port rests a while",
        "fewer calls at a time, or a larger range in voicestack/ports.py",
    ),
    Cause(
        "SIP005",
        SIP,
        "the phone tries to register",
        "livekit-sip knows no REGISTER and answers 405",
        "let it call without registration, or at the registrar's port: docs/softphone.md",
    ),
    Cause(
        "SIP006",
        SIP,
        "INVITE gets no answer at all",
        "OPTIONS are answered, so the port is reached: the caller is not let in, silently",
        "`scripts/sanity_check.py --explain-call NUMBER --source IP` names the clause",
    ),
    Cause(
        "SIP007",
        SIP,
        "the gateway cannot enter the room",
        "it has the call and does not reach livekit-server, or is refused there: the phone hears "
        "busy after a while",
        "compare `ws_url` and `api_key` in sip.yaml; `make down && make up` renders them anew",
    ),
    Cause(
        "SIP008",
        SIP,
        "the carrier refuses our call",
        "its answer is none of the called side's: user, password, caller number or address are "
        "not those that it knows",
        "`outbound: trunks:` of sip/lines.yaml: `caller` must be a number of that account, "
        "`digest` its user; some carriers also want our address in their portal",
    ),
    Cause(
        "SIP099",
        SIP,
        "the call was refused, cause unknown",
        "the status is none that this table explains",
        "`make logs S=sip`",
    ),
    Cause(
        "LIN001",
        LINES,
        "a line of the file is not in LiveKit",
        "its trunk or rule is missing: callers hear nothing",
        "control puts it back within ten seconds; else `scripts/lines.py apply` says why not",
    ),
    Cause(
        "LIN002",
        LINES,
        "a line in LiveKit differs from the file",
        "somebody changed the trunk or the rule by another tool",
        "control changes it back within ten seconds; `scripts/lines.py diff` shows what differs",
    ),
    Cause(
        "LIN003",
        LINES,
        "a trunk or rule that is not ours takes our calls",
        "control changes nothing while it is there",
        "remove it with the tool that made it, or take the number out of the file",
    ),
    Cause(
        "LIN004",
        LINES,
        "a dispatch rule names no trunk",
        "it answers every caller from anywhere, scanners too (livekit/sip #460)",
        "remove it with the tool that made it, or bind it to a trunk",
    ),
    Cause(
        "LIN005",
        LINES,
        "control cannot apply the lines",
        "control itself says what stands in the way",
        "`make logs S=control`",
    ),
    Cause(
        "LIN006",
        LINES,
        "no line has this number",
        "the INVITE matched no trunk",
        "add the number to sip/lines.yaml",
    ),
    Cause(
        "LIN007",
        LINES,
        "the line takes no calls from this address",
        "the source of the packet is in none of its networks",
        "add the network under `callers: from:` in sip/lines.yaml",
    ),
    Cause(
        "LIN008",
        LINES,
        "the line asks for a password that the caller did not give",
        "INVITE was answered 407 or 401",
        "give the phone the user and password of the line",
    ),
    Cause(
        "LIN009",
        LINES,
        "a trunk of ours is there twice",
        "livekit-server finds two for one number and refuses the call",
        "`scripts/lines.py apply` removes the second one",
    ),
    Cause(
        "LIN099",
        LINES,
        "the call was dropped, cause unknown",
        "file, trunks and rules agree and should let it in",
        "set LOG_LEVEL=debug, `make down && make up`, call again, `make logs S=sip`",
    ),
)
