"""Notifications: a family of one's own and a strange one, each with a message."""

from uuid import UUID, uuid4

import sqlalchemy as sa

from access.worlds import People, Things
from notifications.main import service
from notifications.testing import NOON, Family, confirmed
from shared.approvals import propose
from shared.consumer import handle
from shared.dropping import DropOfRecord, drop_kind
from shared.edge import Edge
from shared.security import Grant, Principal
from shared.testing import Database, envelope_of, set_clock

MESSAGE = sa.text("SELECT id FROM messages WHERE person_id = :person_id ORDER BY number DESC LIMIT 1")


async def build(edge: Edge, database: Database, people: People) -> tuple[Things, Things]:
    """Own and foreign things."""
    await set_clock(database, NOON)
    own = await _side(edge, people.ids["guardian"])
    foreign = await _side(edge, uuid4())
    await people.settle(provider_id=uuid4(), region_id=uuid4())
    return own, foreign


async def _side(edge: Edge, guardian: UUID) -> Things:
    family = Family(guardians=(guardian,))
    told = [family.child_described(), family.group_described(), confirmed(family)]
    async with edge.transaction() as tx:
        if await handle(tx, service.events, [envelope_of(event, NOON) for event in told]):
            raise AssertionError
    async with edge.transaction() as tx:
        message_id: UUID = (await tx.execute(MESSAGE, {"person_id": guardian})).scalar_one()
        operator = Principal(uuid4(), frozenset({Grant("administrator", "region", uuid4())}))
        wanted = DropOfRecord(record_id=1, reason="Оқылмайды")
        proposal = await propose(tx, operator, drop_kind(service.events), wanted)
    return {"message": message_id, "proposal": proposal.id}
