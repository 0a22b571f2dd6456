"""What tests of the wallet share: a world with a program and its funds, and events on their way to it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.approvals import Approvals
from shared.database import new_id
from shared.edge import Edge
from shared.events.enrollment import EntitlementDescribed, FundingRequested, PlannedLesson
from shared.security import Grant, Principal
from shared.settled import Settled
from wallet.domain.proof.checkpoints import Checkpoint
from wallet.domain.proof.merkle import EMPTY_ROOT
from wallet.repository.runs import Run
from wallet.tables import entitlements
from wallet.usecases.funds import FUND, FundPlan, deposit, propose_fund
from wallet.usecases.programs import PROGRAM, ProgramPlan, propose_program
from wallet.usecases.rules import RULES, NewRules, propose_rules
from wallet.usecases.runs import Asked, Chunk, advance_run, read_run, start_run
from wallet.usecases.sealing import Log, seal_batches

NAME = {"kk": "Бағдарлама", "ru": "Программа", "en": "Program"}
PRICE = 1_875_000

LOG = Log("test.example/wallet", (Ed25519PrivateKey.from_private_bytes(bytes(32)),))

Deliver = Callable[..., Awaitable[None]]
Check = Callable[[], Awaitable[None]]


@dataclass
class World:
    """A program of one region with an `ahead` and an `on_hold` fund, and its two administrators."""

    edge: Edge
    region_id: UUID = field(default_factory=new_id)
    people: tuple[Principal, Principal] = field(init=False)
    program_id: UUID = field(init=False)
    ahead: UUID = field(init=False)
    on_hold: UUID = field(init=False)

    async def found(self) -> None:
        """Two persons make the program and its funds."""
        grant = Grant("administrator", "region", self.region_id)
        self.people = Principal(new_id(), frozenset({grant})), Principal(new_id(), frozenset({grant}))
        plan = {
            "region_id": self.region_id,
            "name": NAME,
            "place": 1,
            "starts_on": "2026-09-01",
            "ends_on": "2027-05-31",
            "rules": {"directions": ["robotics", "music"], "monthly_rate_tiyn": PRICE},
        }
        self.program_id = await self._approved("program", plan)
        self.ahead = await self._approved("fund", self.fund_plan("ahead", 1_000_000))
        self.on_hold = await self._approved("fund", self.fund_plan("on_hold", None))

    def fund_plan(self, mode: str, monthly: int | None) -> dict[str, object]:
        """A fund of this program, as one would propose it."""
        return {
            "program_id": self.program_id,
            "region_id": self.region_id,
            "funder": NAME,
            "name": NAME,
            "mode": mode,
            "budget_tiyn": 100_000_000_000,
            "monthly_tiyn": monthly,
            "last_capture_on": "2027-05-31",
        }

    async def _approved(self, kind: str, plan: dict[str, object]) -> UUID:
        one, other = self.people
        async with self.edge.transaction() as tx:
            if kind == "program":
                proposal = await propose_program(tx, one, ProgramPlan.model_validate(plan))
            else:
                proposal = await propose_fund(tx, one, FundPlan.model_validate(plan))
        async with self.edge.transaction() as tx:
            executed = await Approvals([PROGRAM, FUND]).approve(tx, other, proposal.id)
        if executed.made_id is None:
            raise AssertionError
        return executed.made_id

    async def change_rules(self, wanted: NewRules) -> None:
        """Two persons make the next version of the program's rules."""
        one, other = self.people
        async with self.edge.transaction() as tx:
            proposal = await propose_rules(tx, one, self.program_id, wanted)
        async with self.edge.transaction() as tx:
            await Approvals([RULES]).approve(tx, other, proposal.id)

    async def pay_in(self, fund_id: UUID, amount: int) -> None:
        """The funder's money arrives."""
        async with self.edge.transaction() as tx:
            await deposit(tx, self.people[0], fund_id, amount, str(new_id()))

    async def entitle(self, count: int) -> list[UUID]:
        """So many children whom the program may pay for, in the order of their ids, as events leave them."""
        described = [self.entitled(new_id()) for _ in range(count)]
        rows = [one.model_dump(include=set(entitlements.c.keys())) for one in described]
        async with self.edge.transaction() as tx:
            ids = [{"id": one.entitlement_id} for one in described]
            await tx.execute(sa.insert(entitlements), [row | id_ for row, id_ in zip(rows, ids, strict=True)])
        return sorted(one.child_id for one in described)

    async def start_funding(self, until: date = date(2026, 10, 31), *, dry_run: bool = False) -> UUID:
        """Ask for a run of the `ahead` fund; the worker's job is `wallet.usecases.runs.advance_run`."""
        async with self.edge.transaction() as tx:
            return await start_run(tx, self.people[0], Asked(self.ahead, until, dry_run))

    async def funding(self, run_id: UUID) -> Run:
        """A run as it stands."""
        async with self.edge.transaction() as tx:
            return await read_run(tx, self.people[1], run_id)

    async def run_funding(self, until: date = date(2026, 10, 31), *, dry_run: bool = False) -> Run:
        """A run of the `ahead` fund from its start to its end."""
        run_id = await self.start_funding(until, dry_run=dry_run)
        busy: Chunk | None = Chunk()
        while busy is not None:
            async with self.edge.transaction() as tx:
                busy = await advance_run(tx)
        return await self.funding(run_id)

    def entitled(
        self, child_id: UUID, *, starts_on: date | None = None, until: date = date(2027, 5, 31)
    ) -> EntitlementDescribed:
        """The program may pay for this child."""
        return EntitlementDescribed(
            child_id=child_id,
            entitlement_id=new_id(),
            program_id=self.program_id,
            version=1,
            starts_on=starts_on or min(until, date(2026, 9, 1)),
            until=until,
            coefficient_percent=100,
        )


def asked(
    child_id: UUID, enrollment_id: UUID, *, attempt: int = 1, month: str = "2026-10", price: int = PRICE
) -> FundingRequested:
    """Money for a month of four lessons, on the 5th, 12th, 19th and 26th."""
    lessons = tuple(
        PlannedLesson(lesson_id=new_id(), on=date.fromisoformat(f"{month}-{day:02}"))
        for day in (5, 12, 19, 26)
    )
    return FundingRequested(
        child_id=child_id,
        enrollment_id=enrollment_id,
        month=month,
        attempt=attempt,
        covers_from=date.fromisoformat(f"{month}-01"),
        provider_id=new_id(),
        group_id=new_id(),
        direction="robotics",
        price_tiyn=price,
        lessons=lessons,
    )


async def seal(edge: Edge) -> None:
    """Seal all that is posted, as the worker does."""
    more = True
    while more:
        async with edge.transaction() as tx:
            more = await seal_batches(tx, LOG, Settled("batches"), Checkpoint(LOG.name, 0, EMPTY_ROOT))


async def waits_for_a_lock(edge: Edge, rival: asyncio.Task[Any] | None = None) -> None:
    """Until some connection of this database stands before a lock; a rival that does not wait is an error."""
    deadline = time.monotonic() + 60
    while rival is None or not rival.done():
        async with edge.transaction() as tx:
            waiting = await (await tx.driver()).fetchval(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
        if waiting:
            return
        if time.monotonic() > deadline:
            break
        await asyncio.sleep(0.05)
    raise AssertionError("nobody waits for a lock")
