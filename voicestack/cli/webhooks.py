"""`voicestack webhooks`: what our programs are told of calls, and whether they heard it."""

import base64
import time
from typing import Annotated, Any
from urllib.parse import quote

import typer

from voicestack import credentials, settings
from voicestack.cli.frame import FAILED, OK, Answer, AsJson, Watch, ask, finish, group, root, table
from voicestack.office import Office

app = group("""Look after the events that WEBHOOK_URLS are told: docs/webhooks.md.

\b
Examples:
  scripts/webhooks.py list
  scripts/webhooks.py test --json
  scripts/webhooks.py replay
  scripts/webhooks.py replay evt_5d1f03c6c8ee4b9d9d27f0a5e3f2b1aa
  scripts/webhooks.py secret""")


@app.command("list")
def list_(
    every: Annotated[bool, typer.Option("--all", help="those that arrived too")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="how many, newest first")] = 50,
    as_json: AsJson = False,
    watch: Watch = False,
) -> None:
    """List the events that have not arrived: kind, room, tries, next try, why.

    Exit code: 0 nothing was given up, 1 something was; `replay` sends it again.
    """

    async def act(office: Office) -> Answer:
        data = await office.control(f"/webhooks?limit={limit}&all={int(every)}")
        return _listed(data)

    ask(act, as_json=as_json, watch=watch)


def _listed(data: dict[str, Any]) -> Answer:
    rows = [
        [
            time.strftime("%m-%d %H:%M:%S", time.localtime(each["at"])),
            each["kind"].removeprefix("call."),
            each["event"],
            each["state"],
            each["tries"],
            each["error"],
        ]
        for each in data["deliveries"]
    ]
    counts = data["counts"]
    text = table(["at", "kind", "event", "state", "tries", "error"], rows, empty="nothing waits")
    text += "\n" + ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    lost = counts.get("given up", 0) + counts.get("dropped", 0)
    why = [f"{lost} did not arrive and are not tried again; `replay` sends them"] if lost else []
    if not data["urls"]:
        why.append("WEBHOOK_URLS is not set: nobody is told of calls")
    return Answer(data, text.strip(), FAILED if lost else OK, why)


@app.command()
def replay(
    event: Annotated[str, typer.Argument(help="its id; without one, all that have not arrived")] = (
        ""
    ),
    as_json: AsJson = False,
) -> None:
    """Send again, now. Receivers know an event that they have by its id (header webhook-id)."""

    async def act(office: Office) -> Answer:
        query = f"?event={quote(event)}" if event else ""
        data = await office.control(f"/webhooks/replay{query}", method="POST")
        return Answer(data, f"{data['again']} deliveries are sent again")

    ask(act, as_json=as_json)


@app.command("test")
def try_(as_json: AsJson = False) -> None:
    """Send an event of type `test` to each address now.

    Exit code: 0 all took it, 1 one did not.
    """

    async def act(office: Office) -> Answer:
        data = await office.control("/webhooks/test", method="POST")
        rows = [[each["url"], each["error"] or "took it"] for each in data["results"]]
        well = all(each["delivered"] for each in data["results"])
        return Answer(data, table(["address", "answer"], rows, empty=""), OK if well else FAILED)

    ask(act, as_json=as_json)


@app.command()
def secret(as_json: AsJson = False) -> None:
    """Print the secret of the signature, in the form that Standard Webhooks libraries take."""

    def once() -> Answer:
        held = credentials.read(settings.load(root()))
        text = "whsec_" + base64.b64encode(held.webhook_secret.encode()).decode()
        return Answer({"secret": text}, text)

    finish(once, as_json=as_json)
