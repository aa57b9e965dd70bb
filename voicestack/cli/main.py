"""`voicestack`: every verb of scripts/ under one command, with completion for the shell.

`voicestack --install-completion` teaches the shell; `voicestack VERB --help` has the examples.
"""

import typer

from voicestack.cli import (
    call_queue,
    calls,
    lines,
    machine,
    phones,
    rooms,
    stack,
    webhooks,
    workers,
)
from voicestack.cli.add_carrier import add_carrier
from voicestack.cli.agents import new_agent
from voicestack.cli.call import call
from voicestack.cli.deploy import deploy_agent
from voicestack.cli.load import load_test
from voicestack.cli.logs import logs
from voicestack.cli.make_call import make_call
from voicestack.cli.mint_token import mint_token
from voicestack.cli.ports import show_ports
from voicestack.cli.rehearse import rehearse
from voicestack.cli.sanity_check import sanity_check
from voicestack.cli.watch import watch_room

app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Your own phone line with an AI agent behind it: start it, look at it, change it.",
)
for command in (
    *(stack.up, stack.status, stack.down, logs),
    *(workers.check_agent_status, workers.list_workers),
    *(calls.dispatch, calls.hangup, watch_room),
    *(add_carrier, make_call, load_test, mint_token, new_agent, show_ports, sanity_check),
    deploy_agent,
):
    app.command()(command)
app.command(name="test-call")(call)
app.command(name="test-agents")(rehearse)
machine.add_to(app)
app.add_typer(rooms.app, name="rooms")
app.add_typer(calls.app, name="calls")
app.add_typer(call_queue.app, name="call-queue")
app.add_typer(lines.app, name="lines")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(phones.app, name="phones")

if __name__ == "__main__":
    app()
