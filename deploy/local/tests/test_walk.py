"""The trees of `social-wallet trace`, made of answers as the wallet and clubs give them."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from rich.console import Console
from rich.tree import Tree

from clubs.api.attendance import AttendedView, MarkView
from local import people, trace, walk
from local.errors import LocalError
from local.layout import Layout
from local.trace import Kind
from local.walk import Joined, Month
from shared.database import new_id
from wallet.api.traces import EnrollmentTraceView, FundTraceView, PayoutTraceView

PAYOUT, ENROLLMENT, FUND, PROVIDER, GROUP, HOLD, LESSON, CASE = (new_id() for _ in range(8))
ONE, OTHER, DIRECTOR = (people.person_id(who) for who in ("administrator-1", "administrator-2", "director-1"))
AT = datetime(2026, 10, 19, 4, tzinfo=UTC)
"""09:00 in Almaty."""
NAMES = {"kk": "Қор", "ru": "Фонд", "en": "Fund [of] the district"}
TWO = {"proposed_by": ONE, "approved_by": OTHER, "approved_at": AT}

BUDGET_LINE = {
    "id": FUND,
    "program_id": new_id(),
    "program_name": NAMES,
    "region_id": new_id(),
    "funder": NAMES,
    "name": NAMES,
    "mode": "ahead",
    "budget_tiyn": 2_000_000_000,
    "last_capture_on": date(2026, 12, 31),
    **TWO,
}
DEPOSIT = {
    "operation_id": new_id(),
    "batch_id": 1,
    "posted_at": AT,
    "amount_tiyn": 1_442_307,
    "entered_by": ONE,
}
REPORTS = [
    {"status": "ACSP", "code": None, "contradicts": False, "read_at": AT},
    {"status": "RJCT", "code": "AC04", "contradicts": False, "read_at": AT},
]
ORDER: dict[str, Any] = {
    "id": PAYOUT,
    "provider_id": PROVIDER,
    "fund_id": FUND,
    "msg_id": PAYOUT.hex,
    "end_to_end_id": PAYOUT.hex,
    "amount_tiyn": 1_442_307,
    "items": 2,
    "state": "bounced",
    "code": "account_closed",
    "attempts": 1,
    "created_at": AT,
    "submitted_at": AT,
    "sent_at": AT,
    "answered_at": AT,
    "final_at": AT,
    "payee": {"name": "ТОО «Клуб»", "bin": "100140000003", "iban": "KZ64722S000001234567", **TWO},
}
RUN = {"id": new_id(), "state": "approved", "proposal_id": new_id(), "proposed_at": AT, **TWO}
CHARGE = {
    "revision": 1,
    "operation_id": new_id(),
    "digest": "ab" * 32,
    "code": None,
    "cost_tiyn": 1_442_307,
    "captured_tiyn": 1_442_307,
    "disputed_tiyn": 0,
    "uncovered_tiyn": 0,
    "frozen": False,
    "charged_at": AT,
    "lessons": [{"lesson_id": LESSON, "on": date(2026, 9, 9), "verdict": "counts", "code": "decided_count"}],
}
TRACED_HOLD = {
    "hold_id": HOLD,
    "attempt": 1,
    "open": False,
    "held_at": AT,
    "price_tiyn": 1_875_000,
    "planned_lessons": 13,
    "rules": [{"program_id": BUDGET_LINE["program_id"], "version": 1}],
    "layers": [
        {
            "fund_id": FUND,
            "account_id": 1025,
            "expires_on": date(2026, 9, 30),
            "amount_tiyn": 1_442_307,
            "released_tiyn": 0,
            "captured_tiyn": 1_442_307,
        }
    ],
}
ITEM: dict[str, Any] = {
    "item_id": new_id(),
    "enrollment_id": ENROLLMENT,
    "child_id": new_id(),
    "provider_id": PROVIDER,
    "group_id": GROUP,
    "fund_id": FUND,
    "month": "2026-09",
    "revision": 1,
    "charged_tiyn": 1_442_307,
    "amount_tiyn": 1_442_307,
    "claimed_tiyn": 0,
    "recovered_tiyn": 0,
    "stage": "due",
    "frozen": True,
    "due_on": date(2026, 10, 19),
    "payout_id": None,
    "created_at": AT,
    "signature": {"statement_id": new_id(), "revision": 1, "signed_by": DIRECTOR, "signed_at": AT},
    "captures": [
        {
            "operation_id": new_id(),
            "posting": 0,
            "batch_id": 7,
            "posted_at": AT,
            "amount_tiyn": 1_442_307,
            "allotment": {"account_id": 1025, "expires_on": date(2026, 9, 30)},
            "hold_id": HOLD,
        }
    ],
    "entries": [
        {
            "operation_id": new_id(),
            "kind": kind,
            "text": kind,
            "amount_tiyn": 1_442_307,
            "payout_id": order,
            "posted_at": AT,
        }
        for kind, order in (("capture", None), ("pay_out", PAYOUT), ("bounce", PAYOUT))
    ],
}
JOINED = Joined(
    providers={str(PROVIDER): "Young Technician center"},
    groups={str(GROUP): "Robotics: older group"},
    lessons={
        (str(LESSON), str(ENROLLMENT)): AttendedView(
            lesson_id=LESSON,
            on=date(2026, 9, 9),
            starts_at=AT,
            took_place=True,
            marks=[
                MarkView(source="coach", present=True, at=datetime(2026, 9, 9, 13, tzinfo=UTC)),
                MarkView(source="guardian", present=False, at=datetime(2026, 9, 9, 14, tzinfo=UTC)),
            ],
            excused=False,
            disputed=False,
            decided="count",
            case_id=CASE,
        ).model_dump(mode="json")
    },
)


def from_payout() -> dict[str, Any]:
    content = {"payout": ORDER, "reports": REPORTS, "run": RUN, "fund": BUDGET_LINE, "deposits": [DEPOSIT]}
    content["items"] = [ITEM | {"charge": CHARGE, "latest_charge": None, "holds": [TRACED_HOLD]}]
    return PayoutTraceView.model_validate(content | {"next": "more"}).model_dump(mode="json")


def from_enrollment() -> dict[str, Any]:
    month = {
        "month": "2026-09",
        "attempt": 1,
        "state": "charged",
        "code": None,
        "missing_tiyn": 0,
        "revision": 1,
        "captured_tiyn": 1_442_307,
        "disputed_tiyn": 11_000,
        "uncovered_tiyn": 0,
        "frozen": True,
        "holds": [TRACED_HOLD],
        "charges": [CHARGE],
        "items": [ITEM],
        "payouts": [ORDER | {"run": RUN, "reports": REPORTS}],
    }
    declined = month | {"month": "2026-10", "state": "declined", "code": "no_money", "missing_tiyn": 5}
    declined |= {"revision": 0, "frozen": False, "charges": [], "items": [], "payouts": [], "holds": []}
    own = {"id": ENROLLMENT, "child_id": ITEM["child_id"], "ends_on": date(2026, 12, 1), "released": False}
    funds = [{"id": FUND, "name": NAMES, "funder": NAMES}]
    content = {"enrollment": own, "funds": funds, "months": [month, declined]}
    return EnrollmentTraceView.model_validate(content).model_dump(mode="json")


def from_fund() -> dict[str, Any]:
    totals = {f"{name}_tiyn": place for place, name in enumerate(TOTALS, start=1)}
    content = {"fund": BUDGET_LINE, "totals": totals | {"allotments": 3}, "deposits": [DEPOSIT]}
    content["payouts"] = [ORDER | {"run": RUN, "reports": []}]
    content["agreed"] = [RETURN]
    return FundTraceView.model_validate(content).model_dump(mode="json")


RETURN = {
    **TWO,
    "operation_id": new_id(),
    "kind": "return",
    "text": "Money went back to the budget",
    "batch_id": 9,
    "posted_at": AT,
    "debit": "returned",
    "credit": "bank",
    "amount_tiyn": 700,
    "provider_id": None,
    "bank_reference": "BUDGET-17",
    "corrects": None,
    "reason": None,
}
TOTALS = (
    *("received", "free", "allotted_free", "allotted_held", "payable"),
    *("in_payout", "paid", "returned", "given_back", "receivable", "claimed"),
)


WIDTH = 80


def printed(tree: Tree, *, terminal: bool = False) -> str:
    console = Console(width=WIDTH, soft_wrap=True, force_terminal=terminal, color_system=None)
    with console.capture() as capture:
        walk.show(console, tree)
    return capture.get().replace("\u202f", " ")


def tells(tree: Tree, *lines: str) -> None:
    text = printed(tree)
    for line in lines:
        assert line in text


def test_a_bank_order_is_printed_back_to_the_marks_and_the_deposits() -> None:
    tells(
        walk.payout(from_payout(), JOINED),
        f"order {PAYOUT}: 14 423.07 ₸, bounced (account_closed)",
        "to Young Technician center: ТОО «Клуб», BIN 100140000003",
        "proposed by administrator-1, approved by administrator-2, 2026-10-19 09:00",
        "2026-10-19 09:00  RJCT AC04",
        f"fund {FUND}: Fund [of] the district",
        "deposit 14 423.07 ₸, 2026-10-19 09:00, entered by administrator-1",
        "14 423.07 ₸ for 2026-09, Robotics: older group: due, frozen, due 2026-10-19",
        f"enrollment {ENROLLMENT}",
        f"captured 14 423.07 ₸ out of the allotment until 2026-09-30, hold …{HOLD.hex[-8:]}",
        "signed by director-1",
        f"came back from the bank: 14 423.07 ₸, 2026-10-19 09:00, order {PAYOUT}",
        "1 of 1 lessons count",
        f"2026-09-09  counts: decided count, case {CASE}  [coach present 09-09 18:00, guardian absent 09",
        "and more than these 1: --lines 10",
    )


def test_an_enrollment_is_printed_month_by_month() -> None:
    tells(
        walk.enrollment(from_enrollment(), JOINED),
        f"enrollment {ENROLLMENT}",
        "not charged from 2026-12-01 on",
        "2026-09: charged, 14 423.07 ₸, frozen",
        "disputed: 110.00 ₸",
        "14 423.07 ₸ of Fund [of] the district, Fund [of] the district, until 2026-09-30; captured ",
        "[coach present 09-09 18:00",
        f"left for the bank: 14 423.07 ₸, 2026-10-19 09:00, order {PAYOUT}",
        f"order {PAYOUT}: 14 423.07 ₸, bounced (account_closed)",
        "2026-10: declined (no_money)\n",
        "missing: 0.05 ₸",
    )


def test_a_budget_line_is_printed_with_where_its_money_is() -> None:
    text = printed(walk.fund(from_fund(), Joined()))
    for place, name in enumerate(TOTALS[1:9], start=2):
        assert f"{name.replace('_', ' '):14}" + f"0.0{place} ₸".rjust(21) in text
    assert "received 0.01 ₸" in text
    assert "7.00 ₸ went back to the budget, 2026-10-19 09:00" in text
    assert f"from returned to bank, operation {RETURN['operation_id']}" in text
    assert "BUDGET-17" in text
    assert "no answer of the bank" in text
    assert f"provider …{PROVIDER.hex[-8:]}" in text


def test_nobody_is_told_to_ask_for_more_lines_than_can_be_had() -> None:
    trace = from_fund() | {"next": "more"}
    assert "more than these 1: --lines 10" in printed(walk.fund(trace, Joined()))
    trace["payouts"] *= 150
    assert "more than these 150: --lines 1000" in printed(walk.fund(trace, Joined()))
    trace["payouts"] = trace["payouts"][:1] * walk.LINES_MAX
    assert "--lines" not in printed(walk.fund(trace, Joined()))


@pytest.mark.parametrize(
    ("content", "others"),
    [(from_payout(), {ENROLLMENT, FUND}), (from_enrollment(), {PAYOUT, FUND}), (from_fund(), {PAYOUT})],
)
def test_what_one_trace_prints_can_be_given_to_the_next(content: dict[str, Any], others: set[UUID]) -> None:
    tree = walk.payout if "run" in content else walk.enrollment if "enrollment" in content else walk.fund
    searched = printed(tree(content, JOINED))
    read = printed(tree(content, JOINED), terminal=True)
    assert all(str(one) in searched and str(one) in read for one in others)
    assert max(map(len, read.splitlines())) <= WIDTH


def test_marks_are_asked_for_each_month_that_was_charged_and_for_no_other() -> None:
    september = Month(str(ENROLLMENT), "2026-09")
    assert walk.charged_months(from_payout()) == {september}
    assert walk.charged_months(from_enrollment()) == {september}
    assert walk.charged_months(from_fund()) == set()


async def test_what_is_no_id_is_said_so() -> None:
    with pytest.raises(LocalError, match="'42' is no id"):
        await trace.walk_from(Layout(base_port=20_000), Kind.PAYOUT, "42", lines=10)


async def test_a_system_that_is_not_up_is_said_so() -> None:
    with pytest.raises(LocalError, match="is it up"):
        await trace.walk_from(Layout(base_port=64_000), Kind.FUND, str(FUND), lines=10)
