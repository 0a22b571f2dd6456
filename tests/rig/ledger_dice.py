"""Commands for the wallet's ledger as the world sends them: late, repeated, contradictory, at the limits."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from random import Random
from typing import NamedTuple
from uuid import UUID

from rig.ledger_world import (
    A_AHEAD,
    A_DRAW,
    CHILDREN,
    ENROLLMENTS,
    FIRST,
    FUNDS,
    LAST,
    PROVIDERS,
    UNKNOWN,
    B,
    provider_of,
)
from shared import clock
from wallet.domain.accounts import Kind
from wallet.domain.approved import CORRECTIONS
from wallet.domain.facts import Facts, LessonFacts, Said, Source
from wallet.domain.holds import Lesson
from wallet.domain.operations import (
    Allot,
    Approval,
    Approved,
    Bounce,
    Charge,
    Command,
    Correct,
    Deposit,
    Expire,
    HoldMonth,
    Identity,
    PayOut,
    Recover,
    Reduce,
    Release,
    Return,
    Settle,
)

Order = tuple[UUID, UUID, UUID]
"""An order to the bank, with its fund and its provider."""
LAST_DAYS = [date(2026, 9, 9), date(2026, 10, 12), LAST]
Asked = tuple[HoldMonth, int]
"""A month that money was asked for, and the revision that it was charged by."""


def id_of(number: int) -> UUID:
    """Ids grow by time, and leave room for those that follow from them."""
    return UUID(int=0xD000 + number << 8)


class Past(NamedTuple):
    """What was drawn before: a good deal of what is asked is about that."""

    asked: Sequence[Asked]
    orders: Sequence[Order]
    drawn: Sequence[Command]
    agreed: Sequence[Approved]
    """What two persons agreed on, and was done."""


def draw_command(  # noqa: PLR0911 - as many as there are askers
    rng: Random, number: int, today: date, past: Past
) -> Command:
    """Few children, few enrollments, amounts near the limits: so that commands meet each other."""
    asked, orders, drawn, _ = past
    if drawn and rng.random() < 0.1:
        agreed = draw_agreed(rng, number, past)
        return replace(agreed, fund_id=UNKNOWN) if rng.random() < 0.03 else agreed
    if asked and rng.random() < 0.4:
        return draw_charge(rng, number, *rng.choice(asked))
    if orders and rng.random() < 0.15:
        return draw_step(rng, number, rng.choice(orders[-4:]))
    enrollment_id = rng.choice(list(ENROLLMENTS))
    child_id = ENROLLMENTS[enrollment_id] if rng.random() < 0.97 else rng.choice(CHILDREN)
    if rng.random() < 0.6:
        return draw_hold(rng, number, child_id, enrollment_id)
    if rng.random() < 0.9:
        return draw_money(rng, number)
    if rng.random() < 0.5:
        on = today + timedelta(rng.randint(5, 60))
        identity = Identity("enrollment", "reduce", f"{enrollment_id}/{on}")
        return Reduce(id_of(number), identity, child_id, enrollment_id, on)
    identity = Identity("enrollment", "release", str(enrollment_id))
    return Release(id_of(number), identity, child_id, enrollment_id, "canceled")


def draw_money(rng: Random, number: int) -> Command:
    """A little comes in, a little is allotted: never enough for all."""
    if rng.random() < 0.3:
        fund_id = A_AHEAD if rng.random() < 0.95 else A_DRAW
        identity = Identity("sweep", "expire", f"{number}")
        return Expire(id_of(number), identity, fund_id, rng.choice(CHILDREN), rng.choice(LAST_DAYS))
    if rng.random() < 0.6:
        fund_id = UNKNOWN if rng.random() < 0.03 else rng.choice(list(FUNDS))
        amount = rng.choice([1, 60, 150, 500] if number % 400 < 100 else [1, 2])  # good times, bad times
        return Deposit(id_of(number), Identity("http", "deposit", f"{number}"), fund_id, amount)
    return Allot(
        id=id_of(number),
        identity=Identity("run", "allot", f"{number}"),
        fund_id=A_AHEAD if rng.random() < 0.9 else A_DRAW,
        child_id=rng.choice(CHILDREN),
        expires_on=rng.choice(LAST_DAYS),
        amount_tiyn=rng.randint(1, 300),
    )


def draw_agreed(rng: Random, number: int, past: Past) -> Approved:
    """What two persons agree on: now and then too much, twice, of the wrong fund or account."""
    fund_id, amount = rng.choice(list(FUNDS)), rng.choice([1, 5, 30, 150])
    likely = [one for one in past.drawn if isinstance(one, Allot | Deposit | Return)]
    wrong = rng.choice(likely if likely and rng.random() < 0.8 else past.drawn)
    approval = Approval(UUID(int=0xB0000 + number), PROVIDERS[0], PROVIDERS[1])
    reference = f"R{rng.randint(0, 5)}"
    kind = rng.choice([Return, Return, Recover, Recover, Correct, Correct])
    head = (id_of(number), Identity("proposal", kind.__name__.lower(), f"{number}"), approval)
    if kind is Return:
        entered = [
            (one.fund_id, one.bank_reference) for one in past.agreed if isinstance(one, Return | Recover)
        ]
        if entered and rng.random() < 0.4:
            fund_id, reference = rng.choice(entered)
            return Return(*head, fund_id, Kind.RETURNED, amount, reference)
        if rng.random() < 0.7:
            return Return(*head, A_AHEAD, Kind.RETURNED, amount, reference)
        return Return(*head, fund_id, Kind.FUND, amount, reference)
    if kind is Recover:
        _, fund_id, provider_id = rng.choice(past.orders or [(B, fund_id, PROVIDERS[0])])
        return Recover(*head, fund_id, provider_id, rng.choice([1, 1, 2, amount]), reference)
    ways = [*sorted(CORRECTIONS), *[(Kind.FUND, Kind.ALLOTMENT)] * 3, (Kind.PAYABLE, Kind.FUND)]
    debit, credit = rng.choice(ways)
    if Kind.ALLOTMENT not in {debit, credit}:
        mine = wrong.fund_id if isinstance(wrong, Deposit | Return) else fund_id
        return Correct(*head, mine, debit, credit, amount, wrong.id, "wrong")
    fund_id = A_AHEAD if rng.random() < 0.9 else fund_id
    child_id, expires_on = rng.choice(CHILDREN[:2]), rng.choice(LAST_DAYS)
    likely = [one for one in past.drawn if isinstance(one, Allot | Deposit) and one.fund_id == fund_id]
    wrong = rng.choice(likely or past.drawn)
    if isinstance(wrong, Allot) and rng.random() < 0.7:
        child_id, expires_on = wrong.child_id, wrong.expires_on
    return Correct(*head, fund_id, debit, credit, amount, wrong.id, "wrong", child_id, expires_on)


def draw_hold(rng: Random, number: int, child_id: UUID, enrollment_id: UUID) -> HoldMonth:
    """A month of few lessons, at a price that is about what is paid."""
    month = rng.choice([8, 9, 10, 10, 12])
    days = sorted(rng.sample(range(1, 29), rng.randint(1, 5)))
    lessons = tuple(Lesson(UUID(int=0x1000 * month + day), date(2026, month, day)) for day in days)
    attempt = rng.randint(1, 4)
    return HoldMonth(
        id=id_of(number),
        identity=Identity("enrollment", "hold", f"{enrollment_id}/2026-{month:02}/{attempt}/{number // 7}"),
        child_id=child_id,
        enrollment_id=enrollment_id,
        month=f"2026-{month:02}",
        attempt=attempt,
        provider_id=provider_of(enrollment_id),
        group_id=B,
        direction=rng.choice(["robotics", "music", "chess"]),
        price_tiyn=rng.choice([0, 1, 33, 90, 100, 119, 150, 151]),
        lessons=lessons,
        covers_from=date(2026, month, rng.choice([1, 1, 1, 15])),
        covers_until=rng.choice([None, None, date(2026, month, 20)]),
    )


def draw_step(rng: Random, number: int, order: Order) -> Command:
    """What may happen to an order, in time or not, and now and then again."""
    kind, name = rng.choice(((PayOut, "pay_out"), (Settle, "settle"), (Bounce, "bounce")))
    return kind(id_of(number), Identity("test", name, f"{order[0]}/{rng.choice([0, number])}"), *order)


def draw_charge(rng: Random, number: int, of: HoldMonth, charged: int) -> Charge:
    """A sheet of a month that money was asked for, or rarely of another child, month or provider."""
    odd = rng.random() < 0.03
    revision = max(1, charged + rng.choice([-1, 0, 1, 1, 1, 1, 2]))
    month = "2026-11" if rng.random() < 0.03 else of.month
    mood = rng.choice(
        ["good", "good", "good", "mixed", "bad"] if charged else ["good", "mixed", "bad", "bad"]
    )
    said = {
        lesson.lesson_id: draw_facts(rng, mood, lesson.on) for lesson in of.lessons if rng.random() < 0.95
    }
    return Charge(
        id=id_of(number),
        identity=Identity("clubs", "charge", f"{of.enrollment_id}/{month}/{revision}"),
        child_id=of.child_id,
        enrollment_id=of.enrollment_id,
        month=month,
        revision=revision,
        provider_id=rng.choice(PROVIDERS) if odd else of.provider_id,
        group_id=of.group_id,
        digest=f"{number:064x}",
        facts=Facts(tuple(said.items()), guardians_until=clock.civil_moment(LAST), guardian_is_staff=False),
    )


def draw_facts(rng: Random, mood: str, on: date) -> LessonFacts:
    """Mostly the same about all lessons of a sheet, so that months cost nothing, all, or less."""
    kinds = {"good": "yyyyyyyydc", "mixed": "yyydddcnx", "bad": "xxxnnd"}[mood]
    kind = rng.choice(kinds)
    sources: list[Source] = ["coach", "guardian"] if kind != "x" else ["coach"]
    at = clock.civil_moment(FIRST)
    return LessonFacts(
        on,
        took_place=True,
        statements=tuple(Said(source, UUID(int=len(source)), present=True, at=at) for source in sources),
        disputed=kind == "d",
        decided="count" if kind == "c" else "do_not_count" if kind == "n" else None,
    )


def repeat(rng: Random, command: Command, number: int) -> Command:
    """The same request again, as it comes after a lost answer; now and then with another content."""
    again = replace(command, id=id_of(number))
    return with_other_content(again) if rng.random() < 0.3 else again


def with_other_content(  # noqa: PLR0911 - as many as there are kinds of content
    command: Command,
) -> Command:
    """Under the same identity, as only a mistake of the asker can make it."""
    match command:
        case HoldMonth():
            return replace(command, price_tiyn=command.price_tiyn + 1)
        case Deposit() | Allot() | Return() | Recover() | Correct():
            return replace(command, amount_tiyn=command.amount_tiyn + 1)
        case Expire():
            return replace(command, expires_on=command.expires_on + timedelta(1))
        case Reduce():
            return replace(command, on=command.on + timedelta(1))
        case Release():
            return replace(command, reason="rejected")
        case Charge():
            return replace(command, digest=f"{command.id.int:064x}")
        case PayOut() | Settle() | Bounce():
            other = next(one for one in PROVIDERS if one != command.provider_id)
            return replace(command, provider_id=other)
