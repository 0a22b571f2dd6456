"""Where seats and money suffice, the order in which things arrive decides nothing: the totals are the same.

The same commands on the same civil days, with everything in between as the dice fall.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from clubs.domain.lessons import Said
from clubs.usecases import disputes, lessons
from enrollment.usecases import enrolling
from rig.simulation.ledger import total
from rig.simulation.machines import Rates
from rig.simulation.people import People
from rig.simulation.town import Size, Town, found
from rig.simulation.world import World, quietly
from shared.clock import civil_date
from wallet.domain.accounts import Kind

PLENTY = Size(children=12, groups=5, seats=(50,), months=2, money=20, certain=True)
MARKED_AT = datetime(2026, 9, 29, 6, tzinfo=UTC)
DISPUTED_AT = datetime(2026, 10, 9, 6, tzinfo=UTC)
OVER = datetime(2026, 12, 20, tzinfo=UTC)
STEPS_BETWEEN = 25
CLUBS_MAX = 3
"""So many clubs a program pays at once."""


class Ample:
    """One town in which `script` says what people do, and `order` what becomes of it on the way."""

    def __init__(self, script: int, order: int | None) -> None:
        self.world = World(script, Rates())
        self._plan = Random(script)  # noqa: S311 - reproducible, not secret
        self._order = order
        self._town = Town()

    def totals(self) -> dict[str, Any]:
        """What there is at the end; with errors that were logged."""
        errors = quietly(self._live, self.world)
        return {"errors": errors, **self._enrollments(), **self._money()}

    def _live(self) -> None:
        self._town = found(self.world, PLENTY)
        if self._order is not None:
            self.world.dice.seed(self._order)
            self.world.begin_faults()
        pairs = [(child, group) for child in range(12) for group in self._plan.sample(range(5), CLUBS_MAX)]
        self._all(self._enroll, pairs)
        self.world.now = datetime(2026, 9, 12, 6, tzinfo=UTC)
        ending = [pair for pair in pairs if self._plan.random() < 0.2]
        self._all(self._end, [(pair, self._plan.choice((0, 10, 45))) for pair in ending])
        self.world.pass_time(MARKED_AT)
        self._again()
        self._all(self._mark, self._lessons())
        self.world.pass_time(DISPUTED_AT)
        self._again()
        self._all(self._dispute, [pair for pair in pairs if self._plan.random() < 0.3])
        self.world.drain()
        People(self.world, self._town, PLENTY).sign()
        self.world.pass_time(OVER)

    def _again(self) -> None:
        if self._order is not None:
            self.world.begin_faults()

    def _all(self, act: Callable[[Any], None], of: list[Any]) -> None:
        """In any order, while everything else goes on; and then until all is quiet."""
        if self._order is not None:
            of = self.world.dice.sample(of, len(of))
        for one in of:
            act(one)
            for _ in range(self.world.dice.randrange(STEPS_BETWEEN) if self._order is not None else 0):
                self.world.step()
        self.world.drain()
        self.world.pass_time(self.world.now + timedelta(minutes=1))

    def _insist(self, service: str, what: str, work: Any) -> None:  # noqa: ANN401 - of any use case
        """A person who gets no answer asks again."""
        while True:
            deaths = self.world.machines[service].crashes.get("before_commit", 0)
            self.world.ask(service, what, work)
            if self.world.machines[service].crashes.get("before_commit", 0) == deaths:
                return

    def _enroll(self, pair: tuple[int, int]) -> None:
        child, group_id = self._town.children[pair[0]], self._town.groups[pair[1]]
        day = civil_date(datetime(2026, 9, 1, 6, tzinfo=UTC))
        self._insist(
            "enrollment",
            "enroll",
            lambda tx: enrolling.enroll(
                tx, child.guardian, child_id=child.id, group_id=group_id, starts_on=day
            ),
        )

    def _of(self, pair: tuple[int, int]) -> UUID | None:
        wanted = self._town.children[pair[0]].id, self._town.groups[pair[1]]
        rows = self.world.machines["enrollment"].store.rows("enrollments").values()
        return next((one.id for one in rows if (one.child_id, one.group_id) == wanted), None)

    def _end(self, ending: tuple[tuple[int, int], int]) -> None:
        (pair, days), id_ = ending, self._of(ending[0])
        on = civil_date(self.world.now) + timedelta(days=days)
        by = self._town.children[pair[0]].guardian
        if id_ is not None:
            self._insist("enrollment", "end", lambda tx: enrolling.end(tx, by, id_, on))

    def _lessons(self) -> list[tuple[UUID, UUID, int]]:
        """Lessons of September that were held, with their group and a number that stands for them."""
        months = self.world.machines["clubs"].store.rows("group_months").values()
        found_ = [
            (one.id, planned.month.group_id)
            for planned in months
            for one in planned.month.lessons
            if one.meeting.starts_at < self.world.now
        ]
        return [(id_, group_id, number) for number, (id_, group_id) in enumerate(sorted(found_))]

    def _mark(self, lesson: tuple[UUID, UUID, int]) -> None:
        lesson_id, group_id, number = lesson
        clubs = self.world.machines["clubs"].store
        planned = clubs.rows("group_months")[clubs.rows("lessons")[lesson_id]]
        on = next(one.meeting.on for one in planned.month.lessons if one.id == lesson_id)
        places = [one.place for one in clubs.rows("seats").values() if one.group_id == group_id]
        there = {one.request.child_id for one in places if one.days and one.days[0] <= on < one.days[1]}
        said = [Said(child_id, (child_id.int + number) % 7 > 0) for child_id in sorted(there)]
        coach = self._town.worker(clubs.rows("groups")[group_id]["provider_id"], "coach")
        self._insist(
            "clubs",
            "report by coach",
            lambda tx: lessons.report(tx, coach, lesson_id, source="coach", children=said),
        )

    def _dispute(self, pair: tuple[int, int]) -> None:
        child, group_id = self._town.children[pair[0]], self._town.groups[pair[1]]
        lesson_id = next(id_ for id_, of, _ in self._lessons() if of == group_id)
        self._insist(
            "clubs",
            "dispute",
            lambda tx: disputes.open_dispute(tx, child.guardian, child_id=child.id, lesson_id=lesson_id),
        )

    def _enrollments(self) -> dict[str, Any]:
        numbers = {one.id: number for number, one in enumerate(self._town.children)}
        groups = {id_: number for number, id_ in enumerate(self._town.groups)}
        wallet = self.world.machines["wallet"].store.rows("months")
        found_ = {}
        for one in self.world.machines["enrollment"].store.rows("enrollments").values():
            months = {
                month: (answer.state, answer.captured_tiyn, answer.disputed_tiyn, answer.frozen)
                for (id_, month), answer in sorted(wallet.items())
                if id_ == one.id
            }
            asked = [(month.month, str(month.state)) for month in one.months]
            name = f"child {numbers[one.child_id]} in group {groups[one.group_id]}"
            found_[name] = (str(one.state), one.starts_on, one.ends_on, asked, months)
        return found_

    def _money(self) -> dict[str, Any]:
        store = self.world.machines["wallet"].store
        return {
            f"fund {number}: {kind}": (sums := total(store, kind, id_)).credited - sums.debited - sums.held
            for number, id_ in enumerate(self._town.funds)
            for kind in Kind
        }


def differences(script: int, order: int) -> list[str]:
    """What is otherwise than if everything had come at once and in order."""
    plain, mixed = Ample(script, None).totals(), Ample(script, order).totals()
    return [
        f"{name}: {mixed.get(name)}, in order {plain.get(name)}"
        for name in plain | mixed
        if plain.get(name) != mixed.get(name)
    ]
