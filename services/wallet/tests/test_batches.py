"""A batch is decided as its commands would be one by one, and as a deliberately naive model decides them.

The model shares no code with the domain: it keeps a list of moves and sums it up anew for every question.
"""

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from random import Random
from typing import Any
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from shared import clock
from shared.database import Cause, Transaction, new_id
from shared.edge import Edge
from wallet.domain.accounts import Account, Balance, Kind
from wallet.domain.decisions import Decision, decide
from wallet.domain.holds import Hold, Lesson, Terms
from wallet.domain.operations import (
    Allot,
    Allotted,
    Command,
    Declined,
    Deposit,
    Deposited,
    Held,
    HoldMonth,
    Identity,
    Mismatched,
    Reduce,
    Release,
    Released,
    Result,
    Share,
)
from wallet.domain.programs import Entitlement, Fund, Mode, Program, Rules
from wallet.domain.recording import Recorded
from wallet.domain.snapshot import EnrollmentEnd, MonthAnswer, Snapshot
from wallet.repository.audits import AUDITS
from wallet.repository.numbers import KIND_NUMBERS
from wallet.repository.payers import Driver
from wallet.usecases.post import post

A, B, UNKNOWN = UUID(int=0xA), UUID(int=0xB), UUID(int=0xF)
A_AHEAD, A_DRAW, A_SHORT, B_DRAW = (UUID(int=0xA0 + n) for n in range(4))
CHILDREN = [UUID(int=0xC0 + n) for n in range(4)]
ENROLLMENTS = {UUID(int=0xE0 + n): CHILDREN[n % 4] for n in range(16)}
FIRST, LAST = date(2026, 9, 1), date(2026, 12, 31)


def rules(version: int, valid_from: date, directions: set[str], rate: int, clubs: int) -> Rules:
    return Rules(version, valid_from, frozenset(directions), rate, clubs, {"needs": 2}, {"rule": "pro_rata"})


PROGRAMS = {
    A: Program(
        A,
        1,
        FIRST,
        LAST,
        (
            rules(1, FIRST, {"robotics", "music"}, 120, 2),
            rules(2, date(2026, 10, 1), {"robotics", "music", "chess"}, 90, 1),
        ),
    ),
    B: Program(B, 2, date(2026, 9, 10), LAST, (rules(1, date(2026, 9, 10), set(), 150, 3),)),
}
FUNDS = {
    A_AHEAD: Fund(A_AHEAD, A, Mode.AHEAD, 3_000, LAST),
    A_DRAW: Fund(A_DRAW, A, Mode.ON_HOLD, 2_000, LAST),
    A_SHORT: Fund(A_SHORT, A, Mode.ON_HOLD, 500, date(2026, 10, 12)),
    B_DRAW: Fund(B_DRAW, B, Mode.ON_HOLD, 1_000, LAST),
}
ENTITLEMENTS = {
    CHILDREN[0]: [Entitlement(A, FIRST, LAST, 100), Entitlement(B, FIRST, LAST, 100)],
    CHILDREN[1]: [Entitlement(A, FIRST, LAST, 150), Entitlement(UNKNOWN, FIRST, LAST, 100)],
    CHILDREN[2]: [Entitlement(B, FIRST, date(2026, 10, 14), 80)],
}


@dataclass
class Store:
    """What a database would keep, folded from decisions."""

    balances: dict[Account, Balance] = field(default_factory=dict)
    holds: dict[UUID, Hold] = field(default_factory=dict)
    enrollments: dict[UUID, EnrollmentEnd] = field(default_factory=dict)
    recorded: dict[Identity, Recorded] = field(default_factory=dict)
    months: dict[tuple[UUID, str], MonthAnswer] = field(default_factory=dict)
    terms: dict[UUID, Terms] = field(default_factory=dict)
    postings: int = 0

    def post(self, commands: list[Command], today: date) -> list[Result]:
        snapshot = Snapshot(
            programs=PROGRAMS,
            funds=FUNDS,
            entitlements=ENTITLEMENTS,
            balances=self.balances,
            holds=list(self.holds.values()),
            terms=self.terms,
            enrollments=self.enrollments,
            months=self.months,
            items=[],
            signatures={},
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
                        (one.account.fund_id, one.account.expires_on, one.amount_tiyn, one.released_tiyn)
                        for one in hold.layers
                    ],
                )
                for hold in self.holds.values()
            },
            "enrollments": self.enrollments,
            "months": self.months,
        }


Part = tuple[UUID, date, UUID, int]


@dataclass
class Naive:
    """One command at a time, everything summed up anew each time."""

    moves: list[tuple[UUID, Any, Any, int]] = field(default_factory=list)
    holds: list[dict[str, Any]] = field(default_factory=list)
    ends: dict[UUID, date] = field(default_factory=dict)
    gone: set[UUID] = field(default_factory=set)
    owners: dict[UUID, UUID] = field(default_factory=dict)
    answers: dict[Identity, tuple[Any, Result]] = field(default_factory=dict)

    def free(self, fund: UUID, place: object) -> int:
        moved = sum(m[3] for m in self.moves if m[0] == fund and m[2] == place)
        moved -= sum(m[3] for m in self.moves if m[0] == fund and m[1] == place)
        held = sum(
            amount
            for hold in self.holds
            for of_fund, expires, _, amount in hold["now"]
            if of_fund == fund and place == (hold["child"], expires)
        )
        return int(moved - held)

    def do(self, command: Command, today: date) -> Result:
        known = self.answers.get(command.identity)
        if known:
            return known[1] if known[0] == replace(command, id=A) else Mismatched(command.identity)
        if not isinstance(command, Deposit | Allot):
            if self.owners.get(command.enrollment_id, command.child_id) != command.child_id:
                return Mismatched(command.identity)
            self.owners[command.enrollment_id] = command.child_id
        result: Result = getattr(self, type(command).__name__.lower())(command, today)
        self.answers[command.identity] = replace(command, id=A), result
        return result

    def deposit(self, command: Deposit, _: date) -> Result:
        received = sum(m[3] for m in self.moves if m[0] == command.fund_id and m[1] == "bank")
        over = received + command.amount_tiyn - FUNDS[command.fund_id].budget_tiyn
        if over > 0:
            return Declined("over_budget", over)
        self.moves.append((command.fund_id, "bank", "fund", command.amount_tiyn))
        return Deposited(command.id, command.amount_tiyn)

    def allot(self, command: Allot, today: date) -> Result:
        place = (command.child_id, command.expires_on)
        mine = ENTITLEMENTS.get(command.child_id, [])
        if command.fund_id != A_AHEAD:
            return Declined("fund_not_found", command.amount_tiyn)
        if not [one for one in mine if one.program_id == A and one.until >= today]:
            return Declined("not_entitled", command.amount_tiyn)
        if [m for m in self.moves if m[0] == command.fund_id and m[2] == place]:
            return Declined("already_allotted", 0)
        lacking = command.amount_tiyn - self.free(command.fund_id, "fund")
        if lacking > 0:
            return Declined("no_money", lacking)
        self.moves.append((command.fund_id, "fund", place, command.amount_tiyn))
        return Allotted(command.amount_tiyn)

    def holdmonth(self, command: HoldMonth, _: date) -> Result:
        mine = [
            h for h in self.holds if (h["enrollment"], h["month"]) == (command.enrollment_id, command.month)
        ]
        hold = next((h for h in mine if h["open"]), None)
        if hold is None:
            until = min(command.covers_until or LAST, self.ends.get(command.enrollment_id, LAST))
            days = sorted(one.on for one in command.lessons if command.covers_from <= one.on < until)
            amount = command.price_tiyn * len(days) // len(command.lessons)
            if command.enrollment_id in self.gone or not amount:
                return Declined("month_closed", 0)
            found = self.pay(command, amount, days)
            if isinstance(found, Declined):
                return found
            for fund_id, expires, _program_id, part in found:
                if FUNDS[fund_id].mode is Mode.ON_HOLD:
                    self.moves.append((fund_id, "fund", (command.child_id, expires), part))
            hold = {
                "id": command.id,
                "child": command.child_id,
                "enrollment": command.enrollment_id,
                "month": command.month,
                "open": True,
                "first": found,
                "now": found,
                "price": command.price_tiyn,
                "planned": len(command.lessons),
                "days": days,
            }
            self.holds.append(hold)
        shares = tuple(Share(program_id, fund_id, part) for fund_id, _, program_id, part in hold["first"])
        return Held(hold["id"], sum(share.amount_tiyn for share in shares), shares)

    def pay(self, command: HoldMonth, amount: int, days: list[date]) -> list[Part] | Declined:
        judged = [self.judge(command, amount, days, one) for one in ENTITLEMENTS.get(command.child_id, [])]
        payers = [one for one in judged if isinstance(one, Program)]
        if not payers:
            refusals = [one for one in judged if not isinstance(one, Program)]
            _, minus, code = max([(0, -amount, "not_entitled"), *refusals])
            return Declined(code, -minus)
        purses = []
        for program in payers:
            for fund in FUNDS.values():
                if fund.program_id == program.id and fund.last_capture_on >= days[-1]:
                    for expires, free in self.purses(fund, command.child_id, days[-1]):
                        purses.append((program.place, expires, fund.id, program.id, free))
        found: list[Part] = []
        for _, expires, fund_id, program_id, free in sorted(purses):
            part = min(free, amount)
            amount -= part
            if part:
                found.append((fund_id, expires, program_id, part))
        return Declined("no_money", amount) if amount else found

    def purses(self, fund: Fund, child: UUID, last: date) -> list[tuple[date, int]]:
        if fund.mode is Mode.ON_HOLD:
            return [(fund.last_capture_on, self.free(fund.id, "fund"))]
        places = {m[2] for m in self.moves if m[0] == fund.id and m[2] not in {"fund", "returned"}}
        mine = [expires for of_child, expires in places if of_child == child and expires >= last]
        return [(expires, self.free(fund.id, (child, expires))) for expires in mine]

    def judge(
        self, command: HoldMonth, amount: int, days: list[date], one: Entitlement
    ) -> Program | tuple[int, int, str]:
        program = PROGRAMS.get(one.program_id)
        if days[0] < one.starts_on or days[-1] > one.until:
            return 0, -amount, "not_entitled"
        if program is None or days[0] < program.starts_on or days[-1] > program.ends_on:
            return 1, -amount, "program_not_running"
        in_force = [version for version in program.rules if version.valid_from <= days[0]][-1]
        others = [
            hold
            for hold in self.holds
            if hold["open"]
            and (hold["child"], hold["month"]) == (command.child_id, command.month)
            and program.id in {layer[2] for layer in hold["first"]}
        ]
        excess = command.price_tiyn - in_force.monthly_rate_tiyn * one.coefficient_percent // 100
        if in_force.directions and command.direction not in in_force.directions:
            return 2, -amount, "direction_not_paid"
        if len(others) >= in_force.clubs_per_child_max:
            return 3, -amount, "clubs_limit_reached"
        return (4, -excess, "price_above_rate") if excess > 0 else program

    def give_back(self, hold: dict[str, Any], keep: int, today: date) -> int:
        kept, back = [], 0
        for fund, expires, program, part in hold["now"]:
            stays = min(part, keep)
            keep -= stays
            back += part - stays
            kept.append((fund, expires, program, stays))
            place = (hold["child"], expires)
            if FUNDS[fund].mode is Mode.ON_HOLD and part > stays:
                self.moves.append((fund, place, "fund", part - stays))
            elif expires < today and part > stays:
                self.moves.append((fund, place, "returned", part - stays))
        hold["now"] = kept
        return back

    def reduce(self, command: Reduce, today: date) -> Result:
        if self.ends.get(command.enrollment_id, LAST + timedelta(1)) <= command.on:
            return Released(0)
        self.ends[command.enrollment_id] = command.on
        back = 0
        for hold in self.holds:
            if hold["open"] and hold["enrollment"] == command.enrollment_id:
                left = [day for day in hold["days"] if day < command.on]
                back += self.give_back(hold, hold["price"] * len(left) // hold["planned"], today)
                hold["open"] = bool(left)
        return Released(back)

    def release(self, command: Release, today: date) -> Result:
        self.gone.add(command.enrollment_id)
        back = 0
        for hold in self.holds:
            if hold["open"] and hold["enrollment"] == command.enrollment_id:
                back += self.give_back(hold, 0, today)
                hold["open"] = False
        return Released(back)


def draw_command(rng: Random, number: int, today: date) -> Command:
    """Few children, few enrollments, amounts near the limits: so that commands meet each other."""
    id_, key = UUID(int=0xD000 + number), f"{number}"
    enrollment_id = rng.choice(list(ENROLLMENTS))
    child_id = ENROLLMENTS[enrollment_id] if rng.random() < 0.97 else rng.choice(CHILDREN)
    kind = rng.choices(["deposit", "allot", "hold", "reduce", "release"], [4, 4, 24, 2, 1])[0]
    match kind:
        case "deposit":
            return Deposit(
                id_, Identity("http", kind, key), rng.choice(list(FUNDS)), rng.choice([1, 150, 700])
            )
        case "allot":
            expires_on = rng.choice([date(2026, 9, 20), date(2026, 10, 12), LAST])
            fund_id = A_AHEAD if rng.random() < 0.9 else A_DRAW
            amount = rng.randint(1, 300)
            return Allot(id_, Identity("run", kind, key), fund_id, rng.choice(CHILDREN), expires_on, amount)
        case "reduce":
            on = today + timedelta(rng.randint(5, 60))
            return Reduce(
                id_, Identity("enrollment", kind, f"{enrollment_id}/{on}"), child_id, enrollment_id, on
            )
        case "release":
            identity = Identity("enrollment", kind, str(enrollment_id))
            return Release(id_, identity, child_id, enrollment_id, "canceled")
    month = rng.choice([8, 9, 10, 10, 12])
    days = sorted(rng.sample(range(1, 29), rng.randint(1, 5)))
    lessons = tuple(Lesson(UUID(int=0x1000 * month + day), date(2026, month, day)) for day in days)
    attempt = rng.randint(1, 4)
    return HoldMonth(
        id=id_,
        identity=Identity("enrollment", "hold", f"{enrollment_id}/2026-{month:02}/{attempt}/{number // 7}"),
        child_id=child_id,
        enrollment_id=enrollment_id,
        month=f"2026-{month:02}",
        attempt=attempt,
        provider_id=A,
        group_id=B,
        direction=rng.choice(["robotics", "music", "chess"]),
        price_tiyn=rng.choice([0, 1, 33, 90, 100, 119, 150, 151]),
        lessons=lessons,
        covers_from=date(2026, month, rng.choice([1, 1, 1, 15])),
        covers_until=rng.choice([None, None, date(2026, month, 20)]),
    )


def repeat(rng: Random, command: Command, number: int) -> Command:
    """The same request again, as it comes after a lost answer; now and then with another content."""
    again = replace(command, id=UUID(int=0xD000 + number))
    if isinstance(again, HoldMonth) and rng.random() < 0.3:
        return replace(again, price_tiyn=again.price_tiyn + 1)
    return again


class Batches(RuleBasedStateMachine):
    """Commands gather, and are posted as one batch, one by one, and to the model."""

    seen: set[str] = set()  # noqa: RUF012 - over all runs, on purpose

    def __init__(self) -> None:
        super().__init__()
        self.today = FIRST
        self.drawn: list[Command] = []
        self.pending: list[Command] = []
        self.batched, self.single, self.naive = Store(), Store(), Naive()

    @rule(seed=st.integers(0, 2**32), count=st.integers(1, 12))
    def ask(self, seed: int, count: int) -> None:
        # Hypothesis' own generators prefer small numbers: with them commands hardly ever meet.
        rng = Random(seed)  # noqa: S311 - a test's dice
        for _ in range(count):
            number = len(self.drawn)
            command = draw_command(rng, number, self.today)
            if self.drawn and rng.random() < 0.15:
                command = repeat(rng, rng.choice(self.drawn), number)
            self.drawn.append(command)
            self.pending.append(command)

    @rule(days=st.integers(-2, 25))
    def pass_time(self, days: int) -> None:
        self.post()
        self.today = min(max(FIRST, self.today + timedelta(days)), date(2027, 1, 5))

    @rule()
    def post(self) -> None:
        commands, self.pending = self.pending, []
        results = self.batched.post(commands, self.today)
        assert results == [self.single.post([one], self.today)[0] for one in commands]
        assert results == [self.naive.do(one, self.today) for one in commands]
        for command, result in zip(commands, results, strict=True):
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
            assert balance.free >= 0 or account.kind is Kind.BANK
        for fund_id in FUNDS:
            of_fund = [b for account, b in self.batched.balances.items() if account.fund_id == fund_id]
            assert sum(b.credited - b.debited for b in of_fund) == 0

    @invariant()
    def balances_are_what_the_model_sums_up(self) -> None:
        for account, balance in self.batched.balances.items():
            place = account.kind.value if account.child_id is None else (account.child_id, account.expires_on)
            if account.kind is not Kind.BANK:
                assert balance.free == self.naive.free(account.fund_id, place)
            reserved = sum(
                layer.remaining_tiyn
                for hold in self.batched.holds.values()
                for layer in hold.layers
                if layer.account == account
            )
            assert balance.held == reserved
        assert {hold["id"]: hold["open"] for hold in self.naive.holds} == {
            hold.id: hold.open for hold in self.batched.holds.values()
        }


def test_a_batch_equals_its_commands_one_by_one_and_the_model() -> None:
    Batches.seen.clear()
    run_state_machine_as_test(
        Batches, settings=settings(max_examples=200, stateful_step_count=30, deadline=None, derandomize=True)
    )
    assert Batches.seen >= {
        *("Deposited", "Allotted", "Held", "Released", "Mismatched", "two_layers", "reduced"),
        *("not_entitled", "program_not_running", "direction_not_paid", "clubs_limit_reached"),
        *(
            "price_above_rate",
            "no_money",
            "month_closed",
            "already_allotted",
            "over_budget",
            "fund_not_found",
        ),
    }


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
                    "INSERT INTO program_rules VALUES ($1, $2, $3, $4, $5, $6, 20, 10, 20, '{}', '{}')",
                    program.id,
                    version.version,
                    version.valid_from,
                    sorted(version.directions),
                    version.monthly_rate_tiyn,
                    version.clubs_per_child_max,
                )
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
    months = await driver.fetch("SELECT * FROM enrollment_months")
    return {
        "balances": {
            Account(kinds[row["kind"]], row["fund_id"], row["child_id"], row["expires_on"]): (
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
                    (one["fund_id"], one["expires_on"], one["amount_tiyn"], one["released_tiyn"])
                    for one in layers
                    if one["hold_id"] == row["id"]
                ],
            )
            for row in holds
        },
        "enrollments": {
            row["id"]: EnrollmentEnd(row["child_id"], row["ends_on"], row["released"])
            for row in await driver.fetch("SELECT * FROM enrollments")
        },
        "months": {
            (row["enrollment_id"], row["month"]): MonthAnswer(
                row["child_id"],
                row["attempt"],
                row["state"],
                row["code"],
                row["missing_tiyn"],
                row["hold_id"],
            )
            for row in months
        },
    }


async def test_postgresql_keeps_what_the_pure_decision_says_however_the_stream_is_split(edge: Edge) -> None:
    await lay_foundations(edge)
    rng = Random(20261122)  # noqa: S311 - a test's dice
    store, today, number = Store(), FIRST, 0
    drawn: list[Command] = []
    for _ in range(60):
        commands: list[Command] = []
        for _ in range(rng.choice([1, 2, 5, 30])):
            again = drawn and rng.random() < 0.15
            commands.append(
                repeat(rng, rng.choice(drawn), number) if again else draw_command(rng, number, today)
            )
            drawn.append(commands[-1])
            number += 1
        async with edge.transaction() as tx:
            moment = clock.civil_moment(today)
            results = await post(Transaction(tx.connection, moment, Cause(new_id())), commands)
            assert results == store.post(commands, today)
            assert await picture_of(await tx.driver()) == store.picture()
        today = min(today + timedelta(rng.choice([0, 0, 0, 1, 9])), date(2027, 1, 5))
    await assert_audits_clean(edge)


async def assert_audits_clean(edge: Edge) -> None:
    async with edge.transaction() as tx:
        driver = await tx.driver()
        assert {name: await driver.fetch(sql) for name, sql in AUDITS.items()} == {
            name: [] for name in AUDITS
        }
