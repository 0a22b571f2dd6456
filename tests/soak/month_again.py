"""The story of two months; then the same from a restored dump, its records late and in another order of keys.

Then every record of it comes twice, and then all of it is handled again with emptied inboxes, mixed. Each
time the end must be the same: after the restored dump without generated ids and times (`rig/likeness.py`),
as the same commands make them anew; after the repetitions to the last byte. Where seats and money do not
suffice (`rig/rush.py`), who gets them is chance, and the totals must be the same.

`DICE=number make soak ONLY=month_again` throws the same delays and orders again.
"""

import asyncio
import io
import os
import random
import secrets
import sys
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from local import people
from local.story import STEPS
from rig import dump, late_relay, likeness, players, replay, rush, state, system
from rig.late_relay import LateRelay
from rig.likeness import Likeness
from rig.system import SERVICES, TOPICS, System
from rig.telling import tell

DIFFERENCES_SHOWN = 40


async def play(running: System) -> bool:
    """The same commands each time; what was printed is shown if something was not as told."""
    told = io.StringIO()
    async with players.on_stage(running, told) as stage:
        await players.perform(stage, STEPS)
        as_told = stage.finish(len(STEPS))
    await running.settled(seconds=120)
    if not as_told:
        sys.stdout.write(told.getvalue())
    return as_told


@dataclass(frozen=True)
class Rush:
    """What became of those who asked, and what the whole system came to."""

    states: Mapping[str, Sequence[str]]
    totals: Mapping[str, str]


async def rush_in(running: System) -> Rush:
    """Too few seats and too little money."""
    states = await rush.play(running)
    await running.settled(seconds=120)
    return Rush(states, await rush.totals(running))


def compare_rushes(before: Rush, after: Rush) -> bool:
    """Whether as many got what there was too little of, and every sum is the same."""
    for what, states in before.states.items():
        sys.stdout.write(f"      {what}: {dict(Counter(states))}, then {dict(Counter(after.states[what]))}\n")
    for what in sorted({*before.totals, *after.totals}):
        once, again = before.totals.get(what), after.totals.get(what)
        if once != again:
            sys.stdout.write(f"      {what}: {once}, then {again}\n")
    scarce = all(len(set(states)) > 1 for states in before.states.values())
    return scarce and before == after


def compare(before: Likeness, after: Likeness) -> bool:
    """Whether both ended alike; if not, where they differ."""
    sys.stdout.write(f"      {before.rows.total()} rows: {before.digest[:16]}, then {after.digest[:16]}\n")
    found = list(before.differences(after))
    for line in found[:DIFFERENCES_SHOWN]:
        sys.stdout.write(f"      {line}\n")
    if len(found) > DIFFERENCES_SHOWN:
        sys.stdout.write(f"      and {len(found) - DIFFERENCES_SHOWN} more\n")
    return before.digest == after.digest


async def known_ids(running: System) -> Collection[str]:
    """Of people, and of everything that is there already."""
    persons = {people.person_id(login).hex for login in (*people.LOGINS, *people.DEVICES)}
    return persons | await likeness.ids_of(running)


async def twice(running: System) -> None:
    """Every record comes once more, in its order."""
    await replay.put_in_again(running, await running.records(*TOPICS))


async def forgotten(running: System, dice: random.Random) -> None:
    """Every record comes once more to services that do not know any, in another order of keys."""
    records = replay.mixed(await running.records(*TOPICS), dice)
    await replay.empty_inboxes(running, SERVICES)
    await replay.put_in_again(running, records)


def tell_relay(relay: LateRelay) -> bool:
    """Whether it did what it is for."""
    mixed = f"{relay.carried} records carried late, {relay.overtaken} of them after a younger one"
    return tell(mixed, right=relay.overtaken > relay.carried // 10)


def tell_audit(running: System) -> bool:
    audit = running.command("audit", check=False)
    if audit.returncode:
        sys.stdout.write(audit.stdout)
    return tell("the audit is clean", right=audit.returncode == 0)


async def soak(running: System, dice: random.Random) -> AsyncIterator[bool]:
    """Each part goes on from the last, and all of them are tried."""
    await running.settled(seconds=60)
    known, seeded = await known_ids(running), dump.take(running)
    yield tell("the story, played once", right=await play(running))
    once, rushed = await likeness.of(running, known), await rush_in(running)
    yield tell_audit(running)

    dump.restore(running, seeded)
    async with late_relay.late(running, dice) as relay:
        yield tell("the story from the restored dump", right=await play(running))
    yield tell_relay(relay)
    yield tell("it ended alike", right=compare(once, await likeness.of(running, known)))
    before = await state.hashes(running)
    await twice(running)
    yield tell("nothing changes when every record comes twice", right=before == await state.hashes(running))
    await forgotten(running, dice)
    again = before == await state.hashes(running)
    yield tell("nor when all is handled again, inboxes emptied, keys mixed", right=again)

    async with late_relay.late(running, dice) as relay:
        rushed_late = await rush_in(running)
    yield tell_relay(relay)
    yield tell(
        "where it does not suffice for all, totals are the same", right=compare_rushes(rushed, rushed_late)
    )
    await forgotten(running, dice)
    again = rushed_late.totals == await rush.totals(running)
    yield tell("and when all of it is handled again", right=again)
    yield tell_audit(running)


async def main() -> int:
    seed = int(os.environ.get("DICE") or secrets.randbelow(10**6))
    sys.stdout.write(f"DICE={seed}\n")
    with system.running() as running:
        outcomes = [right async for right in soak(running, random.Random(seed))]  # noqa: S311 - no secret
    return 0 if all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
