"""What people ask for, at random and against the rules now and then: each a use case of a service."""

from collections.abc import Callable
from datetime import date, timedelta
from uuid import UUID

from clubs.domain.lessons import Reporter, Said
from clubs.domain.sheets import Outcome
from clubs.domain.statements import Statement
from clubs.usecases import disputes, groups, lessons, seats, statements
from enrollment.domain.enrollment import Enrollment, State
from enrollment.usecases import enrolling
from rig.simulation.plumbing import approve
from rig.simulation.seats import Seat
from rig.simulation.town import PRICE, Child, Size, Town, open_one, pay_in
from rig.simulation.world import World
from shared.database import Transaction
from wallet.repository.payout_runs import PROPOSED, PayoutRun
from wallet.usecases.payouts import PAYOUT_RUN, give_up_run, start_payout_run

RARELY = 0.03
CANCELS_OFFER = 0.15
ACCEPTS_OFFER = 0.75
LESSONS_AT_ONCE = 3


class People:
    """Everybody in the town."""

    def __init__(self, world: World, town: Town, size: Size) -> None:
        self._world = world
        self._town = town
        self._size = size
        self._dice = world.dice

    def _guardian_of(self, child_id: UUID) -> Child:
        return next(one for one in self._town.children if one.id == child_id)

    def act(self, *, enrolling_goes_on: bool) -> None:
        """Somebody does something."""
        acts: list[tuple[int, Callable[[], None]]] = [
            (34 if enrolling_goes_on else 0, self.enroll),
            (2, self.cancel),
            (1, self.end),
            (6, self.answer_offer),
            (6 if enrolling_goes_on else 16, self.mark),
            (3 if enrolling_goes_on else 12, self.confirm),
            (2 if enrolling_goes_on else 8, self.dispute),
            (2 if enrolling_goes_on else 6, self.close_dispute),
            (0 if enrolling_goes_on else 6, self.sign),
            (1, self.deposit),
            (0 if enrolling_goes_on else 8, self.pay_out),
        ]
        if self._dice.random() < RARELY:
            self._dice.choice((self.close_group, self._open_group))()
            return
        weights = [weight for weight, _ in acts]
        self._dice.choices([act for _, act in acts], weights)[0]()

    def enroll(self) -> None:
        child, group_id = self._dice.choice(self._town.children), self._dice.choice(self._town.groups)
        starts_on = max(self._world.today, date(2026, 9, 1)) + timedelta(days=self._dice.choice((0, 0, 1, 9)))

        async def enroll(tx: Transaction) -> Enrollment:
            return await enrolling.enroll(
                tx, child.guardian, child_id=child.id, group_id=group_id, starts_on=starts_on
            )

        accepted = self._world.ask("enrollment", "enroll", enroll)
        if accepted is not None:
            self._world.accepted.append(accepted.id)
            if self._dice.random() < 0.15:  # before anybody could answer, or soon after
                self._cancel(accepted)

    def _some_enrollment(self, *states: State) -> Enrollment | None:
        rows = self._world.machines["enrollment"].store.rows("enrollments").values()
        found = [one for one in rows if one.state in states]
        return self._dice.choice(found) if found else None

    def cancel(self) -> None:
        found = self._some_enrollment(*State)
        if found is not None:
            self._cancel(found)

    def _cancel(self, found: Enrollment) -> None:
        guardian = self._guardian_of(found.child_id).guardian
        self._world.ask("enrollment", "cancel", lambda tx: enrolling.cancel(tx, guardian, found.id))

    def end(self) -> None:
        found = self._some_enrollment(State.CONFIRMED, State.CONFIRMED, State.ENDED)
        if found is None:
            return
        on = self._world.today + timedelta(days=self._dice.choice((-1, 0, 1, 5, 20, 40)))
        guardian = self._guardian_of(found.child_id).guardian
        self._world.ask("enrollment", "end", lambda tx: enrolling.end(tx, guardian, found.id, on))

    def answer_offer(self) -> None:
        rows = self._world.machines["clubs"].store.rows("seats").values()
        found = [one.place for one in rows if one.place.offer is not None]
        if not found:
            return
        place = self._dice.choice([one for one in found if one.state == "offered"] or found)
        guardian = self._guardian_of(place.request.child_id).guardian
        if self._dice.random() < CANCELS_OFFER:
            self._world.ask("enrollment", "cancel", lambda tx: enrolling.cancel(tx, guardian, place.id))
            return
        answer = seats.accept_offer if self._dice.random() < ACCEPTS_OFFER else seats.decline_offer
        self._world.ask("clubs", answer.__name__, lambda tx: answer(tx, guardian, place.offer.id))

    def _lesson_held(self, days: int) -> tuple[UUID, UUID, list[Seat]] | None:
        """A lesson of the last days with its group, and who has or had a seat there."""
        clubs = self._world.machines["clubs"].store
        since = self._world.now - timedelta(days=days)
        held = [
            (planned.month.group_id, lesson)
            for planned in clubs.rows("group_months").values()
            for lesson in planned.month.lessons
            if since <= lesson.meeting.starts_at <= self._world.now
        ]
        if not held:
            return None
        group_id, lesson = self._dice.choice(held)
        seated = [
            one
            for one in clubs.rows("seats").values()
            if one.group_id == group_id
            and (days := one.place.days) is not None
            and days[0] <= lesson.meeting.on < days[1]
        ]
        return group_id, lesson.id, seated

    def mark(self) -> None:
        for _ in range(LESSONS_AT_ONCE):
            found = self._lesson_held(days=25)
            if found is not None:
                self._mark(found)

    def _mark(self, found: tuple[UUID, UUID, list[Seat]]) -> None:
        group_id, lesson_id, seated = found
        provider_id = self._world.machines["clubs"].store.rows("groups")[group_id]["provider_id"]
        source: Reporter = self._dice.choice(("coach", "coach", "device"))
        children = {one.place.request.child_id for one in seated if one.place.state != "offered"}
        said = [Said(child_id, self._dice.random() < 0.85) for child_id in sorted(children)]
        by = self._town.worker(provider_id, source)
        self._world.ask(
            "clubs",
            f"report by {source}",
            lambda tx: lessons.report(tx, by, lesson_id, source=source, children=said),
        )

    def confirm(self) -> None:
        found = self._lesson_held(days=25)
        if found is not None:
            for seat in found[2]:
                self._confirm(self._guardian_of(seat.place.request.child_id), found[1])

    def _confirm(self, child: Child, lesson_id: UUID) -> None:
        by = child.guardian
        self._world.ask("clubs", "confirm", lambda tx: lessons.confirm(tx, by, lesson_id, child.id))

    def dispute(self) -> None:
        found = self._lesson_held(days=90)
        if found is None or not found[2]:
            return
        child = self._guardian_of(self._dice.choice(found[2]).place.request.child_id)
        self._world.ask(
            "clubs",
            "dispute",
            lambda tx: disputes.open_dispute(tx, child.guardian, child_id=child.id, lesson_id=found[1]),
        )

    def close_dispute(self, *, for_good: bool = False) -> None:
        rows = self._world.machines["clubs"].store.rows("disputes").values()
        opened = [one for one in rows if one.state == "open"]
        if not opened:
            return
        dispute = self._dice.choice(opened)
        if not for_good and self._dice.random() < 0.3:
            guardian = self._guardian_of(dispute.child_id).guardian
            self._world.ask("clubs", "withdraw", lambda tx: disputes.withdraw(tx, guardian, dispute.id))
            return
        outcomes: tuple[Outcome, ...] = ("count", "do_not_count")
        said: Outcome = self._dice.choice(outcomes)
        by = self._town.administrator("1")
        self._world.ask(
            "clubs", "decide", lambda tx: disputes.decide(tx, by, dispute.id, outcome=said, reason="")
        )

    def sign(self) -> None:
        rows = self._world.machines["clubs"].store.rows("statements").values()
        for one in [one for one in rows if one.state == "ready"]:
            self._sign(one)

    def _sign(self, statement: Statement) -> None:
        by, version = self._town.worker(statement.provider_id, "director"), statement.version
        self._world.ask("clubs", "sign", lambda tx: statements.sign(tx, by, statement.id, version=version))

    def deposit(self) -> None:
        pay_in(self._world, self._town, self._town.funds[1], PRICE * self._dice.randint(1, 3))

    def _open_group(self) -> None:
        group_id = open_one(self._world, self._town, len(self._town.groups), 2, self._size)
        if group_id is not None:
            self._town.groups.append(group_id)

    def close_group(self) -> None:
        group_id = self._dice.choice(self._town.groups)
        provider_id = self._world.machines["clubs"].store.rows("groups")[group_id]["provider_id"]
        on = self._world.today + timedelta(days=self._dice.choice((0, 3, 15, 40)))
        by = self._town.worker(provider_id, "director")
        self._world.ask("clubs", "close group", lambda tx: groups.close_group(tx, by, group_id, on))

    def pay_out(self) -> None:
        by = self._town.administrator("1")
        runs = self._world.machines["wallet"].store.rows("runs").values()
        proposed = [one for one in runs if one.state == PROPOSED]
        if not proposed:
            fund_id = self._dice.choice(self._town.funds)
            self._world.ask("wallet", "payout run", lambda tx: start_payout_run(tx, by, fund_id))
        elif self._dice.random() < 0.8:
            self.approve(self._dice.choice(proposed))
        else:
            self._world.ask("wallet", "give up run", give_up_run)

    def approve(self, run: PayoutRun) -> None:
        """By a second administrator; what was proposed may have changed meanwhile."""
        second = self._town.administrator("2").person_id

        async def do(tx: Transaction) -> None:
            proposals = self._world.machines["wallet"].store.rows("proposals")
            await approve(tx, PAYOUT_RUN, proposals[run.proposal_id], second)

        self._world.ask("wallet", "approve run", do)
