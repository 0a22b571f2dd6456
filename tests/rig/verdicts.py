"""A pytest plugin (`-p rig.verdicts`): how each test ended, and whether a failure is its own assertion.

Written as lines of JSON to the file that `VERDICTS` names, with where our modules were imported from: for
`soak/planted.py`, which believes no exit code.
"""

import json
import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import _pytest
import pytest

OURS = ("shared", "enrollment", "clubs", "wallet", "notifications", "local", "rig")
_PYTEST = Path(_pytest.__file__).parent


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell of the test itself, and of anything around it that went wrong."""
    report = yield
    if report.when == "call" or not report.passed:
        _tell(
            {
                "test": item.nodeid,
                "when": report.when,
                "outcome": report.outcome,
                "error": None if call.excinfo is None else call.excinfo.exconly(tryshort=True)[:300],
                "own": report.when == "call" and call.excinfo is not None and is_own(call.excinfo),
            }
        )
    return report


def pytest_sessionfinish() -> None:
    """Tell what was imported of ours, and from where."""
    ours = {
        name: str(module.__file__)
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in OURS and getattr(module, "__file__", None)
    }
    _tell({"modules": ours})


def is_own(failure: pytest.ExceptionInfo[BaseException]) -> bool:
    """Whether an assertion of the test or of what tests share failed: `assert`, `pytest.raises` in vain."""
    if not isinstance(failure.value, AssertionError | pytest.fail.Exception):
        return False
    places = [Path(entry.path) for entry in failure.traceback]
    outside = [place for place in places if _PYTEST not in place.parents]
    return bool(outside) and _is_of_tests(outside[-1])


def _is_of_tests(path: Path) -> bool:
    return "tests" in path.parts or path.name.startswith("testing")


def _tell(content: dict[str, Any]) -> None:
    with Path(os.environ["VERDICTS"]).open("a") as file:
        file.write(json.dumps(content) + "\n")
