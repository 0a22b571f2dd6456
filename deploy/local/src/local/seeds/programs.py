"""Which programs the seeds plant, as data: what each pays for, by which rules, and whose money is behind it.

The story is about the first one, which the district and a foundation pay together. The others are examples of
what rules can say: nobody in the story is entitled to them. Amounts are in tiyn; days are civil.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.seeds import district
from local.seeds.district import Names

YEAR_END = "2026-12-31"
"""Budgets are of a calendar year."""


@dataclass(frozen=True, slots=True)
class Fund:
    """A budget line. `monthly_tiyn` is what a run allots for a child and a month, in mode `ahead`."""

    key: str
    funder: Names
    name: Names
    mode: str
    budget_tiyn: int
    deposit_tiyn: int
    monthly_tiyn: int | None = None
    last_capture_on: str = YEAR_END


@dataclass(frozen=True, slots=True)
class Program:
    """A program to be proposed, with its first rules and its funds. They are placed in their order."""

    key: str
    name: Names
    rules: Mapping[str, Any]
    funds: tuple[Fund, ...]
    days: tuple[str, str] = district.SCHOOL_YEAR


_DISTRICT = Names("Целиноград ауданының әкімдігі", "Акимат Целиноградского района", "Tselinograd district")
_FOUNDATION = Names("«Дала балалары» қоры", "Фонд «Дети степи»", "Children of the Steppe foundation")

AHEAD = Fund(
    key="ahead",
    funder=_DISTRICT,
    name=Names("Аудан бюджеті", "Бюджет района", "District budget"),
    mode="ahead",
    budget_tiyn=2_000_000_000,
    deposit_tiyn=1_078_000_000,  # September for all, and October and November for all but one: see the story
    monthly_tiyn=1_200_000,
)
ON_HOLD = Fund(
    key="on_hold",
    funder=_FOUNDATION,
    name=Names("Қордың қосымша үлесі", "Доплата фонда", "The foundation's share"),
    mode="on_hold",
    budget_tiyn=1_000_000_000,
    deposit_tiyn=1_500_000,  # for six children in robotics, and hardly more
)
CLUBS = Program(
    key="clubs",
    name=Names(
        "Аудан балаларының үйірмелері", "Кружки для детей района", "Clubs for the district's children"
    ),
    rules={"directions": district.DIRECTIONS, "monthly_rate_tiyn": 1_875_000},
    funds=(AHEAD, ON_HOLD),
)

CREATIVE = Program(
    key="creative",
    name=Names(
        "Мемлекеттік шығармашылық тапсырыс", "Государственный творческий заказ", "Creative state order"
    ),
    rules={
        "directions": ("dombyra", "drawing", "dance", "crafts", "theater"),
        "monthly_rate_mrp_thousandths": 4_500,
        "month_cap_tiyn": 2_500_000,
        "charge": {
            "formula": "threshold",
            "threshold_percent": 75,
            "below_threshold": "per_lesson",
        },
    },
    funds=(
        Fund(
            key="creative",
            funder=_DISTRICT,
            name=Names("Шығармашылық тапсырыс, 2026", "Творческий заказ, 2026", "Creative order, 2026"),
            mode="on_hold",
            budget_tiyn=600_000_000,
            deposit_tiyn=150_000_000,
        ),
    ),
)
SPORT = Program(
    key="sport",
    name=Names("Мемлекеттік спорттық тапсырыс", "Государственный спортивный заказ", "Sports state order"),
    rules={
        "directions": ("wrestling", "football", "volleyball"),
        "monthly_rate_mrp_thousandths": 4_000,
        "clubs_per_child_max": 1,
        "evidence": {"required": ("coach", "device"), "one_of": (), "silence_counts_after_days": None},
    },
    funds=(
        Fund(
            key="sport",
            funder=_DISTRICT,
            name=Names("Спорттық тапсырыс, 2026", "Спортивный заказ, 2026", "Sports order, 2026"),
            mode="on_hold",
            budget_tiyn=500_000_000,
            deposit_tiyn=120_000_000,
        ),
    ),
)
CAMP = Program(
    key="camp",
    name=Names("Жазғы лагерь", "Летний лагерь", "Summer camp"),
    days=("2027-06-01", "2027-08-31"),
    rules={
        "directions": ("camp",),
        "monthly_rate_mrp_thousandths": 20_000,
        "clubs_per_child_max": 1,
        "charge": {"formula": "flat"},
    },
    funds=(
        Fund(
            key="camp",
            funder=_DISTRICT,
            name=Names("Жазғы лагерь, 2027", "Летний лагерь, 2027", "Summer camp, 2027"),
            mode="ahead",
            budget_tiyn=900_000_000,
            deposit_tiyn=100_000_000,
            monthly_tiyn=8_650_000,
            last_capture_on="2027-08-31",
        ),
    ),
)
SPECIAL_NEEDS = Program(
    key="special-needs",
    name=Names(
        "Ерекше білім беру қажеттілігі бар балаларға",
        "Для детей с особыми образовательными потребностями",
        "For children with special educational needs",
    ),
    rules={
        "monthly_rate_mrp_thousandths": 4_500,
        "year_cap_tiyn": 30_000_000,
        "restore_days": 60,
        "evidence": {"silence_counts_after_days": 7, "guardians_days": 7, "closes_on_day": 9},
        "charge": {"excused_is_paid": True},
    },
    funds=(
        Fund(
            key="special-needs",
            funder=_DISTRICT,
            name=Names("Инклюзия, 2026", "Инклюзия, 2026", "Inclusion, 2026"),
            mode="on_hold",
            budget_tiyn=300_000_000,
            deposit_tiyn=90_000_000,
        ),
    ),
)

PROGRAMS = (CLUBS, CREATIVE, SPORT, CAMP, SPECIAL_NEEDS)
COEFFICIENT_PERCENT = 150
"""Of a child with special needs: its lessons cost as much more as smaller groups and an assistant do."""
WITH_COEFFICIENT = 200
"""The child (by number) who has it. The story does not meet it."""
