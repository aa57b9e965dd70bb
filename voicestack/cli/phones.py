"""`voicestack phones`: softphones that may register."""

import secrets as random
from pathlib import Path
from typing import Annotated

import typer
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from voicestack import credentials, ports, settings
from voicestack.cli.frame import Answer, AsJson, UsageError, finish, group, root, table
from voicestack.errors import VoicestackError
from voicestack.lines import callers, phones
from voicestack.lines.edit import edit
from voicestack.native.render import write_private

# As long as the page's: typed on a phone once, guessed never.
GROUPS = 5

app = group("""Softphones that may register (REGISTRAR=on), and the numbers agents call them by.

\\b
Examples:
  scripts/phones.py add anna --number +15550201    # prints the password, once
  scripts/phones.py password anna                  # a new one
  scripts/phones.py list --json""")

User = Annotated[str, typer.Argument(help="letters, digits and . _ -")]


@app.command(name="list")
def list_phones(as_json: AsJson = False) -> None:
    """Print the phones of the lines file."""

    def once() -> Answer:
        held = settings.load(root())
        found = phones.parse(held.lines_file, secrets=credentials.directory_of(held))
        rows = [(each.user, each.number) for each in found]
        data = {"registrar": held.registrar, "phones": [dict(user=u, number=n) for u, n in rows]}
        return Answer(data, table(("user", "number"), rows, empty="no phones"), 0, _hints(held))

    finish(once, as_json=as_json)


@app.command()
def add(
    user: User,
    number: Annotated[str, typer.Option(help="the phone's number, E.164, for agents")],
    as_json: AsJson = False,
) -> None:
    """Add a phone to sip/lines.yaml and print its password, which is kept nowhere."""

    def once() -> Answer:
        held = settings.load(root())
        secrets = credentials.directory_of(held)
        known = phones.parse(held.lines_file, secrets=secrets)
        if user in {each.user for each in known}:
            raise UsageError(f"{user} is there already", hint=f"scripts/phones.py password {user}")
        password = _new_password(user, secrets)

        def act(document: CommentedMap) -> None:
            item = CommentedMap(user=user, number=DoubleQuotedScalarString(number))
            item.fa.set_flow_style()
            document.setdefault("phones", []).append(item)

        try:
            edit(held.lines_file, act, secrets=secrets).write()
        except VoicestackError:
            phones.file_of(user, secrets).unlink()
            raise
        return _told(held, user, password)

    finish(once, as_json=as_json)


@app.command()
def password(user: User, as_json: AsJson = False) -> None:
    """Make a new password for a phone; the old one is worth nothing within seconds."""

    def once() -> Answer:
        held = settings.load(root())
        return _told(held, user, _new_password(user, credentials.directory_of(held)))

    finish(once, as_json=as_json)


@app.command()
def remove(user: User, as_json: AsJson = False) -> None:
    """Take a phone out of sip/lines.yaml; it cannot register or call any more."""

    def once() -> Answer:
        held = settings.load(root())
        secrets = credentials.directory_of(held)

        def act(document: CommentedMap) -> None:
            listed = document.get("phones") or []
            at = [index for index, each in enumerate(listed) if each.get("user") == user]
            if not at:
                raise UsageError(f"no phone is called {user}", hint="scripts/phones.py list")
            del listed[at[0]]

        edit(held.lines_file, act, secrets=secrets).write()
        phones.file_of(user, secrets).unlink(missing_ok=True)
        return Answer({"removed": user}, f"{user} is removed")

    finish(once, as_json=as_json)


def _new_password(user: str, secrets: Path) -> str:
    if not callers.USER.fullmatch(user):
        raise UsageError(f"{user!r} is no user name", hint="letters, digits and . _ -")
    made = "-".join(
        "".join(random.choice(credentials.GROUP_ALPHABET) for _ in range(4)) for _ in range(GROUPS)
    )
    secrets.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(phones.file_of(user, secrets), phones.ha1(user, made))
    return made


def _told(held: settings.Settings, user: str, secret: str) -> Answer:
    server = f"{held.domain or held.node_ip}:{ports.resolve(held)['registrar']}"
    data = {"user": user, "password": secret, "server": server}
    text = f"user      {user}\npassword  {secret}\nserver    {server}   (docs/softphone.md)"
    return Answer(data, text, 0, _hints(held))


def _hints(held: settings.Settings) -> tuple[str, ...]:
    if held.registrar == "on":
        return ()
    return ("REGISTRAR is off: set REGISTRAR=on in .env, then `make up`",)
