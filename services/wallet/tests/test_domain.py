"""The rules of money, by example. `test_batches` has the properties."""

import re
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.texts import LANGUAGES, Texts
from wallet.domain import decisions
from wallet.domain.accounts import Account, Balance, Kind
from wallet.domain.books import Books
from wallet.domain.decisions import decide
from wallet.domain.holds import Lesson, cost, covered
from wallet.domain.operations import (
    Command,
    Declined,
    Expire,
    Held,
    HoldMonth,
    Identity,
    Mismatched,
    Reduce,
    Release,
    Released,
    Result,
)
from wallet.domain.programs import Entitlement, Fund, Mode, Mrp, Program, Rules, mrp_on
from wallet.domain.recording import digest, identity_id
from wallet.domain.snapshot import Snapshot, UsedKey

CHILD, ENROLLMENT, PROGRAM, AHEAD, DRAWN = (UUID(int=n) for n in range(1, 6))
FIRST, EXPIRES, LAST = date(2026, 9, 1), date(2026, 10, 31), date(2026, 12, 31)
RULES = Rules(1, FIRST, frozenset({"robotics"}), 1000, 2, {"required": ["coach"]}, {"formula": "x"})
MRP = (Mrp(date(2026, 10, 12), 2000), Mrp(date(2026, 1, 1), 1003))
ALLOTMENT = Account(Kind.ALLOTMENT, AHEAD, CHILD, EXPIRES)
_DECLINED = re.compile(r'Declined\("(\w+)"')
LESSONS = tuple(Lesson(UUID(int=day), date(2026, 10, day)) for day in (5, 12, 19))


def snapshot(
    *, ahead: int = 0, drawn: int = 0, program: Program | None = None, used: dict[UsedKey, int] | None = None
) -> Snapshot:
    """A child entitled to one program with an `ahead` fund and an `on_hold` fund."""
    of_program = program or Program(PROGRAM, 1, FIRST, LAST, (RULES,))
    return Snapshot(
        programs={PROGRAM: of_program},
        funds={
            AHEAD: Fund(AHEAD, PROGRAM, Mode.AHEAD, 10_000, LAST),
            DRAWN: Fund(DRAWN, PROGRAM, Mode.ON_HOLD, 10_000, LAST),
        },
        entitlements={CHILD: [Entitlement(PROGRAM, FIRST, LAST, 100)]},
        mrp=MRP,
        balances={ALLOTMENT: Balance(credited=ahead), Account(Kind.FUND, DRAWN): Balance(credited=drawn)},
        holds=(),
        used=used or {},
        terms={},
        enrollments={},
        months={},
        items=(),
        signatures={},
        recorded={},
        beside_budget={},
        moved={},
        bank_references=frozenset(),
    )


def hold(**changes: object) -> HoldMonth:
    command = HoldMonth(
        id=UUID(int=100),
        identity=Identity("enrollment", "hold", "1"),
        child_id=CHILD,
        enrollment_id=ENROLLMENT,
        month="2026-10",
        attempt=1,
        provider_id=UUID(int=7),
        group_id=UUID(int=8),
        direction="robotics",
        price_tiyn=1000,
        lessons=LESSONS,
        covers_from=date(2026, 10, 1),
        covers_until=None,
    )
    return replace(command, **changes)  # type: ignore[arg-type] # the test's own names


def reduce(on: date) -> Reduce:
    return Reduce(UUID(int=200), Identity("enrollment", "reduce", f"{on}"), CHILD, ENROLLMENT, on)


def release() -> Release:
    return Release(UUID(int=300), Identity("enrollment", "release", "1"), CHILD, ENROLLMENT, "canceled")


def result_of(command: Command, *, ahead: int = 0, drawn: int = 0) -> Result:
    return decide(snapshot(ahead=ahead, drawn=drawn), [command], FIRST).results[0]


def books_after(*commands: Command, today: date, ahead: int = 0, drawn: int = 0) -> Books:
    return decide(snapshot(ahead=ahead, drawn=drawn), commands, today).books


def test_allotted_money_is_held_before_a_later_fund_is_drawn() -> None:
    result = result_of(hold(), ahead=400, drawn=5000)
    assert isinstance(result, Held)
    assert [(share.fund_id, share.amount_tiyn) for share in result.shares] == [(AHEAD, 400), (DRAWN, 600)]


@pytest.mark.parametrize(
    ("covers_from", "covers_until", "amount"),
    [
        (date(2026, 10, 5), None, 1000),
        (date(2026, 10, 6), None, 666),
        (date(2026, 10, 5), date(2026, 10, 19), 666),
        (date(2026, 10, 12), date(2026, 10, 13), 333),
    ],
)
def test_a_part_of_the_month_costs_its_share_rounded_down(
    covers_from: date, covers_until: date | None, amount: int
) -> None:
    result = result_of(hold(covers_from=covers_from, covers_until=covers_until), ahead=1000)
    assert isinstance(result, Held)
    assert result.amount_tiyn == amount


@pytest.mark.parametrize(
    ("changes", "declined"),
    [
        ({"child_id": UUID(int=99)}, Declined("not_entitled", 1000)),
        ({"direction": "chess"}, Declined("direction_not_paid", 1000)),
        ({"price_tiyn": 1001}, Declined("price_above_rate", 1)),
        ({"covers_from": date(2026, 10, 20)}, Declined("month_closed", 0)),
        ({}, Declined("no_money", 900)),
    ],
)
def test_a_decline_says_why_and_how_much_is_missing(changes: dict[str, object], declined: Declined) -> None:
    assert result_of(hold(**changes), ahead=100) == declined


def test_an_allotment_pays_only_lessons_until_its_last_day() -> None:
    on_the_last_day = (Lesson(UUID(int=9), EXPIRES),)
    too_late = (Lesson(UUID(int=9), EXPIRES + timedelta(1)),)
    assert isinstance(result_of(hold(lessons=on_the_last_day), ahead=1000), Held)
    assert result_of(hold(lessons=too_late), ahead=1000) == Declined("no_money", 1000)


@pytest.mark.parametrize(
    ("today", "returned"), [(EXPIRES - timedelta(1), 0), (EXPIRES, 0), (EXPIRES + timedelta(1), 1000)]
)
def test_what_comes_back_into_an_expired_allotment_goes_on_to_returned(today: date, returned: int) -> None:
    books = books_after(hold(), release(), today=today, ahead=1000)
    account = Account(Kind.RETURNED, AHEAD)
    assert books.deltas.get(account, Balance()).credited == returned
    assert books.free(ALLOTMENT) == 1000 - returned
    assert len(books.postings) == (1 if returned else 0)


def test_what_is_free_of_an_allotment_runs_out_once_however_often_it_is_asked() -> None:
    asked = [
        Expire(UUID(int=400 + day), Identity("sweep", "expire", f"{day}"), AHEAD, CHILD, EXPIRES)
        for day in range(2)
    ]
    books = books_after(*asked, today=EXPIRES + timedelta(1), ahead=1000)
    assert [posting.amount_tiyn for posting in books.postings] == [1000]
    assert books.free(Account(Kind.RETURNED, AHEAD)) == 1000


def test_money_of_an_on_hold_fund_goes_back_to_it_whatever_the_day() -> None:
    books = books_after(hold(), release(), today=LAST + timedelta(9), drawn=1000)
    assert books.free(Account(Kind.FUND, DRAWN)) == 1000
    assert [(posting.debit.kind, posting.credit.kind) for posting in books.postings] == [
        (Kind.FUND, Kind.ALLOTMENT),
        (Kind.ALLOTMENT, Kind.FUND),
    ]


def test_an_end_gives_back_the_last_layers_first() -> None:
    books = books_after(hold(), reduce(date(2026, 10, 12)), today=FIRST, ahead=400, drawn=1000)
    (kept,) = books.created.values()
    assert [layer.remaining_tiyn for layer in kept.layers] == [333, 0]
    assert kept.open


def test_a_second_end_may_only_be_earlier() -> None:
    ends = [reduce(date(2026, 10, day)) for day in (12, 19, 5)]
    results = decide(snapshot(ahead=1000), [hold(), *ends], FIRST).results
    assert results[1:] == [Released(667), Released(0), Released(333)]


def test_an_end_before_the_request_limits_it() -> None:
    results = decide(snapshot(ahead=1000), [reduce(date(2026, 10, 12)), hold()], FIRST).results
    assert isinstance(results[1], Held)
    assert results[1].amount_tiyn == 333


def test_the_terms_freeze_the_rules_of_the_day_of_the_first_lesson() -> None:
    later = replace(RULES, version=2, valid_from=date(2026, 10, 5), evidence={"required": ["device"]})
    program = Program(PROGRAM, 1, FIRST, LAST, (RULES, later))
    books = decide(snapshot(ahead=1000, program=program), [hold()], FIRST).books
    (terms,) = books.terms.values()
    assert [(rules.version, rules.evidence) for rules in terms.rules] == [(2, {"required": ["device"]})]
    assert (terms.price_tiyn, terms.lessons) == (1000, LESSONS)


def test_the_same_identity_with_other_content_is_an_error_and_writes_nothing() -> None:
    first, other = hold(), hold(id=UUID(int=101), price_tiyn=999)
    decision = decide(snapshot(ahead=5000), [first, other], FIRST)
    assert isinstance(decision.results[1], Mismatched)
    assert [operation.id for operation in decision.books.operations] == [first.id]


@given(st.integers(0, 2**53 - 1), st.integers(1, 100), st.data())
def test_parts_of_a_month_never_cost_more_than_the_whole(
    price: int, planned: int, data: st.DataObject
) -> None:
    part = data.draw(st.integers(0, planned))
    assert 0 <= cost(price, part, planned) + cost(price, planned - part, planned) <= price
    assert cost(price, planned, planned) == price


def test_the_first_day_not_covered_is_not_covered() -> None:
    assert covered(LESSONS, date(2026, 10, 5), date(2026, 10, 19)) == list(LESSONS[:2])


def test_a_fingerprint_never_changes() -> None:
    assert digest(hold()) == 0x3E52F9F1332AC912
    identity = Identity("person/1", "deposit", "first")
    assert identity_id(identity) == UUID("478c1d3a-ab12-8a4f-54e7-a6519f00e890")


CODES = [
    *("over_month_cap", "over_year_cap"),
    *("not_entitled", "program_not_running", "direction_not_paid", "clubs_limit_reached", "price_above_rate"),
    *("no_money", "month_closed", "request_unreadable", "group_has_no_lessons", "over_budget"),
    *(
        "deposit_key_used",
        "fund_not_found",
        "fund_ends_before_program",
        "rules_outside_program",
        "rules_version_unknown",
        "facts_unknown",
        "valid_from_passed",
        "valid_from_taken",
        "fund_not_ahead",
        "until_outside_fund",
        "run_is_done",
    ),
    *("fund_not_over", "not_enough_there", "more_than_claimed", "bank_reference_used"),
    *("correction_not_allowed", "operation_unknown", "allotment_unknown", "allotment_over"),
    "beyond_operation",
]


@pytest.mark.parametrize("msgid", [text for code in CODES for text in (code, f"{code}.action")])
def test_every_refusal_has_a_text_of_its_own_in_each_language(msgid: str) -> None:
    told = {Texts.of("wallet").translate(language, msgid, missing_tiyn=5) for language in LANGUAGES}
    assert len(told) == len(LANGUAGES)
    assert msgid not in told


def test_every_reason_to_decline_is_listed_in_its_order() -> None:
    domain = Path(decisions.__file__).parent
    said = {code for path in domain.glob("*.py") for code in _DECLINED.findall(path.read_text())}
    assert len(said) >= 20
    readme = (domain.parents[2] / "README.md").read_text()
    told = readme.split("## Why the ledger declines")[1].split("\n## ")[0]
    assert set(re.findall(r"`(\w+)`", told)) >= said


@pytest.mark.parametrize(
    ("thousandths", "price", "covers_from", "missing"),
    [
        (1500, 1504, date(2026, 10, 1), 0),  # 1003 × 1.5, rounded down
        (1500, 1505, date(2026, 10, 1), 1),
        (1500, 1505, date(2026, 10, 11), 0),  # the first lesson that is paid is of the day of the new value
        (1500, 3001, date(2026, 10, 12), 1),
    ],
)
def test_a_rate_in_mrp_is_that_of_the_day_of_the_first_lesson_that_is_paid(
    thousandths: int, price: int, covers_from: date, missing: int
) -> None:
    rules = replace(RULES, monthly_rate_tiyn=None, monthly_rate_mrp_thousandths=thousandths)
    before = snapshot(ahead=5000, program=Program(PROGRAM, 1, FIRST, LAST, (rules,)))
    (result,) = decide(before, [hold(price_tiyn=price, covers_from=covers_from)], FIRST).results
    assert result == Declined("price_above_rate", missing) if missing else isinstance(result, Held)


def capped(month_cap: int | None, year_cap: int | None) -> Program:
    rules = replace(RULES, clubs_per_child_max=10, month_cap_tiyn=month_cap, year_cap_tiyn=year_cap)
    return Program(PROGRAM, 1, FIRST, LAST, (rules,))


def another(number: int, **changes: object) -> HoldMonth:
    """For another enrollment of the child."""
    identity = Identity("enrollment", "hold", f"another/{number}")
    return hold(id=UUID(int=number), identity=identity, enrollment_id=UUID(int=500 + number), **changes)


@pytest.mark.parametrize(
    ("month_cap", "year_cap", "declined"),
    [
        (1700, None, None),
        (1699, None, Declined("over_month_cap", 1)),
        (None, 1700, None),
        (None, 1699, Declined("over_year_cap", 1)),
        (1600, 1650, Declined("over_year_cap", 50)),  # the year's is said first
        (None, None, None),
    ],
)
def test_a_child_is_paid_for_up_to_a_cap_over_all_its_enrollments(
    month_cap: int | None, year_cap: int | None, declined: Declined | None
) -> None:
    before = snapshot(ahead=9000, program=capped(month_cap, year_cap))
    results = decide(before, [another(1), another(2, price_tiyn=700)], FIRST).results
    assert isinstance(results[0], Held)
    assert results[1] == declined if declined else isinstance(results[1], Held)


def test_a_year_is_the_calendars_and_what_was_paid_in_its_other_months_counts() -> None:
    used = {(CHILD, PROGRAM, "2026-01"): 500, (CHILD, PROGRAM, "2025-12"): 9000, (CHILD, DRAWN, "2026-01"): 9}
    before = snapshot(ahead=9000, program=capped(1000, 1499), used=used)
    assert decide(before, [hold()], FIRST).results == [Declined("over_year_cap", 1)]
    assert isinstance(decide(before, [hold(price_tiyn=999)], FIRST).results[0], Held)


def test_released_money_frees_the_cap_again() -> None:
    before = snapshot(ahead=9000, program=capped(1000, 1000))
    shorter, gone = reduce(date(2026, 10, 12)), release()
    wanted: list[Command] = [hold(), another(1, price_tiyn=1), shorter, another(2, price_tiyn=667), gone]
    results = decide(before, [*wanted, another(3, price_tiyn=334), another(4, price_tiyn=333)], FIRST).results
    assert [one.code if isinstance(one, Declined) else type(one).__name__ for one in results] == [
        *("Held", "over_year_cap", "Released", "Held", "Released", "over_year_cap", "Held"),
    ]


def test_the_coefficient_of_a_child_raises_caps_as_it_raises_the_rate() -> None:
    before = snapshot(ahead=9000, program=capped(1000, 1000))
    special = replace(before, entitlements={CHILD: [Entitlement(PROGRAM, FIRST, LAST, 150)]})
    assert isinstance(decide(special, [hold(price_tiyn=1500)], FIRST).results[0], Held)
    (too_much,) = decide(special, [hold(price_tiyn=1501)], FIRST).results
    assert too_much == Declined("price_above_rate", 1)


def test_before_the_first_known_mrp_nothing_is_paid_by_it() -> None:
    assert mrp_on(date(2025, 12, 31), MRP) == 0
    assert [mrp_on(date(2026, 10, day), MRP) for day in (11, 12)] == [1003, 2000]
