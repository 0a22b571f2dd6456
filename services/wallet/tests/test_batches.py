"""A batch is decided as its commands would be one by one, and as a deliberately naive model decides them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from datetime import date, timedelta
from random import Random
from typing import Any, get_args
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from rig.ledger_dice import Asked, Order, draw_command, repeat
from rig.naive_ledger import (
    ENTITLEMENTS,
    FIRST,
    FUNDS,
    MRP,
    PROGRAMS,
    PROVIDERS,
    Naive,
    provider_of,
)
from shared import clock
from shared.database import Cause, Transaction, new_id
from shared.edge import Edge
from wallet.domain.accounts import ASSETS, Account, Balance, Kind
from wallet.domain.decisions import Decision, decide
from wallet.domain.holds import Hold, Terms
from wallet.domain.items import UNPAID, Entry, EntryKind, Item, Stage
from wallet.domain.operations import (
    Bounced,
    Charged,
    Command,
    Declined,
    Held,
    HoldMonth,
    Identity,
    Reduce,
    Result,
)
from wallet.domain.programs import Mode
from wallet.domain.recording import Recorded
from wallet.domain.snapshot import EnrollmentEnd, MonthAnswer, Snapshot
from wallet.repository.audits import AUDITS
from wallet.repository.numbers import KIND_NUMBERS
from wallet.repository.payers import Driver
from wallet.repository.signatures import write_signatures
from wallet.usecases.post import post


@dataclass
class Store:
    """What a database would keep, folded from decisions."""

    balances: dict[Account, Balance] = field(default_factory=dict)
    holds: dict[UUID, Hold] = field(default_factory=dict)
    enrollments: dict[UUID, EnrollmentEnd] = field(default_factory=dict)
    recorded: dict[Identity, Recorded] = field(default_factory=dict)
    months: dict[tuple[UUID, str], MonthAnswer] = field(default_factory=dict)
    terms: dict[UUID, Terms] = field(default_factory=dict)
    items: dict[UUID, Item] = field(default_factory=dict)
    charges: dict[tuple[UUID, str, int], str] = field(default_factory=dict)
    """The digest of each charged revision."""
    signed: dict[tuple[UUID, str], frozenset[tuple[int, str]]] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    postings: int = 0

    def post(self, commands: list[Command], today: date) -> list[Result]:
        snapshot = Snapshot(
            programs=PROGRAMS,
            funds=FUNDS,
            entitlements=ENTITLEMENTS,
            mrp=MRP,
            balances=self.balances,
            holds=list(self.holds.values()),
            used={},
            terms=self.terms,
            enrollments=self.enrollments,
            months=self.months,
            items=list(self.items.values()),
            signatures=self.signed,
            recorded=self.recorded,
        )
        decision = decide(snapshot, commands, today)
        self.fold(decision)
        return decision.results

    def fold(self, decision: Decision) -> None:
        books = decision.books
        for account, delta in books.deltas.items():
            balance = self.balances.get(account, Balance())
            self.balances[account] = Balance(
                balance.credited + delta.credited, balance.debited + delta.debited, balance.held + delta.held
            )
        self.holds |= books.created | books.changed
        self.terms |= books.terms
        self.enrollments |= books.enrollments
        self.recorded |= books.recorded
        self.months |= books.months
        self.items |= {id_: books.items[id_] for id_ in books.created_items | books.changed_items}
        for command, _ in books.charges:
            self.charges[command.enrollment_id, command.month, command.revision] = command.digest
        self.entries += books.entries
        self.postings += len(books.postings)
        assert all(posting.amount_tiyn > 0 for posting in books.postings)
        assert all(posting.debit.fund_id == posting.credit.fund_id for posting in books.postings)

    def picture(self) -> dict[str, Any]:
        return {
            "balances": {
                account: (b.credited, b.debited, b.held)
                for account, b in self.balances.items()
                if (b.credited, b.debited, b.held) != (0, 0, 0)
            },
            "holds": {
                (hold.enrollment_id, hold.month, hold.id): (
                    hold.open,
                    [
                        (
                            one.account.fund_id,
                            one.account.expires_on,
                            one.amount_tiyn,
                            one.released_tiyn,
                            one.captured_tiyn,
                        )
                        for one in hold.layers
                    ],
                )
                for hold in self.holds.values()
            },
            "enrollments": self.enrollments,
            "months": self.months,
            "items": self.items,
        }

    def asked(self, drawn: Iterable[Command]) -> list[Asked]:
        """The months that were asked for, and again those that cost something, for they are worth more."""
        found = []
        for one in drawn:
            if isinstance(one, HoldMonth):
                month = self.months.get((one.enrollment_id, one.month))
                worth = 8 if month and month.hold_id and not month.code else 1
                found += [(one, month.revision if month else 0)] * worth
        return found

    def sign(self, enrollment_id: UUID, month: str, revision: int, digest: str) -> None:
        """What `write_signatures` does: keep it, and let fall due what it covers."""
        key = enrollment_id, month
        self.signed[key] = self.signed.get(key, frozenset()) | {(revision, digest)}
        if self.charges.get((*key, revision)) == digest:
            for item in self.items.values():
                waits = item.stage is Stage.CHARGED and item.revision <= revision
                if waits and (item.enrollment_id, item.month) == key:
                    self.items[item.id] = replace(item, stage=Stage.DUE)

    def run(self, payout_id: UUID, fund_id: UUID, provider_id: UUID) -> None:
        """What a payout run does: everything due of a fund to a provider goes into one order."""
        for item in self.items.values():
            mine = (item.fund_id, item.provider_id) == (fund_id, provider_id)
            if mine and item.stage is Stage.DUE and not item.frozen:
                self.items[item.id] = replace(item, stage=Stage.IN_RUN, payout_id=payout_id)

    def send(self, payout_id: UUID) -> None:
        """The bank said that it has the order."""
        for item in self.items.values():
            if item.payout_id == payout_id and item.stage is Stage.SUBMITTING:
                self.items[item.id] = replace(item, stage=Stage.SENT)


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
            command = draw_command(rng, number, self.today, asked, self.orders)
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
            self.seen.update({"reduced"} if isinstance(command, Reduce) and result != (0,) else ())

    @invariant()
    def a_batch_equals_its_commands_one_by_one(self) -> None:
        assert self.batched.picture() == self.single.picture()
        assert self.batched.postings == self.single.postings

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
    Batches.seen.clear()
    for seed in range(30):
        one = Batches()
        for life in range(2):
            one.live(seed=2 * seed + life)
            one.a_batch_equals_its_commands_one_by_one()
            one.nothing_is_ever_negative_and_every_tiyn_is_somewhere()
            one.balances_are_what_the_model_sums_up()
            one.items_are_what_the_model_owes()
            one.what_was_captured_is_owed_and_nothing_else()
            one.an_item_is_settled_at_most_once()
    everything = {
        *("Deposited", "Allotted", "Held", "Released", "Mismatched", "two_layers", "reduced"),
        *("not_entitled", "program_not_running", "direction_not_paid", "clubs_limit_reached"),
        *("over_month_cap", "over_year_cap"),
        *("price_above_rate", "no_money", "month_closed", "already_allotted", "over_budget"),
        *("fund_not_found", "order_is_empty", "order_not_ready", "order_not_sent"),
        *("Charged", "Superseded", "Unready", "PaidOut", "Settled", "Bounced", "uncovered", "still_held"),
        *("frozen", "unfrozen", "claim_opened", "taken_out"),
        *Stage,
        *get_args(EntryKind),
    }
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
                    " VALUES ($1, $2, $3, $4, $5, $6, 20, 10, 20, $7, $8, $9, $10, $11)",
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
    rng = Random(4)  # noqa: S311 - these dice reach everything that can be done with an item
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
                else draw_command(rng, number, today, asked, orders)
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
