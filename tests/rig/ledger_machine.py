"""The wallet's ledger as a state machine: commands gather, and are posted in three ways that must agree.

As one batch, one by one, and to a deliberately naive model; whoever has a database adds a fourth.
"""

from datetime import date, timedelta
from random import Random
from typing import ClassVar, Protocol
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from rig.ledger_coverage import Reached
from rig.ledger_dice import Order, Past, draw_command, repeat
from rig.ledger_store import Store
from rig.ledger_world import FIRST, FUNDS, PROVIDERS
from rig.naive_ledger import Naive
from wallet.domain.accounts import ASSETS, Account, Kind
from wallet.domain.items import UNPAID
from wallet.domain.operations import Bounced, Charged, Command, Result


class Outside(Protocol):
    """What happens to a ledger between batches."""

    def sign(self, enrollment_id: UUID, month: str, revision: int, digest: str) -> None:
        """The provider signed these facts of a month."""

    def run(self, payout_id: UUID, fund_id: UUID, provider_id: UUID) -> None:
        """Whatever is due of a fund to a provider is taken into an order."""

    def send(self, payout_id: UUID) -> None:
        """The bank has the order."""


class Ledger(Outside, Protocol):
    """One more that must agree."""

    def post(self, commands: list[Command], today: date) -> list[Result]:
        """One answer for each command."""


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

    reached: ClassVar[Reached] = Reached()
    """Over all runs, on purpose."""

    def __init__(self, *beside: Ledger) -> None:
        super().__init__()
        self.today = FIRST
        self.drawn: list[Command] = []
        self.orders: list[Order] = []
        self.pending: list[Command] = []
        self.batched, self.single, self.naive, self.beside = Store(), Store(), Naive(), beside
        self.ledgers: tuple[Outside, ...] = (self.batched, self.single, self.naive, *beside)

    @rule(seed=st.integers(0, 2**32), count=st.integers(1, 30))
    def ask(self, seed: int, count: int) -> None:
        self.reached.steps += 1
        # Hypothesis' own generators prefer small numbers: with them commands hardly ever meet.
        rng = Random(seed)  # noqa: S311 - a test's dice
        store = self.batched
        past = Past(store.asked(self.drawn), self.orders, self.drawn, store.approved)
        for _ in range(count):
            number = len(self.drawn)
            command = draw_command(rng, number, self.today, past)
            if self.drawn and rng.random() < 0.15:
                command = repeat(rng, rng.choice(self.drawn), number)
            self.drawn.append(command)
            self.pending.append(command)

    @rule(seed=st.integers(0, 2**32))
    def live(self, seed: int) -> None:
        """A long while at once: orders settle, bounce and are claimed only in long lives."""
        rng = Random(seed)  # noqa: S311 - a test's dice
        for _ in range(60):
            match rng.choices(["ask", "sign", "run", "send", "wait"], [10, 3, 2, 2, 2])[0]:
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
        self.reached.steps += 1
        self.post()
        self.today = min(max(FIRST, self.today + timedelta(days)), date(2027, 1, 5))

    @rule(seed=st.integers(0, 2**32))
    def sign(self, seed: int) -> None:
        self.reached.steps += 1
        self.post()
        rng = Random(seed)  # noqa: S311 - a test's dice
        for enrollment_id, month, revision in list(self.batched.charges):
            if rng.random() < 0.5:
                digest = self.batched.charges[enrollment_id, month, revision]
                signed = enrollment_id, month, revision, digest if rng.random() < 0.9 else "other"
                for ledger in self.ledgers:
                    ledger.sign(*signed)

    @rule()
    def run(self) -> None:
        """An order for whatever is due to anybody; sometimes there is none, and the order is empty."""
        self.reached.steps += 1
        self.post()
        for fund_id in FUNDS:
            for provider_id in PROVIDERS:
                order = UUID(int=0xF000 + len(self.orders)), fund_id, provider_id
                before = dict(self.batched.items)
                for ledger in self.ledgers:
                    ledger.run(*order)
                if self.batched.items != before or not self.orders:
                    self.orders.append(order)

    @rule(back=st.integers(1, 4))
    def send(self, back: int) -> None:
        self.reached.steps += 1
        self.post()
        for payout_id, *_ in self.orders[-back:][:1]:
            for ledger in self.ledgers:
                ledger.send(payout_id)

    @rule()
    def post(self) -> None:
        commands, self.pending = self.pending, []
        results = self.batched.post(commands, self.today)
        assert results == [self.single.post([one], self.today)[0] for one in commands]
        assert [plain(one) for one in results] == [self.naive.do(one, self.today) for one in commands]
        for ledger in self.beside:
            assert ledger.post(commands, self.today) == results
        self.reached.note(commands, results, self.today)
        self.reached.look(self.batched.items.values(), self.batched.entries)

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
