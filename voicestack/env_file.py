"""Reading `.env` line by line, so that every fault can name its line."""

import io
import re
from dataclasses import dataclass
from pathlib import Path

from dotenv.parser import parse_stream

from voicestack.errors import Fault

# No real .env comes near; a huge one is some other file.
MOST_BYTES = 64 * 1024
SECRET_NAME = re.compile(r"KEY|SECRET|PASS|TOKEN|CREDENTIAL", re.IGNORECASE)
NAME = re.compile(r"[A-Z][A-Z0-9_]*")
HIDDEN = "(value not shown)"
# Docker Compose reads these from the same file.
OF_COMPOSE = frozenset({"COMPOSE_PROFILES", "COMPOSE_PROJECT_NAME"})


@dataclass(frozen=True, slots=True)
class Value:
    """The text of one variable and where it stands."""

    text: str
    where: str


def shown(name: str, text: str) -> str:
    """The value as a fault may show it: never a secret's, never a page of it."""
    if (SECRET_NAME.search(name) and not name.endswith("_FILE")) or "@" in text:
        return HIDDEN
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


def read(path: Path) -> tuple[dict[str, Value], list[Fault]]:
    """Return the variables and the faults of the file; a missing file is an empty one."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return {}, []
    except OSError as error:
        meaning = f"cannot be read ({error.strerror}); nothing in it was used"
        fix = f"make it a file that you may read: ls -l {path}"
        return {}, [Fault(path.name, "", "", meaning, fix)]
    faults = _whole_file_faults(path, raw)
    if len(raw) > MOST_BYTES or b"\0" in raw:
        return {}, faults
    text = raw.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace")
    values: dict[str, Value] = {}
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text), start=1):
        _take_line(f"{path.name}:{number}", line, values, faults)
    return values, faults


def _whole_file_faults(path: Path, raw: bytes) -> list[Fault]:
    name = path.name
    if len(raw) > MOST_BYTES:
        return [Fault(name, "", f"{len(raw)} bytes", "is no .env", "see .env.example")]
    if b"\0" in raw:
        line = raw[: raw.index(b"\0")].count(b"\n") + 1
        fix = "save it as UTF-8 text (an editor may have written UTF-16)"
        return [Fault(f"{name}:{line}", "", "NUL byte", "the file is not text", fix)]
    faults = []
    if raw.startswith(b"\xef\xbb\xbf"):
        meaning = "the first variable's name would begin with it"
        fix = f"sed -i '1s/^\\xEF\\xBB\\xBF//' {name}"
        faults.append(Fault(f"{name}:1", "", "byte order mark", meaning, fix))
    if b"\r" in raw:
        line = raw[: raw.index(b"\r")].count(b"\n") + 1
        meaning = "every value would end with a carriage return"
        fix = f"sed -i 's/\\r$//' {name}"
        faults.append(Fault(f"{name}:{line}", "", "Windows line ends", meaning, fix))
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        seen = f"byte 0x{raw[error.start]:02x}"
        faults.append(Fault(f"{name}:{line}", "", seen, "is not UTF-8", "save it as UTF-8"))
    return faults


def _take_line(where: str, line: str, values: dict[str, Value], faults: list[Fault]) -> None:
    """Read one line with python-dotenv; a value never spans lines, so an open quote shows here."""
    for binding in parse_stream(io.StringIO(line)):
        name = binding.key
        if binding.error or (name is not None and binding.value is None):
            # The line itself is not shown: it may hold a secret. A name in capitals is none.
            name = name if name and NAME.fullmatch(name) else ""
            meaning = "must be NAME=value; a quote may be open or text may follow it"
            faults.append(Fault(where, name, "", meaning, 'write NAME=value or NAME="a b"'))
            return
        if name is None or binding.value is None:
            continue
        if name in values:
            meaning = f"is set twice, first at {values[name].where}"
            faults.append(Fault(where, name, "", meaning, "keep one of the two lines"))
        elif "${" in binding.value:
            meaning = "references to other variables are not replaced here"
            fix = "write the value itself"
            faults.append(Fault(where, name, shown(name, binding.value), meaning, fix))
        else:
            values[name] = Value(binding.value, where)
