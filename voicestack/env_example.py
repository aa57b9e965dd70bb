"""`.env.example`, written from the settings so that neither can lie about the other."""

from voicestack.settings import GROUPS, Settings, variables

HEAD = """\
# Settings. All are optional: copy this file to .env and change what you need.
# An environment variable of the same name outranks .env; an empty value means the default.
# `python -m voicestack.settings --check` reports every fault with its line.
# Secrets are no settings: the stack makes its own (STATE_DIR/secrets), keys of others are files.
# This file is written by `python -m voicestack.settings --example`.
"""


def render() -> str:
    """The whole text."""
    parts = [HEAD]
    for group in GROUPS:
        parts.append(f"\n# ---- {group} ----\n")
        parts += [_entry(name) for name, var in variables().items() if var.group == group]
    return "".join(parts)


def _entry(name: str) -> str:
    var = variables()[name]
    field = Settings.model_fields[name.lower()]
    default = "" if var.default else str(field.default)
    unit = f" (unit: {var.unit})" if var.unit else ""
    value = f'"{default}"' if " " in default else default
    lines = (
        f"# {name}: {field.description}",
        f"#   must be {var.must}{unit}",
        f"#   default: {var.default or default}",
        f"#   read by: {', '.join(var.readers)}",
        f"#{name}={value}",
    )
    return "\n".join(lines) + "\n\n"
