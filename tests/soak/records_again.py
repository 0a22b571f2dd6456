"""The story, and then every record of it three times more: what it left does not change by a byte.

First in no order at all, with the inboxes as they are: each record three times, all of them shuffled. Then
with emptied inboxes, three times: every record is handled again as if it were new. There the keys of the
topics are mixed at random, and each key keeps its order, as it does in life: a key is one partition, the
relay never overtakes itself, and an inbox outlives the records (45 days against 30), so that what is handled
again comes of a log that is read again from its beginning. What becomes of it in no order at all is told at
the end, and not judged. `DICE=number` throws the same orders again.
"""

import asyncio
import io
import os
import random
import secrets
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from aiokafka.structs import ConsumerRecord

from local.story import STEPS
from rig import players, replay, state, system
from rig.system import SERVICES, TOPICS, System
from rig.telling import tell

TIMES = 3


async def play(running: System) -> bool:
    """The story, which is only a way to have something to repeat: what it checks, its own test looks at."""
    told = io.StringIO()
    async with players.on_stage(running, told) as stage:
        done = await players.perform(stage, STEPS)
    await running.settled(seconds=120)
    if done < len(STEPS):
        sys.stdout.write(told.getvalue())
    return done == len(STEPS)


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """The tables that are not as they were."""
    return "; ".join(
        f"{name}: {before[name]} → {after[name]}" for name in before if before[name] != after[name]
    )


async def unchanged(running: System, before: Mapping[str, str], what: str) -> bool:
    """Whether every table is as it was."""
    found = changed(before, await state.hashes(running))
    return tell(f"{what}: {found or f'{len(before)} tables as before'}", right=not found)


async def soak(running: System, dice: random.Random) -> bool:
    right = tell("the story was played", right=await play(running))
    records: Sequence[ConsumerRecord[bytes, bytes]] = await running.records(*TOPICS)
    before = await state.hashes(running)
    kinds = Counter(record.topic for record in records)
    tell(f"{len(records)} records of {len({(one.topic, one.key) for one in records})} keys: {dict(kinds)}")

    shuffled = [*records] * TIMES
    dice.shuffle(shuffled)
    await replay.put_in_again(running, shuffled)
    right &= await unchanged(running, before, f"all of them {TIMES} times, in no order")
    for number in range(1, TIMES + 1):
        await replay.empty_inboxes(running, SERVICES)
        await replay.put_in_again(running, replay.mixed(records, dice))
        right &= await unchanged(running, before, f"inboxes emptied, keys mixed, time {number}")
    audit = running.command("audit", check=False)
    if audit.returncode:
        sys.stdout.write(audit.stdout)
    right &= tell("the audit is clean", right=audit.returncode == 0)
    await replay.empty_inboxes(running, SERVICES)
    await replay.put_in_again(running, dice.sample(records, len(records)))
    found = changed(before, await state.hashes(running))
    sys.stdout.write(f"      inboxes emptied, in no order at all: {found or 'all tables as before'}\n")
    return right


def main() -> int:
    seed = int(os.environ.get("DICE") or secrets.randbelow(10**6))
    sys.stdout.write(f"DICE={seed}\n")
    with system.running() as running:
        right = asyncio.run(soak(running, random.Random(seed)))  # noqa: S311 - an order
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
