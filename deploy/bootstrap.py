# ruff: noqa: INP001 - a script, no module of a package
"""Installs everything into the clone with Python's standard library only: `python3 deploy/bootstrap.py`.

Fetches uv's wheel by its SHA-256 into `.tools/` and lets it install what `uv.lock` names into `.venv/`.
Debian's python3 has neither pip nor venv, so neither is used. A second run finds its stamp and costs nothing.
The local system itself (servers, processes, data) is `social-wallet`'s affair.
"""

import hashlib
import io
import os
import platform
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from pathlib import Path
from typing import NoReturn

CLONE = Path(__file__).resolve().parents[1]
TOOLS = CLONE / ".tools"
STAMP = TOOLS / "installed"
PYTHON_LOWEST = (3, 11)
DISK_BYTES = 2 * 1024**3

UV = "0.13.9"
FILES = "https://files.pythonhosted.org/packages"
WHEELS = {  # (system, machine): folder of FILES, platform tag, SHA-256
    ("Linux", "x86_64"): (
        "3d/aa/26d64642d808de4a652579ef950d7cd2d37f080a8babf9c67c6b75fc4c3f",
        "manylinux_2_17_x86_64.manylinux2014_x86_64",
        "d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19",
    ),
    ("Linux", "aarch64"): (
        "fe/2f/51a5de367c602592c018a42a23d57fba5f2689fe6c3bf025dcf043b39c61",
        "manylinux_2_28_aarch64",
        "ecb6028d79dc96fbeafffe5c8af62a7099487ebc05a701e76714eebcffd06375",
    ),
    ("Darwin", "x86_64"): (
        "1e/db/08e9ef4879bd667e6d7b4705e594e5bd3e4585f10fc63cb16b9fa2fac63e",
        "macosx_10_12_x86_64",
        "c16ed11e013557536b3e60065f1b912f6407bd6518e041b961e23ef9e6b4fbf5",
    ),
    ("Darwin", "arm64"): (
        "f3/a7/a8d7b074798c7fb3b26b37584b8fe2e29df2ccdc24ce7902caab2a53edbf",
        "macosx_11_0_arm64",
        "66c512266d633bef48384a1f53003f41f2a8e7b36fe6e7fbfd3e0fd52d96fa63",
    ),
}
CHUNK_BYTES = 1 << 18


def main() -> None:
    """Install, unless this very state is installed already."""
    if sys.version_info < PYTHON_LOWEST:
        fail(f"Python 3.11 or newer is needed, {sys.executable} is {platform.python_version()}.")
    wanted = fingerprint()
    if STAMP.exists() and STAMP.read_text() == wanted and (CLONE / ".venv" / "bin" / "python").exists():
        return
    free = shutil.disk_usage(CLONE).free
    if free < DISK_BYTES:
        fail(f"Too little disk: {free / 1024**3:.1f} GB free at {CLONE}, about 2 GB are needed.")
    TOOLS.mkdir(exist_ok=True)
    install(uv_program())
    STAMP.write_text(wanted)


def fingerprint() -> str:
    """Changes with whatever would change the installed packages."""
    lists = [CLONE / "uv.lock", CLONE / "pyproject.toml", *sorted(CLONE.glob("*/*/pyproject.toml"))]
    lists += [CLONE / "shared" / "pyproject.toml", Path(__file__)]
    digest = hashlib.sha256(f"{CLONE} {sys.base_prefix} {platform.python_version()}".encode())
    for path in lists:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def uv_program() -> Path:
    """The program in `.tools/`, fetched and verified at the first call."""
    program = TOOLS / f"uv-{UV}"
    if program.exists():
        return program
    here = (platform.system(), platform.machine())
    if here not in WHEELS:
        fail(f"Linux (glibc) and macOS on x86-64 or ARM are supported, this is {' '.join(here)}.")
    folder, tag, sha256 = WHEELS[here]
    name = f"uv-{UV}-py3-none-{tag}.whl"
    wheel = download(address(name, folder), name)
    if hashlib.sha256(wheel).hexdigest() != sha256:
        fail(f"{name} is not the expected file: its SHA-256 differs. Nothing was installed.")
    part = TOOLS / f"uv-{os.getpid()}.part"
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        part.write_bytes(archive.read(f"uv-{UV}.data/scripts/uv"))
    part.chmod(0o755)
    part.replace(program)
    return program


def address(name: str, folder: str) -> str:
    """PyPI's address of the wheel, or that of the index which the environment names."""
    settings = (os.environ.get(setting) for setting in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"))
    index = next((setting for setting in settings if setting), None)
    if index is None:
        return f"{FILES}/{folder}/{name}"
    page = f"{index.rstrip('/')}/uv/"
    listed = download(page, "the list of uv's releases").decode()
    found = re.search(rf'href="([^"]*{re.escape(name)}[^"]*)"', listed)
    if found is None:
        fail(f"The package index of your environment does not have {name}.")
    return urllib.parse.urljoin(page, str(found.group(1)))


def download(url: str, what: str) -> bytes:
    """The whole answer, with a progress line on a terminal."""
    host = urllib.parse.urlsplit(url).hostname
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - https, or the index of the user's choice
            total = int(answer.headers.get("Content-Length") or 0)
            got = bytearray()
            while chunk := answer.read(CHUNK_BYTES):
                got += chunk
                if sys.stderr.isatty() and total:
                    sys.stderr.write(f"\r{what}: {100 * len(got) // total} %")
            if sys.stderr.isatty() and total:
                sys.stderr.write("\n")
            return bytes(got)
    except (OSError, urllib.error.URLError) as error:
        fail(f"Cannot download {what}: {host} is not reachable from here ({error}).")


def install(uv: Path) -> None:
    """What `uv.lock` names, with its hashes, on this very Python."""
    sys.stderr.write("Installing what uv.lock names into .venv …\n")
    environment = {
        **os.environ,
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_PROJECT_ENVIRONMENT": str(CLONE / ".venv"),
        "UV_SYSTEM_CERTS": "true",  # as Python does: a network may have a certificate of its own
    }
    environment.pop("VIRTUAL_ENV", None)  # somebody else's, and uv would warn
    command = [str(uv), "sync", "--frozen", "--compile-bytecode", "--python", sys.executable]
    done = subprocess.run(command, cwd=CLONE, env=environment, check=False)  # noqa: S603 - the verified program
    if done.returncode:
        fail("Installing failed, see above. Is the package registry reachable from here?")


def fail(message: str) -> NoReturn:
    """End with a message for a person."""
    sys.exit(f"setup: {message}")


if __name__ == "__main__":
    main()
