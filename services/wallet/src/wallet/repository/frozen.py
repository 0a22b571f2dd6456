"""How the frozen terms of a hold are kept as JSON. Terms are read for as long as the ledger lives."""

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

import orjson

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
