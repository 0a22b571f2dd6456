"""What a database would keep of the wallet's decisions, in memory."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any
from uuid import UUID

from rig.ledger_dice import Asked
from rig.ledger_world import ENTITLEMENTS, FUNDS, MRP, PROGRAMS
from wallet.domain.accounts import Account, Balance, Kind, Posting
from wallet.domain.decisions import Decision, decide
from wallet.domain.holds import Hold, Terms
from wallet.domain.items import Entry, Item, Stage
from wallet.domain.operations import Approved, Command, Correct, HoldMonth, Identity, Recover, Result
from wallet.domain.recording import Recorded
from wallet.domain.snapshot import EnrollmentEnd, MonthAnswer, Moved, Snapshot


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
    postings: list[Posting] = field(default_factory=list)
    approved: list[Approved] = field(default_factory=list)

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
            beside_budget={fund_id: self.beside_budget(fund_id) for fund_id in FUNDS},
            moved=self.moved({one.corrects for one in commands if isinstance(one, Correct)}),
            bank_references=frozenset(
                (one.fund_id, one.bank_reference) for one in self.approved if not isinstance(one, Correct)
            ),
        )
        decision = decide(snapshot, commands, today)
        self.fold(decision)
        return decision.results

    def beside_budget(self, fund_id: UUID) -> int:
        kinds = Recover | Correct
        mine = [one for one in self.approved if one.fund_id == fund_id and isinstance(one, kinds)]
        return sum(
            one.amount_tiyn
            for one in mine
            if isinstance(one, Recover) or Kind.BANK in {one.debit, one.credit}
        )

    def moved(self, wrong: set[UUID]) -> dict[tuple[UUID, UUID], Moved]:
        found: dict[tuple[UUID, UUID], Moved] = {}
        for one in self.postings if wrong else ():
            if one.operation_id not in wrong:
                continue
            key, way = (one.operation_id, one.debit.fund_id), (one.debit.kind, one.credit.kind)
            before = found.get(key, Moved())
            deposited = one.amount_tiyn if way == (Kind.BANK, Kind.FUND) else 0
            returned = one.amount_tiyn if way in {(Kind.FUND, Kind.BANK), (Kind.RETURNED, Kind.BANK)} else 0
            found[key] = Moved(
                before.amount_tiyn + one.amount_tiyn,
                before.deposited_tiyn + deposited,
                before.returned_tiyn + returned,
            )
        for correct in self.approved:
            if isinstance(correct, Correct) and correct.corrects in wrong:
                key = correct.corrects, correct.fund_id
                corrected = found[key].corrected_tiyn + correct.amount_tiyn
                found[key] = found[key]._replace(corrected_tiyn=corrected)
        return found

    def fold(self, decision: Decision) -> None:
        books = decision.books
        for account, delta in books.deltas.items():
            balance = self.balances.get(account, Balance())
            now = books.balances[account]
            self.balances[account] = Balance(
                balance.credited + delta.credited,
                balance.debited + delta.debited,
                balance.held + delta.held,
                now.moved_on,
                now.given_back,
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
        self.postings += books.postings
        self.approved += books.approved
        assert all(posting.amount_tiyn > 0 for posting in books.postings)
        assert all(posting.debit.fund_id == posting.credit.fund_id for posting in books.postings)

    def picture(self) -> dict[str, Any]:
        return {
            "balances": {
                account: (
                    b.credited,
                    b.debited,
                    b.held,
                    b.given_back,
                    b.moved_on if account.child_id else None,
                )
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
