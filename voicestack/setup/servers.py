"""`python -m voicestack.setup.servers NAME...`: build servers alone, for images.

Imports no settings: images are made in layers, and a change of those must not compile it all anew.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from voicestack.setup import gobuild, gotool
from voicestack.setup.packages import Packages
from voicestack.setup.progress import reporter
from voicestack.setup.steps import run_all

ROOT = Path(__file__).resolve().parents[2]


def main(names: Sequence[str]) -> int:
    """Build into VOICESTACK_CACHE/bin, without its caches; exit 1 when one could not be built."""
    cache, pin = Path(os.environ["VOICESTACK_CACHE"]), ROOT / "requirements" / "go.txt"
    builds = gobuild.steps(ROOT / "tools", cache, pin, os.environ)
    chosen = tuple(build for build in builds if build.name in names)
    packages = Packages(pin, cache / "downloads")
    go = gotool.GoStep(cache, pin, packages, is_needed=True, path=os.environ.get("PATH"))
    tidy = gobuild.TidyStep(cache, chosen[0].find_go, chosen)
    outcomes = run_all([go, *chosen, tidy], reporter())
    return int(any(each.state == "failed" for each in outcomes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
