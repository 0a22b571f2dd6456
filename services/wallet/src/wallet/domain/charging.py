"""What a month costs: which of its lessons count by the frozen evidence rules, and their share of the price.

Pure: `charge(terms, facts)` under another version of the rules is a call with other terms.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import product
from typing import Any, Literal, NamedTuple
from uuid import UUID

from shared import clock
from wallet.domain.facts import Facts, LessonFacts
from wallet.domain.holds import FrozenRules, Lesson, Terms, cost, covered


class Verdict(NamedTuple):
    """Whether a lesson is paid, and why."""

    lesson_id: UUID
    on: date
    verdict: Literal["counts", "does_not_count", "disputed"]
    code: str
