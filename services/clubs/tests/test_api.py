"""What people see over HTTP: status codes, problems in their language, own things only."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest

from clubs.domain import groups, providers, seats
from clubs.main import service as clubs
from shared.database import new_id
from shared.errors import DomainError
from shared.events.enrollment import Canceled, SeatRequested
from shared.security import Principal
from shared.testing_http import ServedApi, signed_in
from shared.texts import LANGUAGES, Texts

Deliver = Callable[..., Awaitable[None]]
NAMES = {"kk": "Шахмат", "ru": "Шахматы", "en": "Chess"}
CODES = (
    *("ages_reversed", "dates_reversed", "group_in_past", "group_too_long", "group_too_far"),
    *("coach_unknown", "lesson_length", "lessons_overlap", "own_role"),
    *("group_closed", "group_not_found", "request_unreadable", "queue_left", "starts_outside_group"),
    *("offer_lapsed", "offer_declined", "offer_accepted"),
)


def as_(api: ServedApi, person: Principal) -> AbstractAsyncContextManager[httpx.AsyncClient]:
    return signed_in(api.url, api.issuer, person.person_id)


async def know(api: ServedApi, person: Principal) -> None:
    """Give the person, in the database, the grants they have in the test."""
    for grant in person.grants:
        await api.grant(person.person_id, grant.role, grant.scope_kind, grant.scope_id)


@pytest.fixture
async def guardian(api: ServedApi) -> Principal:
    """Somebody with one child."""
    person = Principal(new_id(), frozenset())
    await api.grant(person.person_id, "guardian", "child", CHILD)
    return person


CHILD = new_id()


def wish(group_id: UUID, child_id: UUID = CHILD) -> SeatRequested:
    return SeatRequested(
        child_id=child_id,
        enrollment_id=new_id(),
        group_id=group_id,
        attempt=1,
        starts_on=date(2026, 9, 1),
        priority=0,
        requested_at=datetime.fromisoformat("2026-09-01T08:00:00Z"),
    )


async def test_from_a_provider_to_a_groups_lessons(
    api: ServedApi, now: datetime, administrator: Principal
) -> None:
    _ = now
    await know(api, administrator)
    director = Principal(new_id(), frozenset())
    async with as_(api, administrator) as client:
        answer = await client.post("/v1/providers", json={"bin": "240140001238", "name": NAMES})
        assert answer.status_code == 201
        provider = (await client.get(answer.headers["Location"])).json()
        assert provider == answer.json()
        staff = f"/v1/providers/{provider['id']}/staff"
        appointed = {"person_id": str(director.person_id), "role": "director"}
        assert (await client.post(staff, json=appointed)).status_code == 201
        again = await client.post(staff, json=appointed)
        assert (again.status_code, again.json()["code"]) == (409, "already_staff")
    async with as_(api, director) as client:
        club = {"provider_id": provider["id"], "name": NAMES, "direction": "chess"}
        answer = await client.post("/v1/clubs", json=club)
        assert answer.status_code == 201
        assert (await client.get(answer.headers["Location"])).json() == answer.json()
        answer = await client.post("/v1/groups", json=_group(answer.json()["id"]))
        assert answer.status_code == 201
        group = (await client.get(answer.headers["Location"])).json()
        assert (group["free_from"], group["waiting"], group["version"]) == ("2026-09-01", 0, 1)
        lessons = (await client.get(f"/v1/groups/{group['id']}/lessons?month=2026-09")).json()
        assert [lesson["on"] for lesson in lessons["items"]][:2] == ["2026-09-04", "2026-09-07"]
        for month, status in (("2027-09", 404), ("2026-13", 422)):
            answer = await client.get(f"/v1/groups/{group['id']}/lessons?month={month}")
            assert answer.status_code == status
        closed = await client.post(f"/v1/groups/{group['id']}/close", json={"on": "2026-10-01"})
        assert (closed.status_code, closed.json()["closed"], closed.json()["version"]) == (200, True, 2)


def _group(club_id: str, **other: Any) -> dict[str, Any]:  # noqa: ANN401 - any content
    weekly = [{"weekday": day, "starts_at": "15:00", "ends_at": "16:30"} for day in (1, 5)]
    return {
        "club_id": club_id,
        "name": NAMES,
        "price_tiyn": 1_500_000,
        "capacity": 1,
        "age_from": 7,
        "age_to": 11,
        "schedule": weekly,
        "starts_on": "2026-09-01",
        "ends_on": "2026-12-31",
    } | other


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"price_tiyn": 0}, 422),
        ({"price_tiyn": 2**53}, 422),
        ({"price_tiyn": 15000.5}, 422),
        ({"capacity": 0}, 422),
        ({"age_to": 19}, 422),
        ({"schedule": []}, 422),
        ({"schedule": [{"weekday": 8, "starts_at": "15:00", "ends_at": "16:00"}]}, 422),
        ({"schedule": [{"weekday": 1, "starts_at": "25:00", "ends_at": "26:00"}]}, 422),
        ({"schedule": [{"weekday": 1, "starts_at": "15:00+05:00", "ends_at": "16:00"}]}, 422),
        ({"ends_on": "9999-12-31"}, 422),
        ({"starts_on": "9999-12-31", "ends_on": "9999-12-31"}, 422),
        ({"starts_on": "0001-01-01"}, 422),
        ({"name": NAMES | {"kk": "Шах\u0000мат"}}, 422),
        ({"name": NAMES | {"kk": "\u202eтамхаШ"}}, 422),
        ({"name": NAMES | {"de": "Schach"}}, 422),
        ({"coaches": [str(new_id())]}, 422),
        ({"surprise": 1}, 422),
    ],
)
async def test_a_group_that_makes_no_sense_is_refused_and_leaves_nothing(
    api: ServedApi, director: Principal, group_id: UUID, wrong: dict[str, Any], status: int
) -> None:
    await know(api, director)
    async with as_(api, director) as client:
        club_id = (await client.get(f"/v1/groups/{group_id}")).json()["club_id"]
        answer = await client.post("/v1/groups", json=_group(club_id, **wrong))
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert await api.count("groups") == 1


async def test_groups_are_found_by_what_people_know(
    api: ServedApi,
    director: Principal,
    open_with: Callable[[int], Awaitable[UUID]],
    deliver: Deliver,
) -> None:
    full, open_ = await open_with(1), await open_with(2)
    await deliver(wish(full), wish(open_))
    (provider_id,) = director.scopes("director")
    async with as_(api, Principal(new_id(), frozenset())) as client:

        async def find(query: str) -> list[str]:
            answer = await client.get(f"/v1/groups?{query}")
            assert answer.status_code == 200, answer.text
            return [group["id"] for group in answer.json()["items"]]

        both = sorted([str(full), str(open_)])
        assert await find("") == both
        assert await find("free=true") == [str(open_)]
        assert await find(f"direction=chess&provider_id={provider_id}&text=шахматЫ") == both
        assert await find("text=CHESS") == both
        for nothing in ("direction=dance", f"provider_id={new_id()}", "text=%25", "text=_hess"):
            assert await find(nothing) == []
        first = (await client.get("/v1/groups?limit=1")).json()
        second = (await client.get("/v1/groups", params={"limit": 1, "cursor": first["next"]})).json()
        assert [first["items"][0]["id"], second["items"][0]["id"]] == both
        assert second["next"] is None


async def test_a_queued_child_sees_its_place_gets_the_offer_and_takes_it(
    api: ServedApi, guardian: Principal, group_id: UUID, deliver: Deliver
) -> None:
    other, own = wish(group_id, new_id()), wish(group_id)
    await deliver(other, own)
    async with as_(api, guardian) as client:
        seat = f"/v1/seats/{own.enrollment_id}"
        waiting = (await client.get(seat)).json()
        assert (waiting["state"], waiting["place"], waiting["version"]) == ("waiting", 1, 1)
        soon = asyncio.create_task(client.get(seat, params={"wait": 10, "version": 1}))
        await asyncio.sleep(0.2)
        canceled = Canceled(child_id=other.child_id, enrollment_id=other.enrollment_id, group_id=group_id)
        await deliver(canceled)
        offered = (await asyncio.wait_for(soon, 20)).json()
        assert (offered["state"], offered["starts_on"], offered["ends_on"]) == (
            *("offered", "2026-09-01"),
            "2026-12-31",
        )
        accept = f"/v1/offers/{offered['offer']['id']}/accept"
        taken = await client.post(accept, headers={"Idempotency-Key": "one"})
        assert (taken.status_code, taken.json()["state"], taken.json()["offer"]) == (200, "reserved", None)
        assert (await client.post(accept, headers={"Idempotency-Key": "one"})).json() == taken.json()
        assert (await client.post(accept)).json() == taken.json()
        refusal = await client.post(accept.replace("accept", "decline"), headers={"Accept-Language": "kk"})
        assert (refusal.status_code, refusal.json()["code"]) == (409, "offer_accepted")
        assert refusal.json()["title"] == "Ұсыныс қабылданып қойған"


async def test_foreign_and_missing_look_the_same_and_a_role_that_lacks_is_told(
    api: ServedApi, guardian: Principal, director: Principal, group_id: UUID, deliver: Deliver
) -> None:
    await know(api, director)
    stranger = Principal(new_id(), frozenset())
    await api.grant(stranger.person_id, "guardian", "child", new_id())
    rival = Principal(new_id(), frozenset())
    await api.grant(rival.person_id, "director", "provider", new_id())
    nobody = Principal(new_id(), frozenset())
    seated, own = wish(group_id, new_id()), wish(group_id)
    canceled = Canceled(child_id=seated.child_id, enrollment_id=seated.enrollment_id, group_id=group_id)
    await deliver(seated, own, canceled)
    seat = f"/v1/seats/{own.enrollment_id}"
    async with as_(api, guardian) as client:
        offer_id = (await client.get(seat)).json()["offer"]["id"]
    roster, queue = f"/v1/groups/{group_id}/roster", f"/v1/groups/{group_id}/queue"
    reads: list[tuple[Principal, str, int]] = [
        *((director, path, 200) for path in (seat, roster, queue)),
        *((rival, path, 404) for path in (seat, roster, queue)),
        *((guardian, path, status) for path, status in ((seat, 200), (roster, 403), (queue, 403))),
        *((stranger, path, status) for path, status in ((seat, 404), (roster, 403), (queue, 403))),
        *((nobody, path, 403) for path in (seat, roster, queue)),
        *((director, path, 404) for path in (f"/v1/seats/{new_id()}", f"/v1/groups/{new_id()}/roster")),
    ]
    for who, path, status in reads:
        async with as_(api, who) as client:
            assert (await client.get(path)).status_code == status, (path, status)
    for who, id_, status in (
        (stranger, offer_id, 404),
        (stranger, new_id(), 404),
        (director, offer_id, 403),
        (nobody, offer_id, 403),
    ):
        async with as_(api, who) as client:
            for answer in ("accept", "decline"):
                assert (await client.post(f"/v1/offers/{id_}/{answer}")).status_code == status


async def test_the_queue_is_paged_in_its_order(
    api: ServedApi, director: Principal, group_id: UUID, deliver: Deliver
) -> None:
    await know(api, director)
    await deliver(*(wish(group_id, new_id()) for _ in range(6)))
    places, cursor = [], None
    async with as_(api, director) as client:
        for _ in range(3):
            params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
            page = (await client.get(f"/v1/groups/{group_id}/queue", params=params)).json()
            places += [item["place"] for item in page["items"]]
            cursor = page["next"]
    assert places == [1, 2, 3, 4, 5]
    assert cursor is None


def test_every_code_has_a_text_and_an_action_in_each_language_and_none_twice() -> None:
    raised = {
        error.code
        for module in (groups, providers, seats)
        for error in vars(module).values()
        if isinstance(error, type) and issubclass(error, DomainError) and error.__module__ == module.__name__
    }
    texts = Texts.of(clubs.package)
    for code in {*CODES, *raised}:
        for msgid in (code, f"{code}.action"):
            translated = [texts.translate(language, msgid, days=731) for language in LANGUAGES]
            assert msgid not in translated
            assert len(set(translated)) == len(LANGUAGES)
