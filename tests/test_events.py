"""The contracts of events: committed schemas equal the code, old records are read, others can read ours.

The samples in `tests/events` are records as they stand in Kafka. A sample changes only with a new type.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from shared.events.envelope import catalog, to_envelope, to_headers
from shared.events.schemas import breaks, committed, describe, rendered

ROOT = Path(__file__).parent.parent
SAMPLES = {path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "tests/events").glob("*.json"))}
ABOUT_A_PERSON = re.compile(
    r"iin|phone|email|address|birth|surname|patronymic|diagnos|photo|comment|note|text"
)

Json = dict[str, Any]


def _value(sample: Json) -> bytes:
    return json.dumps(sample["value"]).encode()


def _validator(type_: str) -> Draft202012Validator:
    schema = json.loads(committed()[f"{type_}.json"])
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def test_the_committed_schemas_are_what_the_catalog_says() -> None:
    assert committed() == rendered(), "run: python -m shared.events.schemas"


def test_the_document_of_events_is_what_the_code_says() -> None:
    generator = [sys.executable, str(ROOT / "docs/describe_events.py"), "--check"]
    assert subprocess.run(generator, check=False).returncode == 0, "run: python docs/describe_events.py"  # noqa: S603 - ours


def test_every_event_has_a_sample_and_every_sample_an_event() -> None:
    assert SAMPLES.keys() == catalog.keys()


@pytest.mark.parametrize("type_", SAMPLES)
class TestSample:
    """What a record that was once written must still be."""

    def test_can_still_be_read_and_says_the_same(self, type_: str) -> None:
        sample = SAMPLES[type_]
        envelope = to_envelope(
            sample["headers"], topic=sample["topic"], key=sample["key"], value=_value(sample)
        )

        assert (envelope.type, envelope.event.topic) == (type_, sample["topic"])
        assert envelope.event.subject == envelope.subject
        told_again = json.loads(envelope.event.model_dump_json())
        assert told_again | sample["value"] == told_again, "only fields that may be absent can be added"

    def test_has_the_headers_that_are_written_today(self, type_: str) -> None:
        sample = SAMPLES[type_]
        envelope = to_envelope(
            sample["headers"], topic=sample["topic"], key=sample["key"], value=_value(sample)
        )

        assert sample["headers"] == to_headers(
            envelope.event,
            id_=envelope.id,
            time=envelope.time,
            correlation_id=envelope.correlation_id,
            causation_id=envelope.causation_id,
            traceparent=envelope.traceparent,
        )

    def test_obeys_its_committed_schema(self, type_: str) -> None:
        _validator(type_).validate(SAMPLES[type_]["value"])

    def test_is_a_cloud_event_to_others(self, type_: str) -> None:
        sample = SAMPLES[type_]
        headers = {name: value.encode() for name, value in sample["headers"].items()}
        read = from_binary_event(KafkaMessage(headers, sample["key"].encode(), _value(sample)))

        assert (read.get_type(), read.get_id()) == (type_, sample["headers"]["ce_id"])
        assert read.get_subject() == sample["headers"]["ce_subject"]
        assert read.get_extension("partitionkey") == sample["key"]
        assert read.get_extension("correlationid") == sample["headers"]["ce_correlationid"]
        assert read.get_data() == sample["value"]

    def test_with_a_field_of_tomorrow_is_read_today(self, type_: str) -> None:
        sample = SAMPLES[type_]
        value = json.dumps(sample["value"] | {"of_tomorrow": 1}).encode()

        envelope = to_envelope(sample["headers"], topic=sample["topic"], key=sample["key"], value=value)
        assert "of_tomorrow" not in envelope.event.model_dump()
        with pytest.raises(ValidationError):
            catalog[type_].model_validate_json(value)  # a writer's slip is refused
        assert not _validator(type_).is_valid(json.loads(value))

    def test_is_refused_with_another_key_or_without_a_field(self, type_: str) -> None:
        sample = SAMPLES[type_]
        with pytest.raises(ValueError, match="key"):
            to_envelope(sample["headers"], topic=sample["topic"], key=str(UUID(int=7)), value=_value(sample))
        for field in describe(catalog[type_])["required"]:
            less = {name: one for name, one in sample["value"].items() if name != field}
            assert not _validator(type_).is_valid(less)
            with pytest.raises(ValidationError):
                catalog[type_].model_validate_json(json.dumps(less), extra="ignore")

    def test_is_unreadable_with_a_day_that_nobody_can_reckon_with(self, type_: str) -> None:
        sample = SAMPLES[type_]
        for headers, value in _out_of_the_calendar(sample):
            with pytest.raises(ValueError):  # noqa: PT011 - as pydantic words it
                to_envelope(
                    headers, topic=sample["topic"], key=sample["key"], value=json.dumps(value).encode()
                )


EXTREMES = (
    (re.compile(r"\d{4}-\d{2}"), ("0000-01", "0001-01", "1999-12", "9999-12", "20٢6-09")),
    (re.compile(r"\d{4}-\d{2}-\d{2}"), ("0001-01-01", "9999-12-31")),
    (
        re.compile(r"\d{4}-\d{2}-\d{2}T.*"),
        ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-09-14T09:00:00"),
    ),
)


def _out_of_the_calendar(sample: Json) -> Iterator[tuple[Json, Json]]:
    """The record with one value replaced: each day, moment and month by extreme ones."""
    for value in _spoiled(sample["value"]):
        yield sample["headers"], value
    for time in EXTREMES[-1][1]:
        yield sample["headers"] | {"ce_time": time}, sample["value"]


def _spoiled(value: Any) -> Iterator[Any]:  # noqa: ANN401 - any JSON
    match value:
        case dict():
            for name, one in value.items():
                yield from (value | {name: worse} for worse in _spoiled(one))
        case list():
            for place, one in enumerate(value):
                yield from ([*value[:place], worse, *value[place + 1 :]] for worse in _spoiled(one))
        case str():
            for shape, extremes in EXTREMES:
                yield from extremes if shape.fullmatch(value) else ()


@pytest.mark.parametrize("type_", catalog)
def test_no_event_can_carry_data_of_a_person_or_free_text(type_: str) -> None:
    """Public names of organizations, clubs, groups and programs are the only texts."""
    schema = describe(catalog[type_])
    for name, field in _fields(schema):
        assert not ABOUT_A_PERSON.search(name)
        if field.get("type") == "string" and name not in {"kk", "ru", "en"}:
            assert field.keys() & {"format", "pattern", "enum", "const"}, name


def test_texts_of_three_languages_are_names_of_things_only() -> None:
    named = {type_ for type_ in catalog if "Names" in describe(catalog[type_]).get("$defs", {})}
    assert named == {
        "clubs.group_described.v1",
        "clubs.provider_described.v1",
        "wallet.fund_described.v1",
        "wallet.program_described.v1",
    }


def test_a_type_says_its_owner_and_version_and_lies_in_its_owners_topic() -> None:
    for type_, event in catalog.items():
        owner, _, rest = type_.partition(".")
        assert re.fullmatch(r"[a-z_]+\.v[1-9]", rest)
        assert event.topic.startswith(f"{owner}.")
        assert event.__doc__


def test_full_state_has_a_version_and_requests_are_known_by_their_subject() -> None:
    for type_, event in catalog.items():
        assert event.full_state == ("version" in describe(event)["properties"]), type_
        if type_.endswith("_requested.v1"):
            assert len(SAMPLES[type_]["headers"]["ce_subject"].split("/")) == 3, "answerable without its body"


OLD: Json = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


@pytest.mark.parametrize(
    "new",
    [
        {**OLD, "properties": {}},
        {**OLD, "properties": {"a": {"type": "string"}}},
        {**OLD, "properties": {"a": {"type": "integer", "minimum": 1}}},
        {**OLD, "properties": {**OLD["properties"], "b": {"type": "integer"}}, "required": ["a", "b"]},
        {**OLD, "required": []},
    ],
)
def test_a_change_that_hurts_somebody_needs_a_new_type(new: Json) -> None:
    assert breaks(OLD, new)


@pytest.mark.parametrize(
    "new",
    [
        OLD,
        {**OLD, "description": "In better words."},
        {**OLD, "properties": {**OLD["properties"], "b": {"type": "integer", "default": 0}}},
    ],
)
def test_words_and_fields_that_may_be_absent_can_be_added(new: Json) -> None:
    assert breaks(OLD, new) == []


def _fields(schema: Json) -> Iterator[tuple[str, Json]]:
    for part in (schema, *schema.get("$defs", {}).values()):
        for name, field in part.get("properties", {}).items():
            for one in (*field.get("anyOf", ()), field.get("items", {}), field):
                yield name, one
