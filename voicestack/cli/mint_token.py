"""`voicestack mint-token`: a token with which a person or a page joins one room."""

import json
import sys
from typing import Annotated

import typer

from voicestack import credentials, ports, settings, token
from voicestack.cli.frame import root
from voicestack.errors import VoicestackError


def mint_token(
    room: Annotated[str, typer.Option(help="the one room")],
    identity: Annotated[str, typer.Option(help="who joins; unique in the room")],
    ttl: Annotated[str, typer.Option(help="lifetime, at most 1h")] = "15m",
    name: Annotated[str, typer.Option(help="shown to others")] = "",
    source: Annotated[list[str] | None, typer.Option(help="default: microphone")] = None,
    listen_only: Annotated[bool, typer.Option("--listen-only", help="publish nothing")] = False,
    grant: Annotated[list[str] | None, typer.Option(help="NAME=true or NAME=false")] = None,
    agent: Annotated[str, typer.Option(help="agent that comes into the room")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="with room, url and lifetime")] = False,
) -> None:
    """Print a token with which a person or a page joins one room; exit 2 if it must not be made.

    \b
    Examples:
      scripts/mint_token.py --room kitchen --identity ada
      scripts/mint_token.py --room kitchen --identity ada --agent receptionist --ttl 5m
      scripts/mint_token.py --room kitchen --identity screen --listen-only --json
    """
    try:
        stack = settings.load(root())
        held = credentials.read(stack)
        join = token.Join(
            room=room,
            identity=identity,
            ttl_s=token.seconds(ttl),
            name=name,
            sources=() if listen_only else tuple(source or ["microphone"]),
            grants=dict(token.assignment(each) for each in grant or []),
            room_config=token.dispatch(agent) if agent else None,
        )
        agents = {stack.agent_name}
        minted = token.mint(held.livekit_api_key, held.livekit_api_secret, join, agents=agents)
    except VoicestackError as error:
        print(error.report(), file=sys.stderr)
        raise typer.Exit(2) from error
    url = f"wss://{ports.authority(stack)}"
    facts = {"token": minted, "room": room, "identity": identity, "ttl_s": join.ttl_s, "url": url}
    print(json.dumps(facts) if as_json else minted)
