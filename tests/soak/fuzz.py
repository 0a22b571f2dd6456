"""The APIs under many more invented requests than in the gate, of seeds that are printed."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "200")
TEST = Path(__file__).parents[1] / "access" / "test_fuzz.py"


def main() -> int:
    number = os.environ.get("FUZZ_SEED") or str(secrets.randbelow(2**31))
    sys.stdout.write(f"fuzz: FUZZ_SEED={number} FUZZ_EXAMPLES={EXAMPLES}\n")
    sys.stdout.flush()
    servers = [sys.executable, "-m", "local.servers", "--no-kafka", "--"]
    tests = [sys.executable, "-m", "pytest", "-q", "-s", str(TEST)]
    told = {"FUZZ_SEED": number, "FUZZ_EXAMPLES": EXAMPLES}
    return subprocess.run([*servers, *tests], env=os.environ | told, check=False).returncode  # noqa: S603 - ours


if __name__ == "__main__":
    sys.exit(main())
