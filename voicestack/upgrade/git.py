"""The checkout's versions."""

from dataclasses import dataclass
from pathlib import Path

from voicestack.errors import VoicestackError
from voicestack.host import child
from voicestack.upgrade.errors import UnfitError

TIMEOUT_S, FETCH_S = 60.0, 300.0


@dataclass(frozen=True, slots=True)
class Checkout:
    """A working copy that may be moved from version to version."""

    folder: Path

    def head(self) -> str:
        """The commit that is checked out."""
        return self._git("rev-parse", "HEAD")

    def fetch(self) -> str:
        """Ask where it came from for news; what went wrong, if it did."""
        if not self._git("remote"):
            return ""
        try:
            self._git("fetch", "--quiet", "--tags", timeout_s=FETCH_S)
        except VoicestackError as error:
            return str(error)
        return ""

    def target(self, ref: str) -> str:
        """The commit to go to; without a name the newest of the branch that this one follows."""
        try:
            return self._git(
                "rev-parse", "--verify", "--quiet", f"{ref or '@{upstream}'}^{{commit}}"
            )
        except VoicestackError as error:
            what = f"{ref} is no version that this checkout knows" if ref else (
                "the checkout follows no branch, so the newest version is not known"
            )  # fmt: skip
            raise UnfitError(what, hint="name one: `git tag` lists them") from error

    def describe(self, commit: str) -> str:
        """A commit as people read it."""
        return self._git("describe", "--tags", "--always", commit)

    def check_way(self, old: str, new: str) -> None:
        """Refuse where going there would lose commits of the operator's own."""
        base = self._git("merge-base", old, new)
        if base not in {old, new}:
            raise UnfitError(
                "this checkout has commits of its own that the new version lacks",
                hint=f"`git rebase {new[:12]}` puts them on top of it on another branch: name that",
            )
        if changed := self.in_the_way(old, new):
            raise UnfitError(
                f"changed here and in the new version too: {', '.join(changed)}",
                hint="settings belong into .env, your lines into a file that LINES_FILE names",
            )

    def in_the_way(self, old: str, new: str) -> list[str]:
        """Files that the operator has changed, and the new version too."""
        here = set(self._git("diff", "--name-only", "HEAD").splitlines())
        return sorted(here & set(self._git("diff", "--name-only", old, new).splitlines()))

    def changed(self, old: str, new: str) -> int:
        """How many files differ."""
        return len(self._git("diff", "--name-only", old, new).splitlines())

    def move(self, commit: str) -> None:
        """Go there; files that the operator has changed stay as they are (git reset --keep)."""
        self._git("reset", "--quiet", "--keep", commit)

    def _git(self, *arguments: str, timeout_s: float = TIMEOUT_S) -> str:
        said = child.run(
            ["git", *arguments],
            cwd=self.folder,
            timeout_s=timeout_s,
            hint="an upgrade needs a git checkout; docs/upgrade.md tells the way without",
        )
        return said.decode().strip()
