"""`make bench` and `make soak`: run the scripts of one folder, one after the other; `ONLY=name` runs one.

A figure or a scenario is a file `tests/<folder>/<name>.py` that prints what it found, starts what it needs
with `python -m local.servers`, and exits with 0 only if it reached what it promises.
"""

import os
import subprocess
import sys
from pathlib import Path


def main(folder: Path, only: str | None) -> int:
    scripts = {path.stem: path for path in sorted(folder.glob("*.py"))}
    if only and only not in scripts:
        sys.stderr.write(
            f"ONLY={only}: there is no {folder.name}/{only}.py. There are: {', '.join(scripts) or 'none'}\n"
        )
        return 2
    failed = []
    for name in [only] if only else scripts:
        sys.stdout.write(f"── {folder.name}/{name}\n")
        sys.stdout.flush()
        done = subprocess.run([sys.executable, scripts[name]], check=False)  # noqa: S603 - our own scripts
        if done.returncode:
            failed.append(name)
    sys.stdout.write(
        f"{folder.name}: {len(scripts) if not only else 1} run, failed: {', '.join(failed) or 'none'}\n"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).parent / sys.argv[1], os.environ.get("ONLY")))
