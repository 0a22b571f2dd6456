"""The naive model of what becomes of a fund's own money; its base is a list of moves."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from rig.ledger_world import A_AHEAD, CHILDREN, ENTITLEMENTS, FIRST, FUNDS, LAST, RESTORE_DAYS, A
from wallet.domain.accounts import Kind
from wallet.domain.operations import (
    Allot,
    Allotted,
    Correct,
    Corrected,
    Declined,
    Deposit,
    Deposited,
    Expire,
    Expired,
    Recover,
    Recovered,
    Result,
    Return,
    Returned,
)


@dataclass
class NaiveFunds:
    """Sums everything up anew each time."""

    moves: list[tuple[UUID, Any, Any, int]] = field(default_factory=list)
    holds: list[dict[str, Any]] = field(default_factory=list)
    items: list[dict[str, Any]] = field(default_factory=list)
    moved_by: dict[UUID, list[tuple[UUID, Any, Any, int]]] = field(default_factory=dict)
    """The moves of each operation."""
    touched: dict[tuple[UUID, date], date] = field(default_factory=dict)
    """When an allotment of the fund that allots was used last."""
    given_back: set[tuple[UUID, date]] = field(default_factory=set)
    agreed: list[Return | Recover | Correct] = field(default_factory=list)

    def free(self, fund: UUID, place: object) -> int:
        moved = sum(m[3] for m in self.moves if m[0] == fund and m[2] == place)
        moved -= sum(m[3] for m in self.moves if m[0] == fund and m[1] == place)
        return int(moved - self.held(fund, place))

    def uses(self) -> dict[tuple[UUID, date], tuple[int, int]]:
        """How often each allotment was moved to or from, and what is held of it."""
        ends = [end for fund, *way, _ in self.moves if fund == A_AHEAD for end in way if end[0] in CHILDREN]
        moved, held = Counter(ends), Counter[tuple[UUID, date]]()
        for hold in self.holds:
            for fund, expires, _, amount in hold["now"]:
                held[hold["child"], expires] += amount if fund == A_AHEAD else 0
        return {place: (moved[place], held[place]) for place in moved}

    def held(self, fund: UUID, place: object) -> int:
        return sum(
            amount
            for hold in self.holds
            for of_fund, expires, _, amount in hold["now"]
            if of_fund == fund and place == (hold["child"], expires)
        )

    def deposit(self, command: Deposit, _: date) -> Result:
        if command.fund_id not in FUNDS:
            return Declined("fund_not_found", command.amount_tiyn)
        received = sum(m[3] for m in self.moves if (m[0], *m[1:3]) == (command.fund_id, "bank", "fund"))
        received -= sum(
            one.amount_tiyn
            for one in self.agreed
            if isinstance(one, Correct) and (one.fund_id, one.credit) == (command.fund_id, "bank")
        )
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
        if not today <= command.expires_on <= LAST:
            return Declined("until_outside_fund", 0)
        known = [m for m in self.moves if m[0] == command.fund_id and m[2] == place]
        if known and place not in self.given_back:
            return Declined("already_allotted", 0)
        lacking = command.amount_tiyn - self.free(command.fund_id, "fund")
        if lacking > 0:
            return Declined("no_money", lacking)
        self.moves.append((command.fund_id, "fund", place, command.amount_tiyn))
        return Allotted(command.amount_tiyn)

    def expire(self, command: Expire, today: date) -> Result:
        place = (command.child_id, command.expires_on)
        if command.fund_id != A_AHEAD:
            return Declined("fund_not_found", 0)
        free = self.free(A_AHEAD, place)
        if free <= 0:
            return Declined("nothing_free", 0)
        over = command.expires_on < today
        rested = (today - self.touched[place]).days >= RESTORE_DAYS and not self.held(A_AHEAD, place)
        if not over and not rested:
            return Declined("still_in_use", 0)
        self.moves.append((A_AHEAD, place, "returned" if over else "fund", free))
        if not over:
            self.given_back.add(place)
        return Expired(free)

    def entered(self, command: Return | Recover) -> bool:
        """Whether this line of the bank is known."""
        lines = [(one.fund_id, one.bank_reference) for one in self.agreed if not isinstance(one, Correct)]
        return (command.fund_id, command.bank_reference) in lines

    def give_to_budget(self, command: Return, today: date) -> Result:
        if command.fund_id not in FUNDS:
            return Declined("fund_not_found", command.amount_tiyn)
        lacking = command.amount_tiyn - self.free(command.fund_id, command.source.value)
        if self.entered(command):
            return Declined("bank_reference_used", 0)
        if command.source is Kind.FUND and today <= FUNDS[command.fund_id].last_capture_on:
            return Declined("fund_not_over", 0)
        if lacking > 0:
            return Declined("not_enough_there", lacking)
        self.moves.append((command.fund_id, command.source.value, "bank", command.amount_tiyn))
        self.agreed.append(command)
        return Returned(command.id, command.amount_tiyn)

    def recover(self, command: Recover, _: date) -> Result:
        if command.fund_id not in FUNDS:
            return Declined("fund_not_found", command.amount_tiyn)
        if self.entered(command):
            return Declined("bank_reference_used", 0)
        mine = (command.fund_id, command.provider_id, "settled")
        owing = [item for item in self.items if (item["fund"], item["provider"], item["stage"]) == mine]
        left = command.amount_tiyn
        plan = []
        for item in owing:
            x = min(item["claimed"] - item["recovered"], left)
            left -= x
            plan.append((item, x))
        if left:
            return Declined("more_than_claimed", left)
        for item, x in plan:
            item["recovered"] += x
        owes = ("receivable", command.provider_id)
        self.moves.append((command.fund_id, "bank", owes, command.amount_tiyn))
        self.moves.append((command.fund_id, "claimed", "fund", command.amount_tiyn))
        self.agreed.append(command)
        return Recovered(command.id, command.amount_tiyn)

    def correct(self, command: Correct, today: date) -> Result:
        if command.fund_id not in FUNDS:
            return Declined("fund_not_found", command.amount_tiyn)
        problem = self.against(command, today)
        if problem is not None:
            return problem
        ends = [
            (command.child_id, command.expires_on) if end == "allotment" else end.value
            for end in (command.debit, command.credit)
        ]
        lacking = command.amount_tiyn - self.free(command.fund_id, ends[0]) if ends[0] != "bank" else 0
        if lacking > 0:
            return Declined("not_enough_there", lacking)
        self.moves.append((command.fund_id, ends[0], ends[1], command.amount_tiyn))
        self.agreed.append(command)
        return Corrected(command.id, command.amount_tiyn)

    def against(self, command: Correct, today: date) -> Declined | None:
        way, place = (command.debit.value, command.credit.value), (command.child_id, command.expires_on)
        moves = [m for m in self.moved_by.get(command.corrects, ()) if m[0] == command.fund_id]
        if way == ("bank", "returned"):
            good = [m for m in moves if m[1] in {"fund", "returned"} and m[2] == "bank"]
        elif way == ("fund", "bank"):
            good = [m for m in moves if (m[1], m[2]) == ("bank", "fund")]
        elif set(way) in ({"fund", "returned"}, {"fund", "allotment"}):
            good = moves
        else:
            return Declined("correction_not_allowed", 0)
        if not moves:
            return Declined("operation_unknown", 0)
        if "allotment" in way:
            if command.fund_id != A_AHEAD or not [m for m in self.moves if m[0] == A_AHEAD and m[2] == place]:
                return Declined("allotment_unknown", 0)
            if way[1] == "allotment" and (command.expires_on or FIRST) < today:
                return Declined("allotment_over", 0)
        before = [one for one in self.agreed if isinstance(one, Correct) and one.fund_id == command.fund_id]
        done = sum(one.amount_tiyn for one in before if one.corrects == command.corrects)
        beyond = command.amount_tiyn + done - sum(m[3] for m in good)
        return Declined("beyond_operation", beyond) if beyond > 0 else None
