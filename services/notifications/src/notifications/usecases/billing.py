"""Tell guardians what a month cost, whenever that changes, and what stops its payment: once for all funds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from notifications.domain.bills import Bill, Charge, Item
from notifications.domain.kinds import Kind
from notifications.domain.news import News
from notifications.repository import bills
from notifications.usecases.telling import tell_guardians
from shared.consumer import NotYet
from shared.database import Transaction


@dataclass(frozen=True, slots=True)
class MonthHeard:
    """What the wallet tells of a charged month; which kind of news it is, if any, shows what is known."""

    news: News
    key: bills.MonthKey
    heard: Charge | Item


async def tell_about_charges(tx: Transaction, heard_now: Sequence[MonthHeard]) -> list[NotYet | None]:
    """Keep what is heard in order, and tell what is news of it."""
    known = await bills.lock(tx, [one.key for one in heard_now])
    before = dict(known)
    news_at: dict[int, News] = {}
    for place, one in enumerate(heard_now):
        bill = known[one.key]
        known[one.key], kind = bill.hear(one.heard)
        if kind is not None:
            news_at[place] = _news(one.news, kind, bill)
    await bills.save(tx, {key: bill for key, bill in known.items() if bill != before[key]})
    answers: list[NotYet | None] = [None] * len(heard_now)
    told = await tell_guardians(tx, list(news_at.values())) if news_at else []
    for place, answer in zip(news_at, told, strict=True):
        answers[place] = answer
    return answers


def _news(news: News, kind: Kind, bill: Bill) -> News:
    if kind is Kind.MONTH_RECHARGED:
        return replace(news, kind=kind, values={**news.values, "before_tiyn": bill.amount_tiyn})
    return replace(news, kind=kind)
