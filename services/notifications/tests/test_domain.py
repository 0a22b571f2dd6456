"""The rules of who is told what and when, and that every text is there in every language. No servers."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from importlib import resources
from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from notifications import texts
from notifications.domain.bills import Bill, Charge, Item
from notifications.domain.kinds import BESIDE, TOPICS, Kind
from notifications.domain.news import EnrollmentSeen, MonthMoney, News, is_still_news
from notifications.domain.reaching import (
    ATTEMPTS_MAX,
    CHANNELS,
    Copy,
    Preferences,
    QuietHours,
    Recipient,
    email_address,
    pause_after,
    phone_number,
    tell,
)
from shared.clock import CIVIL, civil_moment
from shared.errors import InvalidError
from shared.texts import LANGUAGES, LanguageCode

NOON = civil_moment(date(2026, 9, 7), time(12))
LATER = NOON + timedelta(minutes=1)
GROUP = {"kk": "Робототехника тобы", "ru": "Группа робототехники", "en": "Robotics"}
VALUES: Mapping[str, Any] = {
    "group": GROUP,
    "provider": GROUP,
    "fund": GROUP,
    "months": ["2026-09", "2026-10"],
    "ahead": 2,
    "starts_on": "2026-09-10",
    "until": "2026-09-09T09:00:00+00:00",
    "on": "2026-10-01",
    "grace_ends_on": "2026-10-10",
    "month": "2026-10",
    "missing_tiyn": 450_000,
    "amount_tiyn": 1_442_307,
    "before_tiyn": 1_875_000,
    "disputed_tiyn": 144_231,
    "uncovered_tiyn": 5,
    "counted": 10,
    "planned": 13,
    "items": 3,
    "code": "no_money",
    "ended_code": "no_money",
    "charge_code": "no_money",
    "bank_code": "account_closed",
}


def news(kind: Kind, at: datetime = NOON, **values: object) -> News:
    return News(uuid4(), kind, at, uuid4(), uuid4(), uuid4(), values=values)


def person(*reachable: Any, **preferences: Any) -> Recipient:  # noqa: ANN401 - whatever Preferences takes
    return Recipient(uuid4(), frozenset(reachable), Preferences(**preferences))


# Who is told, and when.


def test_every_guardian_is_told_in_the_inbox_even_without_contacts() -> None:
    told = tell(news(Kind.CONFIRMED), [person(), person()], NOON)
    assert [one.copies for one in told] == [(), ()]


def test_a_copy_leaves_through_each_channel_that_has_a_contact_and_is_wanted_for_the_topic() -> None:
    only_sms_about_money = dict.fromkeys(TOPICS, frozenset(CHANNELS)) | {"money": frozenset({"sms"})}
    reached = person("email", "sms", topics=only_sms_about_money)
    assert tell(news(Kind.MONTH_UNFUNDED), [reached], NOON)[0].copies == (Copy("sms", NOON),)
    assert tell(news(Kind.CONFIRMED), [reached], NOON)[0].copies == (Copy("email", NOON), Copy("sms", NOON))
    assert tell(news(Kind.CONFIRMED), [person("email")], NOON)[0].copies == (Copy("email", NOON),)


@pytest.mark.parametrize(
    ("hours", "at", "leaves_at"),
    [
        (QuietHours(), datetime(2026, 9, 7, 20, 59, 59, tzinfo=CIVIL), None),
        (QuietHours(), datetime(2026, 9, 7, 21, tzinfo=CIVIL), datetime(2026, 9, 8, 8, tzinfo=CIVIL)),
        (QuietHours(), datetime(2026, 9, 8, 3, tzinfo=CIVIL), datetime(2026, 9, 8, 8, tzinfo=CIVIL)),
        (QuietHours(), datetime(2026, 9, 8, 8, tzinfo=CIVIL), None),
        (QuietHours(), datetime(2026, 12, 31, 23, tzinfo=CIVIL), datetime(2027, 1, 1, 8, tzinfo=CIVIL)),
        (
            QuietHours(time(13), time(14)),
            datetime(2026, 9, 7, 13, 30, tzinfo=CIVIL),
            datetime(2026, 9, 7, 14, tzinfo=CIVIL),
        ),
        (QuietHours(time(8), time(8)), datetime(2026, 9, 7, 8, tzinfo=CIVIL), None),
    ],
)
def test_quiet_hours_are_civil_hours(hours: QuietHours, at: datetime, leaves_at: datetime | None) -> None:
    moment = at.astimezone(UTC)
    assert hours.over(moment) == (leaves_at.astimezone(UTC) if leaves_at else moment)


@given(
    st.times(),
    st.times(),
    st.integers(0, 7 * 24 * 3600).map(lambda seconds: NOON + timedelta(seconds=seconds)),
)
def test_after_the_quiet_hours_it_is_not_quiet_and_within_a_day(
    starts_at: time, ends_at: time, moment: datetime
) -> None:
    hours = QuietHours(starts_at, ends_at)
    leaves_at = hours.over(moment)
    assert moment <= leaves_at <= moment + timedelta(days=1)
    assert hours.over(leaves_at) == leaves_at


# What is news.


def test_the_first_that_is_heard_of_an_enrollment_is_news() -> None:
    assert is_still_news(news(Kind.CONFIRMED), None, NOON)


def test_news_that_are_older_than_what_was_told_are_not_told() -> None:
    canceled = EnrollmentSeen(Kind.CANCELED, LATER)
    assert not is_still_news(news(Kind.SEAT_QUEUED, NOON), canceled, LATER)
    assert is_still_news(news(Kind.CANCELED, LATER), EnrollmentSeen(Kind.SEAT_QUEUED, NOON), LATER)


@pytest.mark.parametrize("over", [Kind.REJECTED, Kind.REJECTED_SHORT, Kind.CANCELED, Kind.ENDED])
def test_a_rejection_is_told_once_though_two_services_tell_of_it(over: Kind) -> None:
    assert not is_still_news(
        news(Kind.REJECTED, LATER, code="group_closed"), EnrollmentSeen(over, NOON), LATER
    )


def test_who_left_the_queue_is_not_told_that_the_place_is_gone() -> None:
    assert not is_still_news(news(Kind.REJECTED, NOON, code="queue_left"), None, NOON)


def test_an_offer_that_has_lapsed_meanwhile_is_not_told() -> None:
    offer = news(Kind.SEAT_OFFERED, NOON, until=LATER.isoformat())
    assert is_still_news(offer, None, NOON)
    assert not is_still_news(offer, None, LATER)


def test_the_money_of_a_month_is_news_only_after_there_was_none() -> None:
    state, told = MonthMoney().funded(NOON)
    assert not told
    state, told = MonthMoney().unfunded(NOON, 500)
    assert told
    state, told = state.unfunded(NOON, 500)
    assert not told, "asked again, declined again: the same"
    state, told = state.unfunded(NOON, 300)
    assert told, "another amount is missing"
    state, told = state.funded(LATER)
    assert told
    assert not state.funded(LATER)[1]


def test_the_older_of_two_answers_about_a_month_never_speaks_last() -> None:
    funded, _ = MonthMoney().funded(LATER)
    assert funded.unfunded(NOON, 500) == (funded, False)
    unfunded, _ = MonthMoney().unfunded(LATER, 500)
    assert unfunded.funded(NOON) == (unfunded, False)


# What a charged month costs.


def charge(revision: int, amount_tiyn: int, *, frozen: bool = False, code: str | None = None) -> Charge:
    return Charge(revision, amount_tiyn, counted=1 if amount_tiyn else 0, frozen=frozen, code=code)


def told(*heard: Charge | Item) -> list[Kind | None]:
    bill, kinds = Bill(), []
    for one in heard:
        bill, kind = bill.hear(one)
        kinds.append(kind)
    return kinds


def test_a_month_is_told_when_it_is_charged_first_and_whenever_the_amount_changes() -> None:
    again = [charge(1, 500), charge(1, 500), charge(2, 500), charge(3, 400), charge(2, 500), charge(4, 0)]
    changed = Kind.MONTH_RECHARGED
    assert told(*again) == [Kind.MONTH_CHARGED, None, None, changed, None, changed]


@pytest.mark.parametrize(
    ("first", "kind"),
    [
        (charge(1, 0), Kind.MONTH_FREE),
        (charge(1, 0, code="no_money"), Kind.MONTH_UNPAID),
        (charge(1, 0, code="rejected"), None),
        (charge(1, 0, code="canceled"), None),
        (charge(1, 0, code="ended"), None),
        (Charge(1, 0, counted=3, frozen=False, code=None), Kind.MONTH_CHARGED),
        (charge(4, 500), Kind.MONTH_CHARGED),
    ],
)
def test_the_first_word_on_a_charge_says_why_it_is_nothing_unless_that_was_told(
    first: Charge, kind: Kind | None
) -> None:
    assert told(first) == [kind]


def test_a_month_that_several_funds_pay_is_stopped_once_and_its_items_say_so() -> None:
    frozen = charge(2, 500, frozen=True)
    assert told(charge(1, 500), frozen, Item.FROZEN, Item.FROZEN)[1:] == [None, Kind.PAYMENT_STOPPED, None]
    mixed = told(charge(1, 500), charge(2, 500, frozen=True), Item.FROZEN, Item.CLAIMED, Item.CLAIMED)
    assert mixed[2:] == [Kind.PAYMENT_STOPPED, Kind.CLAIM_OPENED, None]


@pytest.mark.parametrize("amount_tiyn", [500, 400])
def test_the_end_of_a_stop_is_told_once_with_what_it_amounts_to_now(amount_tiyn: int) -> None:
    expected = Kind.PAYMENT_RESUMED if amount_tiyn == 500 else Kind.MONTH_RECHARGED
    over = charge(3, amount_tiyn)
    kinds = told(charge(1, 500), charge(2, 500, frozen=True), Item.FROZEN, over, over)
    assert kinds[3:] == [expected, None]


def test_a_second_dispute_after_the_first_was_decided_is_told_anew() -> None:
    first: list[Charge | Item] = [
        charge(2, 500, frozen=True),
        Item.FROZEN,
        Item.CLAIMED,
        charge(3, 500),
    ]
    again = told(charge(1, 500), *first, charge(4, 500, frozen=True), Item.FROZEN, Item.CLAIMED)
    assert again[-2:] == [Kind.PAYMENT_STOPPED, Kind.CLAIM_OPENED]


def test_what_is_heard_all_over_again_is_no_news_and_changes_nothing() -> None:
    frozen: list[Charge | Item] = [charge(2, 500, frozen=True), Item.FROZEN, Item.CLAIMED]
    story = [charge(1, 500), *frozen, charge(3, 400)]
    once = Bill()
    for one in story:
        once, _ = once.hear(one)
    again = [once.hear(one) for one in story]
    assert again == [(once, None)] * len(story)


@pytest.mark.parametrize("kind", sorted(BESIDE))
def test_what_was_charged_or_disputed_is_told_whatever_became_of_the_enrollment(kind: Kind) -> None:
    assert is_still_news(news(kind, NOON), EnrollmentSeen(Kind.ENDED, LATER), LATER)


# Deliveries that fail, and contacts.


def test_pauses_grow_and_attempts_are_bounded() -> None:
    pauses = [pause_after(attempts) for attempts in range(1, ATTEMPTS_MAX + 1)]
    assert pauses[-1] is None
    growing = [pause for pause in pauses if pause is not None]
    assert len(growing) == ATTEMPTS_MAX - 1
    assert growing == sorted(growing)
    assert timedelta(hours=12) < sum(growing, timedelta()) < timedelta(days=1)


@pytest.mark.parametrize(
    "address", ["aigerim@example.kz", "a.b+c@sub.example.kz", f"{'a' * 64}@example.kz", "A@Example.KZ"]
)
def test_a_plain_address_is_taken(address: str) -> None:
    local, _, domain = address.partition("@")
    assert email_address(address) == f"{local}@{domain.lower()}"


@pytest.mark.parametrize(
    "address",
    [
        "", "a", "@b.kz", "a@", "a@b", "a b@c.kz", "a@b.kz\n", "a\r\nBcc: x@y.kz", "а@б.қаз", "a@b..kz",
        ".a@b.kz", "a@-b.kz", f"{'a' * 65}@example.kz", "a@b.kz,c@d.kz", "<a@b.kz>", "a@b.kz\x00",
        f"a@{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 60}.{'f' * 60}.kz", "a@127.0.0.1",
    ],
)  # fmt: skip
def test_what_is_not_an_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidError, match="email_invalid"):
        email_address(address)


@pytest.mark.parametrize("given", ["+77011234567", "8 701 123 45 67", "7011234567", "+7 (701) 123-45-67"])
def test_a_number_of_kazakhstan_is_understood_as_people_write_it(given: str) -> None:
    assert phone_number(given) == "+77011234567"


@pytest.mark.parametrize("given", ["", "112", "abc", "+7701123456", "+77011234567 ext. 5", "9" * 300, "\x00"])
def test_what_is_not_a_number_is_refused(given: str) -> None:
    with pytest.raises(InvalidError, match="phone_invalid"):
        phone_number(given)


# The words.


def entries(language: str) -> dict[str, tuple[str, ...]]:
    source = resources.files("notifications").joinpath("locales", language, "messages.po").read_bytes()
    return {
        (one.id if isinstance(one.id, str) else one.id[0]): (
            (one.string,) if isinstance(one.string, str) else tuple(one.string or ())
        )
        for one in read_po(BytesIO(source), locale=language)
        if one.id
    }


def test_no_text_is_missing_in_any_language() -> None:
    kk, ru, en = (entries(language) for language in LANGUAGES)
    assert kk.keys() == ru.keys() == en.keys()
    assert all(forms and all(forms) for catalog in (kk, ru, en) for forms in catalog.values())
    assert {f"message.{kind}.{part}" for kind in Kind for part in ("title", "body")} <= kk.keys()


def test_no_text_is_equal_in_two_languages() -> None:
    kk, ru, en = (entries(language) for language in LANGUAGES)
    for msgid in kk:
        assert len({kk[msgid], ru[msgid], en[msgid]}) == 3, msgid


def test_each_reason_says_what_to_do() -> None:
    reasons = {msgid for msgid in entries("kk") if not msgid.startswith("message.")}
    assert {f"{msgid}.action" for msgid in reasons if not msgid.endswith(".action")} <= reasons


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", Kind)
def test_each_message_is_written_out_in_each_language(kind: Kind, language: LanguageCode) -> None:
    rendered = texts.render(kind, VALUES, language)
    assert "{" not in rendered.title + rendered.body
    assert "message." not in rendered.title + rendered.body
    assert "\n" not in rendered.title


@pytest.mark.parametrize(
    ("language", "ahead", "said"),
    [
        ("kk", 1, "Алда 1 бала тұр"),
        ("kk", 5, "Алда 5 бала тұр"),
        ("ru", 1, "Впереди 1 ребёнок."),
        ("ru", 2, "Впереди 2 ребёнка."),
        ("ru", 5, "Впереди 5 детей."),
        ("ru", 11, "Впереди 11 детей."),
        ("ru", 21, "Впереди 21 ребёнок."),
        ("ru", 22, "Впереди 22 ребёнка."),
        ("en", 1, "1 child is ahead"),
        ("en", 2, "2 children are ahead"),
    ],
)
def test_what_is_counted_takes_the_plural_of_the_language(
    language: LanguageCode, ahead: int, said: str
) -> None:
    assert said in texts.render(Kind.SEAT_QUEUED, {"group": GROUP, "ahead": ahead}, language).body


@pytest.mark.parametrize(
    ("language", "planned", "said"),
    [
        ("kk", 13, "жоспарланған 13 сабақтан 1 сабақ есепке алынды"),
        ("ru", 1, "засчитано 1 из 1 занятия."),
        ("ru", 2, "засчитано 1 из 2 занятий."),
        ("ru", 11, "засчитано 1 из 11 занятий."),
        ("ru", 21, "засчитано 1 из 21 занятия."),
        ("en", 1, "for 1 of 1 lesson."),
        ("en", 13, "for 1 of 13 lessons."),
    ],
)
def test_lessons_are_counted_as_the_language_does(language: LanguageCode, planned: int, said: str) -> None:
    values = {**VALUES, "counted": 1, "planned": planned}
    for kind in (Kind.MONTH_CHARGED, Kind.MONTH_RECHARGED):
        assert said in texts.render(kind, values, language).body


@pytest.mark.parametrize(("lines", "said"), [(1, "1 строка"), (3, "3 строки"), (5, "5 строк")])
def test_lines_of_an_order_are_counted_as_the_language_does(lines: int, said: str) -> None:
    for kind in (Kind.PAYOUT_SENT, Kind.PAYOUT_SETTLED, Kind.PAYOUT_BOUNCED):
        assert said in texts.render(kind, {**VALUES, "items": lines}, "ru").body


def test_a_charge_says_what_is_disputed_or_uncovered_only_if_something_is() -> None:
    of_directors = {"provider", "fund", "months"}
    values = {name: value for name, value in VALUES.items() if name not in of_directors}
    plain = {name: value for name, value in values.items() if name not in {"disputed_tiyn", "uncovered_tiyn"}}
    body = texts.render(Kind.MONTH_CHARGED, plain, "en").body
    assert body.startswith("14,423.07\u00a0₸ goes to the club for 10 of 13 lessons.")
    assert texts.render(Kind.MONTH_CHARGED, values, "en").body == (
        f"{body} Set aside until the dispute is decided: 1,442.31\u00a0₸."
        " Not paid, for lack of money: 0.05\u00a0₸."
    )


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("kk", "Ұйым: Школа. Төлеуші: Қор. Кезең: 2026 жылғы қыркүйек, 2026 жылғы қазан."),
        ("ru", "Организация: Школа. Плательщик: Қор. Период: сентябрь 2026, октябрь 2026."),
        ("en", "Provider: Школа. Paid by: Қор. Period: September 2026, October 2026."),
    ],
)
def test_a_director_reads_who_is_paid_by_whom_and_for_what(language: LanguageCode, said: str) -> None:
    named = {"provider": dict.fromkeys(LANGUAGES, "Школа"), "fund": dict.fromkeys(LANGUAGES, "Қор")}
    for kind in (Kind.PAYOUT_SENT, Kind.PAYOUT_SETTLED, Kind.PAYOUT_BOUNCED):
        assert texts.render(kind, {**VALUES, **named}, language).body.endswith(said)


def test_a_reason_nobody_knows_is_left_out_where_nothing_can_be_done() -> None:
    unpaid = texts.render(Kind.MONTH_UNPAID, {"group": GROUP, "month": "2026-10", "charge_code": "x"}, "en")
    assert unpaid.body.endswith("so nothing goes to the club.")
    bounced = {"amount_tiyn": 5, "items": 1, "bank_code": "newer_than_us"}
    assert texts.render(Kind.PAYOUT_BOUNCED, bounced, "en").body.endswith("goes into the next order.")


@pytest.mark.parametrize(
    ("language", "tiyn", "written"),
    [
        ("kk", 1_875_000, "18\u00a0750\u00a0₸"),
        ("ru", 1_875_000, "18\u00a0750\u00a0₸"),
        ("en", 1_875_000, "18,750\u00a0₸"),
        ("kk", 1_875_005, "18\u00a0750,05\u00a0₸"),
        ("en", 2**53 - 1, "90,071,992,547,409.91\u00a0₸"),
    ],
)
def test_money_is_written_in_tenge_as_the_language_does(
    language: LanguageCode, tiyn: int, written: str
) -> None:
    assert texts.money(tiyn, language) == written


def test_days_months_and_moments_are_civil_and_in_words() -> None:
    body = texts.render(Kind.SEAT_OFFERED, VALUES, "ru").body
    assert "10 сентября 2026" in body
    assert "9 сентября 2026, 14:00" in body, "UTC 09:00 is 14:00 in Almaty"
    assert "2026 жылғы қазан айына" in texts.render(Kind.MONTH_UNFUNDED, VALUES, "kk").title


def test_a_code_without_a_text_of_its_own_still_says_something() -> None:
    said = texts.render(Kind.REJECTED, {"group": GROUP, "code": "newer_than_us"}, "en").body
    assert "could not be fulfilled" in said
    ended = texts.render(Kind.ENDED, {"group": GROUP, "on": "2026-10-01", "ended_code": "moved"}, "en").body
    assert ended.endswith("stay as they are.")


def test_a_name_with_line_breaks_stays_one_line() -> None:
    names = dict.fromkeys(GROUP, "Робот\r\nBcc: all")
    title = texts.render(Kind.CONFIRMED, {**VALUES, "group": names}, "en").title
    assert title == "Робот Bcc: all: enrolled"
