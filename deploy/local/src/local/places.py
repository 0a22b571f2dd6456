"""Where the local system keeps its things. Paths only: nothing here creates or removes them."""

import os
from pathlib import Path

CLONE = Path(__file__).resolve().parents[4]
STATE = Path(os.environ.get("SW_STATE") or CLONE / ".local").resolve()
"""Data, logs and process ids of the running system; `reset` removes it. Tests have systems of their own."""
TOOLS = CLONE / ".tools"
"""What was downloaded and verified: uv, Kafka's jars."""
KAFKA = CLONE / "deploy" / "local" / "kafka"
LOGS = STATE / "log"
RUN = STATE / "run"
DATA = STATE / "data"
CHECKPOINTS = DATA / "checkpoints"
"""Where the wallet publishes the signed heads of its log."""
