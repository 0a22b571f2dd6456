"""The books of one batch: what was read, changed by one command after the other, and what is to be written.

Only the modules that decide use it; no rule about who may have money lives here.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal
from uuid import UUID

from wallet.domain.accounts import Account, Balance, Kind, Posting
from wallet.domain.holds import Hold, Layer, Terms
from wallet.domain.items import Entry, Item
from wallet.domain.operations import Approved, Charge, Charged, Identity
from wallet.domain.programs import Fund, Mode
from wallet.domain.recording import Operation, Recorded
from wallet.domain.snapshot import EnrollmentEnd, MonthAnswer, Snapshot, UsedKey


@dataclass(slots=True)
class Books:
    """The working copy. Its last part is the batch's outcome."""

    snapshot: Snapshot
    today: date
    balances: dict[Account, Balance]
    allotments: dict[UUID, list[Account]] = field(default_factory=dict)
    """By child, of every expiry."""
    holds: dict[UUID, dict[str, Hold]] = field(default_factory=dict)
    """The open ones, by enrollment and month."""
    funds_by_program: dict[UUID, list[Fund]] = field(default_factory=dict)
    held_months: dict[tuple[UUID, str], list[Hold]] = field(default_factory=dict)
    """The open ones, by child and month."""
    all_holds: dict[tuple[UUID, str], dict[UUID, Hold]] = field(default_factory=dict)
    """Open or closed, by enrollment and month."""
    used: dict[UsedKey, int] = field(default_factory=dict)
    """What is reserved or captured."""
    items: dict[UUID, Item] = field(default_factory=dict)
    month_items: dict[tuple[UUID, str], list[UUID]] = field(default_factory=dict)

    enrollments: dict[UUID, EnrollmentEnd] = field(default_factory=dict)
    recorded: dict[Identity, Recorded] = field(default_factory=dict)
    terms: dict[UUID, Terms] = field(default_factory=dict)
    """Of the holds made in this batch."""
    operations: list[Operation] = field(default_factory=list)
    postings: list[Posting] = field(default_factory=list)
    deltas: dict[Account, Balance] = field(default_factory=dict)
    created: dict[UUID, Hold] = field(default_factory=dict)
    changed: dict[UUID, Hold] = field(default_factory=dict)
    months: dict[tuple[UUID, str], MonthAnswer] = field(default_factory=dict)
    charges: list[tuple[Charge, Charged]] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    created_items: set[UUID] = field(default_factory=set)
    changed_items: set[UUID] = field(default_factory=set)
    approved: list[Approved] = field(default_factory=list)
    """What was done because two persons agreed on it."""

    def free(self, account: Account) -> int:
        """What can be spent from the account now."""
        balance = self.balances.get(account)
        return balance.free if balance else 0

    def month(self, enrollment_id: UUID, month: str) -> MonthAnswer | None:
        """What became of the month so far."""
        key = enrollment_id, month
        return self.months.get(key) or self.snapshot.months.get(key)

    def answer(self, enrollment_id: UUID, month: str, answer: MonthAnswer) -> None:
        """Remember what became of an enrollment's month."""
        self.months[enrollment_id, month] = answer

    def terms_of(self, hold_id: UUID) -> Terms:
        """What was agreed when this hold was made."""
        return self.terms.get(hold_id) or self.snapshot.terms[hold_id]

    def move(self, operation_id: UUID, debit: Account, credit: Account, amount: int) -> None:
        """Write one posting. An amount of zero is no posting."""
        if amount:
            self.postings.append(Posting(operation_id, debit, credit, amount))
            for balance in self._both(debit):
                balance.debited += amount
            for balance in self._both(credit):
                balance.credited += amount

    def open_hold(self, hold: Hold, terms: Terms) -> None:
        """Reserve its layers; what an `on_hold` fund pays is drawn from the fund first."""
        for layer in hold.layers:
            if self.snapshot.funds[layer.account.fund_id].mode is Mode.ON_HOLD:
                self.move(hold.id, fund_account(layer.account.fund_id), layer.account, layer.amount_tiyn)
            self._reserve(layer.account, layer.amount_tiyn)
        self.created[hold.id] = hold
        self.terms[hold.id] = terms
        self._learn_hold(hold)

    def shrink_hold(self, operation_id: UUID, hold: Hold, keep: int) -> int:
        """Give back what exceeds `keep`, the last layers first. Returns how much."""
        smaller = self._give_back_beyond(operation_id, hold, keep)
        self._replace_hold(hold, smaller)
        return hold.remaining_tiyn - smaller.remaining_tiyn

    def close_hold(self, operation_id: UUID, hold: Hold) -> int:
        """Give everything back that is still reserved, for good. Returns how much."""
        closed = replace(self._give_back_beyond(operation_id, hold, 0), open=False)
        self._replace_hold(hold, closed)
        return hold.remaining_tiyn

    def capture(self, operation_id: UUID, hold: Hold, amount: int, provider_id: UUID) -> dict[UUID, int]:
        """Owe the provider so much of what is reserved, the first layers first. Returns how much by fund."""
        layers: list[Layer] = []
        by_fund: dict[UUID, int] = {}
        for layer in hold.layers:
            part = min(layer.remaining_tiyn, amount)
            amount -= part
            if part:
                fund_id = layer.account.fund_id
                self._reserve(layer.account, -part)
                self.move(operation_id, layer.account, payable_account(fund_id, provider_id), part)
                by_fund[fund_id] = by_fund.get(fund_id, 0) + part
            layers.append(replace(layer, captured_tiyn=layer.captured_tiyn + part))
        self._replace_hold(hold, replace(hold, layers=tuple(layers)))
        return by_fund

    def refund(self, operation_id: UUID, item: Item, amount: int) -> None:
        """Give back what was captured for an item, to the layers of its fund, the last ones first."""
        payable = payable_account(item.fund_id, item.provider_id)
        holds = self.all_holds[item.enrollment_id, item.month].values()
        for hold in sorted(holds, key=lambda one: one.id, reverse=True):
            layers: list[Layer] = []
            for layer in reversed(hold.layers):
                part = min(layer.captured_tiyn, amount) if layer.account.fund_id == item.fund_id else 0
                amount -= part
                self.move(operation_id, payable, layer.account, part)
                self._send_on(operation_id, layer.account, part)
                captured, released = layer.captured_tiyn - part, layer.released_tiyn + part
                layers.append(replace(layer, captured_tiyn=captured, released_tiyn=released))
            self._replace_hold(hold, replace(hold, layers=tuple(reversed(layers))))

    def items_of_month(self, enrollment_id: UUID, month: str) -> list[Item]:
        """What is or was owed for the month, the newest difference first."""
        found = [self.items[id_] for id_ in self.month_items.get((enrollment_id, month), ())]
        return sorted(found, key=lambda item: (item.revision, item.place), reverse=True)

    def add_item(self, item: Item) -> None:
        """Something more is owed."""
        self.created_items.add(item.id)
        self._learn_item(item)

    def change_item(self, item: Item) -> None:
        """Put a later state of a known item in its place."""
        self.items[item.id] = item
        if item.id not in self.created_items:
            self.changed_items.add(item.id)

    def _give_back_beyond(self, operation_id: UUID, hold: Hold, keep: int) -> Hold:
        layers: list[Layer] = []
        for layer in hold.layers:
            kept = min(layer.remaining_tiyn, keep)
            keep -= kept
            back = layer.remaining_tiyn - kept
            self._reserve(layer.account, -back)
            self._send_on(operation_id, layer.account, back)
            layers.append(replace(layer, released_tiyn=layer.released_tiyn + back))
        return replace(hold, layers=tuple(layers))

    def _replace_hold(self, before: Hold, after: Hold) -> None:
        if after == before:
            return
        self._use(before, -1)
        self._use(after, 1)
        (self.created if before.id in self.created else self.changed)[before.id] = after
        self.all_holds[before.enrollment_id, before.month][before.id] = after
        if not before.open:
            return
        of_month = self.held_months[before.child_id, before.month]
        of_month.remove(before)
        if after.open:
            of_month.append(after)
            self.holds[before.enrollment_id][before.month] = after
        else:
            del self.holds[before.enrollment_id][before.month]

    def _use(self, hold: Hold, sign: Literal[1, -1]) -> None:
        for layer in hold.layers:
            key = hold.child_id, layer.program_id, hold.month
            used = layer.amount_tiyn - layer.released_tiyn
            self.used[key] = self.used.get(key, 0) + sign * used

    def _learn_hold(self, hold: Hold) -> None:
        self._use(hold, 1)
        self.all_holds.setdefault((hold.enrollment_id, hold.month), {})[hold.id] = hold
        if hold.open:
            self.holds.setdefault(hold.enrollment_id, {})[hold.month] = hold
            self.held_months.setdefault((hold.child_id, hold.month), []).append(hold)

    def _learn_item(self, item: Item) -> None:
        self.items[item.id] = item
        self.month_items.setdefault((item.enrollment_id, item.month), []).append(item.id)

    def _send_on(self, operation_id: UUID, account: Account, amount: int) -> None:
        """What came back into an allotment stays there, unless its fund keeps it or its time is over."""
        if self.snapshot.funds[account.fund_id].mode is Mode.ON_HOLD:
            self.move(operation_id, account, fund_account(account.fund_id), amount)
        elif account.expires_on is not None and account.expires_on < self.today:
            self.move(operation_id, account, Account(Kind.RETURNED, account.fund_id), amount)

    def _reserve(self, account: Account, amount: int) -> None:
        if amount:
            for balance in self._both(account):
                balance.held += amount

    def _both(self, account: Account) -> tuple[Balance, Balance]:
        """The balance as it stands, and its change since the snapshot."""
        balance = self.balances.get(account)
        if balance is None:
            balance = self.balances[account] = Balance()
            if account.child_id is not None:
                self.allotments.setdefault(account.child_id, []).append(account)
        balance.moved_on, balance.given_back = self.today, False
        delta = self.deltas.get(account)
        if delta is None:
            delta = self.deltas[account] = Balance()
        return balance, delta

    def learn(self) -> None:
        """Find one's way in the snapshot: what belongs to which child, month and program."""
        for fund in self.snapshot.funds.values():
            self.funds_by_program.setdefault(fund.program_id, []).append(fund)
        for hold in self.snapshot.holds:
            self._learn_hold(hold)
        for item in self.snapshot.items:
            self._learn_item(item)


def fund_account(fund_id: UUID) -> Account:
    """The money of a fund that is not set aside for anyone."""
    return Account(Kind.FUND, fund_id)


def payable_account(fund_id: UUID, provider_id: UUID) -> Account:
    """What a fund owes a provider and has not paid yet."""
    return Account(Kind.PAYABLE, fund_id, owner_id=provider_id)


def open_books(snapshot: Snapshot, today: date) -> Books:
    """Copy a snapshot into books that can be written in."""
    books = Books(
        snapshot=snapshot,
        today=today,
        balances={
            account: Balance(b.credited, b.debited, b.held, b.moved_on, b.given_back)
            for account, b in snapshot.balances.items()
        },
        allotments=_by_child(snapshot.balances),
        used=dict(snapshot.used),
    )
    books.learn()
    return books


def _by_child(accounts: Iterable[Account]) -> dict[UUID, list[Account]]:
    allotments: dict[UUID, list[Account]] = {}
    for account in accounts:
        if account.child_id is not None:
            allotments.setdefault(account.child_id, []).append(account)
    return allotments
