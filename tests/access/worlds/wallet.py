"""The wallet: a region with a program, funds, a paid provider and a child of one's own, and a strange one."""

from datetime import date
from uuid import UUID

import sqlalchemy as sa

from access.worlds import People, Things
from enrollment.testing import Scene
from rig.office import Office
from shared.consumer import handle
from shared.edge import Edge
from shared.events.envelope import Event
from shared.testing import Database, envelope_of
from wallet.main import service
from wallet.tables import item_entries, payable_items, payouts
from wallet.testing import NAME, World, seal
from wallet.usecases.funds import deposit
from wallet.usecases.programs import ProgramPlan, propose_program


async def build(edge: Edge, database: Database, people: People) -> tuple[Things, Things]:
    """Own and foreign things."""
    own = await _side(edge, database)
    foreign = await _side(edge, database)
    await people.settle(provider_id=own["provider"], region_id=own["region"])
    await people.grant("guardian", "guardian", "child", own["child"])
    await people.grant("former", "guardian", "child", own["child"])
    return own, foreign


async def _side(edge: Edge, database: Database) -> Things:
    async def deliver(*events: Event) -> None:
        async with edge.transaction() as tx:
            if await handle(tx, service.events, [envelope_of(event, tx.now) for event in events]):
                raise AssertionError

    world = World(edge)
    office = Office(edge, database, world, deliver)
    await office.go_to("2026-09-01T14:00:00+05:00")
    await world.found()
    await world.pay_in(world.on_hold, 10**9)
    await world.pay_in(world.ahead, 10**9)
    async with edge.transaction() as tx:
        deposit_id = await deposit(tx, world.people[0], world.on_hold, 5, "entered wrongly")
    provider_id = await office.new_provider()
    (sheet,) = await office.owe(provider_id)
    run = await office.run()
    await office.owe(provider_id)  # falls due after the run
    scene = Scene(edge, database, provider_id=provider_id)
    await deliver(scene.group(), scene.month("2026-12"))
    things = await _proposed(edge, world)
    await seal(edge)
    async with edge.transaction() as tx:
        payout_id: UUID = (await tx.execute(sa.select(payouts.c.id).filter_by(run_id=run.id))).scalar_one()
        captured = sa.select(item_entries.c.operation_id).join(
            payable_items, payable_items.c.id == item_entries.c.item_id
        )
        of_order = captured.where(payable_items.c.payout_id == payout_id)
        operation_id: UUID = (await tx.execute(of_order)).scalar_one()
    return things | {
        "region": world.region_id,
        "program": world.program_id,
        "fund": world.on_hold,
        "deposit": deposit_id,
        "ahead": world.ahead,
        "provider": provider_id,
        "group": scene.group_id,
        "child": sheet.request.child_id,
        "enrollment": sheet.request.enrollment_id,
        "run": run.id,
        "payout": payout_id,
        "operation": operation_id,
    }


async def _proposed(edge: Edge, world: World) -> Things:
    """A program that waits for a second person, and a funding run."""
    plan = ProgramPlan.model_validate(
        {
            "region_id": world.region_id,
            "name": NAME,
            "place": 2,
            "starts_on": "2026-09-01",
            "ends_on": "2027-05-31",
            "rules": {"monthly_rate_tiyn": 1_000_000},
        }
    )
    async with edge.transaction() as tx:
        proposal = await propose_program(tx, world.people[0], plan)
    funding_run = await world.start_funding(date(2026, 12, 31), dry_run=True)
    return {"proposal": proposal.id, "funding_run": funding_run}
