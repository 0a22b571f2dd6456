"""How children come into clubs: a link, money, a seat, a place in the queue, a refusal."""

import time

from local import clock
from local.population import CHILDREN
from local.seeds import district
from local.story import amounts
from local.story.asking import check_enrolled, check_layers, enroll, group_name, left_out, run_funding, wish
from local.story.stage import Stage, Step, tenge

FIRST_TUESDAY = "2026-09-08"
CONFIRMED_WITHIN_SECONDS = 1.0
LANGUAGES = ("kk", "ru", "en")


async def link_child(stage: Stage) -> None:
    """A guardian links a child; the population register confirms it."""
    guardian = stage.guardian(district.NEWCOMER)
    claim = {"iin": CHILDREN[district.NEWCOMER - 1].iin}
    made = await guardian.post("enrollment/v1/guardian-links", claim, key="story-link")
    link = await guardian.get(f"enrollment/v1/guardian-links/{made.content['id']}", wait=20.0, version=1)
    stage.check("the register verified the link", link["state"], "verified")
    stage.cast.children[district.NEWCOMER] = child_id = link["child_id"]
    child = await guardian.get(f"enrollment/v1/children/{child_id}")
    names = f"{child['family_name']} {child['given_name']} {child['patronymic']}"
    stage.say(
        f"the child: {names}, born {child['birth_date']}, IIN {child['iin']}, {child['school']['name']}"
    )
    await stage.told(district.NEWCOMER, "link_verified")


async def refuse_link(stage: Stage) -> None:
    """Somebody else claims the same child; the register refuses."""
    stranger = stage.guardian(2)
    claim = {"iin": CHILDREN[district.NEWCOMER - 1].iin}
    made = await stranger.post("enrollment/v1/guardian-links", claim, key="story-foreign-link")
    link = await stranger.get(f"enrollment/v1/guardian-links/{made.content['id']}", wait=20.0, version=1)
    stage.check("the register refused the link", link["state"], "refused")
    child_id = stage.cast.children[district.NEWCOMER]
    foreign = await stranger.ask("GET", f"enrollment/v1/children/{child_id}")
    stage.check("for them the child does not exist", (foreign.status, foreign.code), (404, "not_found"))


async def entitle_child(stage: Stage) -> None:
    """An administrator entitles the child, and repeats September's funding run: it reaches nobody twice."""
    administrator = stage.administrator()
    await administrator.post(
        f"enrollment/v1/children/{stage.cast.children[district.NEWCOMER]}/entitlements",
        {"program_id": stage.cast.program, "until": district.ENTITLED_UNTIL},
        key="story-entitlement",
    )
    await clock.until_quiet(stage.system)
    run = await run_funding(stage, district.ALLOTTED_UNTIL, key="story-september")
    stage.check(f"children with new money: {run['funded']}", run["funded"], 1)
    already = left_out(run, "already_allotted")
    stage.check(f"children who had it already: {already}", already, len(CHILDREN) - 1)
    stage.check_money("allotted to the child", run["allotted_tiyn"], amounts.FROM_DISTRICT)
    await clock.until_quiet(stage.system)


async def ask_quote(stage: Stage) -> None:
    """The guardian asks what robotics costs, and who would pay."""
    answer = await stage.guardian(district.NEWCOMER).post(
        "wallet/v1/quotes", wish(stage, district.NEWCOMER, "robotics"), key="story-quote"
    )
    quote = answer.content
    stage.say(
        f"{group_name(stage, 'robotics')}, {tenge(quote['price_tiyn'])} a month; from {district.FIRST_DAY}"
        f" it is {quote['covered_lessons']} of {quote['planned_lessons']} lessons"
    )
    stage.check_money("September costs", quote["amount_tiyn"], amounts.ROBOTICS_SEPTEMBER)
    check_layers(stage, quote["shares"], [amounts.FROM_DISTRICT, amounts.FROM_FOUNDATION])


async def enroll_in_robotics(stage: Stage) -> None:
    """The guardian enrolls the child in robotics: confirmed, with money from two funds."""
    started = time.monotonic()
    answer = await enroll(stage, district.NEWCOMER, "robotics")
    took = time.monotonic() - started
    stage.check("confirmed", stage.cast.enrollments[district.NEWCOMER]["state"], "confirmed")
    stage.check_within("from the request to the answer that says so", took, CONFIRMED_WITHIN_SECONDS)
    await check_enrolled(stage, answer, [amounts.FROM_DISTRICT, amounts.FROM_FOUNDATION])
    await stage.told(district.NEWCOMER, "link_verified", "confirmed")


async def take_last_seat(stage: Stage) -> None:
    """Another child gets the last seat of the group."""
    answer = await enroll(stage, 2, "robotics")
    stage.check("confirmed", stage.cast.enrollments[2]["state"], "confirmed")
    await check_enrolled(stage, answer, [amounts.FROM_DISTRICT, amounts.FROM_FOUNDATION])
    group = await stage.guardian(2).get(f"clubs/v1/groups/{stage.cast.groups['robotics']['id']}")
    stage.check(f"no seat is left of {group['capacity']}", group["free_from"], None)
    await stage.told(2, "confirmed")


async def queue_up(stage: Stage) -> None:
    """Two more want the same group: they are queued, and see their places."""
    for number, place, kind in ((3, 1, "seat_next"), (5, 2, "seat_queued")):
        answer = await enroll(stage, number, "robotics")
        enrollment = stage.cast.enrollments[number]
        stage.check(f"the child of guardian-{number} is queued", enrollment["state"], "queued")
        seat = await stage.guardian(number).get(f"clubs/v1/seats/{enrollment['id']}")
        stage.check(f"at place {seat['place']}", seat["place"], place)
        await stage.events(answer, "enrollment.seat_requested", "clubs.seat_queued")
        await stage.told(number, kind)


async def decline_for_money(stage: Stage) -> None:
    """A fourth child wants to play theater, and there is not enough money: declined, with what to do."""
    answer = await enroll(stage, 4, "theater", starts_on=FIRST_TUESDAY)
    enrollment = stage.cast.enrollments[4]
    stage.check("rejected", enrollment["state"], "rejected")
    reason = enrollment["reason"]
    stage.check(f"code: {reason['code']}", reason["code"], "no_money")
    stage.say(f"needed: {tenge(amounts.THEATER_SEPTEMBER)} for 7 of 9 lessons")
    stage.check_money("missing", reason["missing_tiyn"], amounts.THEATER_MISSING)
    texts = set()
    for language in LANGUAGES:
        address = f"enrollment/v1/enrollments/{enrollment['id']}"
        said = (await stage.guardian(4).get(address, language=language))["reason"]
        stage.say(f"{language}: {said['text']}. {said['action']}")
        texts |= {said["text"], said["action"]}
    stage.check("a text and what to do, in three languages", len(texts), 2 * len(LANGUAGES))
    await stage.events(
        answer,
        "enrollment.seat_requested",
        "clubs.seat_reserved",
        "enrollment.funding_requested",
        "wallet.funds_declined",
        "enrollment.rejected",
    )
    await stage.told(4, "rejected_short")


async def leave_queue(stage: Stage) -> None:
    """One who waits takes the request back."""
    answer = await stage.guardian(5).post(
        f"enrollment/v1/enrollments/{stage.cast.enrollments[5]['id']}/cancel", key="story-cancel"
    )
    stage.check("canceled", answer.content["state"], "canceled")
    await stage.events(answer, "enrollment.canceled")
    await stage.told(5, "seat_queued", "canceled")


STEPS: tuple[Step, ...] = (
    link_child,
    refuse_link,
    entitle_child,
    ask_quote,
    enroll_in_robotics,
    take_last_seat,
    queue_up,
    decline_for_money,
    leave_queue,
)
