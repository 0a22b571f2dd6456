"""The books of one batch: what was read, changed by one command after the other, and what is to be written.

Only `decisions` and `funding` use it; no rule about who may have money lives here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal, NamedTuple
from uuid import UUID

from wallet.domain.accounts import Account, Balance, Kind, Posting
from wallet.domain.holds import Hold, Layer, Terms
from wallet.domain.operations import Identity, Operation, Recorded
from wallet.domain.programs import Entitlement, Fund, Mode, Program


class EnrollmentEnd(NamedTuple):
    """What the wallet remembers of an enrollment it was asked about."""

    child_id: UUID
    ends_on: date | None = None
    """First day that must not be charged any more."""
    released: bool = False
    """Canceled or rejected: nothing is held for it any more."""


class MonthAnswer(NamedTuple):
    """What became of one enrollment's month; the latest word, with its reason."""

    child_id: UUID
    attempt: int
    state: Literal["held", "declined", "released"]
    code: str | None = None
    missing_tiyn: int = 0
    hold_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything a batch is decided on, read under its locks. An account that is missing has no money."""

    programs: Mapping[UUID, Program]
    funds: Mapping[UUID, Fund]
    entitlements: Mapping[UUID, Sequence[Entitlement]]
    """By child."""
    balances: Mapping[Account, Balance]
    holds: Sequence[Hold]
    """The open ones of all the batch's children."""
    terms: Mapping[UUID, Terms]
    """By hold; of those whose enrollment ends in this batch."""
    enrollments: Mapping[UUID, EnrollmentEnd]
    recorded: Mapping[Identity, Recorded]


@dataclass(slots=True)
class Books:
    """The working copy. Its last part is the batch's outcome."""

    snapshot: Snapshot
    today: date
    balances: dict[Account, Balance]
    allotments: dict[UUID, list[Account]]
    """By child, of every expiry."""
    holds: dict[UUID, dict[str, Hold]]
    """The open ones, by enrollment and month."""
    funds_by_program: dict[UUID, list[Fund]]
    held_months: dict[tuple[UUID, str], list[Hold]] = field(default_factory=dict)
    """The open ones, by child and month."""

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

    def free(self, account: Account) -> int:
        """What can be spent from the account now."""
        balance = self.balances.get(account)
        return balance.free if balance else 0

    def move(self, operation_id: UUID, debit: Account, credit: Account, amount: int) -> None:
        """Write one posting. An amount of zero is no posting."""
        if amount:
            self.postings.append(Posting(operation_id, debit, credit, amount))
            for balance in self._both(debit):
                balance.debited += amount
            for balance in self._both(credit):
                balance.credited += amount

    def terms_of(self, hold: Hold) -> Terms:
        """What was agreed when it was made."""
        return self.terms.get(hold.id) or self.snapshot.terms[hold.id]

    def open_hold(self, hold: Hold, terms: Terms) -> None:
        """Reserve its layers; what an `on_hold` fund pays is drawn from the fund first."""
        for layer in hold.layers:
            if self.snapshot.funds[layer.account.fund_id].mode is Mode.ON_HOLD:
                self.move(hold.id, fund_account(layer.account.fund_id), layer.account, layer.amount_tiyn)
            self._reserve(layer.account, layer.amount_tiyn)
        self.created[hold.id] = hold
        self.terms[hold.id] = terms
        self.holds.setdefault(hold.enrollment_id, {})[hold.month] = hold
        self.held_months.setdefault((hold.child_id, hold.month), []).append(hold)

    def shrink_hold(self, operation_id: UUID, hold: Hold, keep: int) -> int:
        """Give back what exceeds `keep`, the last layers first. Returns how much."""
        smaller = self._give_back_beyond(operation_id, hold, keep)
        self._replace_hold(hold, smaller)
        return hold.remaining_tiyn - smaller.remaining_tiyn

    def close_hold(self, operation_id: UUID, hold: Hold, reason: str) -> int:
        """Give everything back, for good. Returns how much."""
        closed = replace(self._give_back_beyond(operation_id, hold, 0), open=False)
        self._replace_hold(hold, closed)
        answer = MonthAnswer(hold.child_id, hold.attempt, "released", reason, hold_id=hold.id)
        self.answer(hold.enrollment_id, hold.month, answer)
        return hold.remaining_tiyn

    def answer(self, enrollment_id: UUID, month: str, answer: MonthAnswer) -> None:
        """Remember what became of an enrollment's month."""
        self.months[enrollment_id, month] = answer

    def _give_back_beyond(self, operation_id: UUID, hold: Hold, keep: int) -> Hold:
        layers: list[Layer] = []
        for layer in hold.layers:
            kept = min(layer.remaining_tiyn, keep)
            keep -= kept
            self._give_back(operation_id, layer.account, layer.remaining_tiyn - kept)
            layers.append(replace(layer, released_tiyn=layer.amount_tiyn - kept))
        return replace(hold, layers=tuple(layers))

    def _replace_hold(self, before: Hold, after: Hold) -> None:
        (self.created if before.id in self.created else self.changed)[before.id] = after
        of_month = self.held_months[before.child_id, before.month]
        of_month.remove(before)
        if after.open:
            of_month.append(after)
            self.holds[before.enrollment_id][before.month] = after
        else:
            del self.holds[before.enrollment_id][before.month]

    def _give_back(self, operation_id: UUID, account: Account, amount: int) -> None:
        self._reserve(account, -amount)
        if self.snapshot.funds[account.fund_id].mode is Mode.ON_HOLD:
            self.move(operation_id, account, fund_account(account.fund_id), amount)
        elif account.expires_on is not None and account.expires_on < self.today:
            self.move(operation_id, account, Account(Kind.RETURNED, account.fund_id), amount)

    def _reserve(self, account: Account, amount: int) -> None:
        for balance in self._both(account):
            balance.held += amount

    def _both(self, account: Account) -> tuple[Balance, Balance]:
        """The balance as it stands, and its change since the snapshot."""
        balance = self.balances.get(account)
        if balance is None:
            balance = self.balances[account] = Balance()
            if account.child_id is not None:
                self.allotments.setdefault(account.child_id, []).append(account)
        delta = self.deltas.get(account)
        if delta is None:
            delta = self.deltas[account] = Balance()
        return balance, delta


def fund_account(fund_id: UUID) -> Account:
    """The money of a fund that is not set aside for anyone."""
    return Account(Kind.FUND, fund_id)


def open_books(snapshot: Snapshot, today: date) -> Books:
    """Copy a snapshot into books that can be written in."""
    books = Books(
        snapshot=snapshot,
        today=today,
        balances={
            account: Balance(b.credited, b.debited, b.held) for account, b in snapshot.balances.items()
        },
        allotments=_by_child(snapshot.balances),
        holds={},
        funds_by_program={},
    )
    for fund in snapshot.funds.values():
        books.funds_by_program.setdefault(fund.program_id, []).append(fund)
    for hold in snapshot.holds:
        books.holds.setdefault(hold.enrollment_id, {})[hold.month] = hold
        books.held_months.setdefault((hold.child_id, hold.month), []).append(hold)
    return books


def _by_child(accounts: Iterable[Account]) -> dict[UUID, list[Account]]:
    allotments: dict[UUID, list[Account]] = {}
    for account in accounts:
        if account.child_id is not None:
            allotments.setdefault(account.child_id, []).append(account)
    return allotments
