"""`python -m rig.faults.shifted SECONDS SERVICE worker`: a worker whose clock is wrong by so much.

All of the code's own ways to the real clock are shifted: `time.time`, which stamps records and checks tokens,
and the time inside new ids. The monotonic clock is not: setting a clock does not change it.
"""

import importlib
import sys
import time
import uuid

import uuid_utils.compat

_NANOSECONDS = 1_000_000_000


def shift(seconds: int) -> None:
    """Be wrong by so much from now on."""
    right_time, right_time_ns, right_uuid7 = time.time, time.time_ns, uuid_utils.compat.uuid7

    def wrong_time() -> float:
        return right_time() + seconds

    def wrong_time_ns() -> int:
        return right_time_ns() + seconds * _NANOSECONDS

    def wrong_uuid7() -> uuid.UUID:
        return right_uuid7(nanoseconds=wrong_time_ns())

    vars(time).update(time=wrong_time, time_ns=wrong_time_ns)
    vars(uuid_utils.compat).update(uuid7=wrong_uuid7)


if __name__ == "__main__":
    shift(int(sys.argv[1]))
    service, *arguments = sys.argv[2:]
    sys.argv = [service, *arguments]
    importlib.import_module(f"{service}.__main__")
