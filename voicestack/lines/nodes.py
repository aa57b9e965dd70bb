"""YAML as nodes with line numbers, so that a fault can point at the place it is in."""

from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from voicestack.errors import Fault

# A thousand lines fit; more is some other file.
MOST_BYTES = 256 * 1024
# The form is four levels deep; thousands make the reader slow.
DEEPEST = 20
DEFAULT_FILE = "the file that comes with the project shows the form: sip/lines.yaml"
TAG = "tag:yaml.org,2002:"


def kind(node: Node) -> str:
    """What YAML takes a node for: str, int, bool, null, map ..."""
    return str(node.tag or "").removeprefix(TAG)


class Reader:
    """Takes values out of nodes and collects what is wrong with them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.faults: list[Fault] = []

    def where(self, node: Node | None) -> str:
        """File and line of a node."""
        return f"{self.name}:{node.start_mark.line + 1}" if node else f"{self.name}:1"

    def fault(self, node: Node | None, key: str, must: str, fix: str, seen: str = "") -> None:
        """Note one fault."""
        self.faults.append(Fault(self.where(node), key, seen, must, fix))

    def document(self, path: Path) -> Node | None:
        """The root node, or None with the faults noted."""
        try:
            raw = path.read_bytes()
        except OSError as error:
            self.fault(None, "", f"cannot be read ({error.strerror})", f"ls -l {path}")
            return None
        if not raw.strip() or len(raw) > MOST_BYTES:
            self.fault(None, "", f"has {len(raw)} bytes: no lines file", DEFAULT_FILE)
            return None
        try:
            return self._compose(raw.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            line = raw[: error.start].count(b"\n") + 1
            where = f"{self.name}:{line}"
            self.faults.append(Fault(where, "", "", "is not UTF-8", "save it as UTF-8"))
        except YAMLError as error:
            self._syntax(error)
        return None

    def _compose(self, text: str) -> Node | None:
        depth = 0
        for event in YAML(typ="safe", pure=True).parse(text):
            where = f"{self.name}:{event.start_mark.line + 1}"
            if isinstance(event, AliasEvent):
                # Aliases of aliases make a small file huge, and hide what a line says.
                fault = Fault(where, "", f"*{event.anchor}", "aliases are not read", "write it out")
                self.faults.append(fault)
                return None
            depth += isinstance(event, CollectionStartEvent)
            depth -= isinstance(event, CollectionEndEvent)
            if depth > DEEPEST:
                self.faults.append(Fault(where, "", "", "is nested too deeply", DEFAULT_FILE))
                return None
        root: Node | None = YAML(typ="safe", pure=True).compose(text)
        if root is None:
            self.fault(None, "", "holds comments only", DEFAULT_FILE)
        return root

    def _syntax(self, error: YAMLError) -> None:
        line, problem = 1, "is no YAML"
        if isinstance(error, MarkedYAMLError):
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else 1
            problem = str(error.problem or error.context or problem)
        fix = "indent with spaces, quote values with : or # in them"
        self.faults.append(Fault(f"{self.name}:{line}", "", "", problem, fix))

    def mapping(self, node: Node, name: str, known: Collection[str]) -> dict[str, Node]:
        """The entries of a mapping; unknown and repeated keys are faults."""
        entries: dict[str, Node] = {}
        if not isinstance(node, MappingNode):
            must = f"must be keys and values: {', '.join(known)}" if known else "must be keys"
            self.fault(node, name, must, DEFAULT_FILE)
            return entries
        for key_node, value in node.value:
            key = str(key_node.value)
            if known and key not in known:
                close = get_close_matches(key, known, n=1, cutoff=0.5)
                fix = f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}"
                self.fault(key_node, key, f"is no key of {name}", fix)
            elif key in entries:
                first = self.where(entries[key])
                self.fault(key_node, key, f"is written twice, first at {first}", "keep one")
            else:
                entries[key] = value
        return entries

    def sequence(self, node: Node, name: str, example: str, *, empty: bool = False) -> list[Node]:
        """The items of a list; `empty` says whether it may have none."""
        if isinstance(node, SequenceNode) and (node.value or empty):
            return list(node.value)
        must = "must be a list" if empty else "must be a list with at least one item"
        self.fault(node, name, must, f"for instance {name}: {example}")
        return []

    def text(self, node: Node, name: str, example: str) -> str | None:
        """A string; what YAML reads as a number or a truth value must be quoted."""
        if isinstance(node, ScalarNode) and kind(node) == "str":
            return str(node.value)
        seen = str(node.value) if isinstance(node, ScalarNode) else ""
        fix = f"for instance {name}: {example}"
        if seen and kind(node) != "null":
            self.fault(node, name, f"is read by YAML as {kind(node)}, must be text", fix, seen)
        else:
            self.fault(node, name, "must be text", fix)
        return None

    def integer(self, node: Node, name: str, allowed: range) -> int | None:
        """A whole number within bounds."""
        if isinstance(node, ScalarNode) and kind(node) == "int":
            number = int(str(node.value).replace("_", ""), 0)
            if number in allowed:
                return number
        seen = str(node.value) if isinstance(node, ScalarNode) else ""
        must = f"must be a whole number, {allowed.start} to {allowed.stop - 1}"
        self.fault(node, name, must, f"for instance {name}: {allowed.start}", seen)
        return None

    def boolean(self, node: Node, name: str) -> bool | None:
        """True or false."""
        if isinstance(node, ScalarNode) and kind(node) == "bool":
            return str(node.value).lower() == "true"
        seen = str(node.value) if isinstance(node, ScalarNode) else ""
        self.fault(node, name, "must be true or false", f"for instance {name}: true", seen)
        return None
