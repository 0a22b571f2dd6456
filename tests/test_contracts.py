"""The contracts as others hold them: AsyncAPI is valid and ours, and old and new versions read each other.

What each sample must be is in `tests/test_events.py`; the records of a whole run are looked at in
`tests/test_story.py`.
"""

import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator
from pydantic import TypeAdapter, ValidationError

from rig.outside import CONTRACT, Contracts
from shared.events.envelope import Code, catalog, to_envelope
from shared.events.schemas import breaks, committed, describe

ROOT = Path(__file__).parent.parent
SAMPLES = {path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "tests/events").glob("*.json"))}
ASYNC_API = json.loads(CONTRACT.read_text())
CODE = TypeAdapter(Code).json_schema()["pattern"]

Json = dict[str, Any]


def _official() -> Draft7Validator:
    schema = json.loads((ROOT / "tests/asyncapi/3.0.0.json").read_text())
    Draft7Validator.check_schema(schema)
    return Draft7Validator(schema)


def test_the_committed_streams_are_what_the_code_says() -> None:
    generator = [sys.executable, str(ROOT / "docs/describe_streams.py"), "--check"]
    assert subprocess.run(generator, check=False).returncode == 0, "run: python docs/describe_streams.py"  # noqa: S603 - ours


def test_the_streams_are_asyncapi_to_others() -> None:
    _official().validate(ASYNC_API)


@pytest.mark.parametrize(
    "spoiled",
    [
        {"asyncapi": "2.6.0"},
        {"info": {}},
        {"channels": {"a": {"messages": []}}},
        {"operations": {"a": {"action": "tell", "channel": {"$ref": "#/channels/a"}}}},
        {"topics": {}},
    ],
)
def test_the_official_schema_notices_what_is_no_asyncapi(spoiled: Json) -> None:
    assert not _official().is_valid(ASYNC_API | spoiled)


def test_references_within_the_streams_lead_somewhere() -> None:
    references = list(_references(ASYNC_API))
    assert references
    for reference in references:
        file, _, place = reference.partition("#")
        if file:
            assert (CONTRACT.parent / file).is_file(), reference
        else:
            found = ASYNC_API
            for step in place.lstrip("/").split("/"):
                found = found[step]


def test_each_topic_has_one_who_tells_and_each_message_is_in_one_topic() -> None:
    told = [one["channel"]["$ref"] for one in ASYNC_API["operations"].values() if one["action"] == "send"]
    assert sorted(told) == [f"#/channels/{topic}" for topic in sorted(ASYNC_API["channels"])]
    messages = [name for channel in ASYNC_API["channels"].values() for name in channel["messages"]]
    assert sorted(messages) == sorted(catalog)


def _record(sample: Json, **other: Any) -> SimpleNamespace:  # noqa: ANN401 - whatever a record has
    found = {
        "topic": sample["topic"],
        "key": sample["key"].encode(),
        "headers": [(name, value.encode()) for name, value in sample["headers"].items()],
        "value": json.dumps(sample["value"]).encode(),
    }
    return SimpleNamespace(**found | other)


def test_from_outside_each_sample_is_as_promised() -> None:
    contracts = Contracts()
    for sample in SAMPLES.values():
        assert list(contracts.defects(_record(sample))) == []


def test_from_outside_a_record_that_is_not_as_promised_is_noticed() -> None:
    contracts, sample = Contracts(), SAMPLES["wallet.funds_held.v1"]
    headers = dict(_record(sample).headers)
    for other in (
        {"topic": "wallet.runs"},
        {"key": b"another"},
        {"value": b"{}"},
        {"headers": [*headers.items(), ("ce_time", headers["ce_time"])]},
        {"headers": list((headers | {"ce_time": b"2026-09-14T09:00:00"}).items())},
        {"headers": list((headers | {"ce_id": b"7"}).items())},
        {"headers": list((headers | {"ce_source": b"/clubs"}).items())},
    ):
        assert list(contracts.defects(_record(sample, **other))), other


@pytest.mark.parametrize("type_", SAMPLES)
class TestVersions:
    """Writers and readers of other versions."""

    def test_a_newer_writers_fields_are_ignored_at_every_depth(self, type_: str) -> None:
        newer = _with_fields_of_tomorrow(SAMPLES[type_]["value"])
        assert _read(type_, newer) == _read(type_, SAMPLES[type_]["value"])

    def test_a_newer_schema_that_allows_one_more_field_hurts_nobody(self, type_: str) -> None:
        old = json.loads(committed()[f"{type_}.json"])
        new = copy.deepcopy(old)
        new["properties"]["of_tomorrow"] = {"type": "integer", "default": 0}
        assert breaks(old, new) == []
        Draft202012Validator(new).validate(SAMPLES[type_]["value"])  # what an older writer sends
        Draft202012Validator(new).validate(SAMPLES[type_]["value"] | {"of_tomorrow": 1})

    def test_an_older_writer_that_did_not_know_what_may_be_absent_is_read(self, type_: str) -> None:
        schema = describe(catalog[type_])
        older = {name: one for name, one in SAMPLES[type_]["value"].items() if name in schema["required"]}
        Draft202012Validator(schema).validate(older)
        _read(type_, older)

    def test_a_code_of_tomorrow_is_read_today(self, type_: str) -> None:
        """Codes are open: who does not know one treats it as another reason."""
        for field, one in describe(catalog[type_])["properties"].items():
            if one.get("pattern") == CODE:
                newer = SAMPLES[type_]["value"] | {field: "of_tomorrow"}
                Draft202012Validator(describe(catalog[type_])).validate(newer)
                assert _read(type_, newer)[field] == "of_tomorrow"

    def test_a_list_of_values_does_not_grow_under_the_same_type(self, type_: str) -> None:
        """Enumerations are closed: each reader decides by every value of them."""
        old = describe(catalog[type_])
        for place, newer in _with_values_of_tomorrow(old):
            assert breaks(old, newer), place
        for field, one in old["properties"].items():
            if "enum" in one:
                with pytest.raises(ValidationError):
                    _read(type_, SAMPLES[type_]["value"] | {field: "of_tomorrow"})


def test_there_are_codes_and_lists_of_values_to_look_at() -> None:
    schemas = [describe(event) for event in catalog.values()]
    assert any(one.get("pattern") == CODE for schema in schemas for one in schema["properties"].values())
    assert any("enum" in one for schema in schemas for one in schema["properties"].values())


def _read(type_: str, value: Json) -> Json:
    sample = SAMPLES[type_]
    envelope = to_envelope(
        sample["headers"], topic=sample["topic"], key=sample["key"], value=json.dumps(value).encode()
    )
    return envelope.event.model_dump(mode="json")


def _with_fields_of_tomorrow(value: Any) -> Any:  # noqa: ANN401 - any JSON
    match value:
        case dict():
            return {name: _with_fields_of_tomorrow(one) for name, one in value.items()} | {"of_tomorrow": 1}
        case list():
            return [_with_fields_of_tomorrow(one) for one in value]
    return value


def _with_values_of_tomorrow(schema: Json) -> Iterator[tuple[str, Json]]:
    """The schema with one list of values longer, for each of them."""
    parts = {"": schema} | {f"$defs.{name}": part for name, part in schema.get("$defs", {}).items()}
    for at, part in parts.items():
        for field, one in part.get("properties", {}).items():
            if "enum" in one:
                newer = copy.deepcopy(schema)
                grown = newer if not at else newer["$defs"][at.removeprefix("$defs.")]
                grown["properties"][field]["enum"].append("of_tomorrow")
                yield f"{at}.{field}", newer


def _references(part: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    match part:
        case {"$ref": str(reference)}:
            yield reference
        case dict():
            for one in part.values():
                yield from _references(one)
        case list():
            for one in part:
                yield from _references(one)
