"""Everything at once that a wallet alone is asked for, and what must come of it.

Families' months come as events, as enrollment and clubs would tell them, each child's in their order: held,
canceled, ended, charged, charged again for more and for less, disputed, signed. Administrators deposit, fund
children, pay, take repayments and give back. All of it may be asked again when no answer came.
"""

import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from rig.office import BIN, IBANS, Sheet
from shared import clock
from shared.approvals import Approvals
from shared.database import Transaction, new_id
from shared.edge import Edge
from shared.errors import ConflictError
from shared.events.enrollment import Canceled, Ended
from shared.events.envelope import Event
from shared.retrying import until_it_passes
from shared.security import Grant, Principal
from wallet.testing import PRICE, World, asked
from wallet.usecases.approved import (
    CORRECTION,
    REPAYMENT,
    RETURN,
    NewCorrection,
    NewRepayment,
    NewReturn,
    propose_correction,
    propose_repayment,
    propose_return,
)
from wallet.usecases.funds import deposit
from wallet.usecases.payees import PAYEE, PayeePlan, propose_payee
from wallet.usecases.payouts import PAYOUT_RUN, start_payout_run
from wallet.usecases.runs import Asked, start_run

LESSONS = 4
COURSES: tuple[tuple[dict[str, int | str], ...], ...] = (
    ({},),
    ({"absent": 1},),
    ({}, {"absent": 2}),
    ({"absent": 3}, {}),
    ({"disputed": 1}, {"disputed": 1, "decided": "count"}),
    ({}, {"disputed": 1}, {"disputed": 1, "decided": "do_not_count"}),
)
"""The revisions of a month's sheet, one after the other; the last one says what it costs."""
MONEY_TIYN = 20_000_000_000
_CLAIMED = """
SELECT provider_id, sum(claimed_tiyn - recovered_tiyn)::bigint AS amount_tiyn FROM payable_items
WHERE stage = 'settled' AND fund_id = $1 GROUP BY provider_id HAVING sum(claimed_tiyn - recovered_tiyn) > 0
"""
_RETURNED = """
SELECT a.credited - a.debited FROM accounts a JOIN funds f ON a.id = f.number::bigint << 40 | 3
WHERE f.id = $1
"""

T = TypeVar("T")


class Month(NamedTuple):
    """What must be known of an enrollment's month when all is told."""

    state: str
    revision: int
    captured_tiyn: int


@dataclass
class Families:
    """What was told so far."""

    world: World
    providers: tuple[UUID, ...]
    dice: random.Random
    at_once: int = 12
    """Children whose months are under way."""
    told: int = 0
    months: dict[UUID, Month] = field(default_factory=dict)
    """By enrollment."""
    _under_way: list[Iterator[Event]] = field(default_factory=list)

    def draw(self, *, more: bool) -> Event | None:
        """What comes next; None once all months are told to their end and no more are to begin."""
        while more or self._under_way:
            if more and len(self._under_way) < self.at_once:
                self._under_way.append(self._month())
            script = self.dice.choice(self._under_way)
            if event := next(script, None):
                self.told += 1
                return event
            self._under_way.remove(script)
        return None

    def _month(self) -> Iterator[Event]:
        child_id = new_id()
        provider_id = self.dice.choice(self.providers)
        request = asked(child_id, new_id()).model_copy(update={"provider_id": provider_id})
        about = {
            "child_id": child_id,
            "enrollment_id": request.enrollment_id,
            "group_id": request.group_id,
        }
        course, fate = self.dice.choice(COURSES), self.dice.random()
        lessons = LESSONS - 1 if fate > 0.8 else LESSONS
        counted = lessons - int(course[-1].get("absent", 0))
        counted -= course[-1].get("decided") == "do_not_count"
        charged = Month("charged", len(course), PRICE * counted // LESSONS)
        self.months[request.enrollment_id] = Month("released", 0, 0) if fate < 0.15 else charged
        yield self.world.entitled(child_id)
        yield request
        if fate < 0.15:
            yield Canceled(**about)
            return
        if lessons < LESSONS:
            yield Ended(**about, on=request.lessons[-1].on, code="moved")
        sheet = Sheet(request.model_copy(update={"lessons": request.lessons[:lessons]}))
        for said in course:
            yield sheet.closed(**said)  # type: ignore[arg-type] # each name has its own type
            yield sheet.signed()


@dataclass
class Offices:
    """Those who pay, and what they did."""

    world: World
    edge: Edge
    dice: random.Random
    deposited_tiyn: int = 0
    deposits: list[UUID] = field(default_factory=list)
    _references: int = 0

    async def open(self) -> tuple[UUID, ...]:
        """Money in both funds, and providers with accounts that two persons agreed on."""
        for fund_id in (self.world.ahead, self.world.on_hold):
            await self._deposit(fund_id, MONEY_TIYN)
        providers = tuple(new_id() for _ in IBANS)
        for provider_id, iban in zip(providers, IBANS, strict=True):
            await self._name_account(provider_id, iban)
        return providers

    async def act(self) -> None:
        """One thing of all that they do."""
        fund_id = self.dice.choice((self.world.ahead, self.world.on_hold))
        match self.dice.choice(("deposit", "fund", "pay", "pay", "repay", "give back", "correct")):
            case "deposit":
                await self._deposit(fund_id, self.dice.randint(1, 1_000))
            case "fund":
                await self._fund()
            case "pay":
                await self.pay(fund_id)
            case "repay":
                await self._take_repayments(fund_id)
            case "give back":
                await self._give_back()
            case "correct":
                await self._correct(fund_id)

    async def _do(self, work: Callable[[Transaction], Awaitable[T]]) -> T | None:
        """Until it is done or refused; nobody knows of what was asked last before a fault."""

        async def once() -> T | None:
            try:
                async with self.edge.transaction() as tx:
                    return await work(tx)
            except ConflictError:
                return None

        return await until_it_passes(once)

    async def _agree(self, propose: Callable[[Transaction], Awaitable[UUID]]) -> None:
        proposal_id = await self._do(propose)
        if proposal_id is not None:
            await self._approve(proposal_id)

    async def _approve(self, proposal_id: UUID) -> None:
        kinds = Approvals([PAYEE, PAYOUT_RUN, RETURN, REPAYMENT, CORRECTION])
        await self._do(lambda tx: kinds.approve(tx, self.world.people[1], proposal_id))

    async def _deposit(self, fund_id: UUID, amount: int) -> None:
        key = str(new_id())
        made = await self._do(lambda tx: deposit(tx, self.world.people[0], fund_id, amount, key))
        if made is not None:
            self.deposited_tiyn += amount
            self.deposits.append(made)

    async def _name_account(self, provider_id: UUID, iban: str) -> None:
        plan = PayeePlan(provider_id=provider_id, iban=iban, name="ТОО «Клуб»", bin=BIN)
        director = Principal(new_id(), frozenset({Grant("director", "provider", provider_id)}))

        async def propose(tx: Transaction) -> UUID:
            return (await propose_payee(tx, director, plan)).id

        await self._agree(propose)

    async def _fund(self) -> None:
        async def start(tx: Transaction) -> UUID:
            month = f"{clock.civil_date(tx.now):%Y-%m}"
            last = date.fromordinal(clock.first_day(clock.next_month(month)).toordinal() - 1)
            return await start_run(tx, self.world.people[0], Asked(self.world.ahead, last))

        await self._do(start)

    async def pay(self, fund_id: UUID) -> None:
        """Whatever is due of a fund; and what was proposed before and nobody knows of."""
        await self._do(lambda tx: start_payout_run(tx, self.world.people[0], fund_id))
        for proposal_id in await self._proposed(fund_id):
            await self._approve(proposal_id)

    async def _proposed(self, fund_id: UUID) -> list[UUID]:
        query = "SELECT proposal_id FROM payout_runs WHERE state = 'proposed' AND fund_id = $1"
        return [row[0] for row in await self._do(lambda tx: _fetch(tx, query, fund_id)) or ()]

    def _reference(self) -> str:
        self._references += 1
        return f"REF-{self._references}"

    async def _take_repayments(self, fund_id: UUID) -> None:
        found = await self._do(lambda tx: _fetch(tx, _CLAIMED, fund_id))
        for provider_id, amount in found or ():
            wanted = NewRepayment(
                provider_id=provider_id, amount_tiyn=amount, bank_reference=self._reference()
            )

            async def propose(tx: Transaction, repaid: NewRepayment = wanted) -> UUID:
                return (await propose_repayment(tx, self.world.people[0], fund_id, repaid)).id

            await self._agree(propose)

    async def _give_back(self) -> None:
        ((returned,),) = await self._do(lambda tx: _fetch(tx, _RETURNED, self.world.ahead)) or ((0,),)
        if returned:
            wanted = NewReturn(amount_tiyn=(returned + 1) // 2, bank_reference=self._reference())

            async def propose(tx: Transaction) -> UUID:
                return (await propose_return(tx, self.world.people[0], self.world.ahead, wanted)).id

            await self._agree(propose)

    async def _correct(self, fund_id: UUID) -> None:
        wrong = self.dice.choice(self.deposits)
        body = {"debit": "fund", "credit": "bank", "operation_id": wrong, "amount_tiyn": 1, "reason": "wrong"}
        wanted = NewCorrection.model_validate(body)

        async def propose(tx: Transaction) -> UUID:
            return (await propose_correction(tx, self.world.people[0], fund_id, wanted)).id

        await self._agree(propose)


async def _fetch(tx: Transaction, query: str, *values: object) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await (await tx.driver()).fetch(query, *values)]
