"""`python -m voicestack.compose`: all that must be there before the containers start.

With --prepare it checks and fetches, and touches nothing that a running stack reads: a new version
does so while the old one still answers.

Runs in the service `setup` of compose.yaml. Exit 0 when all is there, 1 when not, 2 when a
setting or a line is unfit; every fault is told with its file and line.
"""

import sys
from pathlib import Path

from voicestack import credentials, ports, settings
from voicestack.compose.handout import hand_out
from voicestack.errors import Fault, SettingsError, VoicestackError
from voicestack.lines.model import Defaults
from voicestack.lines.parse import parse
from voicestack.native.paths import Paths
from voicestack.settings import Settings
from voicestack.setup.__main__ import main as set_up

ROOT = Path(__file__).resolve().parents[2]  # templates and code of this image
CHECKOUT = Path("/checkout")  # the operator's .env and sip/lines.yaml
EXIT_UNFIT = 2
ROOM = (
    "nothing was started anew. `docker system df` shows what takes the room below Docker's folder,"
    " `docker image prune` removes images that no container uses"
)


def main(checkout: Path = CHECKOUT, *, prepare: bool = False) -> int:
    """Check, fetch weights and the page's client, make secrets, render; safe at every start."""
    try:
        held = checked(checkout)
        if code := set_up(["--only", "weights", "--only", "page"], checkout=checkout):
            return code
        if prepare:
            return 0
        secrets = credentials.ensure(held)
        hand_out(held, secrets, Paths.of(held, ROOT))
    except VoicestackError as error:
        print(error.report(), file=sys.stderr)
        return EXIT_UNFIT
    except OSError as error:  # a volume: mostly the disk below it is full
        told = VoicestackError(f"{error.filename or 'a volume'}: {error.strerror}", hint=ROOM)
        print(told.report(), file=sys.stderr)
        return 1
    table = ports.resolve(held)
    print(f"set-up: phones call {held.node_ip}:{table['sip']}, browsers :{table['https']}")
    return 0


def checked(checkout: Path) -> Settings:
    """Read .env and the lines file; refuse what the containers could not use."""
    held = settings.load(checkout)
    lines_folder = (checkout / "sip").resolve()
    if lines_folder not in held.lines_file.resolve().parents:
        where = "LINES_FILE"
        must = "lies outside sip/, the one folder that `control` is given"
        fix = "move the file to sip/, and set LINES_FILE=sip/NAME"
        raise SettingsError([Fault(".env", where, str(held.lines_file), must, fix)])
    defaults = Defaults(agent=held.agent_name, max_call_minutes=held.max_call_minutes)
    parse(held.lines_file, secrets=credentials.directory_of(held), defaults=defaults)
    return held


if __name__ == "__main__":
    sys.exit(main(prepare="--prepare" in sys.argv[1:]))
