"""Grants are what their owner last said of them, in whatever order it is heard."""

from uuid import UUID

from shared.database import new_id
from shared.security import Grant, describe_grant, describe_guardians, principal_of
from shared.testing_http import ServedApi


async def _children(running: ServedApi, person_id: UUID) -> frozenset[UUID]:
    async with running.edge.transaction() as tx:
        return (await principal_of(tx, person_id)).scopes("guardian")


async def _describe(running: ServedApi, child_id: UUID, version: int, *guardians: UUID) -> None:
    async with running.edge.transaction() as tx:
        await describe_guardians(tx, child_id=child_id, guardians=guardians, version=version)


async def test_guardians_are_those_of_the_newest_state(running: ServedApi) -> None:
    child, mother, father, aunt = (new_id() for _ in range(4))
    await _describe(running, child, 1, mother)
    await _describe(running, child, 3, father)
    await _describe(running, child, 2, mother, father, aunt)
    assert await _children(running, mother) == frozenset()
    assert await _children(running, aunt) == frozenset()
    assert await _children(running, father) == {child}


async def test_the_same_state_twice_changes_nothing_and_a_guardian_may_come_back(running: ServedApi) -> None:
    child, mother = new_id(), new_id()
    for version, guardians in ((1, [mother]), (1, [mother]), (2, []), (2, [])):
        await _describe(running, child, version, *guardians)
    assert await _children(running, mother) == frozenset()
    await _describe(running, child, 3, mother)
    assert await _children(running, mother) == {child}


async def test_an_older_state_of_a_grant_is_ignored(running: ServedApi) -> None:
    id_, person_id, grant = new_id(), new_id(), Grant("director", "provider", new_id())
    for version, ended in ((2, True), (1, False)):
        async with running.edge.transaction() as tx:
            await describe_grant(tx, id_=id_, person_id=person_id, grant=grant, version=version, ended=ended)
    async with running.edge.transaction() as tx:
        assert not (await principal_of(tx, person_id)).has("director")
