"""A batch is decided as its commands would be one by one, and as a deliberately naive model decides them."""

import json
from dataclasses import fields
from datetime import date, timedelta
from random import Random
from typing import Any, get_args
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from rig.ledger_dice import Order, Past, draw_command, repeat
from rig.ledger_store import Store
from rig.ledger_world import ENTITLEMENTS, FIRST, FUNDS, MRP, PROGRAMS, PROVIDERS, provider_of
from rig.naive_ledger import Naive
from shared import clock
from shared.database import Cause, Transaction, new_id
from shared.edge import Edge
from wallet.domain.accounts import ASSETS, Account, Kind
from wallet.domain.items import UNPAID, EntryKind, Item, Stage
from wallet.domain.operations import (
    Bounced,
    Charged,
    Command,
    Declined,
    Expire,
    Expired,
    Held,
    Reduce,
    Result,
)
from wallet.domain.programs import Mode
from wallet.domain.snapshot import EnrollmentEnd, MonthAnswer
from wallet.repository.audits import AUDITS
from wallet.repository.numbers import KIND_NUMBERS
from wallet.repository.payers import Driver
from wallet.repository.signatures import write_signatures
from wallet.usecases.post import post

LIVES_MIN, LIVES_MAX = 25, 90
"""As many as it takes to reach everything, and not fewer than these."""


def plain(result: Result) -> Result:
    """Without what the model does not say: it says which items are frozen instead."""
    if isinstance(result, Charged):
        return result._replace(verdicts=(), changes=())
    return result._replace(changes=()) if isinstance(result, Bounced) else result


def place_of(account: Account) -> object:
    """What the model calls the account."""
    if account.child_id is not None:
        return account.child_id, account.expires_on
    return account.kind.value if account.owner_id is None else (account.kind.value, account.owner_id)


class Batches(RuleBasedStateMachine):
    """Commands gather, and are posted as one batch, one by one, and to the model."""

    seen: set[str] = set()  # noqa: RUF012 - over all runs, on purpose

    def __init__(self) -> None:
        super().__init__()
        self.today = FIRST
        self.drawn: list[Command] = []
        self.orders: list[Order] = []
        self.pending: list[Command] = []
        self.batched, self.single, self.naive = Store(), Store(), Naive()

    @rule(seed=st.integers(0, 2**32), count=st.integers(1, 30))
    def ask(self, seed: int, count: int) -> None:
        # Hypothesis' own generators prefer small numbers: with them commands hardly ever meet.
        rng = Random(seed)  # noqa: S311 - a test's dice
        asked = self.batched.asked(self.drawn)
        for _ in range(count):
            number = len(self.drawn)
            command = draw_command(rng, number, self.today, Past(asked, self.orders, self.drawn))
            if self.drawn and rng.random() < 0.15:
                command = repeat(rng, rng.choice(self.drawn), number)
            self.drawn.append(command)
            self.pending.append(command)

    @rule(seed=st.integers(0, 2**32))
    def live(self, seed: int) -> None:
        """A long while at once: orders settle, bounce and are claimed only in long lives."""
        rng = Random(seed)  # noqa: S311 - a test's dice
        for _ in range(60):
            match rng.choices(["ask", "sign", "run", "send", "wait"], [10, 3, 2, 2, 1])[0]:
                case "ask":
                    self.ask(seed=rng.getrandbits(32), count=rng.randint(1, 12))
                case "sign":
                    self.sign(seed=rng.getrandbits(32))
                case "run":
                    self.run()
                case "send":
                    self.send(back=rng.randint(1, 4))
                case "wait":
                    self.pass_time(days=rng.randint(-2, 10))

    @rule(days=st.integers(-2, 25))
    def pass_time(self, days: int) -> None:
        self.post()
        self.today = min(max(FIRST, self.today + timedelta(days)), date(2027, 1, 5))

    @rule(seed=st.integers(0, 2**32))
    def sign(self, seed: int) -> None:
        self.post()
        rng = Random(seed)  # noqa: S311 - a test's dice
        for enrollment_id, month, revision in list(self.batched.charges):
            if rng.random() < 0.5:
                digest = self.batched.charges[enrollment_id, month, revision]
                signed = enrollment_id, month, revision, digest if rng.random() < 0.9 else "other"
                for ledger in (self.batched, self.single, self.naive):
                    ledger.sign(*signed)

    @rule()
    def run(self) -> None:
        """An order for whatever is due to anybody; sometimes there is none, and the order is empty."""
        self.post()
        for fund_id in FUNDS:
            for provider_id in PROVIDERS:
                order = UUID(int=0xF000 + len(self.orders)), fund_id, provider_id
                before = dict(self.batched.items)
                for ledger in (self.batched, self.single, self.naive):
                    ledger.run(*order)
                if self.batched.items != before or not self.orders:
                    self.orders.append(order)

    @rule(back=st.integers(1, 4))
    def send(self, back: int) -> None:
        self.post()
        for payout_id, *_ in self.orders[-back:][:1]:
            for ledger in (self.batched, self.single, self.naive):
                ledger.send(payout_id)

    @rule()
    def post(self) -> None:
        commands, self.pending = self.pending, []
        results = self.batched.post(commands, self.today)
        assert results == [self.single.post([one], self.today)[0] for one in commands]
        assert [plain(one) for one in results] == [self.naive.do(one, self.today) for one in commands]
        self.seen.update(item.stage for item in self.batched.items.values())
        self.seen.update(entry.kind for entry in self.batched.entries)
        for command, result in zip(commands, results, strict=True):
            self.seen.update(change.kind for change in getattr(result, "changes", ()))
            self.seen.update({"uncovered"} if isinstance(result, Charged) and result.uncovered_tiyn else ())
            self.seen.update({"still_held"} if isinstance(result, Charged) and result.disputed_tiyn else ())
            self.seen.add(result.code if isinstance(result, Declined) else type(result).__name__)
            self.seen.update({"two_layers"} if isinstance(result, Held) and len(result.shares) > 1 else ())
            if isinstance(result, Expired) and isinstance(command, Expire):
                self.seen.update({"unused"} if command.expires_on >= self.today else ())
            self.seen.update({"reduced"} if isinstance(command, Reduce) and result != (0,) else ())

    @invariant()
    def a_batch_equals_its_commands_one_by_one(self) -> None:
        assert self.batched.picture() == self.single.picture()
        assert self.batched.postings == self.single.postings
        assert self.batched.approved == self.single.approved

    @invariant()
    def nothing_is_ever_negative_and_every_tiyn_is_somewhere(self) -> None:
        for account, balance in self.batched.balances.items():
            assert min(balance.credited, balance.debited, balance.held) >= 0
            assert balance.free <= 0 if account.kind in ASSETS else balance.free >= 0
        for fund_id in FUNDS:
            of_fund = [b for account, b in self.batched.balances.items() if account.fund_id == fund_id]
            assert sum(b.credited - b.debited for b in of_fund) == 0

    @invariant()
    def balances_are_what_the_model_sums_up(self) -> None:
        for account, balance in self.batched.balances.items():
            assert balance.free == self.naive.free(account.fund_id, place_of(account))
            reserved = sum(
                layer.remaining_tiyn
                for hold in self.batched.holds.values()
                for layer in hold.layers
                if layer.account == account
            )
            assert balance.held == reserved
        assert {hold["id"]: (hold["open"], hold["captured"]) for hold in self.naive.holds} == {
            hold.id: (hold.open, [layer.captured_tiyn for layer in hold.layers])
            for hold in self.batched.holds.values()
        }

    @invariant()
    def items_are_what_the_model_owes(self) -> None:
        assert sorted(map(str, self.naive.items_now())) == sorted(
            str(
                (
                    item.enrollment_id,
                    item.month,
                    item.fund_id,
                    item.revision,
                    item.amount_tiyn,
                    item.claimed_tiyn,
                    item.stage.value,
                    item.frozen,
                    item.payout_id,
                    item.recovered_tiyn,
                )
            )
            for item in self.batched.items.values()
        )

    @invariant()
    def what_was_captured_is_owed_and_nothing_else(self) -> None:
        store = self.batched
        for key, month in store.months.items():
            mine = [item for item in store.items.values() if (item.enrollment_id, item.month) == key]
            assert sum(item.owed_tiyn for item in mine) == month.captured_tiyn
            assert all(item.frozen == month.frozen for item in mine if item.stage in UNPAID)
        for account, balance in store.balances.items():
            if account.kind is Kind.PAYABLE:
                assert balance.free == sum(
                    item.amount_tiyn
                    for item in store.items.values()
                    if item.stage in UNPAID
                    and (item.fund_id, item.provider_id) == (account.fund_id, account.owner_id)
                )

    @invariant()
    def an_item_is_settled_at_most_once(self) -> None:
        settled = [entry.item_id for entry in self.batched.entries if entry.kind == "settle"]
        assert len(settled) == len(set(settled))


def test_a_batch_equals_its_commands_one_by_one_and_the_model() -> None:
    run_state_machine_as_test(
        Batches, settings=settings(max_examples=60, stateful_step_count=12, derandomize=True)
    )


def test_long_lives_reach_every_refusal_every_stage_and_everything_that_is_told() -> None:
    everything = {
        *("Deposited", "Allotted", "Held", "Released", "Mismatched", "two_layers", "reduced"),
        *("Expired", "unused", "Returned", "Recovered", "Corrected"),
        *("until_outside_fund", "nothing_free", "still_in_use", "bank_reference_used", "fund_not_over"),
        *("not_enough_there", "more_than_claimed", "correction_not_allowed", "operation_unknown"),
        *("allotment_unknown", "allotment_over", "beyond_operation"),
        *("not_entitled", "program_not_running", "direction_not_paid", "clubs_limit_reached"),
        *("over_month_cap", "over_year_cap"),
        *("price_above_rate", "no_money", "month_closed", "already_allotted", "over_budget"),
        *("fund_not_found", "order_is_empty", "order_not_ready", "order_not_sent"),
        *("Charged", "Superseded", "Unready", "PaidOut", "Settled", "Bounced", "uncovered", "still_held"),
        *("frozen", "unfrozen", "claim_opened", "taken_out"),
        *Stage,
        *get_args(EntryKind),
    }
    Batches.seen.clear()
    for seed in range(LIVES_MAX):
        one = Batches()
        for life in range(2):
            one.live(seed=2 * seed + life)
            one.a_batch_equals_its_commands_one_by_one()
            one.nothing_is_ever_negative_and_every_tiyn_is_somewhere()
            one.balances_are_what_the_model_sums_up()
            one.items_are_what_the_model_owes()
            one.what_was_captured_is_owed_and_nothing_else()
            one.an_item_is_settled_at_most_once()
        if seed >= LIVES_MIN and everything <= Batches.seen:
            break
    missed = everything - Batches.seen
    assert not missed


async def lay_foundations(edge: Edge) -> None:
    """The programs, funds and entitlements of this module, as rows."""
    async with edge.transaction() as tx:
        driver = await tx.driver()
        for program in PROGRAMS.values():
            await driver.execute(
                "INSERT INTO programs (id, version, region_id, name, place, starts_on, ends_on)"
                " VALUES ($1, 1, $1, '{}', $2, $3, $4)",
                program.id,
                program.place,
                program.starts_on,
                program.ends_on,
            )
            for version in program.rules:
                await driver.execute(
                    "INSERT INTO program_rules"
                    " VALUES ($1, $2, $3, $4, $5, $6, 20, 10, 20, $7, $8, $9, $10, $11, $12)",
                    program.id,
                    version.version,
                    version.valid_from,
                    sorted(version.directions),
                    version.monthly_rate_tiyn,
                    version.clubs_per_child_max,
                    json.dumps(version.evidence),
                    json.dumps(version.charge),
                    version.monthly_rate_mrp_thousandths,
                    version.month_cap_tiyn,
                    version.year_cap_tiyn,
                    version.restore_days,
                )
        await driver.executemany("INSERT INTO mrp VALUES ($1, $2)", MRP)
        for fund in FUNDS.values():
            monthly = 100 if fund.mode is Mode.AHEAD else None
            await driver.execute(
                "WITH fund AS (INSERT INTO funds (id, version, program_id, region_id, funder, name, mode,"
                " budget_tiyn, monthly_tiyn, last_capture_on)"
                " VALUES ($1, 1, $2, $2, '{}', '{}', $3, $4, $5, $6) RETURNING number)"
                " INSERT INTO accounts (id, kind) SELECT number::bigint << 40 | kind, kind"
                " FROM fund, unnest($7::smallint[]) AS k(kind)",
                fund.id,
                fund.program_id,
                fund.mode,
                fund.budget_tiyn,
                monthly,
                fund.last_capture_on,
                [1, 2, 3, 4],
            )
        for child_id, of_child in ENTITLEMENTS.items():
            for one in of_child:
                await driver.execute(
                    "INSERT INTO entitlements VALUES ($1, 1, $2, $3, $4, $5, $6)",
                    new_id(),
                    child_id,
                    one.program_id,
                    one.starts_on,
                    one.until,
                    one.coefficient_percent,
                )


async def picture_of(driver: Driver) -> dict[str, Any]:
    """The database's rows in the form of a store's picture."""
    kinds = {number: kind for kind, number in KIND_NUMBERS.items()}
    balances = await driver.fetch(
        "SELECT a.*, f.id AS fund_id FROM accounts a JOIN funds f ON f.number = a.id >> 40"
        " WHERE (credited, debited, held) <> (0, 0, 0)"
    )
    holds = await driver.fetch("SELECT * FROM holds")
    layers = await driver.fetch(
        "SELECT l.*, f.id AS fund_id, a.expires_on FROM hold_layers l JOIN accounts a ON a.id = l.account_id"
        " JOIN funds f ON f.number = a.id >> 40 ORDER BY hold_id, place"
    )
    return {
        "balances": {
            Account(
                kinds[row["kind"]],
                row["fund_id"],
                row["child_id"],
                row["expires_on"],
                row["provider_id"] or row["payout_id"],
            ): (
                row["credited"],
                row["debited"],
                row["held"],
                row["given_back"],
                row["moved_on"] if row["child_id"] else None,
            )
            for row in balances
        },
        "holds": {
            (row["enrollment_id"], row["month"], row["id"]): (
                row["open"],
                [
                    (
                        one["fund_id"],
                        one["expires_on"],
                        one["amount_tiyn"],
                        one["released_tiyn"],
                        one["captured_tiyn"],
                    )
                    for one in layers
                    if one["hold_id"] == row["id"]
                ],
            )
            for row in holds
        },
    } | await months_and_items(driver)


async def months_and_items(driver: Driver) -> dict[str, Any]:
    """What is known of enrollments, and owed for them."""
    months = await driver.fetch("SELECT * FROM enrollment_months")
    names = [one.name for one in fields(Item)]
    return {
        "enrollments": {
            row["id"]: EnrollmentEnd(row["child_id"], row["ends_on"], row["released"])
            for row in await driver.fetch("SELECT * FROM enrollments")
        },
        "months": {
            (row["enrollment_id"], row["month"]): MonthAnswer(
                row["child_id"],
                *(row[name] for name in MonthAnswer._fields[1:]),
            )
            for row in months
        },
        "items": {
            row["id"]: Item(**{name: row[name] for name in names} | {"stage": Stage(row["stage"])})
            for row in await driver.fetch("SELECT * FROM payable_items")
        },
    }


async def test_postgresql_keeps_what_the_pure_decision_says_however_the_stream_is_split(edge: Edge) -> None:
    await lay_foundations(edge)
    rng = Random(2)  # noqa: S311 - these dice reach everything that can be done with an item
    store, today, number = Store(), FIRST, 0
    drawn: list[Command] = []
    orders: list[Order] = []
    for _ in range(90):
        commands: list[Command] = []
        asked = store.asked(drawn)
        for _ in range(rng.choice([1, 2, 5, 30])):
            again = drawn and rng.random() < 0.15
            commands.append(
                repeat(rng, rng.choice(drawn), number)
                if again
                else draw_command(rng, number, today, Past(asked, orders, drawn))
            )
            drawn.append(commands[-1])
            number += 1
        async with edge.transaction() as tx:
            moment = clock.civil_moment(today)
            results = await post(Transaction(tx.connection, moment, Cause(new_id())), commands)
            assert results == store.post(commands, today)
            assert await picture_of(await tx.driver()) == store.picture()
        await happen_outside(edge, rng, store, orders)
        today = min(today + timedelta(rng.choice([0, 0, 0, 1, 9])), date(2027, 1, 5))
    assert {item.stage for item in store.items.values()} >= {Stage.SETTLED, Stage.VOID}
    assert {entry.kind for entry in store.entries} == set(get_args(EntryKind))
    await assert_audits_clean(edge)


async def happen_outside(edge: Edge, rng: Random, store: Store, orders: list[Order]) -> None:
    """Providers sign, runs take what is due, the bank takes orders: between batches, not through them."""
    async with edge.transaction() as tx:
        driver = await tx.driver()
        for enrollment_id, month, revision in rng.sample(list(store.charges), len(store.charges) // 4):
            signed = enrollment_id, month, revision, store.charges[enrollment_id, month, revision]
            store.sign(*signed)
            row = (*signed, provider_of(enrollment_id), PROVIDERS[0], PROVIDERS[0], tx.now)
            await write_signatures(driver, [row])
        for fund_id in FUNDS:
            order = UUID(int=0xF000 + len(orders)), fund_id, rng.choice(PROVIDERS)
            store.run(*order)
            taken = await driver.fetch(
                "UPDATE payable_items SET stage = 'in_run', payout_id = $1"
                " WHERE stage = 'due' AND NOT frozen AND fund_id = $2 AND provider_id = $3 RETURNING id",
                *order,
            )
            orders += [order] if taken else []
        for payout_id, *_ in orders[-2:]:
            if rng.random() < 0.5:
                store.send(payout_id)
                await driver.execute(
                    "UPDATE payable_items SET stage = 'sent' WHERE stage = 'submitting' AND payout_id = $1",
                    payout_id,
                )


async def assert_audits_clean(edge: Edge) -> None:
    async with edge.transaction() as tx:
        driver = await tx.driver()
        assert {name: await driver.fetch(sql) for name, sql in AUDITS.items()} == {
            name: [] for name in AUDITS
        }
