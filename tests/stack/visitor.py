"""Open the page as a browser on another host would: `python -m tests.stack.visitor HOST:PORT`.

Prints the HTTP status of each address, as JSON; all but the first are asked for over TLS that is
verified by the authority which the first one hands out.
"""

import json
import ssl
import sys

import httpx

AUTHORITY, ASKED = "/ca.crt", ("/", "/page/page.js", "/page/livekit-client.js", "/twirp/x")


def statuses(host: str) -> dict[str, int]:
    """Ask for the authority's certificate, then for everything else with it."""
    first = httpx.get(f"https://{host}{AUTHORITY}", verify=False)
    trust = ssl.create_default_context(cadata=first.text)
    with httpx.Client(base_url=f"https://{host}", verify=trust) as browser:
        return {AUTHORITY: first.status_code} | {
            path: browser.get(path).status_code for path in ASKED
        }


if __name__ == "__main__":
    print(json.dumps(statuses(sys.argv[1])))
