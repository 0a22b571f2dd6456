"""The planted bugs are what they say: they apply, their tests are there, and the list of them is complete.

Whether the tests notice is tried by `make soak ONLY=planted`.
"""

import re
import shutil
from pathlib import Path

import pytest

from rig.planted import DOCUMENT, ROOT, Bug, apply, read_bugs, render
from rig.verdicts import is_own

BUGS = read_bugs()


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_patch_applies_and_names_a_test_that_is_there(bug: Bug) -> None:
    assert apply(bug, ROOT, "--check") is None, "change the patch as you changed the code"
    path, _, name = bug.test.partition("[")[0].partition("::")
    assert re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(), re.MULTILINE)


def test_the_document_lists_them_all() -> None:
    assert DOCUMENT.read_text() == render(BUGS), "run: python docs/describe_planted_bugs.py"


def test_a_patch_of_what_has_changed_is_refused_and_one_that_applies_changes_something(
    tmp_path: Path,
) -> None:
    bug, (target, *_) = BUGS[0], BUGS[0].targets
    assert apply(bug, tmp_path) is not None
    (tmp_path / target).parent.mkdir(parents=True)
    shutil.copy(ROOT / target, tmp_path / target)
    assert apply(bug, tmp_path) is None
    assert (tmp_path / target).read_text() != (ROOT / target).read_text()
    assert apply(bug, tmp_path, "-R") is None
    assert (tmp_path / target).read_text() == (ROOT / target).read_text()


def test_only_an_assertion_of_the_tests_counts_as_caught() -> None:
    with pytest.raises(AssertionError) as own:
        raise AssertionError
    with pytest.raises(pytest.fail.Exception) as in_vain, pytest.raises(ValueError):  # noqa: PT011 - nothing comes
        pass
    with pytest.raises(TypeError) as mistake:
        len(5)  # type: ignore[arg-type] # what a patch can do
    assert [is_own(one) for one in (own, in_vain, mistake)] == [True, True, False]
