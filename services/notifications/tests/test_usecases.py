"""Rules on a real database, and copies through a real SMTP server and a real HTTP gateway."""

import asyncio
import email
import email.policy
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from aiosmtpd.smtp import SMTP, Envelope, Session
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from notifications import tables
from notifications.audit import AUDIT
from notifications.domain.kinds import TOPICS, Kind
from notifications.domain.news import News
from notifications.domain.reaching import ATTEMPTS_MAX, Preferences
from notifications.jobs import LEASE, Post
from notifications.outside import MailServer, SmsGateway
from notifications.repository import deliveries, heard, messages, people
from notifications.testing import (
    NOON,
    Family,
    about,
    charged,
    confirmed,
    disputed,
    item,
    payout,
    queued,
    staff,
    unfunded,
)
from notifications.texts import Rendered
from notifications.usecases.reaching import set_contacts
from notifications.usecases.telling import tell_guardians
from shared import migrations
from shared.consumer import NotYet
from shared.database import new_id, plumbing
from shared.edge import Edge
from shared.encryption import Keyring
from shared.events.wallet import ItemFrozen, PayoutSent
from shared.testing import Database, envelope_of, eventually, set_clock
from shared.testing_http import served
from shared.tls import tls

Take = Callable[..., Coroutine[None, None, list[NotYet]]]
ADDRESS, PHONE = "aigerim@example.kz", "+77011234567"


@dataclass
class Outside:
    """A mail server and an SMS gateway that keep what they are given."""

    smtp_port: int = 0
    sms_url: str = ""
    mails: list[EmailMessage] = field(default_factory=list)
    texts: list[dict[str, str]] = field(default_factory=list)
    mail_answer: str = "250 OK"
    sms_status: int = 202
    thinking: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared: the mail server has the mail and does not answer yet."""

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        assert isinstance(envelope.content, bytes)
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        await self.thinking.wait()
        return self.mail_answer

    async def take_sms(self, request: Request) -> Response:
        self.texts.append(await request.json())
        return Response(status_code=self.sms_status)


@pytest.fixture
async def outside() -> AsyncIterator[Outside]:
    """Servers that answer, until a test says otherwise."""
    one = Outside()
    one.thinking.set()
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(one, enable_SMTPUTF8=False), "127.0.0.1", 0
    )
    one.smtp_port = server.sockets[0].getsockname()[1]
    async with served(Starlette(routes=[Route("/sms", one.take_sms, methods=["POST"])])) as url:
        one.sms_url = f"{url}/sms"
        yield one
    server.close()


@pytest.fixture
def keys(database: Database) -> Keyring:
    return Keyring.of(database.settings("notifications"))


@pytest.fixture
async def post(edge: Edge, keys: Keyring, outside: Outside) -> AsyncIterator[Post]:
    """The worker's way out."""
    async with httpx.AsyncClient(trust_env=False, verify=tls()) as client:
        mail = MailServer("127.0.0.1", outside.smtp_port, "no-reply@social-wallet.localhost")
        yield Post(edge, keys, mail, SmsGateway(outside.sms_url, client))


@pytest.fixture
async def guardian(edge: Edge, keys: Keyring, family: Family) -> UUID:
    """A guardian who is reached by e-mail and SMS; the other one is not. Nothing is to be sent yet."""
    async with edge.transaction() as tx:
        await set_contacts(tx, keys, family.guardians[0], email=ADDRESS, phone=PHONE)
    return family.guardians[0]


async def states(edge: Edge) -> dict[str, str]:
    """The state of the only delivery of each channel."""
    async with edge.transaction() as tx:
        rows = await tx.execute(sa.select(tables.deliveries.c.channel, tables.deliveries.c.state))
        return {row.channel: row.state for row in rows}


async def make_due(edge: Edge) -> None:
    """Let pauses and leases be over."""
    async with edge.transaction() as tx:
        await tx.execute(sa.update(tables.deliveries).values(next_at=sa.func.clock_timestamp()))


# E-mail and SMS.


@pytest.mark.usefixtures("guardian")
async def test_a_message_leaves_by_mail_and_sms_once(
    edge: Edge, take: Take, family: Family, post: Post, outside: Outside
) -> None:
    await take(confirmed(family))
    assert await post.send_some() == 2
    assert await post.send_some() == 0
    assert await states(edge) == {"email": "sent", "sms": "sent"}
    (mail,), (text,) = outside.mails, outside.texts
    assert mail["To"] == ADDRESS
    assert mail["Subject"] == "Робототехника тобы: бала жазылды"
    assert "Орын бекітілді" in mail.get_content()
    assert mail["Message-ID"].endswith("@social-wallet.localhost>")
    assert text["to"] == PHONE
    assert text["text"].startswith("Робототехника тобы: бала жазылды. Орын бекітілді")
    for sent in (mail.as_string(), mail.get_content(), str(text)):
        assert str(family.child_id) not in sent


async def test_a_long_subject_keeps_its_spaces(post: Post, outside: Outside) -> None:
    title = "Робототехника: старшая группа: занятия прекращаются, и деньги за октябрь свободны"
    await post.mail.send(new_id(), ADDRESS, Rendered(title, "Мәтін."), NOON)
    assert outside.mails[0]["Subject"] == title


async def test_copies_are_in_the_language_preferred_when_they_are_sent(
    *, edge: Edge, take: Take, family: Family, post: Post, outside: Outside, guardian: UUID
) -> None:
    await take(unfunded(family))
    async with edge.transaction() as tx:
        await people.save_preferences(tx, guardian, Preferences(language="ru"))
    await post.send_some()
    assert outside.mails[0]["Subject"] == "Группа робототехники: нет денег на октябрь 2026"
    assert "Не хватает: 500\u00a0₸." in outside.texts[0]["text"]


async def test_a_muted_topic_stays_in_the_inbox(
    edge: Edge, take: Take, family: Family, post: Post, guardian: UUID
) -> None:
    async with edge.transaction() as tx:
        muted = Preferences(topics=dict.fromkeys(TOPICS, frozenset()))
        await people.save_preferences(tx, guardian, muted)
    await take(confirmed(family))
    assert await post.send_some() == 0
    async with edge.transaction() as tx:
        assert await messages.count_unread(tx, guardian) == 2


@pytest.mark.usefixtures("guardian")
async def test_nothing_leaves_in_the_quiet_hours_and_all_of_it_after_them(
    database: Database, take: Take, family: Family, post: Post, outside: Outside
) -> None:
    await set_clock(database, datetime(2026, 9, 7, 17, 30, tzinfo=UTC))  # 22:30 in Almaty
    await take(confirmed(family), at=NOON)
    assert await post.send_some() == 0
    await set_clock(database, datetime(2026, 9, 8, 2, 59, tzinfo=UTC))
    assert await post.send_some() == 0
    await set_clock(database, datetime(2026, 9, 8, 3, 0, 1, tzinfo=UTC))  # 08:00 in Almaty
    assert await post.send_some() == 2
    assert len(outside.mails) == len(outside.texts) == 1


async def test_what_cannot_be_sent_for_now_is_sent_later_and_stays_the_same(
    *, edge: Edge, take: Take, family: Family, post: Post, outside: Outside, guardian: UUID
) -> None:
    outside.mail_answer, outside.sms_status = "451 later", 503
    await take(confirmed(family))
    assert await post.send_some() == 2
    assert await states(edge) == {"email": "pending", "sms": "pending"}
    assert await post.send_some() == 0, "there is a pause"
    await make_due(edge)
    outside.mail_answer, outside.sms_status = "250 OK", 202
    assert await post.send_some() == 2
    assert await states(edge) == {"email": "sent", "sms": "sent"}
    assert len({mail["Message-ID"] for mail in outside.mails}) == 1
    assert len({text["id"] for text in outside.texts}) == 1
    async with edge.transaction() as tx:
        assert await messages.count_unread(tx, guardian) == 2, "two channels, one message"


@pytest.mark.usefixtures("guardian")
async def test_what_is_refused_for_good_is_not_tried_again(
    edge: Edge, take: Take, family: Family, post: Post, outside: Outside
) -> None:
    outside.mail_answer, outside.sms_status = "550 no such mailbox", 400
    await take(confirmed(family))
    await post.send_some()
    assert await states(edge) == {"email": "failed", "sms": "failed"}
    await make_due(edge)
    assert await post.send_some() == 0


@pytest.mark.usefixtures("guardian")
async def test_attempts_at_a_server_that_is_away_are_bounded(
    edge: Edge, take: Take, family: Family, post: Post, outside: Outside
) -> None:
    away = Post(post.edge, post.keys, MailServer("127.0.0.1", 1, "a@b.kz"), post.sms)
    await take(confirmed(family))
    for attempt in range(ATTEMPTS_MAX):
        assert (await states(edge))["email"] == "pending", attempt
        await away.send_some()
        await make_due(edge)
    assert (await states(edge))["email"] == "failed"
    assert len(outside.texts) == 1, "the other channel does not care"


async def test_what_was_to_go_to_a_contact_that_was_removed_goes_nowhere(
    *, edge: Edge, keys: Keyring, take: Take, family: Family, post: Post, outside: Outside, guardian: UUID
) -> None:
    await take(confirmed(family))
    async with edge.transaction() as tx:
        await set_contacts(tx, keys, guardian, email=None, phone=PHONE)
    await post.send_some()
    assert await states(edge) == {"email": "failed", "sms": "sent"}
    assert outside.mails == []


async def test_a_contact_copied_to_another_person_reaches_nobody(
    *, edge: Edge, keys: Keyring, take: Take, family: Family, post: Post, outside: Outside, guardian: UUID
) -> None:
    await take(confirmed(family))
    async with edge.transaction() as tx:
        await set_contacts(tx, keys, new_id(), email="thief@example.kz", phone=None)
        await tx.execute(
            sa.text("UPDATE contacts SET email = (SELECT email FROM contacts WHERE person_id <> :id)"),
            {"id": guardian},
        )
    await post.send_some()
    assert await states(edge) == {"email": "failed", "sms": "sent"}
    assert outside.mails == []


@pytest.mark.usefixtures("guardian")
async def test_two_workers_never_send_the_same(
    edge: Edge, take: Take, family: Family, post: Post, outside: Outside
) -> None:
    siblings = [Family(guardians=family.guardians, group_id=family.group_id) for _ in range(30)]
    await take(*(one.child_described() for one in siblings))

    async def work() -> None:
        while await post.send_some():
            pass

    await asyncio.gather(work(), work(), work())
    assert set(Counter(mail["Message-ID"] for mail in outside.mails).values()) == {1}
    assert len(outside.mails) == len(outside.texts) == 30
    assert await states(edge) == {"email": "sent", "sms": "sent"}


@pytest.mark.usefixtures("guardian")
async def test_nobody_takes_what_is_being_sent(
    edge: Edge, take: Take, family: Family, post: Post, outside: Outside
) -> None:
    outside.thinking.clear()
    await take(confirmed(family))
    sending = asyncio.create_task(post.send_some())
    await eventually(lambda: _is(len(outside.mails) == 1 and len(outside.texts) == 1))
    async with edge.transaction() as tx:
        others = await deliveries.claim(tx, limit=10, lease=LEASE)
    outside.thinking.set()
    await sending
    assert others == []


@pytest.mark.usefixtures("guardian")
async def test_no_transaction_is_open_while_a_server_thinks(
    edge: Edge, take: Take, family: Family, post: Post, outside: Outside
) -> None:
    outside.thinking.clear()
    await take(confirmed(family))
    sending = asyncio.create_task(post.send_some())
    await eventually(lambda: _is(len(outside.mails) == 1 and len(outside.texts) == 1))
    await asyncio.sleep(0.2)
    async with edge.transaction() as tx:
        rows = await tx.execute(
            sa.text(
                "SELECT query FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
            )
        )
        assert rows.scalars().all() == []
    outside.thinking.set()
    await sending


async def _is(condition: bool) -> bool:  # noqa: FBT001 - what `eventually` asks for
    return condition


WORKER = """
import asyncio, sys
from notifications.jobs import send_copies
from notifications.settings import NotificationSettings
from shared.database import open_engine
from shared.doorbell import Doorbell
from shared.edge import Edge

_, url, smtp_port, sms_url = sys.argv
settings = NotificationSettings(
    environment="development", database_url=url, issuer="http://127.0.0.1:1",
    smtp_host="127.0.0.1", smtp_port=smtp_port, sms_url=sms_url,
)
edge = Edge(open_engine(url), Doorbell(url, "notifications"), development=True)
asyncio.run(send_copies(edge, settings))
"""


@pytest.mark.usefixtures("guardian")
async def test_killed_after_handing_over_it_sends_once_more_under_the_same_id(
    *, edge: Edge, database: Database, take: Take, family: Family, post: Post, outside: Outside
) -> None:
    outside.thinking.clear()
    await take(confirmed(family))
    arguments = ["-c", WORKER, database.url("notifications"), str(outside.smtp_port), outside.sms_url]
    worker = await asyncio.create_subprocess_exec(sys.executable, *arguments)
    try:
        await eventually(lambda: _is(len(outside.mails) == 1), seconds=60)
    finally:
        worker.kill()
        await worker.wait()
    outside.thinking.set()
    assert (await states(edge))["email"] == "pending"
    assert await post.send_some() == 0, "the lease still holds"
    await make_due(edge)
    await post.send_some()
    await post.send_some()
    assert len(outside.mails) == 2
    assert len({mail["Message-ID"] for mail in outside.mails}) == 1
    assert (await states(edge))["email"] == "sent"


# Messages.


async def test_messages_told_at_once_by_many_are_numbered_without_gap(
    edge: Edge, take: Take, family: Family
) -> None:
    # No more than there are connections: a busy machine must not make one wait in vain for the pool.
    siblings = [Family(guardians=family.guardians, group_id=family.group_id) for _ in range(15)]
    await asyncio.gather(*(take(one.child_described()) for one in siblings))
    async with edge.transaction() as tx:
        told = await messages.since(tx, family.guardians[0], number=0, limit=100)
    assert [one.number for one in told] == list(range(1, 17))


async def somebody_waits(edge: Edge) -> bool:
    """Whether a transaction waits for a lock of another."""
    waiting = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with edge.transaction() as tx:
        return bool((await tx.execute(sa.text(waiting))).scalar_one())


async def test_a_lower_number_is_never_committed_after_a_higher_one(
    edge: Edge, take: Take, family: Family
) -> None:
    sibling = Family(guardians=family.guardians, group_id=family.group_id)
    stopped, go_on = asyncio.Event(), asyncio.Event()

    async def tell_slowly() -> None:
        async with edge.transaction() as tx:
            mailbox = sa.select(tables.mailboxes).where(tables.mailboxes.c.person_id == family.guardians[0])
            await tx.execute(mailbox.with_for_update())  # as one that has taken its number, not committed
            stopped.set()
            await go_on.wait()

    slow = asyncio.create_task(tell_slowly())
    await stopped.wait()
    other = asyncio.create_task(take(sibling.child_described()))
    await eventually(lambda: somebody_waits(edge))  # the next number, for the commit of the one before
    assert not other.done()
    go_on.set()
    await asyncio.gather(slow, other)


async def test_two_topics_at_once_agree_on_the_last_word(edge: Edge, take: Take, family: Family) -> None:
    second, third = NOON + timedelta(minutes=1), NOON + timedelta(minutes=2)
    await take(envelope_of(queued(family, 3), NOON))
    locked, go_on = asyncio.Event(), asyncio.Event()

    async def tell_the_later() -> None:
        async with edge.transaction() as tx:
            values = {"starts_on": "2026-09-10", "month": "2026-09"}
            news = News(new_id(), Kind.CONFIRMED, third, **about(family), values=values)
            await heard.lock_enrollments(tx, [news])
            locked.set()
            await go_on.wait()
            await tell_guardians(tx, [news])

    later = asyncio.create_task(tell_the_later())
    await locked.wait()
    earlier = asyncio.create_task(take(envelope_of(queued(family, 2), second)))
    await eventually(lambda: somebody_waits(edge))
    go_on.set()
    await asyncio.gather(later, earlier)
    async with edge.transaction() as tx:
        inbox = await messages.since(tx, family.guardians[0], number=0, limit=100)
        seen = (await tx.execute(sa.select(tables.enrollments.c.kind, tables.enrollments.c.as_of))).one()
    assert [one.kind for one in inbox] == [Kind.LINK_VERIFIED, Kind.SEAT_QUEUED, Kind.CONFIRMED]
    assert seen == ("confirmed", third)


@pytest.mark.usefixtures("guardian")
async def test_what_a_month_costs_and_what_is_disputed_leaves_without_the_child(
    take: Take, family: Family, post: Post, outside: Outside
) -> None:
    frozen = charged(family, revision=2, frozen=True)
    await take(charged(family), staff(family, new_id()), disputed(family, new_id()), frozen)
    await take(item(ItemFrozen, family))
    assert await post.send_some() == 6
    subjects = {str(mail["Subject"]) for mail in outside.mails}
    assert subjects == {
        "Робототехника тобы: 2026 жылғы қазан айының есебі",
        "Робототехника тобы: сабақ туралы хабарлама қабылданды",
        "Робототехника тобы: 2026 жылғы қазан айының төлемі тоқтатылды",
    }
    for sent in (*(mail.as_string() for mail in outside.mails), *map(str, outside.texts)):
        assert str(family.child_id) not in sent


# What operators ask.


async def found_by_audit(edge: Edge) -> dict[str, int]:
    async with edge.transaction() as tx:
        return {name: len((await tx.execute(sa.text(check))).all()) for name, check in AUDIT.items()}


@pytest.mark.usefixtures("guardian")
async def test_the_audit_is_clean_after_all_of_it_and_finds_what_is_broken(
    edge: Edge, take: Take, family: Family, post: Post
) -> None:
    await take(queued(family, 2), confirmed(family), unfunded(family))
    await take(staff(family, new_id()), charged(family), payout(PayoutSent, family))
    await take(disputed(family, new_id()))
    await post.send_some()
    assert await found_by_audit(edge) == dict.fromkeys(AUDIT, 0)
    await take(confirmed(Family(guardians=family.guardians, group_id=family.group_id)))
    async with edge.transaction() as tx:
        await tx.execute(sa.text("UPDATE mailboxes SET last_number = 1"))
        await tx.execute(sa.text("UPDATE grants SET person_id = :id"), {"id": new_id()})
        await tx.execute(sa.text("DELETE FROM guarded_children"))
        await tx.execute(sa.text("UPDATE bills SET revision = 0"))
        await tx.execute(
            sa.text(
                "UPDATE deliveries SET state = 'pending', sent_at = NULL,"
                " next_at = next_at - interval '61 minutes', not_before = '2026-01-01'"
            )
        )
    assert all(count > 0 for count in (await found_by_audit(edge)).values())


async def test_the_schema_is_what_the_tables_say(edge: Edge) -> None:
    assert await migrations.drift(edge.engine, tables.metadata, plumbing) == []
