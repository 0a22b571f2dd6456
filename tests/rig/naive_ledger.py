"""A deliberately naive model of the wallet's ledger: its months, holds and items.

It shares no code with the domain but the commands and what they answer: it keeps a list of moves and sums it
up anew for every question.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from rig.ledger_world import ENTITLEMENTS, FUNDS, LAST, MRP, PROGRAMS, A, provider_of
from rig.naive_funds import NaiveFunds
from wallet.domain.facts import Facts, LessonFacts
from wallet.domain.operations import (
    Bounce,
    Bounced,
    Charge,
    Charged,
    Command,
    Declined,
    Expire,
    Held,
    HoldMonth,
    Identity,
    Mismatched,
    PaidOut,
    PayOut,
    Reduce,
    Release,
    Released,
    Result,
    Settle,
    Settled,
    Share,
    Superseded,
    Unready,
)
from wallet.domain.programs import Entitlement, Fund, Mode, Program

NO_FACTS = Facts((), datetime.min.replace(tzinfo=UTC), guardian_is_staff=False)
Part = tuple[UUID, date, UUID, int]


@dataclass
class Naive(NaiveFunds):
    """One command at a time, everything summed up anew each time."""

    ends: dict[UUID, date] = field(default_factory=dict)
    gone: set[UUID] = field(default_factory=set)
    owners: dict[UUID, UUID] = field(default_factory=dict)
    answers: dict[Identity, tuple[Any, Result]] = field(default_factory=dict)
    months: dict[tuple[UUID, str], dict[str, Any]] = field(default_factory=dict)
    digests: dict[tuple[UUID, str, int], str] = field(default_factory=dict)
    """Of the revisions that were charged."""
    signed: dict[tuple[UUID, str], set[tuple[int, str]]] = field(default_factory=dict)
    """Revisions with their digests, by enrollment and month."""

    def do(self, command: Command, today: date) -> Result:
        known = self.answers.get(command.identity)
        if known:
            return known[1] if self.content(command) == known[0] else Mismatched(command.identity)
        if isinstance(command, HoldMonth | Reduce | Release | Charge):
            if self.owners.get(command.enrollment_id, command.child_id) != command.child_id:
                return Mismatched(command.identity)
            if not isinstance(command, Charge):
                self.owners[command.enrollment_id] = command.child_id
        uses, moves = self.uses(), len(self.moves)
        kind = type(command).__name__.lower()
        result: Result = getattr(self, "give_to_budget" if kind == "return" else kind)(command, today)
        self.moved_by[command.id] = self.moves[moves:]
        for place in {place for place, use in self.uses().items() if use != uses.get(place)}:
            self.touched[place] = today
            if not isinstance(command, Expire):
                self.given_back.discard(place)
        if not isinstance(result, Mismatched | Unready):
            self.answers[command.identity] = self.content(command), result
        return result

    def content(self, command: Command) -> Command:
        """Facts are the same if their digest is."""
        same = replace(command, id=A)
        return replace(same, facts=NO_FACTS) if isinstance(same, Charge) else same

    def holdmonth(self, command: HoldMonth, _: date) -> Result:
        key = (command.enrollment_id, command.month)
        if self.months.get(key, {}).get("revision"):
            return Declined("month_closed", 0)
        result = self.hold(command)
        declined = isinstance(result, Declined)
        holds = [h for h in self.holds if (h["enrollment"], h["month"]) == key]
        self.months[key] = {
            "code": result.code if isinstance(result, Declined) else None,
            "hold": None if declined else holds[-1],
            "revision": 0,
            "net": 0,
            "frozen": False,
        }
        return result

    def hold(self, command: HoldMonth) -> Result:
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
                "captured": [0] * len(found),
                "lessons": {one.lesson_id: one.on for one in command.lessons if one.on in days},
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
        places = {m[2] for m in self.moves if m[0] == fund.id and m[2][0] == child}
        mine = [expires for _, expires in places if expires >= last]
        return [(expires, self.free(fund.id, (child, expires))) for expires in mine]

    def judge(  # noqa: PLR0911 - as many as there are answers
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
        rate = in_force.monthly_rate_tiyn
        if in_force.monthly_rate_mrp_thousandths:
            mrp = [value for day, value in MRP if day <= days[0]][-1]
            rate = mrp * in_force.monthly_rate_mrp_thousandths // 1000
        excess = command.price_tiyn - (rate or 0) * one.coefficient_percent // 100
        if in_force.directions and command.direction not in in_force.directions:
            return 2, -amount, "direction_not_paid"
        if len(others) >= in_force.clubs_per_child_max:
            return 3, -amount, "clubs_limit_reached"
        if excess > 0:
            return 4, -excess, "price_above_rate"
        caps = [(6, in_force.month_cap_tiyn, [int(command.month[5:])], "over_month_cap")]
        caps.insert(0, (5, in_force.year_cap_tiyn, [*range(1, 13)], "over_year_cap"))
        for stage, cap, months, code in caps:
            used = sum(self.used(command.child_id, program.id, f"2026-{month:02}") for month in months)
            excess = used + amount - (cap or 10**9) * one.coefficient_percent // 100
            if excess > 0:
                return stage, -excess, code
        return program

    def used(self, child: UUID, program_id: UUID, month: str) -> int:
        """What the program has reserved or paid."""
        mine = [hold for hold in self.holds if (hold["child"], hold["month"]) == (child, month)]
        return sum(
            part + captured
            for hold in mine
            for (*_, program, part), captured in zip(hold["now"], hold["captured"], strict=True)
            if program == program_id
        )

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
            if self.uncharged(hold, command.enrollment_id):
                left = [day for day in hold["days"] if day < command.on]
                back += self.give_back(hold, hold["price"] * len(left) // hold["planned"], today)
                hold["open"] = bool(left)
                if not left:
                    self.months[hold["enrollment"], hold["month"]]["code"] = "ended"
        return Released(back)

    def release(self, command: Release, today: date) -> Result:
        self.gone.add(command.enrollment_id)
        back = 0
        for hold in self.holds:
            if self.uncharged(hold, command.enrollment_id):
                back += self.give_back(hold, 0, today)
                hold["open"] = False
                self.months[hold["enrollment"], hold["month"]]["code"] = command.reason
        return Released(back)

    def uncharged(self, hold: dict[str, Any], enrollment_id: UUID) -> bool:
        mine = hold["open"] and hold["enrollment"] == enrollment_id
        return bool(mine and not self.months[enrollment_id, hold["month"]]["revision"])

    def charge(self, command: Charge, today: date) -> Result:
        key = (command.enrollment_id, command.month)
        nothing = {"code": "month_closed", "hold": None, "revision": 0, "net": 0, "frozen": False}
        if key not in self.months and command.enrollment_id not in self.gone:
            end = self.ends.get(command.enrollment_id)
            if end is None or min((fact.on for _, fact in command.facts.lessons), default=end) < end:
                return Unready("funding_requested")
        month = self.months.setdefault(key, nothing)
        if command.revision <= month["revision"]:
            return Superseded()
        if not month["code"] and command.provider_id != provider_of(command.enrollment_id):
            return Mismatched(command.identity)
        month["revision"] = command.revision
        self.digests[*key, command.revision] = command.digest
        if month["code"]:
            return Charged(command.id, 0, 0, 0, 0, frozen=False, code=month["code"])
        return self.charge_held(command, month, today)

    def charge_held(self, command: Charge, month: dict[str, Any], today: date) -> Result:
        key = (command.enrollment_id, command.month)
        hold, facts = month["hold"], dict(command.facts.lessons)
        said = [self.says(facts.get(lesson_id)) for lesson_id in hold["lessons"]]
        cost = hold["price"] * said.count("yes") // hold["planned"]
        most = hold["price"] * (said.count("yes") + said.count("disputed")) // hold["planned"]
        target = min(max(month["net"], cost), most)
        days = [on for lesson_id, on in hold["lessons"].items() if self.says(facts.get(lesson_id)) == "yes"]
        if target > month["net"]:
            month["net"] += self.take_more(command, hold, target - month["net"], sorted(days))
        elif target < month["net"]:
            self.take_less(key, month["net"] - target, today)
            month["net"] = target
        kept = 0
        if hold["open"]:
            kept = min(most - target, sum(part for *_, part in hold["now"]))
            self.give_back(hold, kept, today)
            hold["open"] = kept > 0
        self.fall_due()
        month["frozen"] = month["net"] > cost
        self.freeze(key, frozen=month["frozen"])
        missing = max(cost - month["net"], 0)
        return Charged(command.id, month["net"], cost, kept, missing, frozen=month["frozen"], code=None)

    def freeze(self, key: tuple[UUID, str], *, frozen: bool) -> None:
        for item in self.items_of(key):
            if item["stage"] in {"charged", "due", "in_run"}:
                item["frozen"] = frozen
                if frozen and item["stage"] == "in_run":
                    item.update(stage="due", payout=None)

    def says(self, facts: LessonFacts | None) -> str:
        if facts is None or not facts.took_place:
            return "no"
        if facts.decided:
            return "yes" if facts.decided == "count" else "no"
        if facts.disputed:
            return "disputed"
        return "yes" if len(facts.statements) == 2 else "no"

    def items_of(self, key: tuple[UUID, str]) -> list[dict[str, Any]]:
        """The newest first."""
        return [item for item in reversed(self.items) if item["key"] == key]

    def take_more(self, command: Charge, hold: dict[str, Any], amount: int, days: list[date]) -> int:
        """Out of the open hold, and then out of a hold made for it."""
        provider = ("payable", command.provider_id)
        taken: dict[UUID, int] = {}
        sources = [hold] if hold["open"] else []
        left = amount - sum(part for source in sources for *_, part in source["now"])
        if left > 0:
            found = self.find_more(command.child_id, {layer[2] for layer in hold["first"]}, left, days)
            for fund, expires, _, part in found:
                if FUNDS[fund].mode is Mode.ON_HOLD:
                    self.moves.append((fund, "fund", (command.child_id, expires), part))
            raised = hold | {"id": command.id, "open": False, "first": found, "now": found}
            raised["captured"] = [0] * len(found)
            if found:
                self.holds.append(raised)
                sources.append(raised)
        for source in sources:
            now = []
            for place, (fund, expires, program, part) in enumerate(source["now"]):
                x = min(part, amount - sum(taken.values()))
                source["captured"][place] += x
                now.append((fund, expires, program, part - x))
                if x:
                    self.moves.append((fund, (command.child_id, expires), provider, x))
                    taken[fund] = taken.get(fund, 0) + x
            source["now"] = now
        for fund, x in taken.items():
            self.items.append(
                {
                    "key": (command.enrollment_id, command.month),
                    "child": command.child_id,
                    "provider": command.provider_id,
                    "fund": fund,
                    "revision": command.revision,
                    "amount": x,
                    "claimed": 0,
                    "stage": "charged",
                    "frozen": False,
                    "payout": None,
                    "recovered": 0,
                }
            )
        return sum(taken.values())

    def find_more(self, child: UUID, agreed: set[UUID], amount: int, days: list[date]) -> list[Part]:
        purses = set()
        for one in ENTITLEMENTS.get(child, []):
            program = PROGRAMS.get(one.program_id)
            if program is None or one.program_id not in agreed or one.starts_on > days[0]:
                continue
            if one.until < days[-1] or program.starts_on > days[0] or program.ends_on < days[-1]:
                continue
            for fund in FUNDS.values():
                if fund.program_id == program.id and fund.last_capture_on >= days[-1]:
                    for expires, free in self.purses(fund, child, days[-1]):
                        purses.add((program.place, expires, fund.id, program.id, free))
        found: list[Part] = []
        for _, expires, fund_id, program_id, free in sorted(purses):
            part = min(free, amount)
            amount -= part
            if part:
                found.append((fund_id, expires, program_id, part))
        return found

    def take_less(self, key: tuple[UUID, str], amount: int, today: date) -> None:
        """Which fund gets how much is said by the newest items; in each, what is not paid comes first."""
        by_fund: dict[UUID, int] = {}
        for item in self.items_of(key):
            x = min(item["amount"] - item["claimed"], amount)
            amount -= x
            by_fund[item["fund"]] = by_fund.get(item["fund"], 0) + x
        for fund, of_fund in by_fund.items():
            left = of_fund
            mine = [item for item in self.items_of(key) if item["fund"] == fund]
            for item in mine:
                if item["stage"] in {"charged", "due", "in_run"} and left:
                    x = min(item["amount"], left)
                    left -= x
                    self.give_up(item, x, today)
            for item in mine:
                if item["stage"] in {"submitting", "sent", "settled"} and left:
                    x = min(item["amount"] - item["claimed"], left)
                    left -= x
                    item["claimed"] += x
                    self.moves.append((fund, ("receivable", item["provider"]), "claimed", x))

    def give_up(self, item: dict[str, Any], amount: int, today: date) -> None:
        item["amount"] -= amount
        if item["stage"] == "in_run":
            item.update(stage="due", payout=None)
        if not item["amount"]:
            item.update(stage="void", frozen=False)
        for hold in reversed(self.holds):
            if (hold["enrollment"], hold["month"]) != item["key"]:
                continue
            for place, (fund, expires, *_) in reversed(list(enumerate(hold["first"]))):
                x = min(hold["captured"][place], amount) if fund == item["fund"] else 0
                amount -= x
                hold["captured"][place] -= x
                if not x:
                    continue
                self.moves.append((fund, ("payable", item["provider"]), (item["child"], expires), x))
                if FUNDS[fund].mode is Mode.ON_HOLD:
                    self.moves.append((fund, (item["child"], expires), "fund", x))
                elif expires < today:
                    self.moves.append((fund, (item["child"], expires), "returned", x))

    def items_now(self) -> list[tuple[Any, ...]]:
        names = ("fund", "revision", "amount", "claimed", "stage", "frozen", "payout", "recovered")
        return [(*item["key"], *(item[name] for name in names)) for item in self.items]

    def send(self, payout_id: UUID) -> None:
        for item in self.items:
            if item["payout"] == payout_id and item["stage"] == "submitting":
                item["stage"] = "sent"

    def sign(self, enrollment_id: UUID, month: str, revision: int, digest: str) -> None:
        self.signed.setdefault((enrollment_id, month), set()).add((revision, digest))
        self.fall_due()

    def fall_due(self) -> None:
        for item in self.items:
            if item["stage"] == "charged":
                good = [
                    revision
                    for revision, digest in self.signed.get(item["key"], ())
                    if self.digests.get((*item["key"], revision)) == digest
                ]
                if max(good, default=0) >= item["revision"]:
                    item["stage"] = "due"

    def run(self, payout_id: UUID, fund_id: UUID, provider_id: UUID) -> None:
        for item in self.items:
            ready = item["stage"] == "due" and not item["frozen"]
            if ready and (item["fund"], item["provider"]) == (fund_id, provider_id):
                item.update(stage="in_run", payout=payout_id)

    def ordered(
        self, command: PayOut | Settle | Bounce, stages: set[str], code: str
    ) -> list[dict[str, Any]] | Declined:
        mine = [item for item in self.items if item["payout"] == command.payout_id]
        if not mine:
            return Declined("order_is_empty", 0)
        return mine if {item["stage"] for item in mine} <= stages else Declined(code, 0)

    def payout(self, command: PayOut, _: date) -> Result:
        mine = self.ordered(command, {"in_run"}, "order_not_ready")
        if isinstance(mine, Declined):
            return mine
        total = sum(item["amount"] for item in mine)
        way = ("payable", command.provider_id), ("payout", command.payout_id)
        self.moves.append((command.fund_id, *way, total))
        for item in mine:
            item["stage"] = "submitting"
        return PaidOut(command.id, total)

    def settle(self, command: Settle, _: date) -> Result:
        mine = self.ordered(command, {"submitting", "sent"}, "order_not_sent")
        if isinstance(mine, Declined):
            return mine
        total = sum(item["amount"] for item in mine)
        self.moves.append((command.fund_id, ("payout", command.payout_id), "bank", total))
        for item in mine:
            item["stage"] = "settled"
        return Settled(command.id, total)

    def bounce(self, command: Bounce, today: date) -> Result:
        mine = self.ordered(command, {"submitting", "sent"}, "order_not_sent")
        if isinstance(mine, Declined):
            return mine
        total = sum(item["amount"] for item in mine)
        way = ("payout", command.payout_id), ("payable", command.provider_id)
        self.moves.append((command.fund_id, *way, total))
        for item in mine:
            claimed = item["claimed"]
            item.update(stage="due", payout=None, claimed=0)
            if claimed:
                back = "claimed", ("receivable", item["provider"])
                self.moves.append((command.fund_id, *back, claimed))
                self.give_up(item, claimed, today)
            item["frozen"] = self.months[item["key"]]["frozen"] and item["stage"] != "void"
        return Bounced(command.id, total)
