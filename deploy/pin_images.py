# ruff: noqa: INP001 - a script, no module of a package
"""Write beside each image's version the digest that its registry tells: `python deploy/pin_images.py`.

In docker-compose.yml and deploy/Dockerfile, `name:version` becomes `name:version@sha256:…`. No digest is
written by hand: a registry is asked by the distribution API (anonymous tokens included), and what it sends
must have the digest that it names. Of an image that nobody answers for the line stays as it is, and the exit
code is 1.
"""

import argparse
import hashlib
import json
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from email.message import Message
from pathlib import Path
from typing import NamedTuple

CLONE = Path(__file__).resolve().parents[1]
FILES = (CLONE / "docker-compose.yml", CLONE / "deploy" / "Dockerfile")
NAMED = re.compile(r"^(\s*image: |ARG PYTHON=)([^\s@]+)(@sha256:[0-9a-f]{64})?(?=\s|$)", re.MULTILINE)
OURS = "social-wallet/"
"""Built here; no registry has these."""
HUB = "registry-1.docker.io"
MANIFESTS = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.index.v1",
        "docker.distribution.manifest.list.v2",
        "oci.image.manifest.v1",
        "docker.distribution.manifest.v2",
    )
)
BYTES_MAX = 4 * 1024 * 1024
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


class Image(NamedTuple):
    """What a line names: where, what, and which version."""

    registry: str
    repository: str
    tag: str


class NoAnswerError(Exception):
    """Nobody can tell the digest now."""


def read(name: str) -> Image:
    """`postgres:18.6` is on Docker Hub, in its library; a first part with a dot or a port is a registry."""
    path, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        raise NoAnswerError("it has no version")
    first, slash, rest = path.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return Image(first, rest, tag)
    return Image(HUB, path if slash else f"library/{path}", tag)


def ask(image: Image, mirror: str | None) -> str:
    """The digest of an image, as its registry or a mirror tells it."""
    address = (mirror or f"https://{image.registry}").rstrip("/")
    url = f"{address}/v2/{image.repository}/manifests/{urllib.parse.quote(image.tag)}"
    try:
        try:
            headers, content = _get(url, None)
        except urllib.error.HTTPError as refused:
            if refused.code != 401:  # noqa: PLR2004 - asks for a token
                raise
            headers, content = _get(url, _token(refused.headers, image, address))
    except (OSError, ValueError) as error:
        raise NoAnswerError(str(error)) from None
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    if headers.get("Docker-Content-Digest", digest) != digest:
        raise NoAnswerError("what the registry sent is not what it names")
    return digest


def _get(url: str, token: str | None) -> tuple[Message, bytes]:
    request = urllib.request.Request(url, headers={"Accept": MANIFESTS})  # noqa: S310 - made above
    if token:
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - made above
        content = answer.read(BYTES_MAX + 1)
    if len(content) > BYTES_MAX:
        raise ValueError("the answer is too large")
    return answer.headers, content


def _token(headers: Message, image: Image, address: str) -> str:
    """An anonymous token to read this image, from where the registry says that there are some."""
    scheme, _, parameters = headers.get("WWW-Authenticate", "").partition(" ")
    said = dict(_CHALLENGE.findall(parameters))
    realm = said.get("realm", "")
    if scheme.lower() != "bearer" or not realm.startswith(("https://", f"{address}/")):
        raise ValueError("the registry wants what we do not have")
    query = {"scope": f"repository:{image.repository}:pull"} | (
        {"service": said["service"]} if "service" in said else {}
    )
    _, content = _get(f"{realm}?{urllib.parse.urlencode(query)}", None)
    answer = json.loads(content)
    return str(answer.get("token") or answer["access_token"])


def pin(file: Path, mirror: str | None) -> bool:
    """Write the digests of one file; whether all images got theirs."""
    text = file.read_text()
    digests: dict[str, str] = {}
    complete = True
    for name in sorted({found[2] for found in NAMED.finditer(text) if not found[2].startswith(OURS)}):
        try:
            digests[name] = ask(read(name), mirror)
            sys.stdout.write(f"{file.name}: {name} is {digests[name]}\n")
        except (NoAnswerError, KeyError) as error:
            complete = False
            sys.stdout.write(f"{file.name}: {name} stays as it is: {error}\n")

    def line(found: re.Match[str]) -> str:
        digest = digests.get(found[2])
        return f"{found[1]}{found[2]}@{digest}" if digest else found[0]

    file.write_text(NAMED.sub(line, text))
    return complete


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mirror", help="ask this registry for all images, such as https://mirror.example")
    parser.add_argument("files", nargs="*", type=Path, default=FILES)
    options = parser.parse_args()
    complete = [pin(file, options.mirror) for file in options.files]
    return 0 if all(complete) else 1


if __name__ == "__main__":
    sys.exit(main())
