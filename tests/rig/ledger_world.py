"""The small world that the wallet's ledger and its naive model are compared in."""

from datetime import date
from uuid import UUID

from wallet.domain.programs import Entitlement, Fund, Mode, Mrp, Program, Rules

A, B, UNKNOWN = UUID(int=0xA), UUID(int=0xB), UUID(int=0xF)
A_AHEAD, A_DRAW, A_SHORT, B_DRAW = (UUID(int=0xA0 + n) for n in range(4))
CHILDREN = [UUID(int=0xC0 + n) for n in range(4)]
ENROLLMENTS = {UUID(int=0xE0 + n): CHILDREN[n % 4] for n in range(16)}
FIRST, LAST = date(2026, 9, 1), date(2026, 12, 31)
RESTORE_DAYS = 9


EVIDENCE = {"required": ["coach"], "one_of": ["guardian"], "silence_counts_after_days": None}
CHARGE = {"formula": "counted_over_planned", "excused_is_paid": False, "due_on_day": 18}
PROVIDERS = [UUID(int=0xFA), UUID(int=0xFB)]


def provider_of(enrollment_id: UUID) -> UUID:
    """Each enrollment is at one of two providers."""
    return PROVIDERS[enrollment_id.int % 2]


MRP = [Mrp(date(2026, 1, 1), 100), Mrp(date(2026, 12, 1), 101)]


def rules(
    version: int, valid_from: date, directions: set[str], rate: int | None, clubs: int, **more: int
) -> Rules:
    return Rules(
        version,
        valid_from,
        frozenset(directions),
        rate,
        clubs,
        EVIDENCE,
        CHARGE,
        restore_days=RESTORE_DAYS,
        **more,
    )


PROGRAMS = {
    A: Program(
        A,
        1,
        FIRST,
        LAST,
        (
            rules(1, FIRST, {"robotics", "music"}, 120, 2, month_cap_tiyn=110),
            rules(
                2,
                date(2026, 10, 1),
                {"robotics", "music", "chess"},
                90,
                1,
                year_cap_tiyn=130,
            ),
        ),
    ),
    B: Program(
        B,
        2,
        date(2026, 9, 10),
        LAST,
        (
            rules(
                version=1,
                valid_from=date(2026, 9, 10),
                directions=set(),
                rate=None,
                clubs=3,
                monthly_rate_mrp_thousandths=1_500,
            ),
        ),
    ),
}
FUNDS = {
    A_AHEAD: Fund(A_AHEAD, A, Mode.AHEAD, 3_000, LAST),
    A_DRAW: Fund(A_DRAW, A, Mode.ON_HOLD, 2_000, LAST),
    A_SHORT: Fund(A_SHORT, A, Mode.ON_HOLD, 500, date(2026, 10, 12)),
    B_DRAW: Fund(B_DRAW, B, Mode.ON_HOLD, 1_000, LAST),
}
ENTITLEMENTS = {
    CHILDREN[0]: [Entitlement(A, FIRST, LAST, 100), Entitlement(B, FIRST, LAST, 100)],
    CHILDREN[1]: [Entitlement(A, FIRST, LAST, 150), Entitlement(UNKNOWN, FIRST, LAST, 100)],
    CHILDREN[2]: [Entitlement(B, FIRST, date(2026, 10, 14), 80)],
}
