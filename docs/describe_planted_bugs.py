"""Writes `docs/planted_bugs.md` from what the patches in `tests/planted` say of themselves."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from rig.planted import DOCUMENT, read_bugs, render

if __name__ == "__main__":
    DOCUMENT.write_text(render(read_bugs()))
