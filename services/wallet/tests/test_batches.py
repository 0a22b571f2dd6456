"""A batch is decided as its commands would be one by one, and as a deliberately naive model decides them."""

import os
import secrets
from datetime import date, timedelta
from random import Random
from typing import get_args
from uuid import UUID

import pytest
from hypothesis import seed, settings
from hypothesis.stateful import run_state_machine_as_test

from rig.ledger_coverage import ANSWERS, Reached, told_by_the_domain
from rig.ledger_dice import Order, Past, draw_command, repeat
from rig.ledger_machine import Batches
from rig.ledger_rows import Rows, lay_foundations
from rig.ledger_store import Store
from rig.ledger_world import FIRST, FUNDS, PROVIDERS
from shared.edge import Edge
from wallet.domain.items import EntryKind, Stage
from wallet.domain.operations import Command

LONG_MIN, LONG_MAX = 12, 250
"""As many as it takes to reach everything, and not fewer than these: of 250 a rare answer comes in fifty."""
LIVES_EACH = 4


@pytest.fixture
def dice(capsys: pytest.CaptureFixture[str]) -> int:
    """Others in each run; those of `DICE=number` again."""
    thrown = int(os.environ.get("DICE") or secrets.randbelow(10**6))
    with capsys.disabled():
        print(f"\nDICE={thrown}")  # noqa: T201 - of the run
    return thrown


def test_a_batch_equals_its_commands_one_by_one_and_the_model(dice: int) -> None:
    run_state_machine_as_test(
        seed(dice)(Batches), settings=settings(max_examples=20, stateful_step_count=12, database=None)
    )


def test_each_operation_and_each_refusal_of_the_domain_is_listed() -> None:
    assert set(ANSWERS) == set(get_args(Command))
    assert told_by_the_domain() <= frozenset().union(*ANSWERS.values())


def test_long_lives_reach_every_refusal_every_stage_and_everything_that_is_told(
    dice: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = Reached()
    monkeypatch.setattr(Batches, "reached", reached)
    for number in range(LONG_MAX):
        one = Batches()
        for life in range(LIVES_EACH):
            one.live(seed=dice + LIVES_EACH * number + life)
            one.a_batch_equals_its_commands_one_by_one()
            one.nothing_is_ever_negative_and_every_tiyn_is_somewhere()
            one.balances_are_what_the_model_sums_up()
            one.items_are_what_the_model_owes()
            one.what_was_captured_is_owed_and_nothing_else()
            one.an_item_is_settled_at_most_once()
        if number >= LONG_MIN and not reached.differs():
            break
    assert not reached.differs()


async def test_postgresql_keeps_what_the_pure_decision_says_however_the_stream_is_split(edge: Edge) -> None:
    await lay_foundations(edge)
    rng = Random(10)  # noqa: S311 - these dice reach everything that can be done with an item
    rows, store, today, number = Rows(edge), Store(), FIRST, 0
    drawn: list[Command] = []
    orders: list[Order] = []
    for _ in range(60):
        commands: list[Command] = []
        past = Past(store.asked(drawn), orders, drawn, store.approved)
        for _ in range(rng.choice([1, 2, 5, 30])):
            again = drawn and rng.random() < 0.15
            commands.append(
                repeat(rng, rng.choice(drawn), number) if again else draw_command(rng, number, today, past)
            )
            drawn.append(commands[-1])
            number += 1
        assert await rows.post(commands, today) == store.post(commands, today)
        assert await rows.picture() == store.picture()
        await happen_outside(rows, rng, store, orders)
        today = min(today + timedelta(rng.choice([0, 0, 0, 1, 9])), date(2027, 1, 5))
    assert {item.stage for item in store.items.values()} >= {Stage.SETTLED, Stage.VOID}
    assert {entry.kind for entry in store.entries} == set(get_args(EntryKind))
    assert await rows.findings() == {}


async def happen_outside(rows: Rows, rng: Random, store: Store, orders: list[Order]) -> None:
    """Providers sign, runs take what is due, the bank takes orders: between batches, not through them."""
    for enrollment_id, month, revision in rng.sample(list(store.charges), len(store.charges) // 4):
        signed = enrollment_id, month, revision, store.charges[enrollment_id, month, revision]
        store.sign(*signed)
        await rows.sign(*signed)
    for fund_id in FUNDS:
        order = UUID(int=0xF000 + len(orders)), fund_id, rng.choice(PROVIDERS)
        before = dict(store.items)
        store.run(*order)
        await rows.run(*order)
        orders += [order] if store.items != before else []
    for payout_id, *_ in orders[-2:]:
        if rng.random() < 0.5:
            store.send(payout_id)
            await rows.send(payout_id)
