"""What one person proposes, another decides, once; and each act is noted."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
import sqlalchemy as sa

from shared.approvals import proposals
from shared.database import new_id
from shared.security import Role
from shared.testing_http import ServedApi, signed_in

REGION = new_id()


@contextlib.asynccontextmanager
async def somebody(running: ServedApi, role: Role) -> AsyncIterator[httpx.AsyncClient]:
    person_id = new_id()
    await running.grant(person_id, role, "region", REGION)
    async with signed_in(running.url, running.issuer, person_id) as client:
        yield client


@pytest.fixture
async def proposer(running: ServedApi) -> AsyncIterator[httpx.AsyncClient]:
    async with somebody(running, "administrator") as client:
        yield client


@pytest.fixture
async def approver(running: ServedApi) -> AsyncIterator[httpx.AsyncClient]:
    async with somebody(running, "administrator") as client:
        yield client


async def _propose(proposer: httpx.AsyncClient, title: str = "Gift") -> str:
    answer = await proposer.post("/v1/gifts", json={"title": title})
    assert (answer.status_code, answer.json()["state"]) == (202, "open")
    return f"/v1/approvals/{answer.json()['id']}"


async def test_what_another_person_approves_happens_in_that_moment(
    proposer: httpx.AsyncClient, approver: httpx.AsyncClient
) -> None:
    path = await _propose(proposer)
    assert (await proposer.get("/v1/things")).json()["items"] == []
    answer = await approver.post(f"{path}/approve")
    assert (answer.status_code, answer.json()["state"]) == (200, "executed")
    made = (await proposer.get(f"/v1/things/{answer.json()['made_id']}")).json()
    assert made["title"] == "Gift"


async def test_nobody_decides_what_they_proposed_themselves(proposer: httpx.AsyncClient) -> None:
    path = await _propose(proposer)
    for action, content in (("approve", None), ("reject", {"reason": "no"})):
        answer = await proposer.post(f"{path}/{action}", json=content)
        assert (answer.status_code, answer.json()["code"]) == (409, "second_person_required")


async def test_twenty_approvals_at_once_happen_once(
    proposer: httpx.AsyncClient, approver: httpx.AsyncClient
) -> None:
    path = await _propose(proposer)
    answers = await asyncio.gather(*(approver.post(f"{path}/approve") for _ in range(20)))
    assert sorted({answer.status_code for answer in answers}) in ([200, 409], [200, 409, 503])
    assert [answer.status_code for answer in answers].count(200) == 1
    assert len((await proposer.get("/v1/things")).json()["items"]) == 1


async def test_what_cannot_be_done_leaves_the_proposal_open(
    proposer: httpx.AsyncClient, approver: httpx.AsyncClient
) -> None:
    path = await _propose(proposer, "refuse")
    assert (await approver.post(f"{path}/approve")).status_code == 404
    rejected = await approver.post(f"{path}/reject", json={"reason": "impossible"})
    assert (rejected.json()["state"], rejected.json()["reason"]) == ("rejected", "impossible")
    again = await approver.post(f"{path}/approve")
    assert (again.status_code, again.json()["code"]) == (409, "proposal_not_open")
    assert (await proposer.get("/v1/things")).json()["items"] == []


async def test_a_proposal_expires_after_a_week(
    running: ServedApi, proposer: httpx.AsyncClient, approver: httpx.AsyncClient
) -> None:
    path = await _propose(proposer)
    async with running.edge.transaction() as tx:
        await tx.execute(
            sa.update(proposals)
            .where(proposals.c.id == path.rpartition("/")[2])
            .values(expires_at=proposals.c.expires_at - timedelta(days=7, seconds=1))
        )
    answer = await approver.post(f"{path}/approve")
    assert (answer.status_code, answer.json()["code"]) == (409, "proposal_not_open")
    assert (await approver.get("/v1/approvals?limit=1")).json()["items"][0]["state"] == "expired"


async def test_proposals_are_hidden_from_those_without_the_role(
    running: ServedApi, proposer: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    path = await _propose(proposer)
    async with somebody(running, "auditor") as auditor:
        for stranger in (client, auditor):
            assert (await stranger.post(f"{path}/approve")).status_code == 404
            assert (await stranger.get("/v1/approvals")).json()["items"] == []
    assert (await proposer.get("/v1/approvals")).json()["items"][0]["id"] in path
    refused = await client.post("/v1/gifts", json={"title": "x"})
    assert (refused.status_code, refused.json()["code"]) == (403, "role_required")


async def test_who_proposed_and_who_approved_is_noted(
    running: ServedApi, proposer: httpx.AsyncClient, approver: httpx.AsyncClient
) -> None:
    path = await _propose(proposer)
    await approver.post(f"{path}/approve")
    async with somebody(running, "auditor") as auditor:
        params = {"object_id": path.rpartition("/")[2]}
        entries = (await auditor.get("/v1/audit-entries", params=params)).json()["items"]
    assert [entry["action"] for entry in entries] == ["approve", "propose"]
    assert entries[0]["actor_id"] != entries[1]["actor_id"]


async def test_auditors_read_who_did_what(
    running: ServedApi, proposer: httpx.AsyncClient, approver: httpx.AsyncClient
) -> None:
    path = await _propose(proposer)
    await approver.post(f"{path}/reject", json={"reason": "not this year"})
    async with somebody(running, "auditor") as auditor:
        params = {"object_id": path.rpartition("/")[2], "limit": "1"}
        first = (await auditor.get("/v1/audit-entries", params=params)).json()
        second = (await auditor.get("/v1/audit-entries", params=params | {"cursor": first["next"]})).json()
    entries = first["items"] + second["items"]
    assert [entry["action"] for entry in entries] == ["reject", "propose"]
    assert (entries[0]["reason"], entries[0]["roles"]) == ("not this year", ["administrator"])
    assert entries[0]["actor_id"] != entries[1]["actor_id"]
    assert (await proposer.get("/v1/audit-entries")).status_code == 403
