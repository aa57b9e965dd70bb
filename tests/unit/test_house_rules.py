"""Rules of CONVENTIONS.md that a machine can hold."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FUNCTION_LINES = 40
FILE_LINES = 300
SCRIPT_LINES = 60

# Registry addresses as they would appear in a lock file.
REGISTRY = re.compile(r"https?://[^ \"]+/(simple|packages|-/)[/\"]?")


def tracked(pattern: str = "*") -> list[Path]:
    """Files that git knows, or would."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", pattern],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return [ROOT / name for name in listed.splitlines() if (ROOT / name).is_file()]


def python_files() -> list[Path]:
    """Code, without tests."""
    return [file for file in tracked("*.py") if "tests" not in file.relative_to(ROOT).parts]


def functions(file: Path) -> Iterator[tuple[str, int]]:
    """Each function's name and length, without its docstring."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            yield node.name, lines


def test_functions_and_files_are_short() -> None:
    """A function 40 lines, a file 300, a script 60."""
    long = []
    for file in python_files():
        name, lines = file.relative_to(ROOT), len(file.read_text().splitlines())
        limit = SCRIPT_LINES if name.parts[0] == "scripts" else FILE_LINES
        if lines > limit:
            long.append(f"{name}: {lines} lines, at most {limit}")
        long += [
            f"{name}: {function}() has {count} lines"
            for function, count in functions(file)
            if count > FUNCTION_LINES
        ]
    assert long == []


def test_no_python_shadows_the_livekit_package() -> None:
    """livekit/ shares its name with the package: Python there would hide it."""
    assert list((ROOT / "livekit").rglob("*.py")) == []


@pytest.mark.parametrize("file", tracked("requirements/*.txt"), ids=lambda file: file.name)
def test_locks_name_no_registry(file: Path) -> None:
    """The project installs behind any mirror."""
    text = file.read_text()
    assert not REGISTRY.search(text)
    assert "--index-url" not in text
    assert "--hash=sha256:" in text


def test_scripts_explain_themselves() -> None:
    """Every script begins with what it does, and its help shows examples."""
    for file in (ROOT / "scripts").glob("*.py"):
        assert ast.get_docstring(ast.parse(file.read_text())), file.name
        assert "Example" in file.read_text(), file.name


def test_make_targets_of_the_readme_exist() -> None:
    """Whoever types what the README says gets what it says."""
    makefile = (ROOT / "Makefile").read_text()
    readme = (ROOT / "README.md").read_text()
    for target in set(re.findall(r"^make (\w+)", readme, re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_no_path_of_a_machine() -> None:
    """Files name no home of anybody."""
    # In the image of livekit-egress that one is a constant.
    homes = re.compile(r"/(?:home/(?!egress/)\w+|Users/\w+|root)/\w")
    named = [
        str(file.relative_to(ROOT))
        for file in tracked()
        if file.suffix in {".py", ".md", ".sh", ".j2", ".yaml", ".toml", ".txt"}
        and homes.search(file.read_text(errors="ignore"))
        and file.name != Path(__file__).name
    ]
    assert named == []
