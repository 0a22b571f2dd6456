"""What becomes of enrollments as time goes by: one ends, a seat is offered, the next month needs money."""

import asyncio
import time
from typing import Any

from local import clock
from local.client import PATIENCE_SECONDS
from local.population import CHILDREN
from local.seeds import district
from local.story import amounts, happened
from local.story.asking import check_layers, left_out, pass_time, run_funding, settle
from local.story.lessons import first_lessons
from local.story.stage import Stage, Step

LEAVING_DAY = happened.LEAVING_DAY.isoformat()
NOVEMBER_ENDS = "2026-11-30"
STILL_ENROLLED = len(district.ENROLLED) + 2
"""In October: those of the seeds, the newcomer, and the child that got the freed seat."""


async def end_on_a_day(stage: Stage) -> None:
    """One leaves on Monday the 14th: the money for later lessons is free at once, and so is the seat."""
    answer = await stage.guardian(2).post(
        f"enrollment/v1/enrollments/{stage.cast.enrollments[2]['id']}/end",
        {"on": LEAVING_DAY, "reason": "Көшіп кетеміз"},
        key="story-end",
    )
    stage.check("first day without the child", answer.content["ends_on"], LEAVING_DAY)
    await stage.events(answer, "enrollment.ended", "clubs.seat_offered")
    await stage.told(2, "confirmed", "ended")
    await clock.until_quiet(stage.system)
    wallet = await stage.guardian(2).get(f"wallet/v1/wallets/{stage.cast.children[2]}")
    held = sum(purse["held_tiyn"] for purse in wallet["purses"])
    stage.check_money("still held, for the two lessons before", held, amounts.KEPT_OF_ENDED)
    await stage.told(3, "seat_next", "seat_offered")


async def accept_offer(stage: Stage) -> None:
    """The freed seat was offered to the child that waited; its guardian accepts."""
    guardian = stage.guardian(3)
    enrollment = await guardian.get(
        f"enrollment/v1/enrollments/{stage.cast.enrollments[3]['id']}",
        wait=10.0,
        version=stage.cast.enrollments[3]["version"],
    )
    stage.check("offered", enrollment["state"], "offered")
    answer = await guardian.post(f"clubs/v1/offers/{enrollment['offer']['id']}/accept", key="story-accept")
    stage.check("the seat begins when the other ends", answer.content["starts_on"], LEAVING_DAY)
    confirmed = await settle(stage, 3, enrollment, frozenset({"offered", "funding"}))
    stage.check("confirmed", confirmed["state"], "confirmed")
    found = await stage.events(
        answer,
        "clubs.seat_reserved",
        "enrollment.funding_requested",
        "wallet.funds_held",
        "enrollment.confirmed",
    )
    for held in (event.content for event in found if event.name == "wallet.funds_held"):
        stage.check_money("held for 8 of 13 lessons", held["amount_tiyn"], amounts.ROBOTICS_AFTER_OFFER)
        check_layers(stage, held["layers"], [amounts.ROBOTICS_AFTER_OFFER])
    await stage.told(3, "seat_next", "seat_offered", "confirmed")


async def allot_autumn(stage: Stage) -> None:
    """On the 19th the district allots October and November: the money suffices for all children but one."""
    await pass_time(stage, "2026-09-19T10:00")
    left = await stage.guardian(2).get(f"enrollment/v1/enrollments/{stage.cast.enrollments[2]['id']}")
    stage.check("the child that left on the 14th has left", left["state"], "ended")
    run = await run_funding(stage, NOVEMBER_ENDS, key="story-autumn")
    stage.check(f"children with new money: {run['funded']}", run["funded"], len(CHILDREN) - 1)
    stage.check_money("allotted", run["allotted_tiyn"], amounts.AUTUMN_FOR_ALL)
    without = left_out(run, "no_money")
    stage.check(f"children for whom it did not suffice: {without}", without, 1)
    stage.check_money("missing in the fund", run["missing_tiyn"], amounts.AUTUMN_SHORT)
    await clock.until_quiet(stage.system)


async def pass_the_twentieth(stage: Stage) -> None:
    """The clock passes the 20th: October is funded for all, but one child's is not."""
    before = len(stage.observer.seen)
    await pass_time(stage, "2026-09-21T09:00")
    held = await stage.observer.since(before, "wallet.funds_held", count=STILL_ENROLLED - 1)
    stage.check(f"October is funded for {len(held)} children", len(held), STILL_ENROLLED - 1)
    declined = await stage.observer.since(before, "wallet.funds_declined", count=1)
    whose = [event.content["child_id"] for event in declined]
    stage.check("and for one it is not", whose, [stage.cast.children[district.NEWCOMER]])
    enrollment = await _read_newcomer(stage)
    month = enrollment["months"][-1]
    stage.check(
        f"{month['month']} of that child: {month['state']}; money may come until {month['grace_ends_on']}",
        (month["month"], month["state"], month["grace_ends_on"]),
        ("2026-10", "unfunded", "2026-10-10"),
    )
    stage.check_money("missing", month["reason"]["missing_tiyn"], amounts.OCTOBER_MISSING)
    await stage.told(district.NEWCOMER, "link_verified", "confirmed", "month_unfunded")


async def _read_newcomer(stage: Stage) -> dict[str, Any]:
    id_ = stage.cast.enrollments[district.NEWCOMER]["id"]
    return await stage.guardian(district.NEWCOMER).get(f"enrollment/v1/enrollments/{id_}")


async def pay_in(stage: Stage) -> None:
    """The foundation pays in: the child is asked for again, and October is funded."""
    answer = await stage.administrator().post(
        f"wallet/v1/funds/{stage.cast.funds['on_hold']['id']}/deposits",
        {"amount_tiyn": amounts.SECOND_DEPOSIT},
        key="story-deposit",
    )
    stage.check_money("deposited", answer.content["amount_tiyn"], amounts.SECOND_DEPOSIT)
    await stage.told(district.NEWCOMER, "link_verified", "confirmed", "month_unfunded", "month_funded")
    month = (await _read_newcomer(stage))["months"][-1]
    stage.check(f"{month['month']} is {month['state']}", month["state"], "funded")
    held = [event.content for event in stage.observer.seen if event.name == "wallet.funds_held"][-1]
    stage.check_money("held for October", held["amount_tiyn"], amounts.ROBOTICS_OCTOBER)
    foundation = stage.cast.funds["on_hold"]["id"]
    stage.check("all of it by the foundation", [one["fund_id"] for one in held["layers"]], [foundation])


async def read_messages(stage: Stage) -> None:
    """Each guardian was told in their own language: live in the inbox, by e-mail and by SMS."""
    for login, messages in stage.inboxes.told.items():
        if not login.startswith("guardian-"):
            continue
        number = int(login.removeprefix("guardian-"))
        wanted = district.contacts(number)
        newest = (await stage.guardian(number).get("notifications/v1/inbox", language=wanted.language))[
            "items"
        ]
        titles = [message["title"] for message in reversed(newest)][-len(messages) :]
        stage.check(
            f"{login} in {wanted.language}: {'; '.join(titles)}",
            [message["title"] for message in messages],
            titles,
        )
        for recipient in (wanted.email, wanted.phone):
            sent = await _sent(stage, recipient, titles)
            found = sum(any(title in text for text in sent) for title in titles)
            stage.check(f"{found} of {len(titles)} also went to {recipient}", found, len(titles))


async def _sent(stage: Stage, recipient: str, titles: list[str]) -> list[str]:
    """Subjects of mails and texts of SMS; waits until there are as many as titles."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        sent = [one["subject"] or one["body"] for one in await stage.client.sent_messages(recipient)]
        if all(any(title in text for text in sent) for title in titles) or time.monotonic() > deadline:
            return sent
        await asyncio.sleep(0.2)


STEPS: tuple[Step, ...] = (
    end_on_a_day,
    accept_offer,
    first_lessons,
    allot_autumn,
    pass_the_twentieth,
    pay_in,
)
