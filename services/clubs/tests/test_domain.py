"""The rules of clubs without any server: BINs, schedules, and seats against a naive model day by day."""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from clubs.domain.groups import (
    Group,
    GroupInvalidError,
    Names,
    Weekly,
    check_group,
    meetings,
    months_to_plan,
    next_planning,
)
from clubs.domain.places import Book, Request
from clubs.domain.providers import InvalidBinError, check_bin
from clubs.domain.seats import (
    Moment,
    OfferClosedError,
    Offered,
    Queued,
    Refused,
    Reserved,
    Withdrawn,
    accept,
    close,
    decline,
    end,
    lapse,
    leave,
    request_seat,
)
from shared.clock import civil_date

TODAY = date(2026, 9, 1)
NOW = datetime(2026, 9, 1, 9, tzinfo=UTC)
FIRST, LAST = date(2026, 9, 1), date(2026, 12, 31)


def number(value: int) -> UUID:
    return UUID(int=value)


def moment(now: datetime = NOW) -> Moment:
    ids = iter(range(10_000, 20_000))
    return Moment(now, lambda: number(next(ids)))


def wish(
    who: int, on: date = TODAY, *, priority: int = 0, attempt: int = 1, minute: int | None = None
) -> Request:
    asked = NOW + timedelta(minutes=who if minute is None else minute)
    return Request(number(who), number(1000 + who), attempt, on, priority, asked)


def empty(capacity: int = 1) -> Book:
    return Book(capacity=capacity, first_day=FIRST, last_day=LAST)


def filled(capacity: int, *requests: Request) -> Book:
    book = empty(capacity)
    for request in requests:
        book, _ = request_seat(book, request, moment())
    return book


GROUP = Group(
    id=number(1),
    club_id=number(2),
    provider_id=number(3),
    direction="robotics",
    name=Names("Робототехника", "Робототехника", "Robotics"),
    price_tiyn=1_500_000,
    capacity=12,
    age_from=7,
    age_to=11,
    schedule=(Weekly(1, time(15), time(16, 30)), Weekly(5, time(15), time(16, 30))),
    coaches=(number(4),),
    starts_on=date(2026, 9, 1),
    ends_on=date(2027, 5, 25),
)


def test_a_bin_of_an_organization_is_accepted() -> None:
    assert check_bin("240140001238") == "240140001238"


@pytest.mark.parametrize(
    "text",
    [
        "240140001237",
        "000000000000",
        "150901500010",  # a person's IIN
        "241340001238",
        "240140001238\n",
        "٢٤٠١٤٠٠٠١٢٣٨",
        "24014000123",
        "",
    ],
)
def test_what_is_not_a_bin_is_refused(text: str) -> None:
    with pytest.raises(InvalidBinError):
        check_bin(text)


def test_a_month_has_the_lessons_of_the_weekly_schedule_in_civil_time() -> None:
    september = meetings(GROUP, "2026-09")
    assert [meeting.on.day for meeting in september] == [4, 7, 11, 14, 18, 21, 25, 28]
    assert september[0].starts_at == datetime(2026, 9, 4, 10, tzinfo=UTC)
    assert september[0].ends_at == datetime(2026, 9, 4, 11, 30, tzinfo=UTC)


def test_no_lesson_falls_on_a_public_holiday_or_its_moved_day_off() -> None:
    october = [meeting.on for meeting in meetings(GROUP, "2026-10")]
    assert date(2026, 10, 26) not in october  # Republic Day is a Sunday; the Monday after it is off
    assert date(2026, 10, 19) in october
    assert date(2027, 1, 1) not in [meeting.on for meeting in meetings(GROUP, "2027-01")]


def test_lessons_stay_within_the_days_of_the_group() -> None:
    short = replace(GROUP, starts_on=date(2026, 9, 5), ends_on=date(2026, 9, 14))
    assert [meeting.on.day for meeting in meetings(short, "2026-09")] == [7, 11, 14]


def test_three_months_ahead_are_planned_and_the_next_one_with_the_next_month() -> None:
    assert months_to_plan(GROUP, today=TODAY) == ("2026-09", "2026-10", "2026-11", "2026-12")
    assert months_to_plan(GROUP, today=date(2026, 10, 1)) == ("2026-10", "2026-11", "2026-12", "2027-01")
    due = next_planning(GROUP, today=TODAY)
    assert due is not None
    assert civil_date(due) == date(2026, 10, 1)


def test_planning_stops_with_the_group() -> None:
    assert next_planning(GROUP, today=date(2027, 2, 1)) is None
    assert months_to_plan(GROUP, today=date(2027, 4, 1)) == ("2027-04", "2027-05")


def test_a_group_that_starts_far_off_is_planned_from_its_start() -> None:
    assert months_to_plan(GROUP, today=date(2026, 1, 10))[0] == "2026-09"


@pytest.mark.parametrize(
    ("code", "group"),
    [
        ("ages_reversed", replace(GROUP, age_from=12)),
        ("dates_reversed", replace(GROUP, ends_on=date(2026, 8, 31))),
        ("group_in_past", replace(GROUP, starts_on=date(2026, 8, 1), ends_on=date(2026, 8, 31))),
        ("group_too_long", replace(GROUP, ends_on=date(2029, 9, 1))),
        ("coach_unknown", replace(GROUP, coaches=(number(5),))),
        ("lesson_length", replace(GROUP, schedule=(Weekly(1, time(15), time(15, 10)),))),
        ("lesson_length", replace(GROUP, schedule=(Weekly(1, time(15), time(14)),))),
        (
            "lessons_overlap",
            replace(GROUP, schedule=(Weekly(1, time(15), time(17)), Weekly(1, time(16), time(18)))),
        ),
    ],
)
def test_a_group_that_cannot_be_held_is_refused(code: str, group: Group) -> None:
    with pytest.raises(GroupInvalidError) as error:
        check_group(group, today=TODAY, coaches=frozenset({number(4)}))
    assert error.value.stable_code == code


def test_lessons_may_follow_each_other_at_once() -> None:
    group = replace(GROUP, schedule=(Weekly(1, time(15), time(16)), Weekly(1, time(16), time(17))))
    check_group(group, today=TODAY, coaches=frozenset({number(4)}))


def test_a_free_seat_is_reserved_from_the_wished_day_to_the_end() -> None:
    book, news = request_seat(empty(), wish(1, date(2026, 9, 10)), moment())
    place = book.places[number(1)]
    assert news == (Reserved(place),)
    assert place.days == (date(2026, 9, 10), date(2027, 1, 1))


def test_the_next_child_waits_and_sees_its_place() -> None:
    book = filled(1, wish(1), wish(2), wish(3))
    _, news = request_seat(book, wish(4, priority=5), moment())
    assert isinstance(news[0], Queued)
    assert news[0].number == 1
    assert book.number(book.places[number(3)]) == 2


def test_the_next_seat_is_for_the_highest_priority_then_for_who_asked_first_however_late_heard() -> None:
    heard = [
        wish(9, minute=1),
        wish(2, minute=30),
        wish(5, minute=10),
        wish(7, minute=20),
        wish(4, priority=1),
    ]
    book = filled(1, *heard)
    assert [id_ for *_, id_ in book.queue] == [number(4), number(5), number(7), number(2)]
    _, news = leave(book, number(9), moment())
    assert [item.place.id for item in news] == [number(4)]


def test_a_seat_that_is_taken_later_is_not_free_before() -> None:
    book = filled(1, wish(1, date(2026, 11, 1)))
    _, news = request_seat(book, wish(2, date(2026, 9, 1)), moment())
    assert isinstance(news[0], Queued)


def test_the_same_request_again_gives_the_same_answer_and_nothing_new() -> None:
    for request in (wish(1), wish(2), wish(3, date(2027, 3, 1))):
        book = filled(1, wish(1), wish(2), wish(3, date(2027, 3, 1)))
        again, news = request_seat(book, request, moment())
        assert again is book
        assert len(news) == 1


def test_a_later_attempt_is_judged_afresh() -> None:
    book, news = request_seat(empty(), wish(1, date(2027, 3, 1)), moment())
    assert isinstance(news[0], Refused)
    assert news[0].place.code == "starts_outside_group"
    book, news = request_seat(book, wish(1, attempt=2), moment())
    assert isinstance(news[0], Reserved)
    assert news[0].place.version == 2


def test_a_closed_or_ended_group_takes_nobody() -> None:
    for book, now in ((replace(empty(), closed=True), NOW), (empty(), datetime(2027, 1, 1, tzinfo=UTC))):
        _, news = request_seat(book, wish(1), moment(now))
        assert isinstance(news[0], Refused)
        assert news[0].place.code == "group_closed"


def test_a_seat_of_a_canceled_enrollment_is_offered_to_the_next_from_today() -> None:
    book = filled(1, wish(1), wish(2), wish(3))
    later = NOW + timedelta(days=10)
    book, news = leave(book, number(1), moment(later))
    assert [type(item) for item in news] == [Offered]
    place = book.places[number(2)]
    assert place.starts_on == date(2026, 9, 11)
    assert place.offer is not None
    assert place.offer.until == later + timedelta(hours=48)


def test_a_seat_that_ends_on_a_day_is_offered_from_that_day_or_the_wished_one() -> None:
    for wished, starts in ((TODAY, date(2026, 10, 1)), (date(2026, 10, 20), date(2026, 10, 20))):
        book = filled(1, wish(1), wish(2, wished))
        book, news = end(book, number(1), date(2026, 10, 1), moment())
        assert isinstance(news[0], Offered)
        assert book.places[number(2)].starts_on == starts


def test_who_asks_for_a_seat_that_is_free_only_later_is_queued_and_offered_it_at_once() -> None:
    book, _ = end(filled(1, wish(1)), number(1), date(2026, 10, 1), moment())
    book, news = request_seat(book, wish(2), moment())
    assert [type(item) for item in news] == [Queued, Offered]
    assert book.places[number(2)].starts_on == date(2026, 10, 1)


def test_a_second_end_may_only_be_earlier() -> None:
    book, _ = end(filled(1, wish(1)), number(1), date(2026, 10, 1), moment())
    same, _ = end(book, number(1), date(2026, 11, 1), moment())
    assert same is book
    book, _ = end(book, number(1), date(2026, 9, 15), moment())
    assert book.places[number(1)].ends_before == date(2026, 9, 15)


def test_an_accepted_offer_is_a_seat_and_accepting_twice_changes_nothing() -> None:
    book, _ = leave(filled(1, wish(1), wish(2)), number(1), moment())
    place = book.places[number(2)]
    assert place.offer is not None
    book, news = accept(book, number(2), place.offer.id, moment(NOW + timedelta(hours=30)))
    assert isinstance(news[0], Reserved)
    assert book.places[number(2)].starts_on == date(2026, 9, 2)  # never in the past
    assert accept(book, number(2), place.offer.id, moment()) == (book, ())
    with pytest.raises(OfferClosedError, match="offer_accepted"):
        decline(book, number(2), place.offer.id, moment())


def test_a_declined_or_lapsed_offer_goes_to_the_next() -> None:
    for answer, code in ((decline, "offer_declined"), (lapse, "offer_lapsed")):
        book, _ = leave(filled(1, wish(1), wish(2), wish(3)), number(1), moment())
        offer = book.places[number(2)].offer
        assert offer is not None
        book, news = answer(book, number(2), offer.id, moment(NOW + timedelta(hours=47, minutes=59)))
        if answer is lapse:
            assert news == ()  # too early
            book, news = lapse(book, number(2), offer.id, moment(NOW + timedelta(hours=48)))
        assert [type(item) for item in news] == [Refused, Offered]
        assert book.places[number(2)].code == code
        with pytest.raises(OfferClosedError, match=code):
            accept(book, number(2), offer.id, moment())


def test_an_offer_cannot_be_accepted_after_its_time_even_if_nobody_noticed_yet() -> None:
    book, _ = leave(filled(1, wish(1), wish(2)), number(1), moment())
    offer = book.places[number(2)].offer
    assert offer is not None
    with pytest.raises(OfferClosedError, match="offer_lapsed"):
        accept(book, number(2), offer.id, moment(offer.until))


def test_a_lapse_that_comes_after_the_answer_is_obsolete() -> None:
    book, _ = leave(filled(1, wish(1), wish(2)), number(1), moment())
    offer = book.places[number(2)].offer
    assert offer is not None
    book, _ = accept(book, number(2), offer.id, moment())
    assert lapse(book, number(2), offer.id, moment(offer.until)) == (book, ())


def test_who_leaves_the_queue_lets_the_others_move_up() -> None:
    book = filled(1, wish(1), wish(2), wish(3))
    book, news = leave(book, number(2), moment())
    assert news == ()
    assert book.places[number(2)].code == "queue_left"
    assert book.number(book.places[number(3)]) == 1


def test_a_closing_group_withdraws_its_seats_and_refuses_its_queue() -> None:
    book = filled(2, wish(1), wish(2), wish(3))
    book, _ = end(book, number(2), date(2026, 10, 1), moment())  # offered to 3 from then on
    book, _ = request_seat(book, wish(4), moment())
    book, news = close(book, date(2026, 11, 1))
    assert [type(item) for item in news] == [Withdrawn, Refused, Refused]
    assert book.places[number(1)].days == (FIRST, date(2026, 11, 1))
    assert book.places[number(2)].days == (FIRST, date(2026, 10, 1))
    assert book.free_from() is None
    again, news = close(book, date(2026, 11, 1))
    assert (news, again.last_day) == ((), date(2026, 10, 31))


@dataclass
class Naive:
    """The rules of seats, as slowly and plainly as possible: a list of people and a count for each day."""

    capacity: int
    last: date
    closed: bool = False
    asked: dict[int, tuple[int, datetime, date]] = field(default_factory=dict)
    state: dict[int, str] = field(default_factory=dict)
    days: dict[int, list[date]] = field(default_factory=dict)
    until: dict[int, datetime] = field(default_factory=dict)

    def free(self, day: date) -> bool:
        return sum(day in days for days in self.days.values()) < self.capacity

    def rest(self, since: date) -> list[date]:
        return [since + timedelta(days=n) for n in range((self.last - since).days + 1)]

    def ask(self, who: int, on: date, priority: int, now: datetime) -> None:
        self.asked[who] = (priority, now, on)
        if self.closed or civil_date(now) > self.last or not FIRST <= on <= self.last:
            self.state[who] = "ended"
        elif "waiting" not in self.state.values() and all(map(self.free, self.rest(on))):
            self.state[who], self.days[who] = "reserved", self.rest(on)
        else:
            self.state[who] = "waiting"
            self.serve(now)

    def serve(self, now: datetime) -> None:
        waiting = [who for who, state in self.state.items() if state == "waiting"]
        for who in sorted(waiting, key=lambda who: (-self.asked[who][0], self.asked[who][1], who)):
            earliest = max(civil_date(now), self.asked[who][2])
            possible = [day for day in self.rest(earliest) if all(map(self.free, self.rest(day)))]
            if self.closed or not possible:
                return
            self.state[who], self.days[who] = "offered", self.rest(possible[0])
            self.until[who] = now + timedelta(hours=48)

    def drop(self, who: int, state: str, now: datetime, until: date = date.min) -> None:
        self.state[who] = state
        self.days[who] = [day for day in self.days.get(who, []) if day < until]
        self.serve(now)


class SeatsMachine(RuleBasedStateMachine):
    """Whatever happens, in whatever order, the book and the naive model say the same (invariant 11)."""

    def __init__(self) -> None:
        super().__init__()
        self.book = Book(capacity=2, first_day=FIRST, last_day=FIRST + timedelta(days=20))
        self.naive = Naive(2, FIRST + timedelta(days=20))
        self.now = NOW
        self.people = 0
        self.offers = 0

    @initialize(days=st.lists(st.integers(0, 20), max_size=5))
    def fill(self, days: list[int]) -> None:
        """Start where it gets interesting: all seats taken, and some wait."""
        for day in (0, 0, 0, *days):
            self.ask(day, 0)

    def moment(self) -> Moment:
        return Moment(self.now, self.new_id)

    def new_id(self) -> UUID:
        self.offers += 1
        return number(100_000 + self.offers)

    def some(self, chosen: int, *states: str) -> int | None:
        matching = [who for who, state in self.naive.state.items() if state in states]
        return matching[chosen % len(matching)] if matching else None

    def offer_of(self, who: int) -> UUID:
        offer = self.book.places[number(who)].offer
        assert offer is not None
        assert offer.until == min(self.naive.until[who], datetime(2026, 9, 21, 19, tzinfo=UTC))
        return offer.id

    @rule(day=st.integers(-1, 22), priority=st.integers(0, 2))
    def ask_for(self, day: int, priority: int) -> None:
        self.ask(day, priority)

    def ask(self, day: int, priority: int) -> None:
        self.people += 1
        on = FIRST + timedelta(days=day)
        request = Request(number(self.people), number(0), 1, on, priority, self.now)
        self.book, _ = request_seat(self.book, request, self.moment())
        self.naive.ask(self.people, on, priority, self.now)

    @rule(chosen=st.integers(0, 99))
    def ask_again(self, chosen: int) -> None:
        who = self.some(chosen, "waiting", "offered", "reserved", "freed", "ended")
        if who is not None:
            before = self.book
            self.book, _ = request_seat(before, before.places[number(who)].request, self.moment())
            assert self.book is before

    @rule(hours=st.sampled_from([1, 24, 48]))
    def wait(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule(chosen=st.integers(0, 99))
    def leave(self, chosen: int) -> None:
        who = self.some(chosen, "waiting", "offered", "reserved", "freed")
        if who is not None:
            seat = self.naive.state[who] in ("reserved", "freed")
            self.book, _ = leave(self.book, number(who), self.moment())
            self.naive.drop(who, "freed" if seat else "ended", self.now)

    @precondition(lambda self: self.some(0, "reserved") is not None)
    @rule(chosen=st.integers(0, 99), day=st.integers(0, 22))
    def end(self, chosen: int, day: int) -> None:
        who = self.some(chosen, "reserved")
        if who is not None:
            on = FIRST + timedelta(days=day)
            self.book, _ = end(self.book, number(who), on, self.moment())
            if on <= self.naive.days[who][-1]:
                self.naive.drop(who, "freed", self.now, on)

    @precondition(lambda self: self.some(0, "offered") is not None)
    @rule(chosen=st.integers(0, 99))
    def accept(self, chosen: int) -> None:
        who = self.some(chosen, "offered")
        if who is None:
            return
        offer = self.offer_of(who)
        try:
            self.book, _ = accept(self.book, number(who), offer, self.moment())
        except OfferClosedError:
            assert self.now >= self.naive.until[who] or civil_date(self.now) > self.naive.last
        else:
            self.naive.state[who] = "reserved"
            self.naive.days[who] = [day for day in self.naive.days[who] if day >= civil_date(self.now)]

    @precondition(lambda self: self.some(0, "offered") is not None)
    @rule(chosen=st.integers(0, 99))
    def lapse_or_decline(self, chosen: int) -> None:
        who = self.some(chosen, "offered")
        if who is None:
            return
        over = self.now >= min(self.naive.until[who], datetime(2026, 9, 21, 19, tzinfo=UTC))
        answer = lapse if over else decline
        self.book, _ = answer(self.book, number(who), self.offer_of(who), self.moment())
        self.naive.drop(who, "ended", self.now)

    @precondition(lambda self: self.people > 12 and not self.naive.closed)
    @rule(day=st.integers(0, 22))
    def close(self, day: int) -> None:
        on = FIRST + timedelta(days=day)
        self.book, _ = close(self.book, on)
        self.naive.closed = True
        for who, state in list(self.naive.state.items()):
            if state in ("waiting", "offered"):
                self.naive.drop(who, "ended", self.now)
            elif state in ("reserved", "freed") and any(day >= on for day in self.naive.days[who]):
                self.naive.drop(who, "freed", self.now, on)
        self.naive.last = min(self.naive.last, on - timedelta(days=1))

    @invariant()
    def both_say_the_same(self) -> None:
        for who, state in self.naive.state.items():
            place = self.book.places[number(who)]
            days = self.naive.days.get(who, [])
            assert place.state == state
            assert place.days == ((days[0], days[-1] + timedelta(days=1)) if days else None)

    @invariant()
    def no_day_has_more_children_than_seats(self) -> None:
        every = [place.days for place in self.book.places.values() if place.days]
        for day in self.naive.rest(FIRST):
            assert sum(since <= day < before for since, before in every) <= self.book.capacity

    @invariant()
    def nobody_waits_while_a_seat_is_free(self) -> None:
        free_from = self.book.free_from()
        if self.book.queue and free_from is not None:
            assert civil_date(self.now) > self.book.last_day


TestSeatsMachine = SeatsMachine.TestCase
TestSeatsMachine.settings = settings(max_examples=200, stateful_step_count=40)
