"""What several steps of the story do: find the cast, enroll a child, run funding, let time pass."""

import time
from typing import Any

from local import client, clock
from local.client import PATIENCE_SECONDS, Answer
from local.seeds import district
from local.seeds.district import Names
from local.seeds.programs import CLUBS
from local.story import happened
from local.story.stage import Stage

_ON_THE_WAY = frozenset({"requested", "funding"})


async def find_cast(stage: Stage) -> None:
    """Find the seeds as people find them: by looking."""
    administrator = stage.administrator()
    programs = (await administrator.get("wallet/v1/programs"))["items"]
    stage.cast.program = _named(programs, CLUBS.name)["id"]
    funds = (await administrator.get("wallet/v1/funds"))["items"]
    stage.cast.funds = {fund.mode: _named(funds, fund.name) for fund in CLUBS.funds}
    for direction in (*happened.DIRECTIONS, "theater"):
        found = (await administrator.get("clubs/v1/groups", direction=direction))["items"]
        wanted = district.group(direction)
        stage.cast.groups[direction] = group = _named(found, wanted.name)
        stage.cast.providers[wanted.provider] = group["provider_id"]
    for number in range(2, 6):
        own = (await stage.guardian(number).get("enrollment/v1/children"))["items"]
        stage.cast.children[number] = own[0]["id"]
    await client.for_each(
        [number for number, _ in district.ENROLLED], lambda number: _find_enrolled(stage, number)
    )


def _named(found: list[dict[str, Any]], name: Names) -> dict[str, Any]:
    return next(one for one in found if one["name"]["en"] == name.en)


async def _find_enrolled(stage: Stage, number: int) -> None:
    """A child of the seeds, and what it is enrolled in."""
    guardian = stage.guardian(number)
    stage.cast.children[number] = child = (await guardian.get("enrollment/v1/children"))["items"][0]["id"]
    found = await guardian.get("enrollment/v1/enrollments", child_id=child)
    stage.cast.enrollments[number] = found["items"][0]


def wish(stage: Stage, number: int, direction: str, starts_on: str = district.FIRST_DAY) -> dict[str, Any]:
    return {
        "child_id": stage.cast.children[number],
        "group_id": stage.cast.groups[direction]["id"],
        "starts_on": starts_on,
    }


def group_name(stage: Stage, direction: str) -> str:
    return str(stage.cast.groups[direction]["name"]["en"])


async def enroll(stage: Stage, number: int, direction: str, *, starts_on: str = district.FIRST_DAY) -> Answer:
    """Ask for it, and wait until nobody has to answer any more."""
    answer = await stage.guardian(number).post(
        "enrollment/v1/enrollments", wish(stage, number, direction, starts_on), key=f"story-enroll-{number}"
    )
    await settle(stage, number, answer.content, _ON_THE_WAY)
    return answer


async def settle(
    stage: Stage, number: int, enrollment: dict[str, Any], passing: frozenset[str]
) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while enrollment["state"] in passing and time.monotonic() < deadline:
        enrollment = await stage.guardian(number).get(
            f"enrollment/v1/enrollments/{enrollment['id']}", wait=10.0, version=enrollment["version"]
        )
    stage.cast.enrollments[number] = enrollment
    return enrollment


async def run_funding(stage: Stage, until: str, *, key: str) -> dict[str, Any]:
    wanted = {"fund_id": stage.cast.funds["ahead"]["id"], "until": until}
    administrator = stage.administrator()
    run = (await administrator.post("wallet/v1/funding-runs", wanted, key=key)).content
    while run["state"] != "done":
        run = await administrator.get(
            f"wallet/v1/funding-runs/{run['id']}", wait=20.0, version=run["version"]
        )
    return run


def left_out(run: dict[str, Any], code: str) -> int:
    """How many children a funding run gave nothing for this reason."""
    return sum(reason["children"] for reason in run["left_out"] if reason["code"] == code)


def check_layers(stage: Stage, layers: list[dict[str, Any]], expected: list[int]) -> None:
    """Who pays, in the order in which it is spent: the district's fund first, then the foundation's."""
    funders = {fund["id"]: fund["funder"]["en"] for fund in stage.cast.funds.values()}
    for layer, amount in zip(layers, expected, strict=False):
        stage.check_money(f"paid by {funders[layer['fund_id']]}", layer["amount_tiyn"], amount)
    order = [stage.cast.funds[mode]["id"] for mode in ("ahead", "on_hold")][: len(expected)]
    stage.check(f"funds that pay: {len(layers)}", [layer["fund_id"] for layer in layers], order)


async def check_enrolled(stage: Stage, answer: Answer, layers: list[int]) -> None:
    found = await stage.events(
        answer,
        "enrollment.seat_requested",
        "clubs.seat_reserved",
        "enrollment.funding_requested",
        "wallet.funds_held",
        "enrollment.confirmed",
    )
    for held in (event.content for event in found if event.name == "wallet.funds_held"):
        stage.check_money("held for September", held["amount_tiyn"], sum(layers))
        check_layers(stage, held["layers"], layers)


async def pass_time(stage: Stage, to: str) -> None:
    await clock.move(stage.system, clock.parse(to))
    now = (await clock.now(stage.system)).astimezone(clock.CIVIL)
    stage.say(f"it is {now:%A, %d %B %Y, %H:%M}")
