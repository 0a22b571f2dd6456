"""Tell directors what concerns their provider: disputes about its lessons, and what it is paid."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from notifications.domain.news import News
from notifications.domain.reaching import Told, tell
from notifications.repository import heard, messages, people
from notifications.usecases.telling import for_guardians
from shared.consumer import NotYet
from shared.database import Transaction


@dataclass(frozen=True, slots=True)
class DisputeNews:
    """A dispute as the guardians of the child are told of it, and as the directors of the provider are."""

    for_guardians: News
    for_directors: News


async def tell_of_disputes(tx: Transaction, news: Sequence[DisputeNews]) -> list[NotYet | None]:
    """Tell both sides. Who is on both is told as a guardian."""
    to_guardians, answers = await for_guardians(tx, [one.for_guardians for one in news])
    guardians = {(one.news.event_id, one.person_id) for one in to_guardians}
    to_directors, more = await _for_directors(tx, [one.for_directors for one in news])
    others = [one for one in to_directors if (one.news.event_id, one.person_id) not in guardians]
    await messages.add(tx, to_guardians + others)
    return [one or other for one, other in zip(answers, more, strict=True)]


async def tell_directors(tx: Transaction, news: Sequence[News]) -> list[NotYet | None]:
    """Put news of providers into the inboxes of their directors."""
    told, answers = await _for_directors(tx, news)
    await messages.add(tx, told)
    return answers


async def _for_directors(tx: Transaction, news: Sequence[News]) -> tuple[list[Told], list[NotYet | None]]:
    directors = await people.directors_of(tx, {one.provider_id for one in news if one.provider_id})
    names = await heard.names_of(tx, {id_ for one in news for id_ in _mentioned(one).values()})
    told: list[Told] = []
    answers: list[NotYet | None] = []
    for one in news:
        if one.provider_id is None or one.provider_id not in directors:
            answers.append(NotYet("staff_described"))
        elif nameless := [what for what, id_ in _mentioned(one).items() if id_ not in names]:
            answers.append(NotYet(f"{nameless[0]}_described"))
        else:
            answers.append(None)
            named = {what: names[id_] for what, id_ in _mentioned(one).items()}
            about = replace(one, values={**named, **one.values})
            told += tell(about, directors[one.provider_id], tx.now)
    return told, answers


def _mentioned(news: News) -> dict[str, UUID]:
    """What is called by its name: who directs several providers, or is paid by several funds, knows which."""
    ids = {"group": news.group_id, "provider": news.provider_id, "fund": news.fund_id}
    return {what: id_ for what, id_ in ids.items() if id_ is not None}
