"""Where the local system keeps its things. Paths only: nothing here creates or removes them."""

from pathlib import Path

CLONE = Path(__file__).resolve().parents[4]
STATE = CLONE / ".local"
"""Data, logs and process ids of the running system; `reset` removes it."""
TOOLS = CLONE / ".tools"
"""What was downloaded and verified: uv, Kafka's jars."""
KAFKA = CLONE / "deploy" / "local" / "kafka"
LOGS = STATE / "log"
RUN = STATE / "run"
DATA = STATE / "data"
