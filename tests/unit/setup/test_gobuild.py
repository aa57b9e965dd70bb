"""Servers are built once for a version, and get their name only when they run."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.setup.fakes import program

from voicestack.setup.errors import SetupError, ToolMissingError
from voicestack.setup.gobuild import SERVERS, BuildStep, Server, TidyStep
from voicestack.setup.gotool import Go
from voicestack.setup.patches import Patch
from voicestack.setup.progress import Plain

ROOT = Path(__file__).parents[3]
SERVER = Server("tiny", ".", "example.org/tiny", "example.org/tiny/cmd", ("--version",), ("opus",))
# Lists three packages, then "compiles" them; -o is followed by the output.
GO = """
echo "$@" >> "$0.calls"
[ "$1" = list ] && { echo "go: downloading example.org/a v1.0.0" >&2; printf 'a\\nb\\nc\\n'; exit; }
printf 'a\\nb\\n' >&2
while [ "$1" != -o ]; do shift; done
printf '#!/bin/sh\\necho tiny 1.2.3\\n' > "$2"; chmod +x "$2"
"""


PATCH = Patch("example.org/lib", "match/match.go", "if claimed || seen {", "if seen {")
# Knows where the module is; "compiles" what it finds in the folder that it is started in.
GO_WITH_MODULE = """
case "$*" in *Module.Dir*) echo "$MODULE"; exit;; esac
[ "$1" = build ] && cat example.org/lib/match/match.go go.mod > "$0.saw"
"""


@pytest.fixture
def bin_dir(tmp_path: Path) -> Path:
    """A machine with a compiler and the libraries."""
    folder = tmp_path / "bin"
    program(folder / "go", GO)
    program(folder / "gcc", "exit 0")
    program(folder / "pkg-config", "exit 0")
    return folder


@pytest.fixture
def step(tmp_path: Path, bin_dir: Path) -> BuildStep:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "go.mod").write_text(
        "module tools\n\nrequire (\n\texample.org/tiny v1.2.3 // indirect\n)\n"
    )
    (tools / "go.sum").write_text("example.org/tiny v1.2.3 h1:aaa=\n")
    environ = {"PATH": f"{bin_dir}:{os.environ['PATH']}"}
    go = Go(bin_dir / "go", "1.27.3", is_ours=False)
    return BuildStep(SERVER, tools, tmp_path / "cache", lambda: go, environ)


def calls(bin_dir: Path) -> list[str]:
    log = bin_dir / "go.calls"
    return log.read_text().splitlines() if log.exists() else []


def test_built_once_and_linked(
    step: BuildStep, bin_dir: Path, talk: Plain, said: list[str]
) -> None:
    """The plain name leads to the versioned one; the second look finds it there."""
    assert step.missing() == "1.2.3 is not built yet"
    step.run(talk)
    assert step.missing() is None
    link = step.cache / "bin" / "tiny"
    assert link.readlink().name.startswith("tiny-1.2.3-")
    assert "  compiling tiny (3 packages)" in said
    assert calls(bin_dir)[1].startswith("build -v -trimpath -buildvcs=false")


def test_changed_sums_are_another_program(step: BuildStep, bin_dir: Path, talk: Plain) -> None:
    """Another go.sum is built anew; going back to the first builds nothing, only relinks."""
    step.run(talk)
    first = step.binary
    sums = step.tools / "go.sum"
    before = sums.read_text()
    sums.write_text(before + "example.org/b v1.0.0 h1:bbb=\n")
    assert step.missing()
    step.run(talk)
    assert step.binary != first
    built = len(calls(bin_dir))
    sums.write_text(before)
    assert step.missing() == "1.2.3 is not linked"
    step.run(talk)
    assert len(calls(bin_dir)) == built
    assert (step.cache / "bin" / "tiny").resolve() == first.resolve()


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A module as the module cache has it: not to be written."""
    path = tmp_path / "mod" / "match" / "match.go"
    path.parent.mkdir(parents=True)
    path.write_text("if claimed || seen {\n\treturn true\n}\n")
    (tmp_path / "mod" / "go.mod").write_text("module example.org/lib\n")
    path.chmod(0o444)
    path.parent.chmod(0o555)
    return tmp_path / "mod"


@pytest.fixture
def patched_step(step: BuildStep, bin_dir: Path, module: Path) -> BuildStep:
    program(bin_dir / "go", GO_WITH_MODULE + GO)
    environ = {**step.environ, "MODULE": str(module)}
    return replace(step, server=replace(SERVER, patches=(PATCH,)), environ=environ)


def test_patched_module_is_what_is_compiled(
    patched_step: BuildStep, bin_dir: Path, module: Path, talk: Plain, said: list[str]
) -> None:
    """Go sees the corrected copy under a path without this machine's folders; none is left."""
    patched_step.run(talk)
    saw = (bin_dir / "go.saw").read_text()
    assert saw.startswith("if seen {\n\treturn true\n}\n")
    assert "\nreplace example.org/lib => ./example.org/lib\n" in saw
    assert "claimed" in (module / PATCH.file).read_text()
    assert "replace" not in (patched_step.tools / "go.mod").read_text()
    assert "  compiling tiny (3 packages)" in said
    assert list((patched_step.cache / "build").iterdir()) == []


@pytest.mark.parametrize("count", [0, 2])
def test_patch_that_does_not_fit_builds_nothing(
    patched_step: BuildStep, bin_dir: Path, module: Path, talk: Plain, count: int
) -> None:
    """Another version of the module is noticed, not built without the correction."""
    (module / PATCH.file).chmod(0o644)
    (module / PATCH.file).write_text(f"{PATCH.line}\n" * count)
    with pytest.raises(SetupError, match=rf"match\.go holds .* {count} times, not once") as caught:
        patched_step.run(talk)
    assert "sip-allow-list.md" in caught.value.hint
    assert not any(call.startswith("build") for call in calls(bin_dir))
    assert not patched_step.binary.exists()
    assert patched_step.missing()


def test_copy_of_a_killed_run_is_made_anew(patched_step: BuildStep, talk: Plain) -> None:
    """A copy that is half there, or patched already, is not taken up."""
    stale = patched_step.cache / "build" / "tiny" / PATCH.module / PATCH.file
    stale.parent.mkdir(parents=True)
    stale.write_text("half")
    patched_step.run(talk)
    assert patched_step.missing() is None


def test_patch_is_part_of_the_name(step: BuildStep) -> None:
    """Caches without the patch, or with another, are built again; other servers are not."""
    wider = replace(PATCH, replacement="if seen || known {")
    names = {
        replace(step, server=replace(SERVER, patches=patches)).binary.name
        for patches in ((), (PATCH,), (wider,))
    }
    assert len(names) == 3
    assert step.binary.name in names


def test_failed_build_shows_what_go_said(step: BuildStep, bin_dir: Path, talk: Plain) -> None:
    """The last lines of Go are in the error, and no program has the name."""
    program(bin_dir / "go", "[ $1 = list ] && exit; echo 'opus.h: No such file' >&2; exit 1")
    with pytest.raises(SetupError, match=r"go build of tiny 1\.2\.3 failed") as caught:
        step.run(talk)
    assert "opus.h: No such file" in str(caught.value)
    assert not step.binary.exists()


def test_program_that_does_not_start_is_not_kept(
    step: BuildStep, bin_dir: Path, talk: Plain
) -> None:
    """A missing shared library shows at set-up, not at the first call."""
    program(bin_dir / "go", GO.replace("echo tiny 1.2.3", "echo no libopus >&2; exit 127"))
    with pytest.raises(SetupError, match="was built but does not start: no libopus"):
        step.run(talk)
    assert not step.binary.exists()


def test_missing_header_is_named_before_the_compile(
    step: BuildStep, bin_dir: Path, talk: Plain
) -> None:
    """The error names the library, the hint the packages; Go was not started."""
    program(bin_dir / "pkg-config", "exit 1")
    with pytest.raises(ToolMissingError, match="pkg-config finds no opus") as caught:
        step.run(talk)
    assert "apt-get install gcc" in caught.value.hint
    assert calls(bin_dir) == []


def test_missing_compiler_is_named(step: BuildStep, bin_dir: Path, talk: Plain) -> None:
    """No gcc on PATH."""
    (bin_dir / "gcc").unlink()
    without = BuildStep(SERVER, step.tools, step.cache, step.find_go, {"PATH": str(bin_dir)})
    with pytest.raises(ToolMissingError, match="gcc is not there"):
        without.run(talk)


def test_caches_are_given_back_only_when_all_is_built(
    step: BuildStep, tmp_path: Path, bin_dir: Path, talk: Plain
) -> None:
    """The caches of our own toolchain stay while they may still be of use."""
    modules = step.cache / "go" / "mod"
    modules.mkdir(parents=True)
    tidy = TidyStep(step.cache, step.find_go, (step,))
    assert tidy.missing() is None
    step.run(talk)
    assert tidy.missing()
    tidy.run(talk)
    assert not modules.exists()
    assert tidy.missing() is None


def test_pins_of_this_project() -> None:
    """Every server's version is read out of its go.mod, and go.sum knows it."""
    for server in SERVERS:
        step = BuildStep(server, ROOT / "tools", Path("cache"), lambda: None, {})
        sums = (ROOT / "tools" / server.folder / "go.sum").read_text()
        assert f"{server.module} v{step.version} h1:" in sums
