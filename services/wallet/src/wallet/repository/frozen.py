"""How frozen terms and verdicts are kept as JSON. They are read for as long as the ledger lives."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import orjson

from wallet.domain.charging import Verdict
from wallet.domain.holds import FrozenRules, Lesson, Terms


def write_terms(terms: Terms) -> str:
    """The terms as JSON."""
    return orjson.dumps(
        {
            "provider_id": str(terms.provider_id),
            "group_id": str(terms.group_id),
            "direction": terms.direction,
            "price_tiyn": terms.price_tiyn,
            "lessons": [[str(lesson.lesson_id), lesson.on] for lesson in terms.lessons],
            "covers_from": terms.covers_from,
            "covers_until": terms.covers_until,
            "rules": [
                {
                    "program_id": str(rules.program_id),
                    "version": rules.version,
                    "evidence": rules.evidence,
                    "charge": rules.charge,
                }
                for rules in terms.rules
            ],
        }
    ).decode()


def read_terms(content: Mapping[str, Any]) -> Terms:
    """The terms from JSON, decoded as the driver does it."""
    until = content["covers_until"]
    return Terms(
        provider_id=UUID(content["provider_id"]),
        group_id=UUID(content["group_id"]),
        direction=content["direction"],
        price_tiyn=content["price_tiyn"],
        lessons=tuple(Lesson.read(id_, on) for id_, on in content["lessons"]),
        covers_from=date.fromisoformat(content["covers_from"]),
        covers_until=date.fromisoformat(until) if until else None,
        rules=tuple(
            FrozenRules(UUID(one["program_id"]), one["version"], one["evidence"], one["charge"])
            for one in content["rules"]
        ),
    )


def write_verdicts(verdicts: Sequence[Verdict]) -> str:
    """The verdicts as JSON."""
    return orjson.dumps([[str(one.lesson_id), one.on, one.verdict, one.code] for one in verdicts]).decode()


def read_verdicts(content: Sequence[Sequence[Any]]) -> tuple[Verdict, ...]:
    """The verdicts from JSON."""
    return tuple(
        Verdict(UUID(lesson_id), date.fromisoformat(on), verdict, code)
        for lesson_id, on, verdict, code in content
    )
