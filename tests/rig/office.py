"""Those who pay and are paid in tests of payouts: sheets that are charged and signed, people, a real bank."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import sqlalchemy as sa

from local.servers import free_ports
from shared.approvals import Approvals, Proposal
from shared.consumer import handle
from shared.database import Transaction, new_id
from shared.edge import Edge
from shared.events.attendance import AttendanceClosed, LessonFacts, SignedLine, Statement, StatementSigned
from shared.events.enrollment import FundingRequested
from shared.events.envelope import Event
from shared.security import Grant, Principal
from shared.testing import Database, envelope_of, published, set_clock
from shared.tls import tls
from wallet.bank import Bank, Sender, ask_once
from wallet.main import service
from wallet.repository.payout_runs import PayoutRun
from wallet.tables import payable_items, payout_runs, payouts
from wallet.testing import PRICE, Deliver, World, asked, seal
from wallet.usecases.payees import PAYEE, PayeePlan, propose_payee
from wallet.usecases.payouts import PAYOUT_RUN, give_up_run, start_payout_run
from wallet.usecases.submitting import Leaving, let_leave

BIN = "100140000003"
IBANS = ("KZ64722S000001234567", "KZ41070S000000000001", "KZ86125KZT5004100100")
CHARGED = PRICE
"""What a month of four lessons that all count costs."""


@dataclass
class Sheet:
    """One enrollment's month, as clubs tells of it."""

    request: FundingRequested
    revision: int = 0
    staff: tuple[UUID, UUID] = field(default_factory=lambda: (new_id(), new_id()))

    def closed(self, *, disputed: int = 0, decided: str | None = None, absent: int = 0) -> AttendanceClosed:
        """The next revision: the first lessons disputed, decided or not attended, all others confirmed."""
        self.revision += 1
        coach, guardian = self.staff
        lessons = tuple(
            LessonFacts.model_validate(
                {
                    "lesson_id": lesson.lesson_id,
                    "on": lesson.on,
                    "took_place": True,
                    "statements": (
                        _said("coach", coach, lesson.on, present=place >= absent),
                        _said("guardian", guardian, lesson.on, present=True),
                    ),
                    "excused": False,
                    "disputed": place < disputed,
                    "decided": decided if decided and place == 0 else None,
                }
            )
            for place, lesson in enumerate(self.request.lessons)
        )
        return AttendanceClosed(
            child_id=self.request.child_id,
            enrollment_id=self.request.enrollment_id,
            group_id=self.request.group_id,
            provider_id=self.request.provider_id,
            month=self.request.month,
            revision=self.revision,
            digest=self.digest,
            guardians_until=datetime.fromisoformat("2026-11-05T00:00:00+05:00"),
            guardian_is_staff=False,
            lessons=lessons,
        )

    @property
    def digest(self) -> str:
        return f"{self.revision:064x}"

    def signed(self) -> StatementSigned:
        """The director signs the latest revision."""
        line = SignedLine(
            enrollment_id=self.request.enrollment_id, revision=self.revision, digest=self.digest
        )
        return StatementSigned(
            statement_id=new_id(),
            provider_id=self.request.provider_id,
            month=self.request.month,
            number=self.revision,
            part=1,
            signed_by=new_id(),
            signed_at=datetime.fromisoformat("2026-11-06T10:00:00+05:00"),
            lines=(line,),
        )


def _said(source: str, person_id: UUID, on: date, *, present: bool) -> Statement:
    at = datetime.fromisoformat(f"{on}T18:00:00+05:00")
    return Statement.model_validate({"source": source, "person_id": person_id, "present": present, "at": at})


@dataclass
class Office:
    """Those who pay: a fund with money, two administrators, and providers with accounts."""

    edge: Edge
    database: Database
    world: World
    deliver: Deliver
    providers: list[UUID] = field(default_factory=list)
    sheets: list[Sheet] = field(default_factory=list)

    @property
    def fund_id(self) -> UUID:
        return self.world.on_hold

    async def new_provider(self) -> UUID:
        """A provider with an account that two persons agreed on."""
        provider_id = new_id()
        await self.name_account(provider_id, IBANS[len(self.providers)])
        self.providers.append(provider_id)
        return provider_id

    async def name_account(self, provider_id: UUID, iban: str) -> None:
        """The provider's account from now on, by two persons."""
        plan = PayeePlan(provider_id=provider_id, iban=iban, name="ТОО «Клуб»", bin=BIN)
        director = Principal(new_id(), frozenset({Grant("director", "provider", provider_id)}))
        async with self.edge.transaction() as tx:
            proposal = await propose_payee(tx, director, plan)
        await self.approve(proposal.id)

    async def owe(self, provider_id: UUID, children: int = 1, *, signed: bool = True) -> list[Sheet]:
        """Months of so many children, charged and, if said, signed: due on the 18th of November."""
        await set_clock(self.database, datetime.fromisoformat("2026-10-01T09:00:00+05:00"))
        sheets = [
            Sheet(asked(new_id(), new_id()).model_copy(update={"provider_id": provider_id}))
            for _ in range(children)
        ]
        for sheet in sheets:
            await self.deliver(self.world.entitled(sheet.request.child_id))
        await self.deliver(*(sheet.request for sheet in sheets))
        await set_clock(self.database, datetime.fromisoformat("2026-11-06T09:00:00+05:00"))
        await self.deliver(*(sheet.closed() for sheet in sheets))
        if signed:
            await self.deliver(*(sheet.signed() for sheet in sheets))
        await self.go_to("2026-11-18T09:00:00+05:00")
        self.sheets += sheets
        return sheets

    async def go_to(self, moment: str) -> None:
        await set_clock(self.database, datetime.fromisoformat(moment))

    async def start(self) -> PayoutRun:
        """The first administrator proposes a run, of what is sealed: all there is."""
        await seal(self.edge)
        async with self.edge.transaction() as tx:
            return await start_payout_run(tx, self.world.people[0], self.fund_id)

    async def approve(self, proposal_id: UUID, person: int = 1) -> Proposal:
        """The second administrator agrees."""
        async with self.edge.transaction() as tx:
            approvals = Approvals([PAYEE, PAYOUT_RUN])
            return await approvals.approve(tx, self.world.people[person], proposal_id)

    async def told(self, *kinds: type[Event]) -> list[Event]:
        """The events of these kinds, in their order."""
        return [event for event in await published(self.edge) if isinstance(event, kinds)]

    async def handle(self, tx: Transaction, *events: Event) -> None:
        """What the worker does with events, in a transaction that is still open."""
        waiting = await handle(tx, service.events, [envelope_of(event, tx.now) for event in events])
        if waiting:
            raise AssertionError(waiting)

    async def leave(self, payout_id: UUID, desk: "Desk") -> Leaving:
        """Let an order leave, without a call of the bank."""
        async with self.edge.transaction() as tx:
            return await let_leave(tx, payout_id, desk.sender.payer)

    async def untold(self) -> int:
        """How many events wait to be sent."""
        return len(await published(self.edge))

    async def reject(self, proposal_id: UUID) -> None:
        async with self.edge.transaction() as tx:
            await Approvals([PAYOUT_RUN]).reject(tx, self.world.people[1], proposal_id, "not now")

    async def run(self) -> PayoutRun:
        """A run that two persons agreed on."""
        run = await self.start()
        await self.approve(run.proposal_id)
        return run

    async def give_up(self) -> bool:
        async with self.edge.transaction() as tx:
            return await give_up_run(tx)

    async def orders(self) -> list[dict[str, Any]]:
        """All orders, the oldest first."""
        async with self.edge.look() as tx:
            rows = await tx.execute(sa.select(payouts).order_by(payouts.c.id))
            return [dict(row) for row in rows.mappings()]

    async def states(self) -> list[str]:
        return [order["state"] for order in await self.orders()]

    async def items(self) -> list[dict[str, Any]]:
        async with self.edge.look() as tx:
            rows = await tx.execute(sa.select(payable_items).order_by(payable_items.c.id))
            return [dict(row) for row in rows.mappings()]

    async def stages(self) -> list[str]:
        return sorted(item["stage"] for item in await self.items())

    async def runs(self) -> list[dict[str, Any]]:
        async with self.edge.look() as tx:
            rows = await tx.execute(sa.select(payout_runs).order_by(payout_runs.c.id))
            return [dict(row) for row in rows.mappings()]


class SandboxBank:
    """The bank of the local system, in a process of its own, in the business time of this database."""

    def __init__(self, url: str, process: "subprocess.Popen[bytes]") -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, trust_env=False, verify=tls())
        self._process = process
        self._before = 0

    def start_anew(self) -> None:
        """Behave well, and speak of what comes from now on only."""
        self.behave("accept")
        self._before += len(self.payments())

    def behave(self, behavior: str, *, seconds: float = 0) -> None:
        """Treat so what comes next."""
        self.http.put("/behavior", json={"behavior": behavior, "seconds": seconds}).raise_for_status()

    def change_mind(self, behavior: str) -> None:
        """Treat so what it has already, too."""
        self.http.put("/behavior", json={"behavior": behavior, "taken": True}).raise_for_status()

    def payments(self) -> list[dict[str, Any]]:
        """The orders that reached it, each with how often."""
        return list(self.http.get("/payments").raise_for_status().json()["items"])[self._before :]

    def answers(self) -> bool:
        try:
            self.payments()
        except httpx.TransportError:
            return False
        return True

    def stand_still(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)


@dataclass
class Desk:
    """The worker's two jobs, step by step."""

    edge: Edge
    client: Bank
    sender: Sender

    async def send(self, times: int = 1) -> None:
        for _ in range(times):
            await self.sender.send_next()

    async def ask(self, times: int = 1) -> None:
        for _ in range(times):
            await ask_once(self.edge, self.client)


@contextlib.contextmanager
def sandbox_bank(folder: Path, clock_url: str) -> Iterator[SandboxBank]:
    """The bank, on a free port, for as long as the block runs; what it remembers stays in the folder."""
    port, smtp_port = free_ports(2)
    told = {
        "SW_ENVIRONMENT": "development",
        "SW_PORT": str(port),
        "SW_SMTP_PORT": str(smtp_port),
        "SW_STORE": str(folder / "store.sqlite"),
        "SW_CLOCK_URL": clock_url,
    }
    command = [sys.executable, "-m", "local.outside"]
    with subprocess.Popen(command, env=os.environ | told) as process:  # noqa: S603 - our own
        made = SandboxBank(f"http://127.0.0.1:{port}/bank", process)
        try:
            deadline = time.monotonic() + 60
            while not made.answers():
                if time.monotonic() > deadline:
                    raise AssertionError("the bank does not open")
                time.sleep(0.05)
            yield made
        finally:
            made.http.close()
            made.go_on()
            process.terminate()
