"""The contracts of APIs: the committed OpenAPI equals the code, is valid to others, and speaks in one way."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

ROOT = Path(__file__).parent.parent
APIS = {path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "docs/openapi").glob("*.json"))}
SERVICES = {path.name for path in (ROOT / "services").iterdir() if path.is_dir()}
PUBLIC = {("wallet", "/v1/log/checkpoint"), ("wallet", "/v1/log/consistency")}
"""For the whole world, which has no token."""
MEDIA_TYPES = (
    {"application/json"},
    {"application/pdf"},
    {"text/event-stream"},
    {"text/plain"},
    {
        "text/csv",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.apache.parquet",
    },
)
"""What an operation may answer with: one of these."""
CHANGING_NOTHING = {"quote", "replay"}

Json = dict[str, Any]


def _operations(service: str) -> Iterator[tuple[str, str, Json]]:
    for path, methods in APIS[service]["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def test_the_committed_apis_are_what_the_code_says() -> None:
    generator = [sys.executable, str(ROOT / "docs/describe_apis.py"), "--check"]
    assert subprocess.run(generator, check=False).returncode == 0, "run: python docs/describe_apis.py"  # noqa: S603 - ours


def test_every_service_has_one() -> None:
    assert APIS.keys() == SERVICES


@pytest.mark.parametrize("service", APIS)
def test_it_is_valid_to_others(service: str) -> None:
    assert APIS[service]["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(APIS[service]).validate()


@pytest.mark.parametrize("service", APIS)
class TestEachOperation:
    """What is true of all of them."""

    def test_has_a_name_of_its_own(self, service: str) -> None:
        names = [operation["operationId"] for *_, operation in _operations(service)]
        assert len(set(names)) == len(names)
        assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in names)

    def test_says_in_words_what_it_does(self, service: str) -> None:
        for method, path, operation in _operations(service):
            summary = operation["summary"]
            assert len(summary.split()) > 1, (method, path)
            assert summary.lower() != operation["operationId"].replace("_", " "), "made of the name"
            assert len(operation["tags"]) == 1

    def test_wants_a_token_and_says_how_it_refuses(self, service: str) -> None:
        for method, path, operation in _operations(service):
            public = (service, path) in PUBLIC
            assert operation.get("security") == (None if public else [{"HTTPBearer": []}])
            refusals = {int(status) for status in operation["responses"] if int(status) >= 400}
            wanted = {400, 414, 431, 503} | (set() if public else {401})
            if "{" in path:
                wanted |= {404, 422}
            if method in {"post", "put"}:
                wanted |= {408, 409, 413, 415, 422}
            assert wanted <= refusals <= wanted | {403, 404, 422}, (method, path)

    def test_answers_with_something_or_with_a_problem(self, service: str) -> None:
        for method, path, operation in _operations(service):
            for status, answer in operation["responses"].items():
                if int(status) < 400:
                    assert answer["content"].keys() in MEDIA_TYPES, (method, path)
                    assert all(content["schema"] for content in answer["content"].values())
                else:
                    assert answer.keys() == {"$ref"}

    def test_asks_for_a_key_if_it_changes_something(self, service: str) -> None:
        for method, path, operation in _operations(service):
            keys = [one for one in operation.get("parameters", ()) if one["name"] == "Idempotency-Key"]
            changing = method == "post" and operation["operationId"] not in CHANGING_NOTHING
            assert [one["required"] for one in keys] == [True] * changing, path

    def test_is_below_the_version_and_takes_ids_only_as_ids(self, service: str) -> None:
        for method, path, operation in _operations(service):
            assert re.fullmatch(r"/v1(/[a-z-]+|/\{[a-z_]+_id\})+", path), method
            for one in operation.get("parameters", ()):
                if one["in"] == "path":
                    assert one["schema"] == {"type": "string", "format": "uuid"}


@pytest.mark.parametrize("service", APIS)
def test_what_goes_wrong_is_a_problem_in_its_own_media_type(service: str) -> None:
    components = APIS[service]["components"]
    assert {"type", "title", "status", "detail", "code"} <= set(components["schemas"]["Problem"]["required"])
    for answer in components["responses"].values():
        problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
        assert answer["content"] == {"application/problem+json": problem}
    assert components["responses"]["Unavailable"]["headers"]["Retry-After"]["required"]


@pytest.mark.parametrize("service", APIS)
def test_bodies_are_closed_and_money_is_whole_tiyn(service: str) -> None:
    api = APIS[service]
    bodies = set(re.findall(r'"requestBody": .*?"#/components/schemas/(\w+)"', json.dumps(api["paths"])))
    assert bodies
    for name, schema in api["components"]["schemas"].items():
        if name in bodies:
            assert schema["additionalProperties"] is False, name
        for field, one in schema.get("properties", {}).items():
            if field.endswith("_tiyn"):
                kinds = {each.get("type") for each in one.get("anyOf", [one])}
                assert kinds <= {"integer", "null"}, (name, field)
            else:
                assert "amount" not in field, (name, field)
