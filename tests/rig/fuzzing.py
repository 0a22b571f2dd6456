"""Schemathesis against one service, in the roles of many people. Imported by who fuzzes: it takes seconds.

Half of the requests name things that exist, so that more than a 404 is tried.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
]
ENDLESS = "/v1/inbox/stream"
"""Answers for as long as somebody listens; what it says is tested by its service."""
SECONDS_MAX = 30
WAIT_MAX = 30
"""Longer waiting is refused, which is to be seen."""


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """A service that answers, people who ask, and ids of things there are, by the names of fields."""

    url: str
    description: Mapping[str, Any]
    people: Sequence[Callable[[], dict[str, str]]]
    """The headers of a person's next request."""
    known: Mapping[str, str]


def fuzz(service: Fuzzed, *, examples: int, number: int) -> Counter[int]:
    """Try every endpoint; how often each status was answered. Fails with the first broken promise."""
    schema = schemathesis.openapi.from_dict(dict(service.description))
    schema.config.update(base_url=service.url)
    answered: Counter[int] = Counter()
    for result in schema.get_all_operations():
        if not isinstance(result, Ok):
            raise TypeError(result)
        operation = result.ok()
        if operation.path == ENDLESS:
            continue

        @seed(number)
        @settings(
            max_examples=examples,
            database=None,
            deadline=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )
        @given(case=_good_and_bad(operation), who=st.sampled_from(service.people), real=st.booleans())
        def tried(case: Case[Any], who: Callable[[], dict[str, str]], *, real: bool) -> None:
            if real:
                _name_known(case, service.known)
            _wait_little(case)
            answer = case.call_and_validate(
                headers=who(), checks=CHECKS, timeout=SECONDS_MAX, allow_redirects=False
            )
            answered[answer.status_code] += 1

        tried()
    return answered


def _name_known(case: Case[Any], known: Mapping[str, str]) -> None:
    """Ids that nobody has become ids that somebody has."""
    for part in (case.path_parameters, case.query, case.body):
        if isinstance(part, dict):
            part.update({name: known[name] for name in part.keys() & known.keys()})


def _wait_little(case: Case[Any]) -> None:
    """Nothing new will come."""
    wait = (case.query or {}).get("wait")
    if isinstance(wait, float | int) and 0 < wait <= WAIT_MAX:
        case.query["wait"] = 0.01


def _good_and_bad(operation: APIOperation[Any, Any, Any, Any]) -> st.SearchStrategy[Case[Any]]:
    """Requests as they are described and, where anything is, requests that break the description."""
    good = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    if not (operation.body or operation.query):
        return good
    return good | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
