"""The inbox and a person's settings over HTTP: own things only, in the reader's language, live."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date

import httpx
import orjson
import pytest
import sqlalchemy as sa

from notifications.testing import (
    Family,
    about,
    charged,
    confirmed,
    disputed,
    payout,
    queued,
    staff,
)
from shared.consumer import NotYet
from shared.database import new_id
from shared.edge import Edge
from shared.events.enrollment import Ended
from shared.events.wallet import PayoutBounced
from shared.service import Service
from shared.testing import Database
from shared.testing_http import ServedApi, TokenIssuer, served, signed_in
from shared.tls import tls

Take = Callable[..., Awaitable[list[NotYet]]]
PREFERENCES = {
    "language": "ru",
    "topics": {
        "children": ["email"],
        "seats": ["email", "sms"],
        "enrollments": ["sms"],
        "money": [],
        "attendance": [],
    },
    "quiet_hours": {"starts_at": "22:00", "ends_at": "07:30"},
}


@pytest.fixture
async def guardian(api: ServedApi, family: Family) -> AsyncIterator[httpx.AsyncClient]:
    """A client that is a guardian of the family."""
    async with signed_in(api.url, api.issuer, family.guardians[0]) as client:
        yield client


@pytest.fixture
async def stranger(api: ServedApi) -> AsyncIterator[httpx.AsyncClient]:
    """A client that is nobody's guardian."""
    async with signed_in(api.url, api.issuer, new_id()) as client:
        yield client


# The inbox.


async def test_the_inbox_shows_the_newest_first_and_counts_the_unread(
    guardian: httpx.AsyncClient, family: Family, take: Take
) -> None:
    await take(queued(family, 3), confirmed(family))
    answer = await guardian.get("/v1/inbox")
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    assert [one["kind"] for one in shown["items"]] == ["confirmed", "seat_queued", "link_verified"]
    assert shown["unread"] == 3
    assert shown["next"] is None
    first = shown["items"][0]
    assert first["title"] == "Robotics: enrolled"
    assert first["body"].endswith("September 2026. Lessons from September 10, 2026.")
    assert (first["topic"], first["child_id"]) == ("enrollments", str(family.child_id))


async def test_a_director_reads_what_concerns_the_provider(
    api: ServedApi, family: Family, take: Take
) -> None:
    person_id = new_id()
    await take(staff(family, person_id), charged(family), disputed(family, new_id()))
    await take(payout(PayoutBounced, family, code="account_closed"))
    async with signed_in(api.url, api.issuer, person_id) as director:
        shown = (await director.get("/v1/inbox")).json()
    bounced, dispute = shown["items"]
    assert bounced["title"] == "A payment of 57,692.30\u00a0₸ did not go through"
    assert bounced["body"].startswith("The bank did not pay. 5 lines are due again")
    assert "The account is closed." in bounced["body"]
    assert (bounced["topic"], bounced["child_id"]) == ("money", None)
    assert (dispute["topic"], dispute["title"]) == ("attendance", "Robotics: a lesson is disputed")
    assert {one["provider_id"] for one in shown["items"]} == {str(family.provider_id)}


async def test_pages_follow_each_other_without_gap_or_repeat(
    guardian: httpx.AsyncClient, family: Family, take: Take
) -> None:
    siblings = [Family(guardians=family.guardians, group_id=family.group_id) for _ in range(7)]
    await take(*(one.child_described() for one in siblings))
    seen, cursor = [], None
    while True:
        query = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
        page = (await guardian.get("/v1/inbox", params=query)).json()
        seen += [one["child_id"] for one in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == [str(one.child_id) for one in reversed([family, *siblings])]


async def test_texts_are_in_the_language_asked_for_else_in_the_preferred_one(
    api: ServedApi, family: Family, take: Take
) -> None:
    await take(confirmed(family))
    token = api.issuer.token(family.guardians[0])
    async with httpx.AsyncClient(base_url=api.url, trust_env=False, verify=tls()) as client:
        client.headers["Authorization"] = f"Bearer {token}"

        async def title() -> str:
            text: str = (await client.get("/v1/inbox")).json()["items"][0]["title"]
            return text

        assert await title() == "Робототехника тобы: бала жазылды", "Kazakh unless the person says otherwise"
        assert (await client.put("/v1/me/preferences", json=PREFERENCES)).status_code == 200
        assert await title() == "Группа робототехники: ребёнок зачислен"
        client.headers["Accept-Language"] = "en"
        assert await title() == "Robotics: enrolled"


async def test_a_message_is_read_once_and_by_its_reader_only(
    guardian: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    (message,) = (await guardian.get("/v1/inbox")).json()["items"]
    path = f"/v1/inbox/{message['id']}/read"
    foreign, missing = await stranger.post(path), await stranger.post(f"/v1/inbox/{new_id()}/read")
    assert (foreign.status_code, missing.status_code) == (404, 404)
    assert {"instance", "correlation_id"} == {
        name for name in foreign.json() if foreign.json()[name] != missing.json()[name]
    }
    assert (await guardian.get("/v1/inbox")).json()["unread"] == 1
    first, again = await guardian.post(path), await guardian.post(path)
    assert first.status_code == again.status_code == 200
    assert first.json()["read_at"] == again.json()["read_at"] is not None
    assert (await guardian.get("/v1/inbox")).json()["unread"] == 0
    assert (await guardian.post("/v1/inbox/no-uuid/read")).status_code == 422


@pytest.mark.parametrize("path", ["/v1/inbox", "/v1/inbox/stream", "/v1/me/contacts", "/v1/me/preferences"])
async def test_nobody_reads_without_a_token(api: ServedApi, path: str) -> None:
    async with httpx.AsyncClient(base_url=api.url, trust_env=False, verify=tls()) as client:
        assert (await client.get(path)).status_code == 401


# The inbox, live.


class Stream:
    """The events of one open stream."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._blocks = self._read()

    async def _read(self) -> AsyncIterator[dict[str, str]]:
        block: dict[str, str] = {}
        async for line in self.response.aiter_lines():
            if line:
                name, _, value = line.partition(": ")
                block[name] = value
            elif block:
                yield block
                block = {}

    async def next(self, event: str) -> dict[str, str]:
        """The next event of this name."""
        async with asyncio.timeout(20):
            async for block in self._blocks:
                if block.get("event") == event:
                    return block
        raise AssertionError("the stream ended")

    async def ends(self) -> None:
        """Wait for its end."""
        async with asyncio.timeout(20):
            async for _ in self._blocks:
                pass


@contextlib.asynccontextmanager
async def follow(client: httpx.AsyncClient, last_event_id: str | None = None) -> AsyncIterator[Stream]:
    headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
    async with client.stream("GET", "/v1/inbox/stream", headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Stream(response)


async def test_a_message_is_in_an_open_stream_at_once_and_the_count_of_unread_with_it(
    guardian: httpx.AsyncClient, family: Family, take: Take
) -> None:
    async with follow(guardian) as stream:
        assert (await stream.next("unread"))["data"] == '{"unread":1}'
        await take(confirmed(family))
        message = await stream.next("message")
        shown = orjson.loads(message["data"])
        assert shown["title"] == "Robotics: enrolled"
        assert (await stream.next("unread"))["data"] == '{"unread":2}'
        await guardian.post(f"/v1/inbox/{shown['id']}/read")
        assert (await stream.next("unread"))["data"] == '{"unread":1}'


async def test_a_stream_goes_on_after_the_last_event_that_was_seen(
    guardian: httpx.AsyncClient, family: Family, take: Take
) -> None:
    async with follow(guardian) as stream:
        await stream.next("unread")
        await take(queued(family, 2))
        seen = await stream.next("message")
    await take(confirmed(family))
    await take(Ended(**about(family), on=date(2026, 10, 1), code="moved"))
    async with follow(guardian, seen["id"]) as stream:
        missed = [orjson.loads((await stream.next("message"))["data"])["kind"] for _ in range(2)]
    assert missed == ["confirmed", "ended"]


async def test_nobody_hears_what_others_are_told(
    guardian: httpx.AsyncClient, stranger: httpx.AsyncClient, family: Family, take: Take
) -> None:
    async with follow(stranger, "0") as theirs, follow(guardian, "0") as ours:
        assert (await theirs.next("unread"))["data"] == '{"unread":0}'
        await take(confirmed(family))
        assert orjson.loads((await ours.next("message"))["data"])["kind"] == "link_verified"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await theirs.next("message")


async def test_an_idle_stream_holds_no_transaction(guardian: httpx.AsyncClient, database: Database) -> None:
    async with follow(guardian) as stream:
        await stream.next("unread")
        await asyncio.sleep(0.1)
        async with database.edge("notifications") as other, other.transaction() as tx:
            rows = await tx.execute(
                sa.text(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
                )
            )
            assert rows.scalar_one() == 0


async def test_an_open_stream_does_not_hold_up_the_end_of_the_server(
    service: Service, database: Database, issuer: TokenIssuer, family: Family
) -> None:
    async with database.edge("notifications") as edge, contextlib.AsyncExitStack() as clients:
        settings = service.settings(**database.settings("notifications").model_dump())
        jwks_url = f"{issuer.url}/.well-known/jwks.json"
        trusting = settings.model_copy(update={"issuer": issuer.url, "jwks_url": jwks_url})
        async with asyncio.timeout(20), served(service.app(trusting, edge)) as url:
            client = await clients.enter_async_context(signed_in(url, issuer, family.guardians[0]))
            stream = await clients.enter_async_context(follow(client))
            await stream.next("unread")
        await stream.ends()


@pytest.mark.parametrize("last_event_id", ["-1", "x", "9" * 30, "1.5"])
async def test_a_stream_goes_on_after_a_number_only(guardian: httpx.AsyncClient, last_event_id: str) -> None:
    answer = await guardian.get("/v1/inbox/stream", headers={"Last-Event-ID": last_event_id})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["place"] == "header"


# Contacts and preferences.


async def test_contacts_are_kept_in_one_form_and_encrypted(
    guardian: httpx.AsyncClient, stranger: httpx.AsyncClient, api: ServedApi
) -> None:
    none = {"email": None, "phone": None, "version": 0}
    assert (await guardian.get("/v1/me/contacts")).json() == none
    given = {"email": "Aigerim@Example.KZ", "phone": "8 701 123 45 67"}
    kept = {"email": "Aigerim@example.kz", "phone": "+77011234567", "version": 1}
    answer = await guardian.put("/v1/me/contacts", json=given)
    assert (answer.status_code, answer.json()) == (200, kept)
    assert (await guardian.get("/v1/me/contacts")).json() == kept
    assert (await stranger.get("/v1/me/contacts")).json() == none
    async with api.edge.transaction() as tx:
        row = (await tx.execute(sa.text("SELECT email, phone FROM contacts"))).one()
        assert b"igerim" not in row.email
        assert b"7011234567" not in row.phone
    removed = await guardian.put("/v1/me/contacts", json={"email": None, "phone": None})
    assert removed.json() == none | {"version": 2}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"email": "a\r\nBcc: b@c.kz", "phone": None}, "email_invalid"),
        ({"email": "nobody", "phone": None}, "email_invalid"),
        ({"email": None, "phone": "112"}, "phone_invalid"),
        ({"email": None}, "content_invalid"),
        ({"email": 5, "phone": None}, "content_invalid"),
        ({"email": None, "phone": "7" * 41}, "content_invalid"),
        ({"email": None, "phone": None, "name": "Дана"}, "content_invalid"),
        ({"email": "a\x00@b.kz", "phone": None}, "content_invalid"),
    ],
)
async def test_contacts_that_reach_nobody_are_refused_and_not_repeated(
    guardian: httpx.AsyncClient, body: dict[str, object], code: str
) -> None:
    answer = await guardian.put("/v1/me/contacts", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert not any(value in answer.text for value in body.values() if isinstance(value, str))
    assert (await guardian.get("/v1/me/contacts")).json()["version"] == 0


async def test_preferences_are_kept_and_nobody_elses_change(
    guardian: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    default = (await guardian.get("/v1/me/preferences")).json()
    assert default["language"] == "kk"
    assert default["quiet_hours"] == {"starts_at": "21:00", "ends_at": "08:00"}
    assert set(map(tuple, default["topics"].values())) == {("email", "sms")}
    answer = await guardian.put("/v1/me/preferences", json=PREFERENCES)
    assert (answer.status_code, answer.json()) == (200, PREFERENCES | {"version": 1})
    assert (await guardian.get("/v1/me/preferences")).json() == PREFERENCES | {"version": 1}
    never = await guardian.put("/v1/me/preferences", json=PREFERENCES | {"quiet_hours": None})
    assert never.json()["quiet_hours"] is None
    assert (await stranger.get("/v1/me/preferences")).json() == default


async def test_a_topic_that_is_newer_than_what_somebody_said_is_on(
    guardian: httpx.AsyncClient, edge: Edge
) -> None:
    await guardian.put("/v1/me/preferences", json=PREFERENCES)
    async with edge.transaction() as tx:
        await tx.execute(sa.text("UPDATE preferences SET topics = topics - 'attendance'"))
    known = (await guardian.get("/v1/me/preferences")).json()["topics"]
    assert known == PREFERENCES["topics"] | {"attendance": ["email", "sms"]}  # type: ignore[operator] # a dict it is
    older = {name: channels for name, channels in known.items() if name != "attendance"}
    answer = await guardian.put("/v1/me/preferences", json=PREFERENCES | {"topics": older})
    assert (answer.status_code, answer.json()["topics"]) == (200, known)


@pytest.mark.parametrize(
    "wrong",
    [
        {"language": "de"},
        {"topics": {"money": ["email"]}},
        {"topics": PREFERENCES["topics"] | {"money": ["pigeon"]}},  # type: ignore[operator] # a dict it is
        {"topics": PREFERENCES["topics"] | {"weather": []}},  # type: ignore[operator] # see above
        {"quiet_hours": {"starts_at": "24:00", "ends_at": "08:00"}},
        {"quiet_hours": {"starts_at": "21:00:30", "ends_at": "08:00"}},
        {"quiet_hours": {"starts_at": "1٢:00", "ends_at": "08:00"}},
    ],
)
async def test_preferences_that_mean_nothing_are_refused(
    guardian: httpx.AsyncClient, wrong: dict[str, object]
) -> None:
    answer = await guardian.put("/v1/me/preferences", json=PREFERENCES | wrong)
    assert (answer.status_code, answer.json()["code"]) == (422, "content_invalid")
