"""The ledger is read posting by posting, in pages, by those who may see it."""

from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from rig.office import CHARGED, Desk, Office
from shared.database import new_id
from shared.edge import Edge
from shared.security import Role, ScopeKind
from shared.testing_http import ServedApi, signed_in
from wallet.repository.ledger import postings as rows
from wallet.tables import postings
from wallet.testing import asked

PATH = "/v1/ledger/postings"


async def person(api: ServedApi, role: Role, kind: ScopeKind, scope_id: UUID) -> UUID:
    person_id = new_id()
    await api.grant(person_id, role, kind, scope_id)
    return person_id


async def every(api: ServedApi, person_id: UUID, **query: object) -> list[dict[str, Any]]:
    """All pages."""
    found: list[dict[str, Any]] = []
    async with signed_in(api.url, api.issuer, person_id) as client:
        wanted = {"limit": "100"} | {name: str(value) for name, value in query.items()}
        while True:
            answer = await client.get(PATH, params=wanted)
            assert answer.status_code == 200, answer.text
            found += answer.json()["items"]
            if answer.json()["next"] is None:
                return found
            wanted["cursor"] = answer.json()["next"]


def keys(found: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(one["operation_id"], one["place"]) for one in found]


async def status(api: ServedApi, person_id: UUID, **query: object) -> tuple[int, str]:
    async with signed_in(api.url, api.issuer, person_id) as client:
        answer = await client.get(PATH, params={name: str(value) for name, value in query.items()})
        return answer.status_code, answer.json().get("code", "")


@pytest.fixture
async def paid(office: Office, desk: Desk) -> Office:
    """Two children at two providers, charged and paid; of the first one lowered afterwards."""
    for _ in range(2):
        await office.owe(await office.new_provider())
    await office.run()
    await desk.send()
    await desk.ask(times=2)
    await office.go_to("2026-11-20T09:00:00+05:00")
    await office.deliver(office.sheets[0].closed(absent=1))
    return office


@pytest.mark.parametrize("window", [1, 2, 1000])
async def test_pages_of_any_size_are_the_whole_ledger_in_order(
    paid: Office, edge: Edge, api: ServedApi, monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    monkeypatch.setattr(rows, "WINDOW", window)
    auditor = await person(api, "auditor", "region", paid.world.region_id)
    whole = await every(api, auditor)
    async with edge.look() as tx:
        query = sa.select(postings).order_by(postings.c.operation_id.desc(), postings.c.place)
        stored = [(str(row.operation_id), row.place) for row in await tx.execute(query)]
    assert keys(whole) == stored
    for limit in (1, 2):
        assert keys(await every(api, auditor, limit=limit)) == stored


async def test_a_posting_says_what_it_is_and_where_it_is_followed(paid: Office, api: ServedApi) -> None:
    auditor = await person(api, "auditor", "region", paid.world.region_id)
    sheet = paid.sheets[1]
    child = await every(api, auditor, child_id=sheet.request.child_id)
    assert [one["movement"] for one in child] == ["captured", "allotted"]
    captured, held = child
    assert (captured["kind"], captured["debited"], captured["credited"]) == ("charge", "allotment", "payable")
    assert (captured["amount_tiyn"], captured["month"], captured["effective_on"]) == (
        CHARGED,
        "2026-10",
        "2026-10-31",
    )
    assert captured["text"] == "Owed to the provider for the month's lessons"
    assert captured["trace"] == held["trace"] == f"/v1/trace/enrollments/{sheet.request.enrollment_id}"
    async with signed_in(api.url, api.issuer, auditor) as client:
        assert (await client.get(captured["trace"])).status_code == 200
        operation = (await client.get(f"/v1/ledger/operations/{captured['operation_id']}")).json()
        hold = (await client.get(f"/v1/ledger/operations/{held['operation_id']}")).json()
    assert operation["postings"] == [captured]
    assert (hold["kind"], hold["month"], hold["postings"]) == ("hold", "2026-10", [held])


async def test_each_filter_finds_what_is_meant(paid: Office, api: ServedApi) -> None:
    auditor = await person(api, "auditor", "program", paid.world.program_id)
    whole = await every(api, auditor)
    provider, other = paid.providers

    async def check(where: dict[str, object], **query: object) -> None:
        expected = [one for one in whole if all(one[name] == value for name, value in where.items())]
        assert 0 < len(expected) < len(whole)
        assert keys(await every(api, auditor, **query)) == keys(expected)

    await check({"kind": "pay_out"}, kind="pay_out")
    await check({"batch_id": whole[2]["batch_id"]}, batch_id=whole[2]["batch_id"])
    await check({"effective_on": "2026-10-31"}, month="2026-10", kind="charge")
    await check({"provider_id": str(provider)}, provider_id=provider)
    await check({"provider_id": str(other)}, provider_id=other)
    account = next(one["debit_account"] for one in whole if one["debited"] == "receivable")
    await check({"movement": "claimed"}, account_id=account)
    since = [one for one in whole if one["posted_at"] >= "2026-11-18"]
    found = await every(api, auditor, recorded_from="2026-11-18T00:00:00Z")
    assert 0 < len(since) < len(whole)
    assert keys(found) == keys(since)
    assert await every(api, auditor, recorded_until="2026-01-01T00:00:00Z") == []
    assert await every(api, auditor, fund_id=paid.world.ahead) == []
    assert keys(await every(api, auditor, fund_id=paid.fund_id)) == keys(whole)


async def test_guardians_and_directors_see_what_is_theirs(paid: Office, api: ServedApi) -> None:
    child_id, provider_id = paid.sheets[0].request.child_id, paid.providers[0]
    guardian = await person(api, "guardian", "child", child_id)
    director = await person(api, "director", "provider", provider_id)
    of_child = await every(api, guardian, child_id=child_id)
    assert [one["movement"] for one in of_child] == ["captured", "allotted"]
    of_provider = await every(api, director, provider_id=provider_id)
    assert [one["movement"] for one in of_provider] == ["claimed", "paid", "sent", "captured"]
    assert await status(api, guardian, child_id=paid.sheets[1].request.child_id) == (404, "not_found")
    assert await status(api, director, provider_id=paid.providers[1]) == (404, "not_found")
    for one in (guardian, director, await person(api, "coach", "provider", provider_id)):
        assert await status(api, one) == (403, "role_required")


async def test_overseers_of_other_regions_see_nothing(paid: Office, api: ServedApi) -> None:
    stranger = await person(api, "auditor", "region", new_id())
    assert await every(api, stranger) == []
    assert await every(api, stranger, child_id=paid.sheets[0].request.child_id) == []
    assert await status(api, stranger, fund_id=paid.fund_id) == (404, "not_found")


async def test_an_operation_that_only_reserved_is_found_by_its_fund(office: Office, api: ServedApi) -> None:
    child_id, enrollment_id = new_id(), new_id()
    await office.deliver(office.world.entitled(child_id), asked(child_id, enrollment_id))
    auditor = await person(api, "auditor", "region", office.world.region_id)
    stranger = await person(api, "auditor", "region", new_id())
    (held,) = await every(api, auditor, child_id=child_id)
    for who, expected in ((auditor, 200), (stranger, 404)):
        async with signed_in(api.url, api.issuer, who) as client:
            answer = await client.get(f"/v1/ledger/operations/{held['operation_id']}")
            assert answer.status_code == expected
