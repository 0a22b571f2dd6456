"""How the processes of a service begin; what they then do is tested where it happens."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared.commands import WORKER_NICENESS

NICEST = 19
GROUP = Path("/proc/self/autogroup")
"""`/autogroup-25 nice 0`: what Linux weighs a session by; not everywhere, nor readable where it is off."""
BEGIN = f"""
import os
from pathlib import Path
from shared import commands
commands._give_way()
print(os.getpriority(os.PRIO_PROCESS, 0), Path("{GROUP}").read_text() if Path("{GROUP}").exists() else "")
"""


@pytest.mark.parametrize("own_session", [True, False])
def test_a_worker_gives_way_and_its_session_only_if_it_is_its_own(*, own_session: bool) -> None:
    begun = subprocess.run(  # noqa: S603 - of this test
        [sys.executable, "-c", BEGIN],
        capture_output=True,
        text=True,
        check=True,
        start_new_session=own_session,
    )
    niceness, *group = begun.stdout.split()
    assert int(niceness) == min(os.getpriority(os.PRIO_PROCESS, 0) + WORKER_NICENESS, NICEST)
    if group and own_session:
        assert int(group[-1]) == WORKER_NICENESS
    elif group:
        assert group == GROUP.read_text().split()
