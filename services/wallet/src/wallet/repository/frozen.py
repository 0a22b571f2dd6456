"""How frozen terms, verdicts and facts are kept as JSON. They are read for as long as the ledger lives."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson

from wallet.domain.charging import Verdict
from wallet.domain.facts import Facts, LessonFacts, Said
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
                    "coefficient_percent": rules.coefficient_percent,
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
            FrozenRules(
                UUID(one["program_id"]),
                one["version"],
                one["evidence"],
                one["charge"],
                one.get("coefficient_percent"),
            )
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


def write_facts(facts: Facts) -> str:
    """The facts as JSON."""
    return orjson.dumps(
        {
            "lessons": [
                [
                    str(lesson_id),
                    one.on,
                    one.took_place,
                    [[said.source, str(said.person_id), said.present, said.at] for said in one.statements],
                    one.excused,
                    one.disputed,
                    one.decided,
                ]
                for lesson_id, one in facts.lessons
            ],
            "guardians_until": facts.guardians_until,
            "guardian_is_staff": facts.guardian_is_staff,
        }
    ).decode()


def read_facts(content: Mapping[str, Any]) -> Facts:
    """The facts from JSON."""
    return Facts(
        tuple(
            (
                UUID(lesson_id),
                LessonFacts(
                    date.fromisoformat(on),
                    took_place,
                    tuple(
                        Said(source, UUID(person_id), present, datetime.fromisoformat(at))
                        for source, person_id, present, at in statements
                    ),
                    excused,
                    disputed,
                    decided,
                ),
            )
            for lesson_id, on, took_place, statements, excused, disputed, decided in content["lessons"]
        ),
        datetime.fromisoformat(content["guardians_until"]),
        content["guardian_is_staff"],
    )
