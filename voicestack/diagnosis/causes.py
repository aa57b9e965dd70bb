"""The one table of causes: every code that a check may name, in call order.

docs/findings.md is rendered from it (`python -m voicestack.diagnosis.causes`), a test holds both
together. A code is never used for a second cause.
"""

from voicestack.diagnosis import (
    causes_browsers,
    causes_call,
    causes_files,
    causes_models,
    causes_outside,
    causes_servers,
    causes_sip,
)
from voicestack.diagnosis.cause import Cause

LEGS = (
    "settings and files",
    "processes and ports",
    "Redis",
    "DNS",
    "TLS",
    "clock",
    "server",
    "browsers",
    "worker",
    "hearing",
    "thinking",
    "speaking",
    "SIP",
    "lines",
    "dispatch",
    "media",
    "conversation",
    "from outside",
)

TABLE: tuple[Cause, ...] = (
    *causes_files.TABLE,
    *causes_servers.TABLE,
    *causes_browsers.TABLE,
    *causes_models.TABLE,
    *causes_sip.TABLE,
    *causes_call.TABLE,
    *causes_outside.TABLE,
)
BY_CODE = {cause.code: cause for cause in TABLE}


def heading(cause: Cause) -> str:
    """One heading of docs/findings.md."""
    return (
        f"### {cause.code}\n\n**Seen:** {cause.title}.\n\n**Means:** {cause.means}.\n\n"
        f"**Do:** {cause.do}.\n"
    )


def render() -> str:
    """The text of docs/findings.md."""
    head = (
        "# Findings\n\n"
        "What `scripts/sanity_check.py` can name, leg by leg in the order in which a call meets "
        "them.\nRendered by `python -m voicestack.diagnosis.causes`; a test holds this page to the "
        "table.\nA code that ends in 099 means: the right leg, and a cause that no row describes.\n"
    )
    parts = [head]
    for leg in LEGS:
        parts.append(f"\n## {leg[0].upper()}{leg[1:]}\n")
        parts += [heading(cause) for cause in TABLE if cause.leg == leg]
    return "\n".join(parts)


if __name__ == "__main__":
    print(render(), end="")
