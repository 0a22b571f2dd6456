"""Thousands of children in groups, with a month of marks: what a closing of months needs, planted in bulk.

Groups are opened by their directors over HTTP. Children, guardians and entitlements are planted
(`rig/planted_people.py`), and requests for seats into enrollment's table and outbox; from there everything is
real: clubs keep the seats, the wallet holds the money, enrollment confirms, guardians are told. Reports and
marks are written straight into clubs' tables, as coaches, devices and guardians would have made them. What is
not as in life: nobody told `clubs.lesson_marked`.
"""

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from rig.planted_people import Connection, copy, plant_children, plant_entitlements
from rig.system import Person, System, sign_in
from shared.database import new_id
from shared.events.enrollment import SeatRequested
from shared.events.envelope import to_headers

MONTH = "2026-09"
STARTS_ON = date(2026, 9, 8)
"""The first day of every planted seat: the month's first lessons were before it, and are not paid."""
PRICE_TIYN = 1_000_001
"""Of a month: no number of lessons divides it."""
DIRECTORS = 10


class Pupil(NamedTuple):
    """A child with a seat in a group."""

    child_id: UUID
    enrollment_id: UUID
    guardian_id: UUID
    group_id: UUID


@dataclass(frozen=True)
class Planted:
    """Children whose month is closed at the same moment, and what a naive sum says it costs."""

    pupils: Sequence[Pupil]
    cost_tiyn: int

    @property
    def group_ids(self) -> list[UUID]:
        """In the order of their opening."""
        return list(dict.fromkeys(one.group_id for one in self.pupils))


async def open_groups(system: System, count: int, *, seats: int, ends_on: date) -> list[UUID]:
    """Groups that meet on Mondays and Tuesdays from September on, in turn with each of the directors."""
    opened = []
    for number in range(min(count, DIRECTORS)):
        director = await sign_in(system, f"director-{number + 1}")
        try:
            club_id = await _open_club(director)
            opened += [
                await _open_group(director, club_id, seats=seats, ends_on=ends_on)
                for _ in range(number, count, DIRECTORS)
            ]
        finally:
            await director.close()
    return opened


def _names(text: str) -> dict[str, str]:
    return {"kk": text, "ru": text, "en": text}


async def _open_club(director: Person) -> str:
    grants = (await director.get("enrollment", "/v1/me")).json()["grants"]
    provider_id = next(one["scope_id"] for one in grants if one["role"] == "director")
    club = {"provider_id": provider_id, "name": _names("Months"), "direction": "load"}
    return str((await director.post("clubs", "/v1/clubs", club)).raise_for_status().json()["id"])


async def _open_group(director: Person, club_id: str, *, seats: int, ends_on: date) -> UUID:
    group = {
        "club_id": club_id,
        "name": _names("Months"),
        "price_tiyn": PRICE_TIYN,
        "capacity": seats,
        "age_from": 0,
        "age_to": 18,
        "schedule": [{"weekday": day, "starts_at": "15:00", "ends_at": "16:00"} for day in (1, 2)],
        "starts_on": f"{MONTH}-01",
        "ends_on": ends_on.isoformat(),
    }
    return UUID((await director.post("clubs", "/v1/groups", group)).raise_for_status().json()["id"])


async def ask_for_seats(system: System, group_ids: Iterable[UUID], *, seats: int) -> list[Pupil]:
    """So many children a group, for each of whom a guardian asks; the program of the load pays."""
    pupils = [Pupil(new_id(), new_id(), new_id(), group_id) for group_id in group_ids for _ in range(seats)]
    async with system.database() as database, database.transaction():
        program_id = await database.fetchval("SELECT id FROM wallet.programs WHERE name ->> 'en' = 'Load'")
        now = await database.fetchval("SELECT clock_timestamp() + shift FROM development.clock")
        await plant_children(database, [(one.child_id, one.guardian_id) for one in pupils], now)
        await plant_entitlements(database, [one.child_id for one in pupils], program_id)
        await _plant_requests(database, pupils, now)
    return pupils


async def _plant_requests(database: Connection, pupils: Sequence[Pupil], now: datetime) -> None:
    rows = (
        {
            "id": one.enrollment_id,
            "child_id": one.child_id,
            "group_id": one.group_id,
            "requested_by": one.guardian_id,
            "requested_at": now,
            "state": "requested",
            "version": 1,
            "attempt": 1,
            "starts_on": STARTS_ON,
        }
        for one in pupils
    )
    told = (
        SeatRequested(
            child_id=one.child_id,
            enrollment_id=one.enrollment_id,
            group_id=one.group_id,
            attempt=1,
            starts_on=STARTS_ON,
            priority=0,
            requested_at=now,
        )
        for one in pupils
    )
    await copy(database, "enrollment", "enrollments", rows)
    await _tell(database, told, now)


async def _tell(database: Connection, events: Iterable[SeatRequested], now: datetime) -> None:
    """As `shared.outbox` does it."""
    rows = []
    for event in events:
        headers = to_headers(
            event, id_=new_id(), time=now, correlation_id=new_id(), causation_id=None, traceparent=None
        )
        value = event.model_dump_json().encode()
        rows.append({"topic": event.topic, "key": event.key, "headers": json.dumps(headers), "value": value})
    await copy(database, "enrollment", "outbox", rows)


async def hold_lessons(system: System, pupils: Sequence[Pupil]) -> Planted:
    """A month of reports and marks about pupils who have their seats."""
    dice = random.Random(4)  # noqa: S311 - no secret
    cost = 0
    async with system.database() as database, database.transaction():
        for number, group_id in enumerate(dict.fromkeys(one.group_id for one in pupils)):
            lessons = await database.fetch(
                "SELECT id, held_on, ends_at FROM clubs.lessons"
                " WHERE group_id = $1 AND month = $2 AND NOT canceled ORDER BY starts_at",
                group_id,
                MONTH,
            )
            whose = [one for one in pupils if one.group_id == group_id]
            counted = await _hold(database, lessons, whose, dice, with_device=number % 2 == 0)
            cost += sum(PRICE_TIYN * count // len(lessons) for count in counted.values())
    return Planted(pupils, cost)


async def _hold(
    database: Connection,
    lessons: Sequence[Mapping[str, Any]],
    pupils: Sequence[Pupil],
    dice: random.Random,
    *,
    with_device: bool,
) -> dict[Pupil, int]:
    """Write what is said of one group's month; how many lessons of each child count, by a rule of our own.

    The last lesson never took place. Whoever the coach saw, and no device missed, was there: guardians either
    say so or say nothing, which is as good.
    """
    coach_id, device_id = new_id(), new_id()
    reports: list[dict[str, object]] = []
    marks: list[dict[str, object]] = []
    counted = dict.fromkeys(pupils, 0)
    for lesson in lessons:
        took_place = lesson is not lessons[-1]
        said_of = {"lesson_id": lesson["id"], "at": lesson["ends_at"]}
        reports.append({**said_of, "source": "coach", "person_id": coach_id, "took_place": took_place})
        if not took_place or lesson["held_on"] < STARTS_ON:
            continue
        for pupil in pupils:
            words = draw_words(dice, with_device=with_device)
            counted[pupil] += words.get("coach", False) and words.get("device", True)
            people = {"coach": coach_id, "device": device_id, "guardian": pupil.guardian_id}
            whose = {"enrollment_id": pupil.enrollment_id, "child_id": pupil.child_id, "corrects": False}
            marks += [
                {**said_of, **whose, "source": source, "person_id": people[source], "present": present}
                for source, present in words.items()
            ]
    await copy(database, "clubs", "reports", reports)
    await copy(database, "clubs", "marks", marks)
    return counted


def draw_words(dice: random.Random, *, with_device: bool) -> dict[str, bool]:
    """Mostly there, and confirmed by the guardian; seldom absent, forgotten, or missed by the device."""
    chance = dice.random()
    if chance < 0.02:
        return {}
    words = {"coach": chance < 0.9}
    if with_device:
        words["device"] = words["coach"] and dice.random() < 0.99
    if words["coach"] and dice.random() < 0.6:
        words["guardian"] = True
    return words
