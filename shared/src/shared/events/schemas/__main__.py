"""Writes the schemas' files; with `--check` only says which differ. Refuses a change that breaks readers."""

import json
import sys

from shared.events.schemas import FOLDER, breaks, committed, rendered


def main(*, only_check: bool) -> int:
    """The exit status: 0 if the files are, or now are, what the catalog says."""
    wanted, found = rendered(), committed()
    differing = sorted(name for name in wanted | found if wanted.get(name) != found.get(name))
    broken = {
        name: breaks(json.loads(found[name]), json.loads(wanted[name]))
        for name in differing
        if name in found and name in wanted
    }
    for name, reasons in broken.items():
        for reason in reasons:
            sys.stderr.write(f"{name}: {reason}: this needs a new type\n")
    if only_check or any(broken.values()):
        sys.stderr.writelines(f"{name} differs from the catalog\n" for name in differing)
        return 1 if differing else 0
    for name in differing:
        if name in wanted:
            (FOLDER / name).write_text(wanted[name])
        else:
            (FOLDER / name).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(only_check="--check" in sys.argv[1:]))
