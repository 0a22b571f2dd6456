"""The lessons: coaches say who was there, a device and guardians say it too, and some say otherwise."""

from datetime import date
from typing import Any

from local.seeds import district
from local.story import happened
from local.story.asking import pass_time
from local.story.stage import Stage, Step

SEPTEMBER, OCTOBER = "2026-09", "2026-10"
DEVICE = "device-1"
"""Stands at the door of the robotics group's house."""


async def first_lessons(stage: Stage) -> None:
    """Two lessons of robotics take place, and the coach says who was there; then the one child has left."""
    await pass_time(stage, "2026-09-11T18:00")
    days = [lesson for lesson in await lessons_of(stage, "robotics", SEPTEMBER) if is_early(lesson)]
    marked = sum([await mark(stage, "robotics", lesson) for lesson in days])
    stage.check(f"marks of the 9th and the 11th: {marked}", marked, 2 * 6)


def is_early(lesson: dict[str, Any]) -> bool:
    """Of the first week: marked before the child that leaves has left."""
    return bool(district.FIRST_DAY <= lesson["on"] < happened.LEAVING_DAY.isoformat())


async def excuse_illness(stage: Stage) -> None:
    """A child of the dombyra group is ill; its guardian says so, and the director accepts."""
    child = stage.cast.children[happened.ILL]
    period = {"from": happened.ILL_FROM.isoformat(), "to": happened.ILL_TO.isoformat()}
    absence = await stage.guardian(happened.ILL).post(
        "clubs/v1/absences", {"child_id": child, **period}, key="story-absence"
    )
    (announced,) = absence.content["items"]
    accepted = await stage.client.person("director-2").post(
        f"clubs/v1/absences/{announced['id']}/accept", key="story-absence"
    )
    days = f"{accepted.content['from']} to {accepted.content['to']}"
    stage.check(f"accepted: {days}", accepted.content["accepted_at"] is not None, True)  # noqa: FBT003 - what is expected


async def mark_september(stage: Stage) -> None:
    """September's lessons take place in five groups; each coach says who was there."""
    await pass_time(stage, "2026-10-01T09:00")
    marked = 0
    for direction in happened.DIRECTIONS:
        for lesson in await lessons_of(stage, direction, SEPTEMBER):
            if not (direction == "robotics" and is_early(lesson)):
                marked += await mark(stage, direction, lesson, wrongly=True)
    # Robotics: 8 lessons of 6 children; dombyra, football, chess: 6 of 5; drawing: 3 of 5.
    stage.check(f"marks: {marked}", marked, 8 * 6 + 3 * 6 * 5 + 3 * 5)


async def correct_mark(stage: Stage) -> None:
    """A coach has marked one child absent by mistake, and corrects it: both entries stay."""
    lesson = await lesson_on(stage, "football", happened.MISTAKEN_ON)
    await mark(stage, "football", lesson)
    seen = await stage.guardian(happened.MISTAKEN).get(
        "clubs/v1/attendance", child_id=stage.cast.children[happened.MISTAKEN], month=SEPTEMBER
    )
    that_day = next(one for one in seen["items"][0]["lessons"] if one["lesson_id"] == lesson["id"])
    says = [one["present"] for one in that_day["marks"] if one["source"] == "coach"]
    stage.check("the coach now says that the child was there", says, [True])


async def confirm_lessons(stage: Stage) -> None:
    """The device at the door saw who came to robotics; one guardian confirms all lessons, most are silent."""
    own = stage.cast.children[district.NEWCOMER]
    device = stage.client.person(DEVICE)
    confirmed = 0
    for lesson in await lessons_of(stage, "robotics", SEPTEMBER):
        if lesson["on"] < district.FIRST_DAY:
            continue
        seen = [{"child_id": child, "present": True} for child in _present(stage, "robotics", lesson)]
        address = f"clubs/v1/lessons/{lesson['id']}"
        if not is_early(lesson):
            await device.post(f"{address}/device-marks", {"children": seen}, key=f"device-{lesson['id']}")
        await stage.guardian(district.NEWCOMER).post(
            f"{address}/confirmations", {"child_id": own}, key=f"confirm-{lesson['id']}"
        )
        confirmed += 1
    stage.check(f"confirmed by guardian-{district.NEWCOMER}: {confirmed} lessons", confirmed, 10)


async def dispute_early(stage: Stage) -> None:
    """A guardian says of one lesson of the drawing group: this is not us. The month is still open."""
    await dispute(stage, happened.NOT_THERE, await lesson_on(stage, "drawing", happened.NOT_THERE_ON))
    await see_case(stage, happened.NOT_THERE)


async def dispute(stage: Stage, number: int, lesson: dict[str, Any]) -> None:
    """Open a case about one lesson: a single request."""
    wanted = {"child_id": stage.cast.children[number], "lesson_id": lesson["id"]}
    opened = await stage.guardian(number).post("clubs/v1/disputes", wanted, key=f"dispute-{number}")
    stage.cast.cases[number] = opened.content["id"]


async def see_case(stage: Stage, number: int) -> None:
    """A case as its guardian sees it."""
    case = await stage.guardian(number).get(f"clubs/v1/cases/{stage.cast.cases[number]}")
    stage.check(f"the case is {case['state']}; next: an {case['next']}", case["state"], "open")


async def mark_october(stage: Stage) -> None:
    """October goes by; all children come to all lessons."""
    await pass_time(stage, "2026-11-01T09:00")
    marked = 0
    for direction in happened.DIRECTIONS:
        for lesson in await lessons_of(stage, direction, OCTOBER):
            marked += await mark(stage, direction, lesson)
    stage.check(f"marks: {marked}", marked, 12 * 6 + 3 * 9 * 5 + 5 * 5)


async def mark(stage: Stage, direction: str, lesson: dict[str, Any], *, wrongly: bool = False) -> int:
    """The coach says of each child of the group whether it was there; the number of children."""
    day = date.fromisoformat(lesson["on"])
    children = [
        {
            "child_id": stage.cast.children[one.number],
            "present": happened.was_there(one.number, day)
            and not (wrongly and (one.number, day) == (happened.MISTAKEN, happened.MISTAKEN_ON)),
        }
        for one in happened.members(direction)
        if one.since <= day < one.before
    ]
    if day < date.fromisoformat(district.FIRST_DAY):
        return 0
    coach = stage.client.person(f"coach-{district.group(direction).number}")
    key = f"mark-{lesson['id']}-{'first' if wrongly else 'last'}"
    await coach.post(f"clubs/v1/lessons/{lesson['id']}/marks", {"children": children}, key=key)
    return len(children)


async def lessons_of(stage: Stage, direction: str, month: str) -> list[dict[str, Any]]:
    """The lessons of a group's month."""
    group_id = stage.cast.groups[direction]["id"]
    return list(
        (await stage.administrator().get(f"clubs/v1/groups/{group_id}/lessons", month=month))["items"]
    )


async def lesson_on(stage: Stage, direction: str, day: date) -> dict[str, Any]:
    """The one lesson of a group on a day."""
    found = await lessons_of(stage, direction, f"{day:%Y-%m}")
    return next(lesson for lesson in found if lesson["on"] == day.isoformat())


def _present(stage: Stage, direction: str, lesson: dict[str, Any]) -> list[str]:
    day = date.fromisoformat(lesson["on"])
    return [
        stage.cast.children[one.number]
        for one in happened.members(direction)
        if one.since <= day < one.before and happened.was_there(one.number, day)
    ]


STEPS: tuple[Step, ...] = (excuse_illness, mark_september, correct_mark, confirm_lessons, dispute_early)
