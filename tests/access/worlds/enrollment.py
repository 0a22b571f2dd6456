"""Enrollment: a family of one's own and a strange one, each with a group, a program and what came of it."""

from datetime import date
from uuid import UUID, uuid4

import sqlalchemy as sa

from access.worlds import People, Things
from enrollment import repository
from enrollment.domain.people import GuardianLink, LinkState, SealedIin
from enrollment.repository.people import place_of
from enrollment.testing import MONTHS, Scene
from enrollment.usecases.people import VerifiedLink, propose_verification
from enrollment.usecases.rights import NewGrant, give
from shared.database import new_id
from shared.edge import Edge
from shared.encryption import Keyring
from shared.security import Grant, Principal
from shared.testing import Database

BORN_ON = date(2017, 3, 1)
IINS = ("170301500018", "170301500026")


async def build(edge: Edge, database: Database, people: People) -> tuple[Things, Things]:
    """Own and foreign things."""
    own = await _side(edge, database, people.ids["guardian"], number=0)
    foreign = await _side(edge, database, uuid4(), number=1)
    await people.settle(provider_id=own["provider"], region_id=own["region"])
    await people.grant("former", "guardian", "child", own["child"])
    return own, foreign


async def _side(edge: Edge, database: Database, guardian: UUID, *, number: int) -> Things:
    scene = Scene(edge, database)
    await scene.clock("2026-09-10T12:00")
    await scene.take(scene.group(), *(scene.month(month) for month in MONTHS), scene.program())
    child_id = await scene.child(guardian, number=2 * number)
    other_id = await scene.child(guardian, number=2 * number + 1)
    await _seal(scene, child_id, IINS[number])
    await _seal(scene, other_id, f"9{number}")
    enrollment = await scene.request(guardian, child_id)
    await scene.take(scene.reserved(enrollment), scene.held(enrollment, "2026-09"))
    asked = await scene.request(guardian, other_id)
    third_id = await scene.child(guardian, number=10 + number)
    await _seal(scene, third_id, f"8{number}")
    things = {
        "child": child_id,
        "free_child": third_id,
        "group": scene.group_id,
        "provider": scene.provider_id,
        "program": scene.program_id,
        "region": scene.region_id,
        "enrollment": enrollment.id,
        "asked": asked.id,
    }
    return things | await _links(scene, guardian, child_id, number)


async def _links(scene: Scene, guardian: UUID, child_id: UUID, number: int) -> Things:
    """A verified link, a claim, a proposal to verify another one, and a role that somebody has."""
    claims = [GuardianLink(new_id(), guardian, None, LinkState.CLAIMED, version=1) for _ in range(2)]
    grant = Grant("administrator", "region", scene.region_id)
    proposer = Principal(uuid4(), frozenset({grant}))
    async with scene.edge.transaction() as tx:
        for place, claim in enumerate(claims):
            index = (1000 + 10 * number + place).to_bytes(4)
            await repository.people.add_link(tx, claim, SealedIin(b"sealed", index, BORN_ON))
        names = VerifiedLink(link_id=claims[1].id, given_name="Әлихан", family_name="Қыдырбаев")
        proposal = await propose_verification(tx, proposer, names)
        role = NewGrant(person_id=uuid4(), role="auditor", scope_kind="region", scope_id=scene.region_id)
        grant_id = await give(tx, role)
        query = sa.text("SELECT id FROM guardian_links WHERE child_id = :child_id")
        link_id: UUID = (await tx.execute(query, {"child_id": child_id})).scalar_one()
    return {"link": link_id, "claim": claims[0].id, "proposal": proposal.id, "grant": grant_id}


async def _seal(scene: Scene, child_id: UUID, iin: str) -> None:
    keyring = Keyring.of(scene.database.settings("enrollment"))
    index = keyring.blind_index(iin, purpose="iin")
    async with scene.edge.transaction() as tx:
        await tx.execute(
            sa.text("UPDATE children SET iin_index = :index, iin_encrypted = :sealed WHERE id = :id"),
            {"index": index, "sealed": keyring.encrypt(iin, place=place_of(index)), "id": child_id},
        )
