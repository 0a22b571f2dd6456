"""Tell guardians what happened, each piece of news once, and never an older one after a newer one.

Set-wise: a run of events is locked, read, decided and written together, whatever its length.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from notifications.domain.kinds import BESIDE
from notifications.domain.news import EnrollmentSeen, MonthMoney, News, is_still_news
from notifications.domain.reaching import Told, tell
from notifications.repository import heard, messages, people
from shared.consumer import NotYet
from shared.database import Transaction
from shared.security import describe_guardians


async def tell_guardians(tx: Transaction, news: Sequence[News]) -> list[NotYet | None]:
    """Put news of enrollments into the inboxes of the children's guardians, as far as they are still news."""
    told, answers = await for_guardians(tx, news)
    await messages.add(tx, told)
    return answers


async def for_guardians(tx: Transaction, news: Sequence[News]) -> tuple[list[Told], list[NotYet | None]]:
    """What guardians are to be told; the caller adds it, with whatever else the same events tell others."""
    known = await heard.lock_enrollments(tx, news)
    in_groups = [_in_group(one, known) for one in news]
    recipients = await people.recipients_of(tx, {one.child_id for one in news if one.child_id})
    names = await heard.names_of(tx, {one.group_id for one in in_groups if one.group_id})
    answers: list[NotYet | None] = []
    told: list[Told] = []
    seen = {id_: one.seen for id_, one in known.items()}
    changed: dict[UUID, EnrollmentSeen] = {}
    for one in in_groups:
        if one.child_id is None or one.child_id not in recipients:
            answers.append(NotYet("child_described"))
        elif one.enrollment_id is None or one.group_id is None or one.group_id not in names:
            answers.append(NotYet("group_described"))
        else:
            answers.append(None)
            if not is_still_news(one, seen.get(one.enrollment_id), tx.now):
                continue
            if one.kind not in BESIDE:
                changed[one.enrollment_id] = seen[one.enrollment_id] = EnrollmentSeen(one.kind, one.at)
            named = replace(one, values={"group": names[one.group_id], **one.values})
            told += tell(named, recipients[one.child_id], tx.now)
    await heard.save_seen(tx, changed)
    return told, answers


def _in_group(news: News, known: dict[UUID, heard.HeardEnrollment]) -> News:
    if news.group_id is not None or news.enrollment_id not in known:
        return news
    return replace(news, group_id=known[news.enrollment_id].group_id)


@dataclass(frozen=True, slots=True)
class MonthAnswer:
    """There is money for a month of an enrollment, or some of it is missing."""

    news: News
    month: str
    missing_tiyn: int | None


async def tell_about_months(tx: Transaction, heard_now: Sequence[MonthAnswer]) -> list[NotYet | None]:
    """Tell of months without money, and of money that came after all; the usual month is not news."""
    keys = [_month_of(one) for one in heard_now]
    money = await heard.lock_months(tx, keys)
    news_at: list[int] = []
    for place, (key, one) in enumerate(zip(keys, heard_now, strict=True)):
        money[key], is_news = _apply(money[key], one)
        if is_news:
            news_at.append(place)
    await heard.save_months(tx, money)
    answers: list[NotYet | None] = [None] * len(heard_now)
    told = await tell_guardians(tx, [heard_now[place].news for place in news_at]) if news_at else []
    for place, answer in zip(news_at, told, strict=True):
        answers[place] = answer
    return answers


def _month_of(answer: MonthAnswer) -> heard.MonthKey:
    if answer.news.enrollment_id is None:
        raise ValueError("a month is one of an enrollment")
    return answer.news.enrollment_id, answer.month


def _apply(money: MonthMoney, answer: MonthAnswer) -> tuple[MonthMoney, bool]:
    if answer.missing_tiyn is None:
        return money.funded(answer.news.at)
    return money.unfunded(answer.news.at, answer.missing_tiyn)


async def describe_child(
    tx: Transaction, child_id: UUID, news: News, guardians: Iterable[UUID], version: int
) -> None:
    """Keep who a child's guardians are, and tell those who were not before."""
    before = await people.lock_guardians(tx, child_id)
    await describe_guardians(tx, child_id=child_id, guardians=guardians, version=version)
    new = await people.guardians_of(tx, child_id) - before
    if new:
        recipients = (await people.recipients_of(tx, {child_id}))[child_id]
        told = tell(news, [one for one in recipients if one.person_id in new], tx.now)
        await messages.add(tx, told)
