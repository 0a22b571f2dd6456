"""The one path that money takes: Kafka's chunks, HTTP, runs and orders all come through `post`."""

from collections.abc import Sequence

from shared import clock
from shared.database import Transaction
from wallet.domain.decisions import decide
from wallet.domain.operations import Command, Result, child_of
from wallet.repository.postings import write_books
from wallet.repository.snapshots import read_snapshot


async def rehearse(tx: Transaction, command: Command) -> Result:
    """What `post` would answer now. Locks nothing and writes nothing."""
    read = await read_snapshot(await tx.driver(), [command], lock=False)
    (result,) = decide(read.snapshot, [command], clock.civil_date(tx.now)).results
    return result


async def post(tx: Transaction, commands: Sequence[Command]) -> list[Result]:
    """Lock, read, decide, write: one result for each command, as if they had come one by one."""
    if not commands:
        return []
    driver = await tx.driver()
    read = await read_snapshot(driver, commands, lock=True)
    decision = decide(read.snapshot, commands, clock.civil_date(tx.now))
    await write_books(driver, decision.books, read.numbers, tx.now)
    for command in commands:
        if (child_id := child_of(command)) is not None:
            tx.touch(child_id)
    return decision.results
