"""Planted bugs: patches that each break one thing that matters, and the test that has to notice.

A patch says what it breaks in the lines above its difference. It is never applied to this tree:
`soak/planted.py` does so in a copy, `test_planted_bugs.py` only asks if it could be.
"""

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests" / "planted"
DOCUMENT = ROOT / "docs" / "planted_bugs.md"

_SAID = re.compile(r"^(What|Breaks|Caught by): (.+)$", re.MULTILINE)
_TARGET = re.compile(r"^\+\+\+ b/(\S+)", re.MULTILINE)

HEAD = """\
# Planted bugs

Tests that pass say little unless they can fail. Each row is a patch in `tests/planted` that breaks one thing;
the test beside it passes without the patch and fails with it, in an assertion of its own.

`make soak ONLY=planted` tries all of them in a copy of the tree, `ONLY_BUG=name make soak ONLY=planted` some
(names with commas between). The gate sees to it that each patch still applies, that its test is there, and
that this list, written by `docs/describe_planted_bugs.py`, is complete: whoever changes what a patch changes,
changes the patch.

| patch | what is broken | what would no longer hold | caught by |
|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Bug:
    """One patch. `test` is a node id of pytest; of a test with parameters all of them, or one."""

    name: str
    patch: Path
    what: str
    breaks: str
    test: str
    targets: tuple[str, ...]
    """The files it changes, as paths from the root."""

    @property
    def imported(self) -> list[str]:
        """What of these Python imports: migrations are Alembic's."""
        return [one for one in self.targets if one.endswith(".py") and "/migrations/" not in one]

    @property
    def row(self) -> str:
        """Its line in the document."""
        return f"| `{self.name}` | {self.what} | {self.breaks} | `{self.test.partition('[')[0]}` |"


def read_bugs(folder: Path = FOLDER) -> list[Bug]:
    """All that are planted, by name."""
    return [_read(path) for path in sorted(folder.glob("*.patch"))]


def _read(path: Path) -> Bug:
    head, found, difference = path.read_text().partition("\n--- a/")
    said = dict(_SAID.findall(head))
    missing = {"What", "Breaks", "Caught by"} - said.keys()
    if missing or not found:
        raise ValueError(f"{path.name} does not say: {', '.join(sorted(missing)) or 'what is to be changed'}")
    return Bug(
        name=path.stem,
        patch=path,
        what=said["What"],
        breaks=said["Breaks"],
        test=said["Caught by"],
        targets=tuple(_TARGET.findall(difference)),
    )


def apply(bug: Bug, tree: Path, *options: str) -> str | None:
    """Apply a patch to a tree (`--check`: only try; `-R`: take it back); what git has against it."""
    # A tree below the repository is none of its folders: without this git would pass over the patch silently.
    alone = {"GIT_CEILING_DIRECTORIES": str(tree.parent), "GIT_DIR": str(tree / "no repository")}
    command = ["git", "apply", *options, str(bug.patch)]
    done = subprocess.run(command, cwd=tree, env=alone, capture_output=True, text=True, check=False)  # noqa: S603 - git
    return done.stderr.strip() if done.returncode else None


def render(bugs: Sequence[Bug]) -> str:
    """The document that lists them."""
    return HEAD + "".join(f"{bug.row}\n" for bug in bugs)
