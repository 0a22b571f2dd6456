"""The charge rules: what a month costs by the number of its lessons that count.

All amounts are whole tiyn, rounded down. The whole of an enrollment's month is the share of the price that
its own lessons are of the planned ones: after a start or an end in its middle less than the price.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from wallet.domain.holds import cost


class Month(NamedTuple):
    """What a charge rule prices: `planned` lessons of the group; for `own` ones the child had a seat."""

    price_tiyn: int
    planned: int
    own: int


def price(rule: Mapping[str, Any], month: Month, counting: int) -> int:
    """What the month costs if so many of its own lessons count. Never less with more of them."""
    whole = cost(month.price_tiyn, month.own, month.planned)
    per_lesson = cost(month.price_tiyn, counting, month.planned)
    match rule["formula"]:
        case "flat":
            return whole if counting else 0
        case "threshold":
            below = per_lesson if rule["below_threshold"] == "per_lesson" else 0
            return whole if 100 * counting >= rule["threshold_percent"] * month.own else below
        case _:
            return per_lesson
