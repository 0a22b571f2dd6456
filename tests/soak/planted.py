"""Breaks one thing after the other, in a copy of the tree: each time the named test must notice.

Each bug of `tests/planted` names a test. It has to pass without the patch and to fail with it, in an
assertion of its own: not by an import, a type error or a fixture, and not because it took too long.
`ONLY_BUG=name` tries one of them, or several with commas between.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from local.places import STATE
from rig.planted import ROOT, Bug, apply, read_bugs
from rig.telling import tell

AT_ONCE = 2
SECONDS_MAX = 150
"""For one patch. Tests end themselves after 120 s, which is no assertion of theirs."""
SERVERS = ("SW_DATABASE_URL", "SW_KAFKA_BOOTSTRAP")
SOURCES = ("shared/src", "services/*/src", "deploy/local/src", "tests")


@dataclass
class Verdicts:
    """What one run of pytest said: by test, and from where our modules came."""

    of: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    modules: set[Path] = field(default_factory=set)
    output: str = ""

    def failures(self, test: str) -> list[dict[str, Any]]:
        """What did not pass of a test, with all its parameters if the name has none."""
        return [one for one in self.said_of(test) if one["outcome"] != "passed"]

    def said_of(self, test: str) -> list[dict[str, Any]]:
        found = [name for name in self.of if name == test or name.partition("[")[0] == test]
        return [one for name in found for one in self.of[name]]


class Tree:
    """A throw-away copy of this tree, as it is now with what is not committed, in which tests can run."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._changes = 0
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - whichever git there is
            cwd=ROOT,
            check=True,
            capture_output=True,
        )
        for name in set(listed.stdout.decode().split("\0")) - {""}:
            if (ROOT / name).is_file():
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, place / name)

    def run(self, tests: Collection[str], *options: str, seconds: float) -> Verdicts:
        """Run these tests on the code of this copy."""
        told = self.place / "verdicts.jsonl"
        told.unlink(missing_ok=True)
        first = [str(path) for pattern in SOURCES for path in sorted(self.place.glob(pattern))]
        # Before the paths of what is installed.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(first), "VERDICTS": str(told)}
        quiet = ["-q", "-p", "rig.verdicts", "-p", "no:cacheprovider", "--no-header", "--tb=short"]
        process = subprocess.Popen(  # noqa: S603 - our own tests
            [sys.executable, "-m", "pytest", *quiet, *options, *sorted(tests)],
            cwd=self.place,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
        return self._read(told, output)

    def _read(self, told: Path, output: str) -> Verdicts:
        verdicts = Verdicts(output=output)
        for line in told.read_text().splitlines() if told.exists() else ():
            content = json.loads(line)
            if "modules" in content:
                verdicts.modules |= {Path(one) for one in content["modules"].values()}
            else:
                verdicts.of.setdefault(content["test"], []).append(content)
        elsewhere = [str(one) for one in verdicts.modules if self.place not in one.parents]
        if elsewhere:
            raise RuntimeError(f"not of the copy: {', '.join(elsewhere)}")
        return verdicts

    def trouble_with(self, bug: Bug) -> str | None:
        """Plant it, run its test, take it back: what is wrong with the test, or None if it noticed."""
        refused = self._change(bug)
        if refused is not None:
            return f"the patch no longer applies: {refused}"
        try:
            verdicts = self.run([bug.test], "-x", seconds=SECONDS_MAX)
        finally:
            self._change(bug, "-R")
        if not verdicts.said_of(bug.test):
            return f"its test did not run to its end:\n{verdicts.output[-2000:]}"
        failures = verdicts.failures(bug.test)
        foreign = [f"{one['when']}: {one['error']}" for one in failures if not one["own"]]
        if foreign:
            return f"fails otherwise than in its own assertion: {foreign[0]}"
        if unread := [one for one in bug.imported if self.place / one not in verdicts.modules]:
            return f"{', '.join(unread)} was not imported"
        return None if failures else "its test passes with the bug"

    def _change(self, bug: Bug, *options: str) -> str | None:
        refused = apply(bug, self.place, *options)
        if refused is not None:
            return refused
        self._changes += 1
        for target in bug.targets:  # bytecode is known by time and length, and both can be equal
            moment = time.time() + self._changes
            os.utime(self.place / target, (moment, moment))
        return None


@contextlib.contextmanager
def copies() -> Iterator[list[Tree]]:
    """As many as are worked in at once."""
    STATE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="planted-", dir=STATE) as folder:
        yield [Tree(Path(folder) / str(number)) for number in range(AT_ONCE)]


def without(tree: Tree, bugs: Sequence[Bug]) -> Iterator[bool]:
    """All named tests, as the code is: each of them passes."""
    started, tests = time.monotonic(), {bug.test for bug in bugs}
    spread = ["-n", str(AT_ONCE), "--dist", "loadgroup"]
    verdicts = tree.run(tests, *spread, seconds=60 + 30 * len(tests))
    for test in sorted(tests):
        if verdicts.failures(test) or not verdicts.said_of(test):
            yield tell(f"{test} does not pass as the code is", right=False)
    if not all(verdicts.said_of(test) for test in tests):
        sys.stdout.write(verdicts.output[-4000:])
    yield tell(f"{len(tests)} tests as the code is, in {time.monotonic() - started:.0f} s")


def with_each(trees: Sequence[Tree], bugs: Sequence[Bug]) -> Iterator[bool]:
    """One bug after the other, in whichever copy is free."""
    free: SimpleQueue[Tree] = SimpleQueue()
    for tree in trees:
        free.put(tree)

    def try_one(bug: Bug) -> tuple[str | None, float]:
        tree, started = free.get(), time.monotonic()
        try:
            return tree.trouble_with(bug), time.monotonic() - started
        finally:
            free.put(tree)

    with ThreadPoolExecutor(len(trees)) as pool:
        for bug, (trouble, seconds) in zip(bugs, pool.map(try_one, bugs), strict=True):
            test = bug.test.rpartition("::")[2]
            ending = f"caught by {test} in {seconds:.0f} s" if trouble is None else f"{bug.test}: {trouble}"
            yield tell(f"{bug.name}: {ending}", right=trouble is None)


def main() -> int:
    if any(name not in os.environ for name in SERVERS):  # started once, for all runs
        serving = [sys.executable, "-m", "local.servers", "--", sys.executable, __file__]
        return subprocess.run(serving, check=False).returncode  # noqa: S603 - ourselves
    only, bugs = set(filter(None, os.environ.get("ONLY_BUG", "").split(","))), read_bugs()
    if unknown := only - {bug.name for bug in bugs}:
        sys.stderr.write(
            f"no such bug: {', '.join(unknown)}. There are {', '.join(bug.name for bug in bugs)}\n"
        )
        return 2
    chosen = [bug for bug in bugs if not only or bug.name in only]
    with copies() as trees:
        as_it_is = all([*without(trees[0], chosen)])
        caught = [*with_each(trees, chosen)]
    tell(f"{sum(caught)} of {len(chosen)} planted bugs caught", right=all(caught))
    return 0 if as_it_is and all(caught) else 1


if __name__ == "__main__":
    sys.exit(main())
