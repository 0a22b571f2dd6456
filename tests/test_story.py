"""The story in a system of its own; and what it left does not change when all of it is handled again.

The amounts it checks are computed from the calendar in `deploy/local/tests`, by nothing of the services.
What takes longer is `tests/soak/month_again.py`.
"""

import random
import re
from collections.abc import Iterator

import pytest

from rig import outside, replay, state
from rig import system as rig
from rig.system import SERVICES, TOPICS, System

pytestmark = [pytest.mark.servers, pytest.mark.xdist_group("system"), pytest.mark.timeout(1200)]

SEED = 20260914
TYPES_MIN = 20
"""How many types of events the story tells, at least."""
LATE = re.compile(r"✗ .+ after \d+\.\d\d s: expected within")
"""Other tests run on the same cores: here, and only here, a step may take longer than it is told to."""


@pytest.fixture(scope="module")
def played() -> Iterator[tuple[System, str]]:
    """A system in which the story has been played, and what was printed."""
    with rig.reserved() as system:
        demo = system.command("demo", "--base-port", str(system.base_port), check=False)
        yield system, demo.stdout


async def test_every_step_goes_as_told_and_the_books_are_right(played: tuple[System, str]) -> None:
    _, told = played
    wrong = [line for line in told.splitlines() if "✗" in line and not LATE.search(line)]
    assert wrong == [], "\n".join([*wrong, told])
    assert "The story ends here" not in told, told
    assert re.search(r"All \d+ steps went as told\.|Not as told: step [\d, ]+ of \d+\.", told), told
    assert "NOT CLEAN" not in told, told


async def test_the_trace_of_an_order_leads_to_the_marks_and_to_the_budget_line(
    played: tuple[System, str],
) -> None:
    system, told = played
    (payout_id,) = re.findall(r"social-wallet trace payout (\S+)", told)
    trace = system.command("trace", "payout", payout_id).stdout
    for part in (
        "ACSC",
        "deposit 15\u202f000.00",
        "Children of the Steppe",
        "guardian present",
        "device present",
    ):
        assert part in trace, trace


async def test_the_ledger_is_sealed_and_found_as_it_was_signed(played: tuple[System, str]) -> None:
    system, told = played
    assert re.search(r"\d+ signed heads, 0 batches wait for their seal: nothing found", told), told
    again = system.command("verify", check=False)
    assert (again.returncode, again.stdout.endswith("nothing found\n")) == (0, True), again.stdout


async def test_every_record_is_what_the_contracts_promise(played: tuple[System, str]) -> None:
    system, _ = played
    await system.settled(seconds=120)
    seen, wrong = await outside.look(system.kafka_bootstrap)
    assert wrong == []
    assert len(seen) > TYPES_MIN, seen


async def test_every_record_may_be_handled_again_in_another_order_of_keys(
    played: tuple[System, str],
) -> None:
    system, _ = played
    await system.settled(seconds=120)
    before = await state.hashes(system)
    records = replay.mixed(await system.records(*TOPICS), random.Random(SEED))  # noqa: S311 - an order
    await replay.empty_inboxes(system, SERVICES)
    await replay.put_in_again(system, records)
    assert await state.hashes(system) == before
    audit = system.command("audit", check=False)
    assert audit.returncode == 0, audit.stdout
