"""A charged month priced again under other rules: by its frozen terms and facts, and nothing changes."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from rig.office import Sheet
from shared.database import new_id
from shared.edge import Edge
from shared.errors import ForbiddenError, InvalidError, NotFoundError
from shared.security import Grant, Principal
from shared.testing_http import ServedApi, signed_in
from wallet.domain.facts import Facts, LessonFacts, Said
from wallet.domain.holds import FrozenRules, Lesson, Terms
from wallet.domain.programs import Mrp, Rules
from wallet.domain.replaying import Replayed, replay
from wallet.repository.frozen import read_facts, read_terms, write_facts, write_terms
from wallet.repository.replays import only_read
from wallet.testing import PRICE, Deliver, World, asked
from wallet.usecases.replaying import Line, ReplayPlan, Totals, replay_month
from wallet.usecases.rules import NewRules

LESSON = PRICE // 4
STATE, FOUNDATION = UUID(int=1), UUID(int=2)
COACH, MOTHER = UUID(int=3), UUID(int=4)
AT = datetime(2026, 10, 5, 13, tzinfo=UTC)
EVIDENCE: dict[str, Any] = {"required": ["coach"], "one_of": ["guardian"], "silence_counts_after_days": None}
CHARGE: dict[str, Any] = {"formula": "counted_over_planned", "excused_is_paid": False, "due_on_day": 18}
WEEKLY = tuple(Lesson(UUID(int=100 + day), date(2026, 10, 1 + day)) for day in range(4))
FACTS = Facts(
    tuple(
        (
            lesson.lesson_id,
            LessonFacts(
                lesson.on,
                took_place=place != 3,
                statements=(
                    Said("coach", COACH, present=True, at=AT),
                    *((Said("guardian", MOTHER, present=True, at=AT),) * (place == 0)),
                ),
                decided="count" if place == 1 else None,
            ),
        )
        for place, lesson in enumerate(WEEKLY)
    ),
    guardians_until=AT,
    guardian_is_staff=False,
)
"""Confirmed; decided to count; said by the coach alone; did not take place."""


def terms(coefficient: int | None = 100) -> Terms:
    state = FrozenRules(STATE, 1, EVIDENCE, CHARGE, coefficient)
    return Terms(UUID(int=7), UUID(int=8), "chess", 1000, WEEKLY, WEEKLY[0].on, None, (state,))


def rules(**changes: Any) -> Rules:  # noqa: ANN401 - any field of the rules
    other = Rules(2, date(2026, 10, 1), frozenset(), 1000, 2, EVIDENCE, CHARGE)
    return replace(other, **changes)


def again(agreed: Terms, **changes: Any) -> Replayed:  # noqa: ANN401 - any field of the rules
    return replay(agreed, FACTS, STATE, rules(**changes), [Mrp(date(2026, 1, 1), 500)])


@pytest.mark.parametrize(
    ("changes", "replayed"),
    [
        ({}, Replayed(2, 500, None)),
        ({"evidence": EVIDENCE | {"one_of": []}}, Replayed(3, 750, None)),
        ({"charge": CHARGE | {"formula": "flat"}}, Replayed(2, 1000, None)),
        ({"directions": frozenset({"music"})}, Replayed(0, 0, "direction_not_paid")),
        ({"monthly_rate_tiyn": 999}, Replayed(0, 0, "price_above_rate")),
        ({"monthly_rate_mrp_thousandths": 2000}, Replayed(2, 500, None)),
        ({"monthly_rate_mrp_thousandths": 1999}, Replayed(0, 0, "price_above_rate")),
    ],
)
def test_a_month_costs_what_the_other_rules_say_of_the_same_facts(
    changes: dict[str, Any], replayed: Replayed
) -> None:
    assert again(terms(), **changes) == replayed


def test_the_rate_is_asked_with_the_coefficient_of_the_hold_if_that_was_kept() -> None:
    assert again(terms(150), monthly_rate_tiyn=667) == Replayed(2, 500, None)
    assert again(terms(150), monthly_rate_tiyn=666) == Replayed(0, 0, "price_above_rate")
    assert again(terms(None), monthly_rate_tiyn=1) == Replayed(2, 500, None)


def test_the_other_programs_that_pay_keep_their_rules() -> None:
    strict = FrozenRules(FOUNDATION, 5, EVIDENCE, CHARGE, 100)
    both = replace(terms(), rules=(*terms().rules, strict))
    assert again(both, evidence=EVIDENCE | {"one_of": []}) == Replayed(2, 500, None)
    assert again(both, charge=CHARGE | {"formula": "flat"}) == Replayed(2, 500, None)


def test_terms_and_facts_are_read_as_they_were_written() -> None:
    import orjson  # noqa: PLC0415 - as the driver decodes it

    assert read_facts(orjson.loads(write_facts(FACTS))) == FACTS
    assert read_terms(orjson.loads(write_terms(terms(150)))) == terms(150)
    older = orjson.loads(write_terms(terms(150)))
    del older["rules"][0]["coefficient_percent"]
    assert read_terms(older) == terms(None)


async def charged(world: World, deliver: Deliver, *absent: int) -> list[Sheet]:
    """October of as many children, with so many lessons missed."""
    sheets = [Sheet(asked(new_id(), new_id())) for _ in absent]
    await world.pay_in(world.on_hold, 10 * PRICE)
    await deliver(*(world.entitled(one.request.child_id) for one in sheets))
    await deliver(*(one.request for one in sheets))
    await deliver(*(one.closed(absent=missed) for one, missed in zip(sheets, absent, strict=True)))
    return sheets


async def lines_of(
    world: World, plan: dict[str, Any], *, who: Principal | None = None, limit: int = 100
) -> list[Line]:
    wanted = ReplayPlan.model_validate({"month": "2026-10"} | plan)
    async with world.edge.transaction() as tx:
        return await replay_month(
            tx,
            who or world.people[0],
            world.program_id,
            wanted,
            after=None,
            before=Totals(),
            limit=limit,
        )


FLAT = {"rules": {"monthly_rate_tiyn": PRICE, "charge": {"formula": "flat"}}}


async def test_a_month_is_replayed_by_its_own_version_to_the_same_amounts(
    world: World, deliver: Deliver
) -> None:
    await charged(world, deliver, 0, 1, 4)
    lines = await lines_of(world, {"version": 1})
    assert [line.replayed and line.replayed.cost_tiyn for line in lines] == [PRICE, 3 * LESSON, 0]
    assert lines[-1].so_far == Totals(3, 0, PRICE + 3 * LESSON, PRICE + 3 * LESSON)


async def test_a_month_is_replayed_by_rules_that_nobody_has_proposed_and_by_a_version_to_come(
    world: World, deliver: Deliver
) -> None:
    await charged(world, deliver, 0, 1, 4)
    expected = Totals(3, 0, PRICE + 3 * LESSON, 2 * PRICE)
    assert (await lines_of(world, FLAT))[-1].so_far == expected
    new = NewRules.model_validate(FLAT | {"valid_from": "2027-01-01"})
    await world.change_rules(new)
    assert (await lines_of(world, {"version": 2}))[-1].so_far == expected
    with pytest.raises(InvalidError, match="rules_version_unknown"):
        await lines_of(world, {"version": 3})


async def test_the_facts_of_the_latest_revision_count(world: World, deliver: Deliver) -> None:
    (sheet,) = await charged(world, deliver, 4)
    first, second = sheet.closed(absent=2), sheet.closed(absent=3)
    await deliver(first, second)
    await deliver(first)  # late, and a repetition
    (line,) = await lines_of(world, {"version": 1})
    assert (line.counting, line.month.cost_tiyn, line.replayed) == (1, LESSON, Replayed(1, LESSON, None))


async def test_a_month_whose_facts_were_not_kept_is_listed_and_not_summed_up(
    world: World, edge: Edge, deliver: Deliver
) -> None:
    sheets = await charged(world, deliver, 0, 1)
    async with edge.transaction() as tx:
        await (await tx.driver()).execute(
            "DELETE FROM month_facts WHERE enrollment_id = $1", sheets[0].request.enrollment_id
        )
    first, second = await lines_of(world, FLAT)
    assert (first.replayed, first.counting, first.month.cost_tiyn) == (None, 4, PRICE)
    assert second.so_far == Totals(2, 1, 3 * LESSON, PRICE)


async def test_a_replay_is_for_those_who_watch_the_region_or_the_program(world: World) -> None:
    for role in ("administrator", "auditor"):
        grant = Grant(role, "program", world.program_id)
        assert await lines_of(world, {"version": 1}, who=Principal(new_id(), frozenset({grant}))) == []
        stranger = Principal(new_id(), frozenset({Grant(role, "region", new_id())}))
        with pytest.raises(NotFoundError):
            await lines_of(world, {"version": 1}, who=stranger)
    with pytest.raises(ForbiddenError):
        await lines_of(world, {"version": 1}, who=Principal(new_id(), frozenset()))


async def test_the_database_itself_refuses_to_write_in_a_replay(edge: Edge) -> None:
    async with edge.transaction() as tx:
        await only_read(tx)
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await (await tx.driver()).execute("DELETE FROM month_facts")


async def test_a_replay_comes_in_pages_whose_last_has_the_total(
    api: ServedApi, world: World, deliver: Deliver
) -> None:
    auditor = new_id()
    await api.grant(auditor, "auditor", "region", world.region_id)
    await charged(world, deliver, 0, 1, 4)
    path, body = f"/v1/programs/{world.program_id}/replay", {"month": "2026-10"} | FLAT
    before = await api.count("operations")
    async with signed_in(api.url, api.issuer, auditor) as client:
        first = (await client.post(f"{path}?limit=2", json=body)).json()
        assert [line["replayed_tiyn"] for line in first["items"]] == [PRICE, PRICE]
        assert first["total"]["lines"] == 2
        next_page = f"{path}?limit=2&cursor={first['next']}"
        last = (await client.post(next_page, json=body)).json()
        assert [line["charged_tiyn"] for line in last["items"]] == [0]
        assert last["total"] == {
            "lines": 3,
            "unknown": 0,
            "charged_tiyn": PRICE + 3 * LESSON,
            "replayed_tiyn": 2 * PRICE,
        }
        assert last["next"] is None
        other = await client.post(next_page, json={"month": "2026-10", "version": 1})
        assert (other.status_code, other.json()["code"]) == (400, "cursor_invalid")
        neither = await client.post(path, json={"month": "2026-10"})
        assert (neither.status_code, neither.json()["code"]) == (422, "content_invalid")
    assert await api.count("operations") == before
