"""What a month would have cost under other rules of one of the programs that pay for it.

By what is frozen: the terms of its hold and the facts it was charged by. What depended on others at that
moment (how many clubs the child had, caps, money) is not asked again.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple
from uuid import UUID

from wallet.domain.charging import charge
from wallet.domain.facts import Facts
from wallet.domain.holds import FrozenRules, Terms, covered
from wallet.domain.programs import Mrp, Rules


class Replayed(NamedTuple):
    """The month by the other rules; with a code, the program would not have paid for it at all."""

    counting: int
    cost_tiyn: int
    code: str | None


def rules_of(terms: Terms, program_id: UUID) -> FrozenRules:
    """Those by which this program pays."""
    return next(one for one in terms.rules if one.program_id == program_id)


def replay(terms: Terms, facts: Facts, program_id: UUID, rules: Rules, mrp: Sequence[Mrp]) -> Replayed:
    """Price the month again. All other programs that pay keep their frozen rules."""
    frozen = rules_of(terms, program_id)
    refusal = _refusal(terms, frozen, rules, mrp)
    if refusal is not None:
        return Replayed(0, 0, refusal)
    other = replace(frozen, version=rules.version, evidence=rules.evidence, charge=rules.charge)
    agreed = tuple(other if one is frozen else one for one in terms.rules)
    verdicts = charge(replace(terms, rules=agreed), facts)
    counting = sum(one.verdict == "counts" for one in verdicts.lessons)
    return Replayed(counting, verdicts.cost_tiyn, None)


def _refusal(terms: Terms, frozen: FrozenRules, rules: Rules, mrp: Sequence[Mrp]) -> str | None:
    if rules.directions and terms.direction not in rules.directions:
        return "direction_not_paid"
    if frozen.coefficient_percent is None:
        return None
    first = min(lesson.on for lesson in covered(terms.lessons, terms.covers_from, terms.covers_until))
    ceiling = rules.rate_on(first, mrp) * frozen.coefficient_percent // 100
    return "price_above_rate" if terms.price_tiyn > ceiling else None
