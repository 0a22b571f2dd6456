"""The end of a month: sheets are closed by the clock, priced by the wallet, and signed by the directors."""

import asyncio
import time
from typing import Any

from local.client import PATIENCE_SECONDS
from local.seeds import district
from local.story import amounts, happened
from local.story.asking import pass_time
from local.story.lessons import OCTOBER, SEPTEMBER, dispute, lesson_on, see_case
from local.story.stage import Stage, Step, tenge

PROVIDERS = tuple(sorted({district.group(direction).provider for direction in happened.DIRECTIONS}))
_SHEETS = sum(len(happened.members(direction)) for direction in happened.DIRECTIONS)
_FROZEN_WITHIN_SECONDS = 1.0

_PRICED = (
    (district.NEWCOMER, amounts.ROBOTICS_SEPTEMBER, "10 of 13 lessons of robotics count"),
    (happened.LEAVER, amounts.KEPT_OF_ENDED, "the child that left: 2 of 13"),
    (happened.SUCCESSOR, amounts.ROBOTICS_AFTER_OFFER, "the child that got its seat: 8 of 13"),
    (happened.ILL, amounts.DOMBYRA_WITH_ILLNESS, "the child that was ill: 4 of 9 lessons of dombyra"),
    (happened.STAYED_AWAY, amounts.CHESS_WITH_ABSENCE, "the child that stayed away: 5 of 9 lessons of chess"),
    (happened.MISTAKEN, amounts.FOOTBALL_SEPTEMBER, "the corrected mark: 6 of 9 lessons of football"),
    (happened.NOT_THERE, amounts.DRAWING_WITH_DISPUTE, "the disputed lesson of drawing is left out: 2 of 4"),
)


async def close_september(stage: Stage) -> None:
    """On the 5th the windows are over: September is closed, and the wallet says what it costs."""
    await pass_time(stage, "2026-10-05T09:00")
    closed = await stage.observer.since(0, "clubs.attendance_closed", count=_SHEETS)
    stage.check(f"sheets closed: {len(closed)}", len(closed), _SHEETS)
    charged = await stage.observer.since(0, "wallet.month_charged", count=_SHEETS)
    stage.check(f"months charged: {len(charged)}", len(charged), _SHEETS)
    for number, amount, what in _PRICED:
        charge = await charge_of(stage, number)
        stage.check_money(what, charge["amount_tiyn"], amount)
        parts = sum(lesson["amount_tiyn"] for lesson in charge["lessons"] if lesson["verdict"] == "counts")
        stage.check(f"lesson by lesson: {_reasons(charge)}", parts, amount)
    disputed = await charge_of(stage, happened.NOT_THERE)
    stage.check_money("held until the dispute is decided", disputed["disputed_tiyn"], amounts.SUPPLEMENT)
    before = ("link_verified", "confirmed", "month_unfunded", "month_funded")
    await stage.told(district.NEWCOMER, *before, "month_charged")
    await stage.told(happened.NOT_THERE, "dispute_opened", "month_charged")


async def charge_of(stage: Stage, number: int, month: str = SEPTEMBER) -> dict[str, Any]:
    """What a child's month costs and why, as its guardian reads it."""
    return await stage.guardian(number).get(
        "wallet/v1/charges", enrollment_id=stage.cast.enrollments[number]["id"], month=month
    )


def _reasons(charge: dict[str, Any]) -> str:
    codes = [str(lesson["code"]) for lesson in charge["lessons"]]
    return ", ".join(f"{codes.count(code)} × {code}" for code in dict.fromkeys(codes))


async def sign_september(stage: Stage) -> None:
    """The directors look at their sheets and sign them; then the lines fall due, on Monday the 19th."""
    for provider in PROVIDERS:
        await sign(stage, provider, SEPTEMBER)
    items = await _signed_items(stage, 2, SEPTEMBER)
    stage.check(f"lines of dombyra and drawing: {len(items)}", len(items), 10)
    stages = {(item["stage"], item["due_on"]) for item in items}
    stage.check("each is due on 2026-10-19, as the 18th is a Sunday", stages, {("due", "2026-10-19")})


async def _signed_items(stage: Stage, provider: int, month: str) -> list[dict[str, Any]]:
    """What is owed, once the wallet has heard of the signature; as it is if that takes too long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        items = await items_of(stage, provider, month)
        if all(item["stage"] != "charged" for item in items) or time.monotonic() > deadline:
            return items
        await asyncio.sleep(0.1)


async def sign(stage: Stage, provider: int, month: str) -> None:
    """One director signs what there is to sign for a month."""
    director = stage.client.person(f"director-{provider}")
    provider_id = stage.cast.providers[provider]
    listed = await director.get("clubs/v1/statements", provider_id=provider_id, month=month)
    for statement in listed["items"]:
        if statement["state"] != "ready":
            continue
        signed = await director.post(
            f"clubs/v1/statements/{statement['id']}/sign",
            {"version": statement["version"]},
            key=f"sign-{statement['id']}",
        )
        what = "statement" if statement["number"] == 1 else f"supplement {statement['number'] - 1}"
        sheets = (await director.get(f"clubs/v1/statements/{statement['id']}", limit=100))["items"]
        stage.check(
            f"director-{provider} signed the {what} of {month}: {len(sheets)} sheets",
            signed.content["state"],
            "signed",
        )


async def items_of(stage: Stage, provider: int, month: str) -> list[dict[str, Any]]:
    """What is owed to a provider for a month, as its director reads it."""
    director = stage.client.person(f"director-{provider}")
    found = await director.get(
        "wallet/v1/payable-items", provider_id=stage.cast.providers[provider], month=month, limit=100
    )
    return list(found["items"])


async def dispute_late(stage: Stage) -> None:
    """A guardian finds a lesson that was charged already: this is not us. Its line is frozen, no other."""
    await pass_time(stage, "2026-10-07T09:00")
    lesson = await lesson_on(stage, "robotics", happened.DOUBTED_ON)
    before = len(stage.observer.seen)
    started = time.monotonic()
    await dispute(stage, happened.DOUBTED, lesson)
    frozen = await stage.observer.since(before, "wallet.item_frozen", count=2)
    stage.check_within("frozen by the wallet", time.monotonic() - started, _FROZEN_WITHIN_SECONDS)
    await see_case(stage, happened.DOUBTED)
    owed = sum(event.content["amount_tiyn"] for event in frozen)
    stage.check_money("frozen, of both funds", owed, amounts.ROBOTICS_SEPTEMBER)
    items = await items_of(stage, 1, SEPTEMBER)
    await stage.told(happened.DOUBTED, "month_charged", "dispute_opened", "payment_stopped")
    await stage.heard("director-1", "club_dispute_opened")
    waiting = [item for item in items if item["frozen"]]
    stage.check(f"of {len(items)} lines of robotics {len(waiting)} wait", len(waiting), 2)


async def close_october(stage: Stage) -> None:
    """On the 5th of November October is closed; the directors sign it, and the supplement of September."""
    before = len(stage.observer.seen)
    await pass_time(stage, "2026-11-05T09:00")
    charged = await stage.observer.since(before, "wallet.month_charged", count=_SHEETS - 1)
    stage.check(f"months charged: {len(charged)}", len(charged), _SHEETS - 1)
    newcomer = await charge_of(stage, district.NEWCOMER, OCTOBER)
    stage.check_money("October of the newcomer", newcomer["amount_tiyn"], amounts.ROBOTICS_OCTOBER)
    for provider in PROVIDERS:
        await sign(stage, provider, SEPTEMBER)
        await sign(stage, provider, OCTOBER)
    stage.say(f"paid in the next run: {tenge(sum(amounts.SECOND_RUN_DISTRICT.values()))} by the district")


STEPS: tuple[Step, ...] = (close_september, sign_september, dispute_late)
