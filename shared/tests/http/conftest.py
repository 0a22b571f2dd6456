"""A small service, made for these tests only, on a real database and behind a real server."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from fastapi import Query, Response
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import create_async_engine

from shared.approvals import ApprovalKind, Proposal, propose
from shared.consumer import EventRouter
from shared.database import Transaction, new_id, open_engine, plumbing
from shared.doorbell import Doorbell
from shared.edge import Edge
from shared.errors import NotFoundError
from shared.http import (
    Body,
    Listing,
    Name,
    PageQuery,
    Router,
    Signed,
    Tx,
    WaitQuery,
    Whole,
    changes_nothing,
)
from shared.http.app import create_app
from shared.http.approving import ProposalView
from shared.logging import configure_logging
from shared.security import Principal
from shared.settings import Settings
from shared.testing_http import ServedApi, TokenIssuer, served, signed_in, token_issuer

router = Router()
metadata = sa.MetaData()
things = sa.Table(
    "things",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("owner_id", sa.Uuid, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
)


AtLeast = Annotated[int, Query(le=2**53 - 1)]


class NewThing(Body):
    title: Name
    amount: Whole = 0


class ThingView(BaseModel):
    id: UUID
    title: str
    amount: int
    version: int


@router.post("/v1/things", status_code=201)
async def make_thing(body: NewThing, tx: Tx, principal: Signed, response: Response) -> ThingView:
    row = {"id": new_id(), "title": body.title, "amount": body.amount, "version": 1}
    await tx.execute(sa.insert(things).values(row | {"owner_id": principal.person_id}))
    if body.title == "refuse":
        raise NotFoundError("thing_refused")
    if body.title == "break":
        raise RuntimeError("IIN 880101300123")
    if body.title == "slow":
        await asyncio.sleep(0.5)
    if body.title == "fail at commit":
        await tx.execute(sa.text("INSERT INTO late_checks VALUES (1), (1)"))
    response.headers["Location"] = f"/v1/things/{row['id']}"
    return ThingView(**row)


@router.post("/v1/things/{thing_id}/rename")
async def rename_thing(thing_id: UUID, body: NewThing, tx: Tx, principal: Signed) -> ThingView:
    mine = (things.c.id == thing_id) & (things.c.owner_id == principal.person_id)
    await tx.execute(sa.update(things).where(mine).values(title=body.title, version=things.c.version + 1))
    tx.touch(thing_id)
    return await read_thing(tx, principal, thing_id)


@router.post("/v1/guesses")
@changes_nothing
async def guess(body: NewThing) -> NewThing:
    return body


@router.get("/v1/things/{thing_id}")
async def show_thing(thing_id: UUID, wait: WaitQuery) -> ThingView:
    return await wait.newer(thing_id, lambda tx, principal: read_thing(tx, principal, thing_id))


@router.get("/v1/things")
async def list_things(
    tx: Tx, principal: Signed, page: PageQuery, at_least: AtLeast = 0
) -> Listing[ThingView]:
    mine = (things.c.owner_id == principal.person_id) & (things.c.amount >= at_least)
    query = sa.select(things).where(mine).order_by(things.c.id).limit(page.limit + 1)
    if page.after:
        query = query.where(things.c.id > UUID(str(page.after[0])))
    rows = (await tx.execute(query)).mappings().all()
    return page.listing(
        rows, key=lambda row: (str(row["id"]),), view=lambda row: ThingView.model_validate(dict(row))
    )


@router.post("/v1/gifts", status_code=202)
async def propose_gift(body: NewThing, tx: Tx, principal: Signed) -> ProposalView:
    principal.require("administrator")
    return ProposalView.model_validate(await propose(tx, principal, GIFT, body))


async def read_thing(tx: Transaction, principal: Principal, thing_id: UUID) -> ThingView:
    mine = (things.c.id == thing_id) & (things.c.owner_id == principal.person_id)
    row = (await tx.execute(sa.select(things).where(mine))).mappings().first()
    if row is None:
        raise NotFoundError
    return ThingView.model_validate(dict(row))


async def give(tx: Transaction, proposal: Proposal, body: NewThing) -> UUID:
    thing_id = new_id()
    await tx.execute(
        sa.insert(things).values(
            id=thing_id, owner_id=proposal.proposed_by, title=body.title, amount=body.amount, version=1
        )
    )
    if body.title == "refuse":
        raise NotFoundError("thing_refused")
    return thing_id


GIFT = ApprovalKind("gift", NewThing, ("administrator",), give)


@dataclass(frozen=True)
class SampleService:
    name: str
    package: str
    api: Router
    events: EventRouter
    approvals: tuple[ApprovalKind[Any], ...]


SAMPLE = SampleService("sample", "shared", router, EventRouter(), (GIFT,))


@pytest.fixture(scope="session", autouse=True)
def logs() -> None:
    configure_logging("sample", "test")


@pytest.fixture(scope="session")
async def issuer() -> AsyncIterator[TokenIssuer]:
    async with token_issuer() as issuer:
        yield issuer


@pytest.fixture(scope="session")
async def database_url(postgres: str) -> str:
    """A database of its own with the plumbing's tables and those of the small service."""
    name = f"http_{new_id().hex}"
    admin = create_async_engine(postgres.replace("postgresql://", "postgresql+asyncpg://"))
    async with admin.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(sa.text(f"CREATE DATABASE {name}"))
    await admin.dispose()
    url = postgres.rpartition("/")[0] + f"/{name}"
    engine = open_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(plumbing.create_all)
        await connection.run_sync(metadata.create_all)
        await connection.execute(
            sa.text("CREATE TABLE late_checks (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        )
        await connection.execute(sa.text("CREATE TABLE alembic_version (version_num text)"))
        await connection.execute(sa.text("INSERT INTO alembic_version VALUES ('sample_0001')"))
    await engine.dispose()
    return url


@pytest.fixture(scope="session")
async def running(database_url: str, issuer: TokenIssuer) -> AsyncIterator[ServedApi]:
    settings = Settings(environment="development", database_url=database_url, issuer=issuer.url)
    engine = open_engine(database_url)
    edge = Edge(engine, Doorbell(database_url, "sample"), development=False)
    app = create_app(SAMPLE, settings, edge, heads=frozenset({"sample_0001"}))
    async with served(app) as url:
        yield ServedApi(url, issuer, edge)
    await engine.dispose()


@pytest.fixture(scope="session")
def sample() -> SampleService:
    return SAMPLE


@pytest.fixture
async def person_id() -> UUID:
    return new_id()


@pytest.fixture
async def client(running: ServedApi, person_id: UUID) -> AsyncIterator[httpx.AsyncClient]:
    async with signed_in(running.url, running.issuer, person_id) as client:
        yield client
