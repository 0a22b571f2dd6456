# ruff: noqa: INP001 - a script, no module of a package
"""The health check of our images, which have no curl: does the process of this container answer?

A worker answers on SW_METRICS_PORT, an API on SW_PORT; a container is told one of the two. Exits with 0 if it
says 200 to `/livez`, or to the path that is given.
"""

import os
import sys
import urllib.error
import urllib.request


def main(path: str = "/livez") -> int:
    port = os.environ.get("SW_METRICS_PORT") or os.environ.get("SW_PORT", "8000")
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5):
            return 0
    except (OSError, urllib.error.URLError) as error:
        sys.stderr.write(f"{path} on port {port}: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
